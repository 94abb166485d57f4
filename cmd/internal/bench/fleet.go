package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// startTimeout is what a process may take until it is ready.
const startTimeout = 30 * time.Second

// fleet is the processes of one server, and the directory they write into.
type fleet struct {
	dir      string
	children []*child
}

func newFleet(name string) (*fleet, error) {
	dir, err := os.MkdirTemp("", "bench-"+name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for %s: %w", name, err)
	}
	return &fleet{dir: dir}, nil
}

// subdir makes a directory for one of the processes.
func (f *fleet) subdir(name string) (string, error) {
	dir := filepath.Join(f.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a directory for %s: %w", name, err)
	}
	return dir, nil
}

// child is a process that the bench has started.
type child struct {
	name   string
	cmd    *exec.Cmd
	log    *tail
	exited chan struct{}
}

// run starts cmd; it ends with the fleet.
func (f *fleet) run(name string, cmd *exec.Cmd) (*child, error) {
	c := &child{name: name, cmd: cmd, log: &tail{}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = c.log, c.log
	tie(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // that it was killed; its log says what else happened
		close(c.exited)
	}()
	f.children = append(f.children, c)
	return c, nil
}

// await polls ready until it returns nil, for startTimeout at most.
func (c *child) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-retry.C:
			continue
		case <-c.exited:
			err = errors.New("it has ended")
		case <-ctx.Done():
			err = fmt.Errorf("it was not ready within %v: %w", startTimeout, err)
		}
		return fmt.Errorf("start %s: %w; it said:\n%s", c.name, err, c.log)
	}
}

func (f *fleet) processes() processes {
	var all processes
	for _, c := range f.children {
		all = append(all, process{c.cmd.Process.Pid})
	}
	return all
}

// stop ends all processes, those that were started last first: they use the
// others.
func (f *fleet) stop() error {
	for i := len(f.children) - 1; i >= 0; i-- {
		c := f.children[i]
		_ = c.cmd.Process.Kill() // an error is that it has ended
		<-c.exited
	}
	return os.RemoveAll(f.dir)
}

// freeAddr finds a port outside of the range from which connections get theirs.
func freeAddr() (string, error) {
	addrs, err := freeAddrs(1)
	if err != nil {
		return "", err
	}
	return addrs[0], nil
}

// freeAddrs finds n different ones.
func freeAddrs(n int) (addrs []string, err error) {
	var held []net.Listener
	for range 1000 * n {
		addr := fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(15_000))
		l, failed := net.Listen("tcp", addr)
		if failed != nil {
			continue
		}
		addrs, held = append(addrs, addr), append(held, l)
		if len(addrs) == n {
			break
		}
	}
	for _, l := range held {
		err = errors.Join(err, l.Close())
	}
	if len(addrs) < n {
		err = errors.Join(errors.New("there are no free ports from 15000 to 30000"), err)
	}
	return addrs, err
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
