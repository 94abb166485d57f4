package session

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// mib is more than two sockets hold that have small buffers.
const mib = 1 << 20

// reliefStack is a node on which so much may wait for all clients. Neither the
// clock nor a client's own queue ends a write.
func reliefStack(t *testing.T, limit int64, change ...func(*setup)) *stack {
	t.Helper()
	return newStack(t, append([]func(*setup){func(set *setup) {
		set.rooms.WaitingBytes = limit
		set.cfg.QueueBytes, set.cfg.WriteTimeout, set.cfg.Ping = 8*mib, 10*patience, 10*patience
		set.listen = func(l net.Listener) net.Listener { return smallBuffers{l} }
	}}, change...)...)
}

// deaf is a client that reads only when the test does, and the server's side.
func (s *stack) deaf(uid string) (*peer, *Client) {
	s.t.Helper()
	p := s.dialSmall("token=" + s.token(uid))
	p.joined("general")
	return p, s.client(p)
}

// large is a burst of so many bytes.
func large(bytes int) *rooms.Burst {
	return rooms.EventBurst(wire.Event{Type: "large", Payload: []byte(`"` + strings.Repeat("x", bytes) + `"`)})
}

// owe gives the client a burst, and returns when that is being written.
func (s *stack) owe(c *Client, b *rooms.Burst) {
	s.t.Helper()
	must(s.t, c.deliver(b))
	eventually(s.t, "it is being written", func() bool { return c.writing.Load() >= int64(b.Bytes) })
}

// relieved waits until clients were closed because too much waited, and have
// let go of it.
func (s *stack) relieved(closed ...*Client) {
	s.t.Helper()
	for _, c := range closed {
		eventually(s.t, "its write ends, and it is gone", func() bool {
			select {
			case <-c.Done():
				return true
			default:
				return false
			}
		})
		same(s.t, "its close code", c.closeCode(), wire.CloseTooSlow)
	}
	eventually(s.t, "nobody is closed any more", func() bool { return !s.m.shedding.Load() })
	same(s.t, "what waits beyond the limit", s.m.waiting.Over(), 0)
}

// When too much waits for all clients together, the one for whom most waits then
// is closed, in the middle of a write, and no other.
func TestTooMuchWaitsForAll(t *testing.T) {
	s := reliefStack(t, 4*mib)
	_, first := s.deaf("first")
	_, second := s.deaf("second")
	_, third := s.deaf("third")
	s.owe(second, large(5*mib/4))
	s.owe(third, large(mib/2))
	s.owe(first, large(2*mib))
	same(t, "closed while less waits than may", s.m.Stats().QueuesCut.Load(), 0)

	// What brings it over the limit may not be in its client's queue yet when it is
	// looked for whom most waits: that is the same one with it and without.
	must(t, third.deliver(large(mib/2))) // 4.25 MiB
	s.relieved(first)
	if err := second.deliver(large(2 * mib)); err != nil && err != actor.ErrStopped { // 4.25 MiB again
		t.Fatal(err)
	}
	s.relieved(second)
	same(t, "QueuesCut", s.m.Stats().QueuesCut.Load(), 2)
	same(t, "the close code of the third", third.closeCode(), 0)
}

// Where clients share what waits, closing one of them frees nothing: it goes on
// until the last one has let go.
func TestTooMuchWaitsThatIsShared(t *testing.T) {
	s := reliefStack(t, 4*mib)
	shared, sharers := large(3*mib), make([]*Client, 3)
	for i := range sharers {
		_, sharers[i] = s.deaf(text("sharer-%d", i))
		s.owe(sharers[i], shared)
	}
	same(t, "what waits", s.m.waiting.Bytes()/mib, 3)
	_, other := s.deaf("other")
	must(t, other.deliver(large(3*mib/2)))
	s.relieved(sharers...)
	same(t, "QueuesCut", s.m.Stats().QueuesCut.Load(), 3)
	same(t, "the close code of the other", other.closeCode(), 0)
	reader := s.user("reader")
	reader.say("", "who reads")
	reader.heard("general", "who reads")
}

