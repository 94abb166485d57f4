package rooms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// twoNodes are two engines on one server that know of each other.
func twoNodes(t *testing.T, change func(*rooms.Config)) (a, b *rooms.Engine) {
	t.Helper()
	srv := startServer(t)
	return startNode(t, srv, "a", change), startNode(t, srv, "b", change)
}

func startNode(t *testing.T, conn rooms.Connector, name string, change func(*rooms.Config)) *rooms.Engine {
	t.Helper()
	return startEngine(t, conn, func(c *rooms.Config) {
		c.Node, c.PresenceInterval, c.PresenceGrace = name, 40*time.Millisecond, 400*time.Millisecond
		c.Heartbeats(100 * time.Millisecond)
		if change != nil {
			change(c)
		}
	})
}

func awaitPeers(t *testing.T, eng *rooms.Engine, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprint("the other nodes are ", want), func() bool { return slices.Equal(eng.Peers(), want) })
}

// present are the uids that a node lists, "," between them.
func present(t testing.TB, eng *rooms.Engine, room wire.Room) string {
	t.Helper()
	online, err := eng.Online(within(t), room, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	uids := make([]string, len(online.List))
	for i, u := range online.List {
		uids[i] = strings.TrimPrefix(u.UID, "u-")
	}
	if online.Count != len(uids) && online.Count <= 100 {
		t.Errorf("count is %d, the list has %d", online.Count, len(uids))
	}
	return strings.Join(uids, ",")
}

func awaitPresent(t testing.TB, eng *rooms.Engine, room wire.Room, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s lists %q in %s", eng.Node(), want, room), func() bool { return present(t, eng, room) == want })
}

func TestPresenceOverNodes(t *testing.T) {
	a, b := twoNodes(t, nil)
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	one := join(t, a, "x", "one", rooms.Since{})
	two := join(t, b, "x", "two", rooms.Since{})
	awaitPresent(t, a, "x", "one,two")
	awaitPresent(t, b, "x", "one,two")
	one.await(t, "two in a batch", func() bool { return heardJoin(one, "u-two") })

	// A second session of one user on the other node is the same entry, and
	// the end of one session leaves it.
	again := newMember("one")
	again.id = "one-again"
	if err := b.Join(within(t), "x", again, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	b.Leave("x", two, rooms.LeaveClosed)
	awaitPresent(t, a, "x", "one")
	a.Leave("x", one, rooms.LeaveClosed)
	join(t, a, "x", "three", rooms.Since{})
	awaitPresent(t, b, "x", "one,three")
	awaitPresent(t, a, "x", "one,three")
}

// heardJoin needs m's lock.
func heardJoin(m *member, uid string) bool {
	return heardPresence(m, uid, func(p wire.PresenceChange) []wire.User { return p.Joined })
}

func heardLeave(m *member, uid string) bool {
	return heardPresence(m, uid, func(p wire.PresenceChange) []wire.User { return p.Left })
}

// heardPresence reports whether the user was in one list of a batch.
func heardPresence(m *member, uid string, list func(wire.PresenceChange) []wire.User) bool {
	for _, ev := range m.eventsLocked([]string{wire.TypePresence}) {
		var p wire.PresenceChange
		if json.Unmarshal(ev.Payload, &p) == nil && slices.ContainsFunc(list(p), func(u wire.User) bool { return u.UID == uid }) {
			return true
		}
	}
	return false
}

// immortal nodes are not taken for dead, however late their heartbeats are.
func immortal(c *rooms.Config) { c.Heartbeats(time.Hour) }

// TestNodesMeetLate: a node that comes when others have members already.
func TestNodesMeetLate(t *testing.T) {
	srv := startServer(t)
	a := startNode(t, srv, "a", immortal)
	join(t, a, "x", "one", rooms.Since{})
	awaitPresent(t, a, "x", "one")
	b := startNode(t, srv, "b", immortal)
	awaitPeers(t, b, "a")
	if got := present(t, b, "x"); got != "one" {
		t.Errorf("a node that has nobody in the room lists %q, want one", got)
	}
	two := join(t, b, "x", "two", rooms.Since{})
	awaitPresent(t, a, "x", "one,two")
	b.Leave("x", two, rooms.LeaveClosed)
	awaitPresent(t, a, "x", "one")
}

// TestReconnectToAnotherNode: within the grace period nobody is seen leaving.
func TestReconnectToAnotherNode(t *testing.T) {
	a, b := twoNodes(t, func(c *rooms.Config) { immortal(c); c.PresenceGrace = time.Hour })
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	watcher := join(t, a, "x", "watcher", rooms.Since{})
	one := join(t, a, "x", "one", rooms.Since{})
	awaitPresent(t, b, "x", "one,watcher")
	a.Leave("x", one, rooms.LeaveLost)
	back := newMember("one")
	back.id = "one-back"
	if err := b.Join(within(t), "x", back, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	other := join(t, b, "x", "other", rooms.Since{})
	watcher.await(t, "other", func() bool { return heardJoin(watcher, "u-other") })
	for _, m := range []*member{watcher, other} {
		for _, ev := range m.events(wire.TypePresence) {
			if p := decode[wire.PresenceChange](t, ev.Payload); len(p.Left) > 0 {
				t.Errorf("%s saw %v leave", m.id, p.Left)
			}
		}
	}
}

// TestDeadNode: a node that is killed disappears with its members and nobody
// else's, and one that comes back under its name starts anew.
func TestDeadNode(t *testing.T) {
	srv := startServer(t)
	a, b, c := startNode(t, srv, "a", nil), startNode(t, srv, "b", nil), startNode(t, srv, "c", nil)
	for i, eng := range []*rooms.Engine{a, b, c} {
		join(t, eng, "x", fmt.Sprint("m", i), rooms.Since{})
	}
	awaitPresent(t, a, "x", "m0,m1,m2")
	b.Kill()
	awaitPresent(t, a, "x", "m0,m2")
	awaitPresent(t, c, "x", "m0,m2")
	awaitPeers(t, a, "c")
	again := startNode(t, srv, "b", nil)
	join(t, again, "x", "m3", rooms.Since{})
	awaitPresent(t, a, "x", "m0,m2,m3")
	awaitPresent(t, again, "x", "m0,m2,m3")
}

// TestRestartedNode: a process takes the name of one that was killed before
// anybody missed it; what the first one said does not stay.
func TestRestartedNode(t *testing.T) {
	srv := startServer(t)
	a, b := startNode(t, srv, "a", nil), startNode(t, srv, "b", nil)
	join(t, a, "x", "one", rooms.Since{})
	join(t, b, "x", "two", rooms.Since{})
	awaitPresent(t, a, "x", "one,two")
	b.Kill()
	startNode(t, srv, "b", nil)
	awaitPresent(t, a, "x", "one")
}

// TestLostPresence: every message between nodes may be lost; the versions tell.
func TestLostPresence(t *testing.T) {
	var mu sync.Mutex
	losing := 0
	lose := func(msg *nats.Msg) bool {
		mu.Lock()
		defer mu.Unlock()
		if losing > 0 && strings.HasSuffix(msg.Subject, ".presence") {
			losing--
			return true
		}
		return false
	}
	srv := startServer(t)
	a := startNode(t, srv, "a", nil)
	b := startNode(t, srv, "b", func(c *rooms.Config) { c.Lose(lose) })
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	join(t, b, "x", "here", rooms.Since{})
	for round := range 5 {
		mu.Lock()
		losing = round // of what follows a change: the diff, then its beats
		mu.Unlock()
		m := join(t, a, "x", fmt.Sprint("m", round), rooms.Since{})
		if round < 3 { // with both beats lost the next change tells
			awaitPresent(t, b, "x", fmt.Sprint("here,m", round))
		}
		a.Leave("x", m, rooms.LeaveClosed)
		if round < 3 {
			awaitPresent(t, b, "x", "here")
		}
	}
	mu.Lock()
	losing = 0
	mu.Unlock()
	join(t, a, "x", "last", rooms.Since{})
	awaitPresent(t, b, "x", "here,last")
}

// TestPresenceAfterReconnect: what was told while a node was cut off is asked
// for.
func TestPresenceAfterReconnect(t *testing.T) {
	a, b := twoNodes(t, nil)
	awaitPeers(t, a, "b")
	join(t, a, "x", "one", rooms.Since{})
	join(t, b, "x", "two", rooms.Since{})
	awaitPresent(t, b, "x", "one,two")
	if err := b.LoseConnection(); err != nil {
		t.Fatal(err)
	}
	join(t, a, "x", "three", rooms.Since{})
	awaitPresent(t, b, "x", "one,three,two")
}

// TestJoinStormOverNodes: no client is lost, and what each hears of presence
// stays small.
func TestJoinStormOverNodes(t *testing.T) {
	const clients, limit = 5000, 100 << 10
	a, b := twoNodes(t, func(c *rooms.Config) {
		c.Mailbox = 2 * clients
		c.PresenceInterval = time.Second
		c.Heartbeats(time.Second)
	})
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	members := make([]*tally, clients)
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience) // the last one waits for all before it
	defer cancel()
	var all sync.WaitGroup
	for i := range members {
		members[i] = &tally{id: fmt.Sprintf("m%04d", i)}
		eng := []*rooms.Engine{a, b}[i%2]
		all.Go(func() {
			if err := eng.Join(ctx, "x", members[i], "", rooms.Since{}); err != nil {
				t.Errorf("%s: %v", members[i].id, err)
			}
		})
	}
	all.Wait()
	for _, eng := range []*rooms.Engine{a, b} {
		eventually(t, "all are counted", func() bool {
			online, err := eng.Online(within(t), "x", "", 1)
			return err == nil && online.Count == clients
		})
	}
	most := int64(0)
	for _, m := range members {
		most = max(most, m.bytes.Load())
	}
	t.Logf("the most that a client heard of presence: %d bytes", most)
	if most > limit {
		t.Errorf("a client heard %d bytes of presence, want at most %d", most, limit)
	}
}
