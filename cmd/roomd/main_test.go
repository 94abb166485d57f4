package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// beRoomd makes the test binary roomd itself: main, in a process of its own, with the race detector if the tests have it.
const beRoomd = "TEST_BE_ROOMD"

func TestMain(m *testing.M) {
	if os.Getenv(beRoomd) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

const deadline = time.Minute

// process is roomd running.
type process struct {
	cmd    *exec.Cmd
	url    string // of HTTP
	nats   string
	ended  chan struct{} // closed when it has ended
	status int           // set before

	mu     sync.Mutex
	stderr bytes.Buffer
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), beRoomd+"=1")
	return cmd
}

// start runs roomd on free ports and waits until it is ready.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	args = append([]string{"--addr=127.0.0.1:0", "--nats-addr=127.0.0.1:0", "--log=json"}, args...)
	p := &process{cmd: command(t, args...), ended: make(chan struct{})}
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go p.read(pipe, ready)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails when it has ended
		<-p.ended
	})
	select {
	case <-ready:
	case <-p.ended:
		t.Fatalf("roomd ended with %d: %s", p.status, p.said())
	case <-time.After(deadline):
		t.Fatalf("roomd is not ready: %s", p.said())
	}
	return p
}

// read takes what roomd says until it ends.
func (p *process) read(pipe io.Reader, ready chan struct{}) {
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.stderr.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		var entry struct{ Message, URL, NATS string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Message == "roomd is ready" {
			p.url, p.nats = entry.URL, entry.NATS
			close(ready)
		}
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		p.status = exit.ExitCode()
	}
	close(p.ended)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// interrupt is Ctrl-C.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

func (p *process) wantStatus(t *testing.T, want int) {
	t.Helper()
	select {
	case <-p.ended:
		if p.status != want {
			t.Errorf("roomd ended with %d, want %d: %s", p.status, want, p.said())
		}
	case <-time.After(deadline):
		t.Fatalf("roomd does not end: %s", p.said())
	}
}

// waitFor waits until roomd has said text.
func (p *process) waitFor(t *testing.T, text string) {
	t.Helper()
	p.waitForAfter(t, 0, text)
}

// waitForAfter waits until roomd has said text after the first bytes that it said.
func (p *process) waitForAfter(t *testing.T, first int, text string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(deadline)
	for !strings.Contains(p.said()[first:], text) {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("roomd did not say %q: %s", text, p.said())
		}
	}
}

// fails runs roomd, which must end with status 1 and say every part on stderr.
func fails(t *testing.T, args []string, says ...string) {
	t.Helper()
	cmd := command(t, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v ended with %v, want status 1", args, err)
	}
	for _, part := range says {
		if !strings.Contains(stderr.String(), part) {
			t.Errorf("%v does not say %q: %s", args, part, &stderr)
		}
	}
	if stdout.Len() > 0 {
		t.Errorf("%v printed %q", args, &stdout)
	}
}

// dial opens a WebSocket by hand, so that what is on the wire can be looked at. It returns when welcome has come.
func (p *process) dial(t *testing.T) *bufio.Reader {
	t.Helper()
	addr := strings.TrimPrefix(p.url, "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: "+addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("no WebSocket: %+v %v", resp, err)
	}
	if _, err := in.ReadSlice('}'); err != nil { // the end of the first event's payload
		t.Fatal(err)
	}
	return in
}

// request asks over HTTP.
func (p *process) request(t *testing.T, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, answer, err)
	}
	return string(answer)
}

func TestTakenPortsAndStore(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "--store-dir", dir)
	addr, nats := strings.TrimPrefix(p.url, "http://"), strings.TrimPrefix(p.nats, "nats://")
	fails(t, []string{"--addr=" + addr, "--nats-addr=-", "--store=memory"}, addr, "in use", "--addr", "ROOMD_ADDR")
	fails(t, []string{"--addr=127.0.0.1:0", "--nats-addr=" + nats, "--store=memory"}, nats, "in use", "--nats-addr", "ROOMD_NATS_ADDR")
	fails(t, []string{"--addr=127.0.0.1:0", "--nats-addr=-", "--store-dir", dir}, dir, "--store-dir", "ROOMD_STORE_DIR")
	fails(t, []string{"--addr=0.0.0.0:0"}, "--addr", "--jwt-key-file", "--allow-guests")
	fails(t, []string{"--rate=fast"}, "--rate", "ROOMD_RATE")
	p.interrupt(t)
	p.wantStatus(t, 0)
}

// The store is free again after an end of any kind, and what was acknowledged is in it.
func TestRestarts(t *testing.T) {
	dir := t.TempDir()
	const one = `{"type":"probe","payload":"one"}`
	first := start(t, "--store-dir", dir)
	first.request(t, "POST", "/api/rooms/general/events", one)
	first.interrupt(t)
	first.wantStatus(t, 0)

	second := start(t, "--store-dir", dir)
	second.request(t, "POST", "/api/rooms/general/events", strings.Replace(one, "one", "two", 1))
	if err := second.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-second.ended

	events := start(t, "--store-dir", dir).request(t, "GET", "/api/rooms/general/events", "")
	if !strings.Contains(events, `"payload":"one"`) || !strings.Contains(events, `"payload":"two"`) {
		t.Errorf("after two restarts the log shows %s", events)
	}
}

func TestInterruptDrains(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			p := start(t, "--store=memory")
			in := p.dial(t)
			if err := p.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			told, closed := bytes.Index(rest, []byte(`"type":"reconnect"`)), bytes.Index(rest, wire.AppendCloseFrame(nil, wire.CloseDraining))
			if told < 0 || closed < told {
				t.Errorf("the client got no reconnect and then the close frame of 4000: %q", rest)
			}
			p.wantStatus(t, 0)
			if !strings.Contains(p.said(), "once more") {
				t.Errorf("roomd does not say what a second Ctrl-C does: %s", p.said())
			}
		})
	}
}

// A request that does not end holds the first Ctrl-C up; the second does not wait for it.
func TestSecondInterruptStopsAtOnce(t *testing.T) {
	p := start(t, "--store=memory")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("roomd does not wait for the body: %q %v", line, err)
	}
	p.interrupt(t)
	p.waitFor(t, "stopping: clients are told")
	p.interrupt(t)
	p.wantStatus(t, 1)
	if !strings.Contains(p.said(), "stopped at once") {
		t.Errorf("roomd does not say that it stopped at once: %s", p.said())
	}
}

// The collector runs half as often as by Go's default, unless GOGC says how often.
func TestCollector(t *testing.T) {
	for gogc, want := range map[string]string{"": "200", "50": "50"} {
		t.Setenv("GOGC", gogc)
		metrics := start(t, "--store=memory").request(t, "GET", "/metrics", "")
		if !strings.Contains(metrics, "\ngo_gc_gogc_percent "+want+"\n") {
			t.Errorf("with GOGC=%q, /metrics does not show %s percent", gogc, want)
		}
	}
}

func TestRun(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"--version"}, nil, &stdout, &stderr); err != nil || !strings.HasPrefix(stdout.String(), "roomd ") || stderr.Len() > 0 {
		t.Errorf("--version: %v, %q, %q", err, &stdout, &stderr)
	}
	if err := run(t.Context(), nil, []string{"ROOMD_TYPO=1"}, &stdout, &stderr); err == nil || !strings.Contains(err.Error(), "ROOMD_TYPO") {
		t.Errorf("a misspelt variable: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"--addr=127.0.0.1:0", "--nats-addr=-", "--store=memory"}, nil, &stdout, &stderr); err != nil {
		t.Errorf("stopped while starting: %v", err)
	}
}