// More than is needed is let go, so that it does not begin again at once.
func TestReliefLetsGoOfMore(t *testing.T) {
	s := reliefStack(t, 8*mib)
	clients := make([]*Client, 9)
	for i := range clients {
		_, clients[i] = s.deaf(text("c-%d", i))
	}
	for i, c := range clients[:8] {
		s.owe(c, large(map[bool]int{true: mib, false: 9 * mib / 10}[i < 2]))
	}
	must(t, clients[8].deliver(large(9*mib/10))) // 8.3 MiB: one of the first two is enough, the other makes room
	s.relieved(clients[:2]...)
	same(t, "QueuesCut", s.m.Stats().QueuesCut.Load(), 2)
}

// Who owes little is not closed for what others owe, also when closing these is
// not known to be enough: what is one answer is charged as a part of it only.
func TestReliefSparesWhoOwesLittle(t *testing.T) {
	s := reliefStack(t, 4*mib)
	_, little := s.deaf("little")
	_, much := s.deaf("much")
	s.owe(little, large(80<<10))
	s.owe(much, large(2*mib))
	answer := large(8 * mib) // charged as 2 MiB
	answer.Whole = true
	if err := much.deliver(answer); err != nil && err != actor.ErrStopped {
		t.Fatal(err)
	}
	s.relieved(much)
	same(t, "QueuesCut", s.m.Stats().QueuesCut.Load(), 1)
	same(t, "the close code of who owes little", little.closeCode(), 0)
}

// joinSpy is the real engine, and what waited for a client when it came to join.
type joinSpy struct {
	engine
	client *Client
	room   wire.Room
	owed   chan int64
}

func (e joinSpy) Join(ctx context.Context, room wire.Room, m rooms.Member, id string, since rooms.Since) error {
	if room == e.room {
		e.owed <- e.client.pendingBytes()
	}
	return e.engine.Join(ctx, room, m, id, since)
}

// Who asks for a replay gets it when it has taken most of what it was sent
// before.
func TestReplayWaitsUntilTheLastIsTaken(t *testing.T) {
	s := reliefStack(t, 0, func(set *setup) { set.cfg.QueueBytes = 128 << 10 }) // what small buffers take in a moment
	p, c := s.deaf("ann")
	spy := joinSpy{engine: s.m.eng, client: c, room: "other", owed: make(chan int64, 1)}
	s.m.eng = spy
	s.owe(c, large(80<<10))
	p.send(wire.TypeJoinRoom, "j", "", `{"name":"other","last":3}`)
	eventually(t, "the join has begun", func() bool { return c.isIn("other") })
	p.awaitType("large")
	p.joined("other")
	if owed, most := <-spy.owed, int64(s.m.cfg.QueueBytes/4); owed > most {
		t.Errorf("it was let in while %d bytes waited for it, want %d at most", owed, most)
	}
	same(t, "ResumesSlow", s.m.Stats().ResumesSlow.Load(), 0)
}

// Who does not take it is busy when its time is over; who wants nothing
// replayed, or has taken enough, need not wait.
func TestRoomFor(t *testing.T) {
	s := reliefStack(t, 0)
	_, c := s.deaf("ann")
	replay := rooms.Since{Last: 3}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	most := s.m.cfg.QueueBytes / 4
	s.owe(c, large(most-1000))
	must(t, c.awaitWritten(over, replay))
	must(t, c.deliver(large(1000)))
	must(t, c.awaitWritten(over, rooms.Since{}))
	same(t, "ResumesSlow", s.m.Stats().ResumesSlow.Load(), 0)
	err := c.awaitWritten(over, replay)
	if err == nil || wire.AsError(err).Code != wire.Busy {
		t.Errorf("a join whose time is over: %v", err)
	}
	same(t, "ResumesSlow", s.m.Stats().ResumesSlow.Load(), 1)

	// One that waits ends with the connection.
	waited := make(chan error, 1)
	go func() { waited <- c.awaitWritten(t.Context(), replay) }()
	c.closeSlow()
	must(t, <-waited)
	<-c.Done()
}
