//go:build unix

package cluster

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// ends is a link with the test at both ends.
type ends struct {
	l         links
	near, far net.Conn
	fromFar   *bufio.Reader
	fromNear  *bufio.Reader
	target    net.Listener
}

func newEnds(t *testing.T) *ends {
	t.Helper()
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	e := &ends{l: links{startProxy(t, target.Addr().String())}, target: target}
	e.near, err = net.Dial("tcp", address(e.l[0].port()))
	if err != nil {
		t.Fatal(err)
	}
	if e.far, err = target.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.near.Close(); e.far.Close() })
	e.fromFar, e.fromNear = bufio.NewReader(e.near), bufio.NewReader(e.far)
	return e
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// copyOf is a live copy of the log, for one of the node's subscriptions.
func copyOf(subject string, sid int, seq uint64) string {
	header := fmt.Sprintf("NATS/1.0\r\nNats-Stream: ROOMS\r\nNats-Sequence: %d\r\nNats-Last-Sequence: 1\r\n\r\n", seq)
	return fmt.Sprintf("HMSG %s %d %d %d\r\n%s{}\r\n", subject, sid, len(header), len(header)+2, header)
}

func TestLinkDropsTheNth(t *testing.T) {
	e := newEnds(t)
	dropped := e.l.dropNth("room.x.log", 2)
	before := copyOf("room.x.log", 1, 7) + copyOf("room.y.log", 1, 8) + copyOf("room.x.log", 2, 7)
	after := copyOf("room.x.log", 1, 10) + copyOf("room.y.log", 2, 9) + "PING\r\n"
	say(t, e.far, before+copyOf("room.x.log", 2, 9)+copyOf("room.x.log", 1, 9)+after)
	hear(t, e.fromFar, before+after)
	if n := dropped.Load(); n != 2 {
		t.Errorf("it has dropped %d copies", n)
	}
	say(t, e.near, "PUB room.x.log 1\r\na\r\n")
	hear(t, e.fromNear, "PUB room.x.log 1\r\na\r\n")
}

func TestLinkStalls(t *testing.T) {
	e := newEnds(t)
	e.l.stall()
	say(t, e.far, "PING\r\n")
	say(t, e.near, "PONG\r\n")
	for _, conn := range []net.Conn{e.near, e.far} {
		if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || !strings.Contains(err.Error(), "timeout") {
			t.Errorf("a stalled link let %d bytes through, %v", n, err)
		}
		if err := conn.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	e.near.Close() // the other side does not hear of it
	e.l.heal()
	hear(t, e.fromNear, "PONG\r\n")
	if _, err := e.fromNear.ReadByte(); err != io.EOF {
		t.Errorf("after the heal: %v", err)
	}
}

func TestLinkIsCut(t *testing.T) {
	e := newEnds(t)
	e.l.cut()
	for _, r := range []*bufio.Reader{e.fromFar, e.fromNear} {
		if _, err := r.ReadByte(); err == nil {
			t.Error("a cut link is read")
		}
	}
	again := func() net.Conn {
		conn, err := net.Dial("tcp", address(e.l[0].port()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	if _, err := again().Read(make([]byte, 1)); err == nil {
		t.Error("a cut link takes a connection")
	}
	e.l.heal()
	near := again()
	far, err := e.target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	say(t, far, "PING\r\n")
	hear(t, bufio.NewReader(near), "PING\r\n")
}
