package session

import (
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func compressing(set *setup) { set.cfg.Compress = true }

// counted is a connection that counts what is read from it.
type counted struct {
	net.Conn
	n *int
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	*c.n += n
	return n, err
}

// dialCompressing is dial for a user whose client offers compression; n is how
// many bytes it has read.
func (s *stack) dialCompressing(uid string) (p *peer, n *int) {
	s.t.Helper()
	n = new(int)
	p = s.dialWith(&websocket.Dialer{EnableCompression: true, NetDial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		return counted{conn, n}, err
	}}, "token="+s.token(uid))
	p.joined(wire.InboxAlias)
	p.joined("general")
	return p, n
}

// Clients that compress and clients that do not share a room; each hears all.
func TestCompression(t *testing.T) {
	s := newStack(t, compressing)
	packed, read := s.dialCompressing("ann")
	plain := s.user("bob")
	same(t, "connections that compress", s.m.Stats().Deflating.Load(), 1)

	long := strings.Repeat("the shoe is shuffled; ", 200)
	for i, who := range []*peer{packed, plain, packed} {
		before := *read
		message := text("%d %s", i, long)
		who.say("", message) // of packed: compressed by its client
		plain.heard("general", message)
		packed.heard("general", message)
		if n := *read - before; n > len(long)/4 {
			t.Errorf("%d bytes were read of a message of %d, want it compressed", n, len(long))
		}
	}
	plain.say("", "short")
	plain.heard("general", "short")
	packed.heard("general", "short")
	plain.silent()
	packed.silent()
}

func TestNoCompressionByDefault(t *testing.T) {
	s := newStack(t)
	p, read := s.dialCompressing("ann")
	before := *read
	long := strings.Repeat("x", 5000)
	p.say("", long)
	p.heard("general", long)
	if n := *read - before; n < len(long) {
		t.Errorf("%d bytes were read of a message of %d, want it as it is", n, len(long))
	}
	same(t, "connections that compress", s.m.Stats().Deflating.Load(), 0)
}

// A small message that is very long when it is inflated ends the connection of
// its sender with 1009, and nothing else.
func TestCompressionBomb(t *testing.T) {
	s := newStack(t, compressing)
	bad, _ := s.dialCompressing("ann")
	other := s.user("bob")
	bad.sendRaw(text(`{"type":"send_message","payload":{"message":"%s"}}`, strings.Repeat("0", 10<<20)))
	bad.wantEnd(wire.CloseTooBig)
	other.silent()
}

// A burst is compressed once, for however many; what is a room's memory
// as well is not copied.
func TestDeflatedIsShared(t *testing.T) {
	b := rooms.EventBurst(wire.Event{Type: "x", Payload: wire.MarshalPayload(strings.Repeat("y", 1000))})
	first := b.Deflated()
	if len(first) != 1 || len(first[0]) >= b.Bytes {
		t.Fatalf("%d bytes were made of %d", len(first[0]), b.Bytes)
	}
	if again := b.Deflated(); &again[0][0] != &first[0][0] {
		t.Error("it was compressed twice")
	}
	replay := &rooms.Burst{Frames: b.Frames, Count: 1, Bytes: b.Bytes, Remembered: true}
	if got := replay.Deflated(); &got[0][0] != &b.Frames[0][0] {
		t.Error("frames of the room's memory were copied")
	}
}
