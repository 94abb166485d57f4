//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded/smalldisk"
)

// readiness is what a node says of it in its log.
type readiness struct {
	mu        sync.Mutex
	bad, good []string
}

func listenFor(x *node) *readiness {
	r := &readiness{}
	x.said = func(line string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case strings.Contains(line, `"message":"not ready: `):
			r.bad = append(r.bad, line)
		case strings.Contains(line, `"message":"ready again: `):
			r.good = append(r.good, line)
		}
	}
	return r
}

// told asserts that each turn was told once, and that the first of each outage
// says all of parts.
func (r *readiness) told(t *testing.T, name string, turns int, parts ...string) {
	t.Helper()
	eventually(t, name+" says that it is ready again", time.Minute, func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.good) < turns {
			return fmt.Errorf("it said %q", r.good)
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bad) != turns || len(r.good) != turns {
		t.Errorf("of %d outages %s tells:\n%s\n%s", turns, name, strings.Join(r.bad, "\n"), strings.Join(r.good, "\n"))
	}
	for _, line := range r.bad {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				t.Errorf("%s does not say %q: %s", name, part, line)
			}
		}
	}
}

// unready waits until /readyz refuses, and returns how long that took.
func (x *node) unready() time.Duration {
	x.t.Helper()
	began := time.Now()
	eventually(x.t, x.name+" is not ready", 60*time.Second, func(ctx context.Context) error {
		if _, err := get(ctx, "http://"+address(x.port)+"/readyz"); err == nil {
			return errors.New("it is ready")
		}
		return nil
	})
	return time.Since(began)
}

// Two of three servers are killed: no node is ready, whether somebody
// publishes or not, and each says so once. They come back: it goes on by
// itself, and what was acknowledged is there.
func TestQuorumLost(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "quorum"
	c := startNATS(t)
	var nodes []*node
	var told []*readiness
	for i := range 2 {
		x := newNode(t, fmt.Sprint("n", i+1), c.url("node"))
		told = append(told, listenFor(x))
		nodes = append(nodes, x)
		x.start()
	}
	for _, x := range nodes {
		x.ready()
	}
	m := join(t, nodes[1], "member", room, nil)
	if err := post(t.Context(), nodes[0], room, "before"); err != nil {
		t.Fatal(err)
	}
	survivor := c.leader() // it answers for ten seconds after it is alone
	for _, s := range c.servers {
		if s != survivor {
			s.kill()
		}
	}
	for _, x := range nodes {
		t.Logf("%s is not ready %.1f s after two of three servers were killed", x.name, x.unready().Seconds())
	}
	posted := make(chan error, 1)
	go func() { posted <- post(t.Context(), nodes[0], room, "without a quorum") }()
	if err := <-posted; err == nil || !strings.Contains(err.Error(), "unavailable") {
		t.Errorf("a publish without a quorum: %v", err)
	}
	for _, s := range c.servers {
		if s != survivor {
			s.start()
		}
	}
	at := time.Now()
	for _, x := range nodes {
		x.ready()
		t.Logf("%s is ready %.1f s after the servers were started", x.name, time.Since(at).Seconds())
	}
	for i, x := range nodes {
		told[i].told(t, x.name, 1, `"todo":"`)
	}
	if err := post(t.Context(), nodes[0], room, "after"); err != nil {
		t.Errorf("a publish when the servers are back: %v", err)
	}
	m.until(t, "what was acknowledged", reachWithin, func() bool { return len(m.seqs) >= 2 })
}

// A NATS server of somebody else has a full disk. The node, on which nobody
// publishes, is not ready; nor is it when there is space, until that server has
// been restarted, as it stores nothing before.
func TestFullDiskOfAnExternalServer(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "disk"
	dir := smalldisk.New(t, 16)
	port, monitor := freePort(t), freePort(t)
	config := filepath.Join(t.TempDir(), "nats.conf")
	text := fmt.Sprintf("listen: %q\nhttp: %q\njetstream { store_dir: %q, max_file_store: 4GB }\n", address(port), address(monitor), dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server := &process{t: t, name: "nats", path: natsProgram(t), env: []string{"PATH=" + os.Getenv("PATH")}, args: []string{"-c", config}}
	server.start()
	server.answers("http://" + address(monitor) + "/healthz")
	x := newNode(t, "n1", "nats://"+address(port))
	told := listenFor(x)
	x.start()
	x.ready()
	if err := post(t.Context(), x, room, "before"); err != nil {
		t.Fatal(err)
	}
	free := smalldisk.Fill(t, dir)
	t.Logf("not ready %.1f s after the disk was full", x.unready().Seconds())
	free()
	looks := x.probesFailed(t)
	eventually(t, "three more looks", 60*time.Second, func(ctx context.Context) error {
		if _, err := get(ctx, "http://"+address(x.port)+"/readyz"); err == nil {
			t.Fatal("it is ready, while its NATS stores nothing")
		}
		if now := x.probesFailed(t); now < looks+3 {
			return fmt.Errorf("%v of %v", now, looks+3)
		}
		return nil
	})
	server.signal(syscall.SIGTERM)
	if err := server.wait(time.Minute); err != nil {
		t.Logf("nats-server ended with %v", err)
	}
	server.start()
	at := time.Now()
	x.ready()
	t.Logf("ready %.1f s after the server was started", time.Since(at).Seconds())
	told.told(t, x.name, 1, "restarted when there is space")
	if err := post(t.Context(), x, room, "after"); err != nil {
		t.Error(err)
	}
}

func (x *node) probesFailed(t *testing.T) (n float64) {
	t.Helper()
	text, err := get(t.Context(), "http://"+address(x.port)+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(text, "\nroomd_room_probes_failed_total ")
	if _, err := fmt.Sscan(rest, &n); !found || err != nil {
		t.Fatalf("no such metric: %v", err)
	}
	return n
}
