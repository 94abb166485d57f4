//go:build linux

package hostile

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// rough is a bad network between a client and the server: what goes through is
// late, comes in pieces, and now and then everything breaks off, with bytes on
// their way lost.
type rough struct {
	target string
	from   string // the client's address, told as a proxy does
	listen net.Listener
	work   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
	cuts  int
}

const (
	roughDelay   = 40 * time.Millisecond // at most, of each piece
	roughPiece   = 700                   // bytes at most
	roughBetween = 1200 * time.Millisecond
)

func roughNetwork(t *testing.T, target, from string) *rough {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rough{target: target, from: from, listen: listen, conns: make(map[net.Conn]bool)}
	r.work.Go(func() {
		for {
			conn, err := listen.Accept()
			if err != nil {
				return // closed
			}
			r.work.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(r.close)
	return r
}

func (r *rough) url() string { return "ws://" + r.listen.Addr().String() + "/ws" }

func (r *rough) add(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.conns[conn] = true
	}
	return !r.ended
}

func (r *rough) broken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cuts
}

func (r *rough) close() {
	r.listen.Close()
	r.mu.Lock()
	r.ended = true
	for conn := range r.conns {
		conn.Close()
	}
	r.mu.Unlock()
	r.work.Wait()
}

// serve passes bytes until one side ends or the line breaks.
func (r *rough) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !r.add(client) || !r.add(server) {
		return
	}
	cut := time.AfterFunc(roughBetween/3+rand.N(roughBetween), func() {
		r.mu.Lock()
		r.cuts++
		r.mu.Unlock()
		// A reset on both sides: neither hears of an end in order.
		for _, conn := range []net.Conn{client, server} {
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	})
	defer cut.Stop()
	var both sync.WaitGroup
	both.Go(func() { r.pass(server, client, true) })
	both.Go(func() { r.pass(client, server, false) })
	both.Wait()
	r.mu.Lock()
	delete(r.conns, client)
	delete(r.conns, server)
	r.mu.Unlock()
}

func (r *rough) pass(to, from net.Conn, request bool) {
	defer to.Close()
	buf := make([]byte, roughPiece)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		late := time.NewTimer(rand.N(roughDelay))
		<-late.C
		piece := buf[:n]
		if request {
			request = false
			piece = bytes.Replace(piece, []byte("\r\n"), []byte("\r\nX-Forwarded-For: "+r.from+"\r\n"), 1)
		}
		if _, err := to.Write(piece); err != nil {
			return
		}
	}
}
