//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// What is promised of presence.
const (
	rightWithin = 2 * time.Second  // after a join or a leave
	goneWithin  = 20 * time.Second // after kill -9 of a node
)

// roster is a member that knows of the others from room_joined and presence
// alone.
type roster struct {
	*listener

	mu    sync.Mutex
	users map[string]bool
	count int
	told  int      // presence events
	left  []string // everybody it ever saw leaving
	wrong []string // what it could not read
}

func watch(t *testing.T, x *node, uid, room string) *roster {
	t.Helper()
	r := &roster{}
	r.listener = join(t, x, uid, room, func(cfg *client.Config) {
		heard := cfg.OnEvent
		cfg.OnEvent = func(ev wire.Event) {
			if ev.Room == room {
				r.hear(ev)
			}
			heard(ev)
		}
	})
	return r
}

func (r *roster) hear(ev wire.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	switch ev.Type {
	case wire.TypeRoomJoined:
		var p wire.RoomJoined
		err = json.Unmarshal(ev.Payload, &p)
		r.users, r.count = make(map[string]bool), p.Count
		for _, u := range p.List {
			r.users[u.UID] = true
		}
	case wire.TypePresence:
		var p wire.PresenceChange
		err = json.Unmarshal(ev.Payload, &p)
		r.told++
		r.count = p.Count
		for _, u := range p.Joined {
			r.users[u.UID] = true
		}
		for _, u := range p.Left {
			delete(r.users, u.UID)
			r.left = append(r.left, u.UID)
		}
	}
	if err != nil {
		r.wrong = append(r.wrong, fmt.Sprintf("%s %s: %v", ev.Type, ev.Payload, err))
	}
}

// sees is nil when exactly these users are there.
func (r *roster) sees(want []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := slices.Sorted(maps.Keys(r.users)); !slices.Equal(got, want) || r.count != len(want) || r.wrong != nil {
		return fmt.Errorf("%s sees %q and the count %d; could not read %q", r.Welcome().UID, got, r.count, r.wrong)
	}
	return nil
}

// batches is how many presence events came.
func (r *roster) batches() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

// sawLeaving are the users it ever saw leaving, sorted, each once.
func (r *roster) sawLeaving() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(r.left)))
}

// crew is a room that is watched from several nodes.
type crew struct {
	t        *testing.T
	room     string
	nodes    []*node // that are asked
	watchers []*roster
}

// right waits until every node and every watcher has exactly these users, and
// returns how long after at that was.
func (c *crew) right(what string, at time.Time, within time.Duration, want ...string) time.Duration {
	c.t.Helper()
	slices.Sort(want)
	eventually(c.t, fmt.Sprintf("%s: everybody sees %q", what, want), time.Until(at.Add(within)), func(ctx context.Context) error {
		for _, x := range c.nodes {
			if got, err := x.present(ctx, c.room); err != nil || !slices.Equal(got, want) {
				return fmt.Errorf("%s lists %q, %v", x.name, got, err)
			}
		}
		for _, w := range c.watchers {
			if err := w.sees(want); err != nil {
				return err
			}
		}
		return nil
	})
	took := time.Since(at)
	c.t.Logf("%s: right on every node, and with every member, after %.2fs", what, took.Seconds())
	return took
}

func TestPresenceOverNodes(t *testing.T) {
	faults(t, 0, 0)
	const room = "百 家.樂"
	nodes := startNodes(t, startNATS(t), 3)
	c := &crew{t: t, room: room, nodes: nodes}
	at := time.Now()
	for i, x := range nodes {
		c.watchers = append(c.watchers, watch(t, x, fmt.Sprint("w", i+1), room))
	}
	c.right("three have joined", at, 2*time.Second+rightWithin, "w1", "w2", "w3") // one after the other

	for _, x := range nodes { // each publishes for its own
		at = time.Now()
		m := join(t, x, "guest", room, nil)
		c.right("a join at "+x.name, at, rightWithin, "w1", "w2", "w3", "guest")
		at = time.Now()
		if err := m.Leave(t.Context(), room); err != nil {
			t.Fatal(err)
		}
		c.right("a leave at "+x.name, at, rightWithin, "w1", "w2", "w3")
		at = time.Now()
		if _, err := m.Join(t.Context(), room, client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
		c.right("back at "+x.name, at, rightWithin, "w1", "w2", "w3", "guest")
		at = time.Now()
		m.Close()
		c.right("a connection that its client closed at "+x.name, at, rightWithin, "w1", "w2", "w3")
	}

	// Two sessions of one user are one entry, and it stays until both are gone.
	before := c.watchers[2].sawLeaving()
	at = time.Now()
	here, there := join(t, nodes[0], "twin", room, nil), join(t, nodes[1], "twin", room, nil)
	c.right("two sessions of one user", at, rightWithin, "w1", "w2", "w3", "twin")
	here.Close()
	at = time.Now()
	other := join(t, nodes[0], "other", room, nil) // what came before it has been told when it has
	c.right("one of two sessions has ended", at, rightWithin, "w1", "w2", "w3", "twin", "other")
	for _, w := range c.watchers {
		if got := w.sawLeaving(); !slices.Equal(got, before) {
			t.Errorf("%s saw leaving %q, and before the session ended %q", w.Welcome().UID, got, before)
		}
	}
	at = time.Now()
	there.Close()
	other.Close()
	c.right("both have ended", at, rightWithin, "w1", "w2", "w3")

	// What the one who joins in between was told in room_joined must be mended.
	t.Run("one comes and goes while another joins", func(t *testing.T) {
		c := newVisit(t, nodes[0], "comes")
		brief := join(t, nodes[0], "brief", c.room, nil)
		c.watchers = append(c.watchers, watch(t, nodes[0], "second", c.room))
		at := time.Now()
		brief.Close()
		c.right("it", at, rightWithin, "first", "second")
	})
	t.Run("one goes and comes while another joins", func(t *testing.T) {
		c := newVisit(t, nodes[0], "goes")
		brief := join(t, nodes[0], "brief", c.room, nil)
		c.right("one more", time.Now(), rightWithin, "first", "brief")
		if err := brief.Leave(t.Context(), c.room); err != nil {
			t.Fatal(err)
		}
		c.watchers = append(c.watchers, watch(t, nodes[0], "second", c.room))
		at := time.Now()
		if _, err := brief.Join(t.Context(), c.room, client.JoinOptions{}); err != nil {
			t.Fatal(err)
		}
		c.right("it", at, rightWithin, "first", "brief", "second")
	})
}

// newVisit is a room on one node with one member, who has been told of itself:
// so the next interval begins with the next change.
func newVisit(t *testing.T, x *node, room string) *crew {
	t.Helper()
	c := &crew{t: t, room: room, nodes: []*node{x}, watchers: []*roster{watch(t, x, "first", room)}}
	eventually(t, "the first batch", reachWithin, func(context.Context) error {
		if c.watchers[0].batches() == 0 {
			return errors.New("it did not come")
		}
		return nil
	})
	return c
}
