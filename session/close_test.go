package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Whom an operator has removed keeps no seat, also when the connection broke
// right before.
func TestRemovedKeepsNoSeat(t *testing.T) {
	for _, c := range []struct {
		codes []wire.CloseCode
		keeps bool
	}{
		{[]wire.CloseCode{wire.CloseAbnormal}, true},
		{[]wire.CloseCode{wire.CloseAbnormal, wire.CloseForbidden}, true},
		{[]wire.CloseCode{wire.CloseAbnormal, wire.CloseRemoved}, false},
		{[]wire.CloseCode{wire.CloseRemoved, wire.CloseAbnormal}, false},
	} {
		s := newStack(t)
		client := s.client(s.user("ann"))
		for _, code := range c.codes {
			client.Close(code)
		}
		same(t, text("a seat is kept after %v", c.codes), client.keepsSeat(), c.keeps)
	}
}

// The peer's own close is answered with its code, and counted as one of ours
// only if it is no code of ours.
func TestPeerCloses(t *testing.T) {
	s := newStack(t)
	other := s.user("bob")
	for _, c := range []struct{ sent, answered, counted int }{
		{1000, 1000, 1000}, {1001, 1001, 1001}, {3999, 3999, 1005}, {4001, 4001, 1005}, {4505, 4505, 1005},
	} {
		before := s.closed(wire.CloseCode(c.counted))
		p := s.user("ann")
		client := s.client(p)
		p.say("", "last words")
		must(t, p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(c.sent, "bye"), farAway()))
		p.wantEnd(wire.CloseCode(c.answered))
		<-client.Done()
		other.heard("general", "last words")
		same(t, text("the count of %d after %d", c.counted, c.sent), s.closed(wire.CloseCode(c.counted))-before, 1)
	}
	raw := s.dialFrames()
	_, err := raw.conn.Write(clientFrame(0x88, nil)) // a close without a code
	must(t, err)
	same(t, "the answer to an empty close", len(raw.until(8)), 0)
	same(t, "TooSlow", s.closed(wire.CloseTooSlow), 0)
}

// A peer that closes has left, unless its code says that it comes back; one
// that breaks off, or is closed for what a new connection mends, keeps its seat.
func TestSeatAfterTheEnd(t *testing.T) {
	s := newStack(t, func(set *setup) { set.rooms.PresenceGrace = time.Hour })
	count := func(want int) {
		t.Helper()
		eventually(t, text("%d are in the room", want), func() bool {
			info, _ := s.eng.RoomHere("general")
			return info.Users == int64(want)
		})
	}
	s.user("bob")
	for _, code := range []int{1000, 1001, 1012, 3999, 4500, 4999} {
		p := s.user("ann")
		count(2)
		must(t, p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), farAway()))
		p.wantEnd(wire.CloseCode(code))
		count(1)
	}
	p := s.user("ann")
	c := s.client(p)
	p.ws.Close()
	<-c.Done()
	count(2)
	q := s.user("eve")
	c = s.client(q)
	c.Close(wire.CloseTooSlow)
	<-c.Done()
	count(3)
	for i, code := range []int{4000, 4001, 4499} {
		p := s.user(text("back-%d", code))
		c := s.client(p)
		must(t, p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), farAway()))
		p.wantEnd(wire.CloseCode(code))
		<-c.Done()
		count(4 + i)
	}
	q = s.user("expired")
	c = s.client(q)
	c.Close(wire.CloseTokenExpired)
	<-c.Done()
	count(7)
}

// A client whose token has ended comes back with a fresh one, gets what it
// missed, and nobody saw it leave.
func TestResumeWithFreshToken(t *testing.T) {
	s := newStack(t, func(set *setup) { set.rooms.PresenceGrace = time.Hour })
	bob := s.user("bob")
	p := s.dialRaw("token=" + s.token("ann"))
	at := p.joined("general")
	c := s.client(p)
	bob.await("ann came", func(ev wire.Event) bool {
		return ev.Type == wire.TypePresence && bytes.Contains(ev.Payload, []byte("ann"))
	})
	c.Close(wire.CloseTokenExpired) // as its timer does: see TestTokenExpiresWhileConnected
	p.wantEnd(wire.CloseTokenExpired)
	<-c.Done()
	bob.say("", "missed")
	bob.heard("general", "missed") // an ack may be faster than the event, which would come live
	back := s.dialRaw("token=" + s.token("ann") + "&" + resumeFrom(wire.Resume{Room: "general", Since: wire.Position{Epoch: at.Epoch, Seq: at.Seq}}))
	again := back.joined("general")
	if !again.Recovered || again.Replayed != 1 {
		t.Errorf("room_joined is %+v, want what was missed, whole", again)
	}
	back.heard("general", "missed")
	s.user("sentinel")
	for {
		ev := bob.awaitType(wire.TypePresence)
		change := decode[wire.PresenceChange](t, ev.Payload)
		if len(change.Left) > 0 || change.More {
			t.Fatalf("bob was told %s", show(ev))
		}
		if slices.ContainsFunc(change.Joined, func(u wire.User) bool { return u.UID == "sentinel" }) {
			return
		}
	}
}

