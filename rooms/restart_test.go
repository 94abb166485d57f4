package rooms_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// rarely makes a node miss nobody while a test restarts another: the hello of
// the new process is what tells.
func rarely(c *rooms.Config) { c.Heartbeats(time.Minute) }

// clockBehind is a clock that is wrong by an hour.
func clockBehind(c *rooms.Config) {
	c.Clock(func() time.Time { return time.Now().Add(-time.Hour) })
}

// TestRestartedNodeWithItsClockBehind: the new process is believed, and what
// the one before it said ends with the grace.
func TestRestartedNodeWithItsClockBehind(t *testing.T) {
	srv := startServer(t)
	a, b := startNode(t, srv, "a", rarely), startNode(t, srv, "b", rarely)
	join(t, a, "x", "one", rooms.Since{})
	join(t, b, "x", "two", rooms.Since{})
	join(t, a, "y", "one", rooms.Since{})
	join(t, b, "y", "two", rooms.Since{})
	awaitPresent(t, a, "x", "one,two")
	awaitPresent(t, a, "y", "one,two")
	b.Kill()
	again := startNode(t, srv, "b", func(c *rooms.Config) { rarely(c); clockBehind(c) })
	join(t, again, "x", "three", rooms.Since{})
	awaitPresent(t, a, "x", "one,three")
	awaitPresent(t, again, "x", "one,three")
	awaitPresent(t, a, "y", "one") // where nobody came back
}

// TestNameOfALivingNode: a second process under a node's name does not start, and
// leaves no trace; when the first one has ended, however, the name is free at once.
func TestNameOfALivingNode(t *testing.T) {
	srv := startServer(t)
	first := startNode(t, srv, "b", nil)
	cfg := rooms.DefaultConfig()
	cfg.Node = "b"
	if eng, err := rooms.New(within(t), srv, cfg); err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("a second one under its name starts: %v", err)
		if eng != nil {
			closeEngine(t, eng)
		}
	}
	first.Kill()
	startNode(t, srv, "b", nil)
}

// TestRestartedNodeKeepsSeats: while the clients of a restarted node are on
// their way back, nobody is seen leaving, whoever comes back first.
func TestRestartedNodeKeepsSeats(t *testing.T) {
	srv := startServer(t)
	a, b := startNode(t, srv, "a", func(c *rooms.Config) { rarely(c); c.PresenceGrace = time.Hour }), startNode(t, srv, "b", rarely)
	watcher := join(t, a, "x", "watcher", rooms.Since{})
	join(t, b, "x", "first", rooms.Since{})
	join(t, b, "x", "second", rooms.Since{})
	awaitPresent(t, a, "x", "first,second,watcher")
	b.Kill()
	again := startNode(t, srv, "b", rarely)
	join(t, again, "x", "first", rooms.Since{})
	join(t, again, "x", "other", rooms.Since{})
	awaitPresent(t, a, "x", "first,other,second,watcher")
	join(t, again, "x", "second", rooms.Since{})
	last := join(t, again, "x", "last", rooms.Since{})
	watcher.await(t, "last", func() bool { return heardJoin(watcher, "u-last") })
	for _, m := range []*member{watcher, last} {
		for _, ev := range m.events(wire.TypePresence) {
			if p := decode[wire.PresenceChange](t, ev.Payload); len(p.Left) > 0 {
				t.Errorf("%s saw %v leave", m.id, p.Left)
			}
		}
	}
}

// TestClockSetBack: a room that a node opens again after its clock was set back
// is believed.
func TestClockSetBack(t *testing.T) {
	var behind atomic.Int64
	srv := startServer(t)
	a := startNode(t, srv, "a", nil)
	b := startNode(t, srv, "b", func(c *rooms.Config) {
		c.IdleAfter = 100 * time.Millisecond
		c.Clock(func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) })
	})
	join(t, a, "x", "one", rooms.Since{})
	two := join(t, b, "x", "two", rooms.Since{})
	awaitPresent(t, a, "x", "one,two")
	b.Leave("x", two, rooms.LeaveClosed)
	awaitPresent(t, a, "x", "one")
	eventually(t, "b unloads the room", func() bool { _, open := b.RoomHere("x"); return !open })
	behind.Store(int64(time.Hour))
	join(t, b, "x", "three", rooms.Since{})
	awaitPresent(t, a, "x", "one,three")
}

// TestNoGhostsOfARoomThatFailed: when a room panics, the other nodes give up
// the members that its node has lost.
func TestNoGhostsOfARoomThatFailed(t *testing.T) {
	a, b := twoNodes(t, func(c *rooms.Config) { c.PresenceGrace = time.Hour })
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	watcher := join(t, a, "x", "watcher", rooms.Since{})
	bad, good := join(t, b, "x", "bad", rooms.Since{}), join(t, b, "x", "good", rooms.Since{})
	awaitPresent(t, a, "x", "bad,good,watcher")
	bad.mu.Lock()
	bad.panics = 1
	bad.mu.Unlock()
	publish(t, a, "x", 0, 1)
	good.await(t, "close 4003", func() bool { return good.closed == wire.ClosePositionLost })
	awaitPresent(t, a, "x", "watcher")
	back := newMember("good")
	if err := b.Join(within(t), "x", back, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	awaitPresent(t, a, "x", "good,watcher")
	awaitPresent(t, b, "x", "good,watcher")
	if watcher.closed != 0 {
		t.Errorf("a member on the other node was closed with %d", watcher.closed)
	}
}

// TestNoGhostsOfARoomThatEnds: a room that nobody needs any more is unloaded
// only when the other nodes know that everybody left. Here the last seat ends
// when nobody has asked the room for anything for longer than it stays idle.
func TestNoGhostsOfARoomThatEnds(t *testing.T) {
	srv := startServer(t)
	a := startNode(t, srv, "a", nil)
	b := startNode(t, srv, "b", func(c *rooms.Config) {
		c.IdleAfter, c.PresenceGrace = 50*time.Millisecond, 200*time.Millisecond
	})
	join(t, a, "x", "one", rooms.Since{})
	two := join(t, b, "x", "two", rooms.Since{})
	awaitPresent(t, a, "x", "one,two")
	b.Leave("x", two, rooms.LeaveLost)
	awaitPresent(t, a, "x", "one")
	eventually(t, "b unloads the room", func() bool { _, open := b.RoomHere("x"); return !open })
}
