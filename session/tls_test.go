package session

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// secureDoor is a second way to the stack's manager, over TLS, and the dialer
// that takes it; its connections hold little in the kernel.
func (s *stack) secureDoor() *websocket.Dialer {
	s.t.Helper()
	server := httptest.NewUnstartedServer(s.m)
	server.Listener = smallBuffers{server.Listener}
	server.StartTLS()
	s.t.Cleanup(server.Close)
	cfg := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	cfg.ServerName = "example.com" // what httptest's certificate is for
	return &websocket.Dialer{NetDial: func(network, _ string) (net.Conn, error) {
		conn, err := net.Dial(network, server.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		must(s.t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
		return tls.Client(conn, cfg), nil
	}}
}

// Over TLS a connection cannot be written past its own Write, and everything is
// as without: a burst of many frames comes whole and in order, and what ends the
// connection is told.
func TestWritesOverTLS(t *testing.T) {
	s := newStack(t)
	p := s.dialWith(s.secureDoor(), "token="+s.token("ann"))
	p.joined("general")
	if s.client(p).conn.Nonblocking() {
		t.Fatal("the connection is written past TLS")
	}
	talker := s.user("talker")
	pad := strings.Repeat("x", 300)
	const count = 200 // fewer than the queue holds
	for i := range count {
		talker.send(wire.TypeSendMessage, "", "", map[string]any{"message": text("%d %s", i, pad)})
	}
	for i := range count {
		p.heard("general", text("%d %s", i, pad))
	}
	p.say("", "and back")
	talker.heard("general", "and back")
	same(t, "connections closed", s.m.CloseUserHere("ann", wire.CloseRemoved), 1)
	p.wantEnd(wire.CloseRemoved)
}

// A client over TLS that does not read is closed like any other, holds nobody
// up, and lets the manager stop.
func TestSlowClientOverTLS(t *testing.T) {
	s := newStack(t, func(set *setup) {
		set.cfg.QueueMessages, set.cfg.QueueBytes = 32, 64<<10
		set.cfg.WriteTimeout = 2 * time.Second // less, and on a busy machine the welcome may miss it
	})
	slow := s.dialWith(s.secureDoor(), "token="+s.token("slow"))
	slow.joined("general")
	server := s.client(slow)
	talker := s.user("talker")
	pad := strings.Repeat("x", 4<<10)
	for i := 0; server.closeCode() == 0; i++ {
		talker.say("", text("%d %s", i, pad))
		talker.heard("general", text("%d %s", i, pad))
		if i > 10_000 {
			t.Fatal("a client that does not read is never closed")
		}
	}
	<-server.Done()
	same(t, "closed with 4001", s.closed(wire.CloseTooSlow), 1)
	talker.say("", "still here")
	talker.heard("general", "still here")
}
