package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestConnectInProcessAndOverTCP(t *testing.T) {
	s := start(t, Config{Addr: "127.0.0.1:0", Memory: true})
	inside, err := s.Connect("inside")
	if err != nil {
		t.Fatal(err)
	}
	outside, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	echo(t, inside, outside)
	echo(t, outside, inside)
	if got := inside.ConnectedServerName(); got != serverName {
		t.Errorf("server name %q", got)
	}
	if got := inside.MaxPayload(); got != MaxPayload {
		t.Errorf("max payload %d, want %d", got, MaxPayload)
	}
}

func TestInProcessOnly(t *testing.T) {
	s := start(t, Config{Addr: InProcessOnly, Memory: true})
	if s.URL() != "" {
		t.Errorf("URL %q of a server without a port", s.URL())
	}
	a, err := s.Connect("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Connect("b")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, a, b)
}

func TestWildcardURLIsDialable(t *testing.T) {
	for addr, want := range map[string]string{"0.0.0.0:4222": "127.0.0.1:4222", "[::]:4222": "127.0.0.1:4222", "127.0.0.2:4222": "127.0.0.2:4222"} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := dialAddr(tcp); got != want {
			t.Errorf("dialable(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestStoreSurvivesRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "start")
	for _, cfg := range []Config{
		{Addr: InProcessOnly, StoreDir: dir},
		{Addr: "127.0.0.1:0", StoreDir: dir, SyncAlways: true},
	} {
		first := start(t, cfg)
		if err := storeOne(first, "kept"); err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second := start(t, cfg)
		nc, err := second.Connect("reader")
		if err != nil {
			t.Fatal(err)
		}
		if got := lastBody(t, nc); got != "kept" {
			t.Errorf("after a restart the last message is %q", got)
		}
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMemoryLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp) // unix
	t.Setenv("TMP", temp)    // windows
	s := start(t, Config{Addr: InProcessOnly, Memory: true})
	if err := storeOne(s, "x"); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, temp); len(left) == 0 {
		t.Fatal("the store is not in the temporary directory; this test would prove nothing")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAddrInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	addr := l.Addr().String()
	_, err = Start(Config{Addr: addr, StoreDir: dir})
	var inUse *AddrInUseError
	if !errors.As(err, &inUse) || inUse.Addr != addr {
		t.Fatalf("got %v, want an AddrInUseError with %s", err, addr)
	}
	start(t, Config{Addr: "127.0.0.1:0", StoreDir: dir}) // the failed one freed the store
}

func TestBadAddr(t *testing.T) {
	for _, addr := range []string{"", "4222", ":4222", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:-1", "127.0.0.1:65536", "203.0.113.1:0"} {
		_, err := Start(Config{Addr: addr, Memory: true})
		var bad *AddrError
		if !errors.As(err, &bad) || bad.Addr != addr {
			t.Errorf("Addr %q: got %v, want an AddrError", addr, err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	var bad *StoreError
	if _, err := Start(Config{Addr: InProcessOnly}); !errors.As(err, &bad) {
		t.Errorf("no directory: got %v, want a StoreError", err)
	}
	if _, err := Start(Config{Addr: InProcessOnly, Memory: true, Sync: -1}); err == nil {
		t.Error("a negative sync interval was accepted")
	}
}

func TestBadStoreDir(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(base, "blocked") // a file is where JetStream wants its directory
	if err := os.MkdirAll(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(blocked, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), blocked} {
		_, err := Start(Config{Addr: InProcessOnly, StoreDir: dir})
		var bad *StoreError
		if !errors.As(err, &bad) || bad.Dir != dir {
			t.Errorf("StoreDir %s: got %v, want a StoreError", dir, err)
		}
	}
}

func TestStoreLocked(t *testing.T) {
	dir := t.TempDir()
	first := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	_, err := Start(Config{Addr: InProcessOnly, StoreDir: dir})
	var locked *StoreLockedError
	if !errors.As(err, &locked) || locked.Dir != dir || locked.PID != os.Getpid() {
		t.Fatalf("got %v, want a StoreLockedError with our pid", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, Config{Addr: InProcessOnly, StoreDir: dir})
}

func TestKilledProcessHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Env = append(os.Environ(), holdDirEnv+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "holding" {
		t.Errorf("the child said %q, %v", line, err)
	}
	_, err = Start(Config{Addr: InProcessOnly, StoreDir: dir})
	var locked *StoreLockedError
	if !errors.As(err, &locked) || locked.PID != child.Process.Pid {
		t.Errorf("while it lives: got %v, want a StoreLockedError with pid %d", err, child.Process.Pid)
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the child ended by itself")
	}

	s := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	nc, err := s.Connect("reader")
	if err != nil {
		t.Fatal(err)
	}
	if got := lastBody(t, nc); got != "from the dead" {
		t.Errorf("the last message is %q", got)
	}
}

func TestCloseTwiceAndAfter(t *testing.T) {
	s := start(t, Config{Addr: "127.0.0.1:0", Memory: true})
	nc, err := s.Connect("left open")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if !nc.IsClosed() {
		t.Error("a connection outlived its server")
	}
	if _, err := s.Connect("late"); !errors.Is(err, ErrClosed) {
		t.Errorf("connect after close: %v, want ErrClosed", err)
	}
}

func TestConnectForgetsClosedConnections(t *testing.T) {
	s := start(t, Config{Addr: InProcessOnly, Memory: true})
	for range 10 {
		nc, err := s.Connect("short")
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
	}
	if n := len(s.conns); n > 1 {
		t.Errorf("%d closed connections are kept", n)
	}
}

func TestStartStopCycles(t *testing.T) {
	dir := t.TempDir()
	cycle := func(i int) {
		s := start(t, Config{Addr: "127.0.0.1:0", StoreDir: dir})
		if err := storeOne(s, "x"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Start(Config{Addr: "nowhere", StoreDir: dir}); err == nil {
			t.Fatal("a bad address was accepted")
		}
	}
	cycle(0)
	before := settled()
	for i := range 15 {
		cycle(i)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	patience := time.After(time.Minute)
	for {
		after := runtime.NumGoroutine()
		if after <= before+5 { // a leak would be at least one per cycle
			return
		}
		select {
		case <-tick.C:
		case <-patience:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines after 15 cycles, %d after the first\n%s", after, before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// A request that is under way when the server is closed is done or refused: no
// stream stays open behind it.
func TestCloseLeavesNoStreamOpen(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := start(t, Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()})
	nc, err := s.Connect("creates")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		request := fmt.Sprintf(`{"name":"S%d","subjects":["s.%d"],"storage":"file","retention":"limits"}`, i, i)
		if err := nc.PublishRequest(fmt.Sprintf("$JS.API.STREAM.CREATE.S%d", i), nats.NewInbox(), []byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil { // the server has them
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// settled is the number of goroutines when those that are about to end had
// their turn.
func settled() int {
	n := runtime.NumGoroutine()
	for range 10_000 {
		runtime.Gosched()
		n = min(n, runtime.NumGoroutine())
	}
	return n
}

func TestServerLogsToZerolog(t *testing.T) {
	buf := &syncBuffer{}
	s := start(t, Config{Addr: "127.0.0.1:0", Memory: true, Log: zerolog.New(buf)})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(buf.String(), `"level":"debug","component":"nats-server","message":"Listening for client connections on`) {
		t.Errorf("the server's notices are missing:\n%s", buf.String())
	}
	for line := range strings.Lines(buf.String()) {
		if !strings.Contains(line, `"level":"debug"`) {
			t.Errorf("a normal life logs above debug: %s", line)
		}
	}
}

func TestFatalAfterStartIsLogged(t *testing.T) {
	var buf bytes.Buffer
	l := &serverLog{log: zerolog.New(&buf)}
	if err := l.startError("", ""); err != nil {
		t.Fatal(err)
	}
	l.Fatalf("disk %s", "gone")
	if !strings.Contains(buf.String(), "disk gone") {
		t.Errorf("logged: %q", buf.String())
	}
	other := &serverLog{log: zerolog.New(&buf)}
	other.Fatalf("odd thing %d", 7)
	if err := other.startError("", ""); err == nil || !strings.Contains(err.Error(), "odd thing 7") {
		t.Errorf("an unforeseen fatal message became %v", err)
	}
}
