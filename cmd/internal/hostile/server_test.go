//go:build linux

package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// setup says how the program is started. Its flags are the defaults but for
// the addresses and for what the attack is about.
type setup struct {
	name   string   // of the attack, as the table shows it
	flags  []string // --name=value
	env    []string
	full   bool // the attack takes all places
	beside bool // it uses the NATS of another, which env names
	files  int  // the limit of open files, soft and hard; 0: as it is
}

// server is a roomd that is attacked. Its methods are for any goroutine.
type server struct {
	t          *testing.T
	cmd        *exec.Cmd
	addr, nats string
	dir        string // its store
	apiKey     string // of the operator; "": none
	counting   string // where it tells its counters
	log        *logLines
	exited     chan struct{} // closed when it has ended
	before     map[string]float64
}

// serve starts the program and returns when it is ready. It ends with the test.
func serve(t *testing.T, how setup) *server {
	t.Helper()
	path, help := program(t)
	s := &server{t: t, addr: freeAddress(t), nats: freeAddress(t), dir: t.TempDir(), log: &logLines{}, exited: make(chan struct{})}
	args := []string{"--addr=" + s.addr, "--log=json", "--trusted-proxy=127.0.0.1"}
	if !how.beside {
		args = append(args, "--nats-addr="+s.nats, "--store-dir="+s.dir)
	}
	s.counting = s.addr
	for _, setting := range how.env {
		if key, ok := strings.CutPrefix(setting, "ROOMD_API_KEY="); ok {
			s.apiKey = key
		}
	}
	if s.apiKey == "" && len(how.env) > 0 && strings.Contains(help, "--metrics-addr") { // with a JWT key alone the API and /metrics answer nobody
		s.counting = freeAddress(t)
		args = append(args, "--metrics-addr="+s.counting)
	}
	args = known(help, append(args, how.flags...))
	s.cmd = exec.Command(path, args...)
	if how.files > 0 {
		// A shell, as there is no other way to set a limit of a child.
		script := fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, how.files)
		s.cmd = exec.Command("sh", append([]string{"-c", script, path}, args...)...)
	}
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, how.env...)
	s.cmd.Dir = t.TempDir()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // it is killed; one that ends before that is told by alive
	}()
	t.Cleanup(s.kill)
	eventually(t, "the server is ready", 30*time.Second, func(ctx context.Context) error {
		s.alive()
		_, err := s.get(ctx, "/readyz")
		return err
	})
	s.forgetPeak()
	s.before = s.metrics()
	return s
}

func (s *server) kill() {
	select {
	case <-s.exited:
		return
	default:
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("kill roomd: %v", err)
	}
	<-s.exited
}

// alive ends the test when the program has ended.
func (s *server) alive() {
	s.t.Helper()
	select {
	case <-s.exited:
		s.t.Fatalf("roomd has ended: %v\n%s", s.cmd.ProcessState, s.log.last())
	default:
	}
}

// logLines keeps the last lines that the program logged, and counts those that
// are more than news.
type logLines struct {
	mu    sync.Mutex
	rest  []byte
	lines []string
	loud  int // warnings and errors
}

const keptLines = 40

// Write implements io.Writer.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.rest = bytes.Clone(rest)
		l.lines = append(l.lines, string(line))
		if len(l.lines) > keptLines {
			l.lines = l.lines[1:]
		}
		if bytes.Contains(line, []byte(`"level":"warn"`)) || bytes.Contains(line, []byte(`"level":"error"`)) {
			l.loud++
		}
	}
}

func (l *logLines) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func (l *logLines) warnings() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loud
}

// freeAddress is one of the loopback interface on which nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// connect is a service on this machine.
func (s *server) connect(options ...nats.Option) *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect("nats://"+s.nats, append(s.password(), options...)...)
	if err != nil {
		s.t.Fatalf("connect to NATS: %v", err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// password is what the owner of the store directory knows.
func (s *server) password() []nats.Option {
	secret, err := os.ReadFile(filepath.Join(s.dir, "nats-password"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		s.t.Errorf("read the password of NATS: %v", err)
	}
	return []nats.Option{nats.UserInfo("roomd", strings.TrimSpace(string(secret)))}
}

// another starts a second node on the NATS of the attack's server.
func (a *attack) another(how setup) *server {
	a.t.Helper()
	url := "nats://" + a.server.nats
	if secret, err := os.ReadFile(filepath.Join(a.server.dir, "nats-password")); err == nil {
		url = fmt.Sprintf("nats://roomd:%s@%s", strings.TrimSpace(string(secret)), a.server.nats)
	}
	how.beside = true
	how.env = append([]string{"ROOMD_NATS_URL=" + url}, how.env...)
	return serve(a.t, how)
}
