package session

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
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

func TestCompressionOffers(t *testing.T) {
	for offer, want := range map[string]bool{
		"":                       false,
		"x-webkit-deflate-frame": false,
		"permessage-deflate":     true,
		"permessage-deflate; client_max_window_bits":                                 true, // Chrome, Firefox
		"permessage-deflate; client_max_window_bits=10":                              true,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": true,
		"permessage-deflate;server_no_context_takeover":                              true,
		"permessage-deflate; server_max_window_bits=10":                              false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          true,
		"permessage-deflate; something_new":                                          false,
		"permessage-bzip2, permessage-deflate":                                       true,
		"permessage-deflates":                                                        false,
	} {
		same(t, offer, offersDeflate(http.Header{"Sec-Websocket-Extensions": {offer}}), want)
	}
	two := http.Header{"Sec-Websocket-Extensions": {"permessage-bzip2", "permessage-deflate"}}
	same(t, "in the second line", offersDeflate(two), true)
}

// deflated is a text compressed as a client sends it.
func deflated(t testing.TB, message string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	must(t, err)
	_, err = io.WriteString(w, message)
	must(t, err)
	must(t, w.Flush())
	return b.Bytes()[:b.Len()-4]
}

// What a client that agreed on compression may send, and what not.
func TestCompressedFrames(t *testing.T) {
	hello := strings.Repeat("hello ", 50)
	packed := deflated(t, hello)
	random := noise(1 << 16)
	for name, c := range map[string]struct {
		sent  []byte
		heard string // "" none
		end   string
	}{
		"one frame":         {clientFrame(0xc1, packed), hello, "lost"},
		"binary":            {clientFrame(0xc2, packed), hello, "lost"},
		"not compressed":    {clientFrame(0x81, []byte(hello)), hello, "lost"},
		"empty":             {clientFrame(0xc1, []byte{0}), "", "lost"},
		"in parts":          {append(append(clientFrame(0x41, packed[:3]), clientFrame(0x89, nil)...), clientFrame(0x80, packed[3:])...), hello, "lost"},
		"then plain":        {append(clientFrame(0xc1, packed), clientFrame(0x81, []byte("x"))...), hello, "lost"},
		"bit on the second": {append(clientFrame(0x41, packed[:3]), clientFrame(0xc0, packed[3:])...), "-", "1002"},
		"bit on a ping":     {clientFrame(0xc9, nil), "-", "1002"},
		"another bit":       {clientFrame(0xa1, packed), "-", "1002"},
		"garbage":           {clientFrame(0xc1, []byte("\xff\xff\xff")), "-", "1002"},
		"cut":               {clientFrame(0xc1, packed[:len(packed)/2]), "-", "1002"},
		"too long":          {clientFrame(0xc1, deflated(t, strings.Repeat("x", 1<<16+1))), "-", "1009"},
		"at the limit":      {clientFrame(0xc1, deflated(t, strings.Repeat("x", 1<<16))), strings.Repeat("x", 1<<16), "lost"},
		"noise":             {clientFrame(0xc1, deflated(t, random)), random, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 1 << 20} {
				conn := &recorded{rest: bytes.Clone(c.sent), piece: piece}
				heard, end := heardOf(func(f controlFunc) source { return newFrames(conn, nil, true, f) })
				same(t, "the end", kindOf(end), c.end)
				switch {
				case c.heard == "-":
					if len(heard) > 0 && !strings.HasPrefix(heard[0], "9 ") {
						t.Errorf("heard %.100q", heard)
					}
				case c.heard != "" && !strings.Contains(strings.Join(heard, ""), fmt.Sprintf("%q", c.heard)):
					t.Errorf("heard %.100q, want %.100q", heard, c.heard)
				case len(heard) == 0:
					t.Error("heard nothing")
				}
			}
		})
	}
}

func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.N(256))
	}
	return string(b)
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
