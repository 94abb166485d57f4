//go:build unix

package cluster

import (
	"bufio"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is the link between one roomd and one NATS server.
type proxy struct {
	t      *testing.T
	target string
	listen net.Listener
	work   sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	refuse bool
	open   chan struct{} // closed while data may pass
	drop   func(frame) bool
	closed bool
}

// links are all links of a node.
type links []*proxy

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, target: target, listen: listen, conns: make(map[net.Conn]bool), open: make(chan struct{})}
	close(p.open)
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) port() int { return p.listen.Addr().(*net.TCPAddr).Port }

func (p *proxy) accept() {
	for {
		conn, err := p.listen.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.serve(conn) })
	}
}

// serve connects the two sides until one ends.
func (p *proxy) serve(client net.Conn) {
	if !p.add(client) {
		client.Close()
		return
	}
	defer p.remove(client)
	p.pass() // a stalled link does not connect either
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	if !p.add(server) {
		server.Close()
		return
	}
	defer p.remove(server)
	var both sync.WaitGroup
	both.Go(func() { p.up(server, client) })
	both.Go(func() { p.down(client, server) })
	both.Wait()
}

// up copies what the node says.
func (p *proxy) up(server, client net.Conn) {
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		p.pass()
		if _, writeErr := server.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// down copies what the server says, frame by frame.
func (p *proxy) down(client, server net.Conn) {
	defer client.Close()
	r := bufio.NewReaderSize(server, maxLine)
	for {
		f, err := readFrame(r)
		p.pass()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrUnexpectedEOF) {
				p.t.Logf("link to %s: %v", p.target, err)
			}
			return
		}
		if p.dropped(f) {
			continue
		}
		if _, err := client.Write(f.bytes); err != nil {
			return
		}
	}
}

func (p *proxy) dropped(f frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drop != nil && f.subject != "" && p.drop(f)
}

// pass waits while the link is stalled.
func (p *proxy) pass() {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
}

func (p *proxy) add(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.closed {
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *proxy) remove(conn net.Conn) {
	p.mu.Lock()
	delete(p.conns, conn)
	p.mu.Unlock()
	conn.Close() // its error would only say that it is closed
}

// hangUp ends all connections.
func (p *proxy) hangUp(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
	for conn := range p.conns {
		conn.Close()
	}
}

func (p *proxy) setStalled(stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		if stalled {
			p.open = make(chan struct{})
		}
	default:
		if !stalled {
			close(p.open)
		}
	}
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listen.Close()
	p.setStalled(false)
	p.hangUp(true)
	p.work.Wait()
}

// cut ends the connections and refuses new ones: the cable is out, and both
// sides know.
func (l links) cut() {
	for _, p := range l {
		p.hangUp(true)
	}
}

// stall holds everything back, ends of connections included: the cable is out,
// and nobody knows.
func (l links) stall() {
	for _, p := range l {
		p.setStalled(true)
	}
}

// heal undoes cut and stall. What was held back arrives, as TCP would have it.
func (l links) heal() {
	for _, p := range l {
		p.mu.Lock()
		p.refuse = false
		p.mu.Unlock()
		p.setStalled(false)
	}
}

// dropIf drops the messages on their way to the node that match, on all its
// links. nil drops none.
func (l links) dropIf(match func(frame) bool) {
	for _, p := range l {
		p.mu.Lock()
		p.drop = match
		p.mu.Unlock()
	}
}

// dropNth drops the nth event of a log's subject on its way to the node,
// counted from now over all its links; every copy of it, as a node may have
// several subscriptions. It says how many copies it has dropped.
func (l links) dropNth(subject string, nth int) (dropped *atomic.Int64) {
	dropped = new(atomic.Int64)
	var mu sync.Mutex
	var events []string // their sequences
	l.dropIf(func(f frame) bool {
		if f.subject != subject {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if seq := f.sequence(); !slices.Contains(events, seq) {
			events = append(events, seq)
		}
		if len(events) < nth || f.sequence() != events[nth-1] {
			return false
		}
		dropped.Add(1)
		return true
	})
	return dropped
}
