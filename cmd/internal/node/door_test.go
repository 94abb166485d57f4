package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Who began a request first and has not ended it makes room for the bytes of others; who has ended one is not among them.
func TestUnfinishedRequestsMakeRoom(t *testing.T) {
	const bound = 20 << 10
	v := newVisitors(100, bound, auth.Proxies{})
	var conns []*fakeAddr
	var all []*visitor
	arrive := func() int {
		c := &fakeAddr{from: fmt.Sprintf("192.0.2.%d:1", len(conns))}
		conns, all = append(conns, c), append(all, v.add(c))
		return len(conns) - 1
	}
	silent, asked, old, late := arrive(), arrive(), arrive(), arrive()
	v.received(all[asked], 1000)
	v.serve(all[asked], +1)
	v.received(all[asked], 1<<20) // more than the request: the next one is not looked at before this is answered
	v.received(all[old], 1000)
	v.received(all[late], 2000)
	if got, want := v.unfinished(), int64(2*unfinishedCost+2*3000); got != want {
		t.Errorf("%d bytes are held of two requests, want %d", got, want)
	}
	v.received(all[late], 4000)
	for i, want := range map[int]bool{silent: false, asked: false, old: true, late: false} {
		if conns[i].closed != want {
			t.Errorf("connection %d: cut %t, want %t", i, conns[i].closed, want)
		}
	}
	v.received(all[late], bound) // alone it is too much
	if !conns[late].closed || v.unfinished() != 0 || v.stats.CutUnfinished.Load() != 2 {
		t.Errorf("cut: %t, held: %d, counted: %d; want the last one cut as well", conns[late].closed, v.unfinished(), v.stats.CutUnfinished.Load())
	}
	v.serve(all[asked], -1)
	for _, c := range conns {
		v.remove(c)
	}
	if v.count() != 0 || v.unfinished() != 0 || v.incomplete.Len() != 0 {
		t.Errorf("%d visitors and %d bytes are left", v.count(), v.unfinished())
	}
}

// Requests that stop within their header, or their body, do not hold more than they may, and others are answered.
func TestUnfinishedRequests(t *testing.T) {
	n, err := New(t.Context(), testConfig(), zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	n.visitors.bytes = 100 << 10
	s := run(t, n)
	header := "Host: " + n.Addr().String() + "\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 8)
	var conns []net.Conn
	for i := range 40 {
		conn, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		text := "GET /ws HTTP/1.1\r\n" + header
		if i%2 == 0 {
			text = "POST /login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n" + header + "\r\n{"
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if err := conns[0].SetReadDeadline(time.Now().Add(readHeaderTimeout / 2)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conns[0])
	if errors.Is(err, os.ErrDeadlineExceeded) || bytes.HasPrefix(got, []byte("HTTP/1.1 200")) {
		t.Errorf("the first of them was not cut: %q, %v", got, err)
	}
	// The server may not have read all of them yet: who comes before it has is cut like
	// them, if those that are left all began after him.
	ended := make(chan struct{}, len(conns))
	for _, conn := range conns[1:] {
		go func() {
			_, err := io.Copy(io.Discard, conn)
			_ = err // cut, or the test has ended
			ended <- struct{}{}
		}()
	}
	for range len(conns) - 1 - int(n.visitors.bytes)/(2*len(header)) { // so many fit
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("those that do not fit are not cut")
		}
	}
	m := s.dial(t, "percy", "")
	s.want(t, 200, "GET", "/readyz", "")
	if m.Welcome().UID == "" {
		t.Error("the WebSocket was cut")
	}
	if held := n.visitors.unfinished(); held > n.visitors.bytes || n.visitors.stats.CutUnfinished.Load() == 0 {
		t.Errorf("%d bytes are held, and %d were cut; at most %d may be", held, n.visitors.stats.CutUnfinished.Load(), n.visitors.bytes)
	}
}

// Whom the door does not admit is turned away without a byte, and the next one is let in.
func TestTheDoorTurnsAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	knocks := 0
	d := door{Listener: listener, visitors: newVisitors(1, 1<<20, auth.Proxies{}), admit: func(net.Addr) bool { knocks++; return knocks == 2 }}
	var peers []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		peers = append(peers, conn)
	}
	in, err := d.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if got, want := in.RemoteAddr().String(), peers[1].LocalAddr().String(); got != want {
		t.Errorf("let in was %s, want %s", got, want)
	}
	if n, err := peers[0].Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("who was turned away reads %d bytes, %v", n, err)
	}
	n := &Node{visitors: d.visitors}
	if n.door(listener).(door).admit != nil {
		t.Error("without TLS there is no handshake to count")
	}
	n.cert = new(certificate)
	if n.door(listener).(door).admit == nil {
		t.Error("with TLS nobody is turned away")
	}
}
