//go:build unix

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that a test starts, stops and starts again. It is for
// the test's goroutine.
type process struct {
	t    *testing.T
	name string
	path string
	args []string
	env  []string
	in   *os.File          // stdin; nil: nothing
	out  io.Writer         // of stdout; nil: the test's log
	said func(line string) // is told what it logs; may be nil

	cmd    *exec.Cmd     // nil while it does not run
	exited chan struct{} // closed when it has ended
	err    error         // set before
}

// start runs the program; whatever becomes of the test, it does not outlive it.
func (p *process) start() {
	p.t.Helper()
	if p.cmd != nil {
		p.t.Fatalf("%s runs already", p.name)
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Dir = p.env, p.t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	log := &lineLog{t: p.t, name: p.name, said: p.said}
	if p.in != nil {
		cmd.Stdin = p.in
	}
	cmd.Stdout, cmd.Stderr = p.out, log
	if p.out == nil {
		cmd.Stdout = log
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		p.err = cmd.Wait()
	}()
	p.cmd, p.exited = cmd, exited
	p.t.Cleanup(func() {
		if p.cmd == cmd && !p.ended() {
			p.kill()
		}
	})
}

// signal tells the process something.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if p.cmd == nil {
		p.t.Fatalf("%s does not run", p.name)
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Errorf("send %v to %s: %v", s, p.name, err)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// kill pulls the plug: SIGKILL, also of a process that is stopped.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.exited // says that it was killed
	p.cmd = nil
}

// wait waits for the process to end by itself and returns its error.
func (p *process) wait(patience time.Duration) error {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		p.cmd = nil
		return p.err
	case <-timer.C:
		p.t.Fatalf("%s has not ended after %v", p.name, patience)
		return nil
	}
}

// lineLog writes lines into the test's log. The process is waited for before
// the test ends, so none comes too late.
type lineLog struct {
	t    *testing.T
	name string
	said func(string) // may be nil
	rest []byte
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.t.Logf("%s %s: %s", time.Now().Format("05.000"), l.name, line)
		if l.said != nil {
			l.said(string(line))
		}
		l.rest = rest
	}
}

// given are the ports that freePort has handed out: whoever got one may not
// listen yet.
var given sync.Map

// freePort finds a port of the loopback interface outside of the range from
// which connections get theirs: a process that is started again must find it
// free.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 15000 + rand.IntN(15000)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("there is no free port")
	return 0
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// answers waits until a process gives the health check at url a 200.
func (p *process) answers(url string) {
	p.t.Helper()
	eventually(p.t, p.name+" is healthy", 60*time.Second, func(ctx context.Context) error {
		if p.ended() {
			p.t.Fatalf("%s has ended: %v", p.name, p.err)
		}
		_, err := get(ctx, url)
		return err
	})
}

// eventually asks until the answer is nil.
func eventually(t *testing.T, what string, patience time.Duration, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var why error
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		if why == nil || ctx.Err() == nil {
			why = err // and not that the time was over
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not after %v: %v", what, patience, why)
		}
	}
}

// web is without kept connections, which would look like a leak.
var web = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

// get returns what a URL answers with 200.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+apiKey) // /metrics asks for it
	res, err := web.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		err = errors.Join(fmt.Errorf("%s: %s %s", url, res.Status, bytes.TrimSpace(body)), err)
	}
	return string(body), err
}