// What is no WebSocket ends with 1002, from the one writer: one close frame
// and nothing after it.
func TestProtocolErrors(t *testing.T) {
	s := newStack(t)
	cases := map[string][]byte{
		"unmasked":           {0x81, 2, 'h', 'i'},
		"reserved bit":       clientFrame(0x81|0x40, []byte("hi")),
		"reserved opcode":    clientFrame(0x83, nil),
		"fragmented control": clientFrame(0x09, nil),
		"continues nothing":  clientFrame(0x80, []byte("hi")),
		"close with 1005":    clientFrame(0x88, binary.BigEndian.AppendUint16(nil, 1005)),
	}
	for name, frame := range cases {
		t.Run(name, func(t *testing.T) {
			c := s.dialFrames()
			c.until(1)
			_, err := c.conn.Write(frame)
			must(t, err)
			body := c.until(8)
			same(t, "the close code", binary.BigEndian.Uint16(body), uint16(wire.CloseProtocol))
			same(t, "the reason", string(body[2:]), wire.CloseProtocol.String())
			if op, _, err := c.frame(); !errors.Is(err, io.EOF) {
				t.Errorf("after the close frame came a frame of kind %d (%v), want the end", op, err)
			}
		})
	}
	eventually(t, "they are counted", func() bool { return s.closed(wire.CloseProtocol) == int64(len(cases)) })
}

func TestCloseUserHereAndRemoveClient(t *testing.T) {
	s := newStack(t)
	a, a2, b := s.user("ann"), s.user("ann"), s.user("bob")
	cb := s.client(b)
	same(t, "CloseUserHere", s.m.CloseUserHere("ann", wire.CloseRemoved), 2)
	a.wantEnd(wire.CloseRemoved)
	a2.wantEnd(wire.CloseRemoved)
	b.say("", "still here")
	eventually(t, "ann is gone", func() bool { return s.m.Count() == 1 })
	same(t, "CloseUserHere of nobody", s.m.CloseUserHere("ann", wire.CloseRemoved), 0)
	s.m.RemoveClient(cb, 0)
	b.wantEnd(wire.CloseNormal)
	<-cb.Done()
	same(t, "Count when Done is closed", s.m.Count(), 0)
	same(t, "CloseRemoved", s.closed(wire.CloseRemoved), 2)
	if err := cb.Send(wire.Event{Type: "late"}); err == nil {
		t.Error("sending to a client that is gone succeeded")
	}
}

// A client that is closed in the moment it comes hears why, and is gone.
func TestClosedAtOnce(t *testing.T) {
	s := newStack(t)
	for range 50 {
		done := make(chan int)
		go func() {
			n := 0
			for n == 0 {
				n = s.m.CloseUserHere("ann", wire.CloseRemoved)
			}
			done <- n
		}()
		p := s.dialRaw("token=" + s.token("ann"))
		<-done
		p.wantEnd(wire.CloseRemoved)
		eventually(t, "it is gone", func() bool { return s.m.Count() == 0 })
	}
}

func TestReplacedByNewerSession(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.MaxConnectionsPerUser = 2 })
	bob := s.user("bob")
	a, b := s.user("ann"), s.user("ann")
	s.client(b).Close(wire.CloseRemoved) // is on its way out and does not count
	c := s.user("ann")
	a.say("", "a is here")
	d := s.user("ann")
	a.wantEnd(wire.CloseReplaced)
	b.wantEnd(wire.CloseRemoved)
	c.say("", "c is here")
	d.say("", "d is here")
	bob.heard("general", "d is here")
	eventually(t, "it is counted", func() bool { return s.closed(wire.CloseReplaced) == 1 && s.m.Count() == 3 })
}

