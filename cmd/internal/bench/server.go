package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// startTimeout is what a server may take until it is ready.
const startTimeout = 30 * time.Second

// server is a running one.
type server struct {
	name    string
	url     string // of its WebSocket, without a query
	dialect dialect
	process *process // nil: what it costs is not known
	stop    func() error
}

// resident is 0 when it is not known.
func (s *server) resident() (int64, error) {
	if s.process == nil {
		return 0, nil
	}
	return s.process.resident()
}

// program is a server that can be started.
type program struct {
	name    string
	dialect dialect
	path    string
	args    func(addr, dir string) []string // dir is empty, and its own
	dir     string                          // to start it in; "": ours
	absent  string                          // why it cannot be started; "": it can
}

// start runs the program on a free loopback port until stop is called, and
// returns when it is ready.
func (p *program) start(ctx context.Context) (_ *server, err error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-"+p.name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for %s: %w", p.name, err)
	}
	log := &tail{}
	cmd := exec.Command(p.path, p.args(addr, dir)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	tie(cmd)
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", p.name, err), os.RemoveAll(dir))
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // that it was killed; its log says what else happened
		close(exited)
	}()
	stop := func() error {
		_ = cmd.Process.Kill() // an error is that it has ended
		<-exited
		return os.RemoveAll(dir)
	}
	if err := awaitReady(ctx, addr, exited); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w; it said:\n%s", p.name, err, log), stop())
	}
	return &server{name: p.name, url: "ws://" + addr + "/ws", dialect: p.dialect, process: &process{cmd.Process.Pid}, stop: stop}, nil
}

// freeAddr finds a port outside of the range from which connections get theirs.
func freeAddr() (string, error) {
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(15_000))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		return addr, l.Close()
	}
	return "", errors.New("there is no free port from 15000 to 30000")
}

func awaitReady(ctx context.Context, addr string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := ready200(ctx, addr)
		if err == nil {
			return nil
		}
		select {
		case <-retry.C:
		case <-exited:
			return errors.New("it has ended")
		case <-ctx.Done():
			return fmt.Errorf("it was not ready within %v: %w", startTimeout, err)
		}
	}
}

// ready200 asks GET /readyz. HTTP/1.0 ends the answer with the connection.
func ready200(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(conn, "GET /readyz HTTP/1.0\r\nHost: %s\r\n\r\n", addr); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 4<<10))
	line, _, _ := bytes.Cut(answer, []byte("\r\n"))
	if !bytes.Contains(line, []byte(" 200 ")) {
		return errors.Join(fmt.Errorf("GET /readyz: %q", answer), err)
	}
	return nil
}

// tail keeps the end of what a program writes.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
