package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded/smalldisk"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// readiness asks /readyz until it answers with that status, and returns how long that took and the last answer.
func (p *process) readiness(t *testing.T, status int) (time.Duration, string) {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(p.get(t, "/readyz"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == status {
			return time.Since(began), string(body)
		}
		if time.Since(began) > deadline {
			t.Fatalf("/readyz still answers %d %s: %s", resp.StatusCode, body, p.said())
		}
	}
	return 0, ""
}

func (p *process) get(t *testing.T, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// talker sends all the time, and knows what was acknowledged.
type talker struct {
	client *client.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	acked  map[string]uint64 // sequence by message
	failed []error
	heard  map[string]int
	lost   int // connections
}

func talk(t *testing.T, p *process) *talker {
	t.Helper()
	x := &talker{acked: map[string]uint64{}, heard: map[string]int{}}
	cfg := client.Config{URL: strings.Replace(p.url, "http", "ws", 1) + "/ws", Username: "talker", OnEvent: x.hear}
	cfg.OnStatus = func(s client.Status) {
		x.mu.Lock()
		defer x.mu.Unlock()
		if s.Err != nil {
			x.lost++
		}
	}
	c, err := client.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	x.client = c
	t.Cleanup(c.Close)
	ctx, stop := context.WithCancel(t.Context())
	x.stop = stop
	x.done.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			x.send(ctx, fmt.Sprint("message ", n))
		}
	})
	t.Cleanup(x.done.Wait)
	t.Cleanup(stop)
	return x
}

func (x *talker) send(ctx context.Context, message string) {
	ack, err := x.client.Publish(ctx, "general", wire.TypeSendMessage, map[string]string{"message": message})
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case err == nil:
		x.acked[message] = ack.Seq
	case ctx.Err() == nil:
		x.failed = append(x.failed, err)
	}
}

func (x *talker) hear(ev wire.Event) {
	var body struct{ Message string }
	if ev.Type != wire.TypeNewMessage || json.Unmarshal(ev.Payload, &body) != nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heard[body.Message]++
}

// heardAll reports whether all that was acknowledged was heard.
func (x *talker) heardAll() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for message := range x.acked {
		if x.heard[message] == 0 {
			return false
		}
	}
	return true
}

// check looks for what failed, broke or was heard again.
func (x *talker) check(t *testing.T) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed != nil || x.lost != 0 {
		t.Errorf("sends failed: %v; connections lost: %d", x.failed, x.lost)
	}
	for message := range x.acked {
		if x.heard[message] != 1 {
			t.Errorf("%q, which was acknowledged, was heard %d times", message, x.heard[message])
		}
	}
}

func (x *talker) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.acked)
}

// logged are the messages of the room general, by sequence.
func (p *process) logged(t *testing.T) map[uint64]string {
	t.Helper()
	all := map[uint64]string{}
	for before := ""; ; {
		var page wire.History
		if err := json.Unmarshal([]byte(p.request(t, "GET", "/api/rooms/general/events?limit=100"+before, "")), &page); err != nil {
			t.Fatal(err)
		}
		for i, raw := range page.Events {
			var ev struct {
				Seq     uint64
				Payload struct{ Message string }
			}
			if err := json.Unmarshal(raw, &ev); err != nil {
				t.Fatal(err)
			}
			all[ev.Seq] = ev.Payload.Message
			if i == 0 {
				before = fmt.Sprint("&before=", ev.Seq)
			}
		}
		if !page.More {
			return all
		}
	}
}

// TestFullDisk: somebody talks while the disk of the real program becomes full, twice, and has space again. It says that it is not
// ready, and why, once; it goes on without a restart; no connection is lost; and after kill -9 all that was acknowledged is there.
func TestFullDisk(t *testing.T) {
	dir := smalldisk.New(t, 12)
	p := start(t, "--store-dir", dir, "--rate=0")
	x := talk(t, p)
	until := func(what string, ok func() bool) {
		t.Helper()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		timeout := time.After(deadline)
		for !ok() {
			select {
			case <-tick.C:
			case <-timeout:
				t.Fatalf("%s: %s", what, p.said())
			}
		}
	}
	for round := range 2 {
		was := x.count()
		until("messages are acknowledged", func() bool { return x.count() > was+20 })
		free := smalldisk.Fill(t, dir)
		took, body := p.readiness(t, http.StatusServiceUnavailable)
		t.Logf("not ready %.1f s after the disk was full: %s", took.Seconds(), strings.TrimSpace(body))
		if !strings.Contains(body, `"reason":"the store of the embedded NATS cannot be written to"`) || strings.Contains(body, dir) {
			t.Errorf("/readyz says %s", body)
		}
		p.request(t, "GET", "/api/rooms/general/events", "") // reading goes on
		free()
		took, _ = p.readiness(t, http.StatusOK)
		t.Logf("ready %.1f s after it had space", took.Seconds())
		was = x.count()
		until("messages are acknowledged again", func() bool { return x.count() > was })
		if got := strings.Count(p.said(), `"message":"not ready: `); got != round+1 {
			t.Errorf("%d lines say that it is not ready: %s", got, p.said())
		}
		if got := strings.Count(p.said(), `"message":"ready again: `); got != round+1 {
			t.Errorf("%d lines say that it is ready again: %s", got, p.said())
		}
	}
	x.stop()
	x.done.Wait()
	for _, part := range []string{"no space left on device", "free space on the file system of " + dir} {
		if !strings.Contains(p.said(), part) {
			t.Errorf("the log does not say %q: %s", part, p.said())
		}
	}
	until("what was acknowledged is heard", x.heardAll) // an ack may come first
	x.check(t)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	logged := start(t, "--store-dir", dir).logged(t)
	missing := len(x.acked) - 1000 // what the room's limit has dropped is the oldest
	for message, seq := range x.acked {
		if logged[seq] != message {
			missing--
			if missing < 0 {
				t.Errorf("%q, which was acknowledged as %d, is gone; there is %q", message, seq, logged[seq])
			}
		}
	}
	t.Logf("%d messages acknowledged, each heard once and in the log", len(x.acked))
}

// TestStoreThatCannotBeUsed: a start that cannot go on says why and what to do, and ends with 1.
func TestStoreThatCannotBeUsed(t *testing.T) {
	quick := []string{"--addr=127.0.0.1:0", "--nats-addr=-"}
	damaged := t.TempDir()
	p := start(t, "--store-dir", damaged)
	p.request(t, "POST", "/api/rooms/general/events", `{"type":"new_message","payload":{"message":"x"}}`)
	p.interrupt(t)
	p.wantStatus(t, 0)
	meta := filepath.Join(damaged, "jetstream", "$G", "streams", "ROOMS", "meta.inf")
	if err := os.WriteFile(meta, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(t, append(quick, "--store-dir", damaged), "damaged", meta, "from a copy", "--store-dir", "ROOMD_STORE_DIR")

	dir := smalldisk.New(t, 4)
	free := smalldisk.Fill(t, dir)
	fails(t, append(quick, "--store-dir", dir), "no space left on device", "free space on the file system of "+dir, "--store-dir")
	free()
	if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v %s", err, out)
	}
	fails(t, append(quick, "--store-dir", dir), "read-only file system", "make "+dir+" writable", "--store-dir")
}