// When a room's code fails its members are closed with 4003 and miss nothing.
func TestRoomThatFails(t *testing.T) {
	s := newStack(t)
	p, other := s.user("ann"), s.dial("room=elsewhere&username=o")
	g := &grenade{id: "grenade"}
	must(t, s.eng.Join(t.Context(), "general", g, "", rooms.Since{}))
	p.send(wire.TypeSendMessage, "", "", `{"message":"boom"}`)
	p.wantEnd(wire.ClosePositionLost)
	other.joined("elsewhere")
	other.say("", "not affected")

	back := s.dial("token=" + s.token("ann") + "&" + resumeFrom(wire.Resume{Room: "general", Since: wire.Position{Epoch: s.eng.Epoch(), Seq: 0}}))
	back.heard("general", "boom")
	eventually(t, "it is counted", func() bool { return s.closed(wire.ClosePositionLost) == 1 })
}

// grenade is a member that makes its room panic with the message "boom".
type grenade struct{ id string }

func (g *grenade) ID() string           { return g.id }
func (g *grenade) User() wire.User      { return wire.User{UID: g.id} }
func (g *grenade) Left(wire.Room)       {}
func (g *grenade) Close(wire.CloseCode) {}
func (g *grenade) Deliver(b *rooms.Burst) error {
	if bytes.Contains(bytes.Join(b.Frames, nil), []byte("boom")) {
		panic("grenade")
	}
	return nil
}

func TestRemovedByOperator(t *testing.T) {
	s := newStack(t)
	p := s.user("ann")
	n, err := s.eng.Remove(t.Context(), "general", "ann")
	must(t, err)
	same(t, "removed", n, 1)
	left := decode[wire.RoomLeft](t, p.awaitType(wire.TypeRoomLeft).Payload)
	same(t, "the reason", left.Reason, "removed")
	eventually(t, "the client knows", func() bool { in, _ := s.client(p).Rooms(); return len(in) == 0 })
	p.failed(wire.NotMember, wire.TypeSendMessage, "", `{"message":"x"}`)
	p.acked(wire.TypeJoinRoom, "", `{"name":"general"}`)
	p.say("", "back")
}

// The login takes a token for some seconds longer than it is good, so one that
// was slow to connect is closed like any other.
func TestTokenExpiresWhileConnected(t *testing.T) {
	s := newStack(t)
	token := s.token("ann", func(c *auth.Claims) { c.Expires = time.Now().Add(2 * time.Second) })
	p := s.dialRaw("token=" + token)
	p.wantEnd(wire.CloseTokenExpired)
	eventually(t, "it is counted", func() bool { return s.closed(wire.CloseTokenExpired) == 1 })
}

// Drain tells every client, closes it with 4000, and takes no new ones.
func TestDrain(t *testing.T) {
	s := newStack(t)
	peers := list(0, 5, func(i int) *peer { return s.user(text("u%d", i)) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, s.m.Drain(ctx))
	same(t, "Count", s.m.Count(), 0)
	for _, p := range peers {
		before := withoutPresence(p.wantEnd(wire.CloseDraining))
		last := before[len(before)-1]
		same(t, "the last event", last.Type, wire.TypeReconnect)
		if r := decode[map[string]int64](t, last.Payload); r["after_ms"] < 0 || r["after_ms"] > 5000 {
			t.Errorf("reconnect says %v", r)
		}
	}
	status, code, _ := s.refused("", nil)
	if status != 503 || code != string(wire.Unavailable) {
		t.Errorf("a draining node refuses with %d %s", status, code)
	}
	same(t, "CloseDraining", s.closed(wire.CloseDraining), 5)
	must(t, s.m.Drain(ctx)) // again: nothing to do
}

// A drain that is cut short says so; Close ends the rest with 1001.
func TestDrainIsCut(t *testing.T) {
	s := newStack(t)
	peers := list(0, drainAtOnce+1, func(i int) *peer { return s.user(text("u%d", i)) })
	clients := list(0, len(peers), func(i int) *Client { return s.client(peers[i]) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // so the second is closed in a minute
	defer cancel()
	drained := make(chan error)
	go func() { drained <- s.m.Drain(ctx) }()
	eventually(t, "the first is closed", func() bool {
		return slices.ContainsFunc(clients, func(c *Client) bool { return c.closeCode() != 0 })
	})
	cancel()
	if err := <-drained; !errors.Is(err, errDrainCut) {
		t.Errorf("a drain that was cut returned %v", err)
	}
	s.m.Close()
	same(t, "Count", s.m.Count(), 0)
	codes := map[int]int{}
	for _, p := range peers {
		code, _ := p.end()
		codes[code]++
	}
	same(t, "closed with 4000", codes[4000], 1)
	same(t, "closed with 1001", codes[1001], drainAtOnce)
}
