package rooms_test

import (
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

// feedOf follows the feed as any program on NATS may.
type feedOf struct {
	t   *testing.T
	sub *nats.Subscription
	nc  *nats.Conn
}

func followFeed(t *testing.T, nc *nats.Conn) *feedOf {
	t.Helper()
	sub, err := nc.SubscribeSync(wire.FeedSubject + "*")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return &feedOf{t, sub, nc}
}

// next is the next event; one that says no more than that the node lives is
// left out unless its kind is asked for.
func (f *feedOf) next(kinds ...wire.FeedKind) (kind wire.FeedKind, ev wire.FeedEvent) {
	f.t.Helper()
	for {
		msg, err := f.sub.NextMsg(patience)
		if err != nil {
			f.t.Fatal(err)
		}
		ev = wire.FeedEvent{}
		if err := json.Unmarshal(msg.Data, &ev); err != nil {
			f.t.Fatalf("%s: %s: %v", msg.Subject, msg.Data, err)
		}
		kind = wire.FeedKind(strings.TrimPrefix(msg.Subject, wire.FeedSubject))
		if len(kinds) == 0 && kind != wire.FeedAlive || slices.Contains(kinds, kind) {
			return kind, ev
		}
	}
}

// withFeed is a feed in which only the test makes something happen.
func withFeed(c *rooms.Config) {
	c.Node, c.Feed = "n1", true
	c.Heartbeats(time.Hour)
}

// guestMember is a member that is a guest.
type guestMember struct{ *member }

func (guestMember) Guest() bool { return true }

func TestFeed(t *testing.T) {
	srv := startServer(t)
	feed := followFeed(t, outsider(t, srv))
	eng := startEngine(t, srv, withFeed)
	_, first := feed.next(wire.FeedAlive)
	if first.N != 1 || first.Node != "n1" || first.Boot == "" {
		t.Fatalf("the first event is %+v", first)
	}

	m := guestMember{newMember("c1")}
	eng.Connected(m)
	for _, room := range []string{string(wire.Inbox(m.user.UID)), "hall"} {
		if err := eng.Join(within(t), wire.Room(room), m, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := eng.LeaveAsked(within(t), "hall", m, ""); err != nil {
		t.Fatal(err)
	}
	if err := eng.Join(within(t), "hall", m, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	eng.Disconnected(m, wire.CloseTooSlow)
	eng.Leave("hall", m, rooms.LeaveLost)

	n := first.N
	for _, want := range []struct {
		kind wire.FeedKind
		ev   wire.FeedEvent
	}{ // nothing of the inbox, which says no more than that the connection is there
		{wire.FeedConnected, wire.FeedEvent{Connection: "c1", UID: "u-c1", Guest: true}},
		{wire.FeedOpened, wire.FeedEvent{Room: "hall"}},
		{wire.FeedJoined, wire.FeedEvent{Connection: "c1", UID: "u-c1", Guest: true, Room: "hall"}},
		{wire.FeedLeft, wire.FeedEvent{Connection: "c1", UID: "u-c1", Guest: true, Room: "hall", Why: "left"}},
		{wire.FeedJoined, wire.FeedEvent{Connection: "c1", UID: "u-c1", Guest: true, Room: "hall"}},
		{wire.FeedDisconnected, wire.FeedEvent{Connection: "c1", UID: "u-c1", Guest: true, Code: 4001, Why: "too slow"}},
		{wire.FeedLeft, wire.FeedEvent{Connection: "c1", UID: "u-c1", Guest: true, Room: "hall", Why: "lost"}},
	} {
		kind, got := feed.next()
		n++
		want.ev.Node, want.ev.Boot, want.ev.N, want.ev.At = "n1", first.Boot, n, got.At
		if kind != want.kind || got != want.ev || got.At < first.At {
			t.Errorf("told %s %+v, want %s %+v", kind, got, want.kind, want.ev)
		}
	}
}

// A room that is not needed any more, and one that fails, end in the feed what
// they told in it.
func TestFeedOfARoomThatEnds(t *testing.T) {
	srv := startServer(t)
	feed := followFeed(t, outsider(t, srv))
	eng := startEngine(t, srv, func(c *rooms.Config) {
		withFeed(c)
		c.IdleAfter = 50 * time.Millisecond
		c.PresenceInterval = 10 * time.Millisecond
	})
	m := join(t, eng, "hall", "c1", rooms.Since{})
	eng.Leave("hall", m, rooms.LeaveAsked)
	for _, want := range []wire.FeedKind{wire.FeedOpened, wire.FeedJoined, wire.FeedLeft, wire.FeedUnloaded} {
		if kind, ev := feed.next(); kind != want || ev.Room != "hall" {
			t.Fatalf("told %s %+v, want %s", kind, ev, want)
		}
	}

	bad := newMember("c2")
	if err := eng.Join(within(t), "hall", bad, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	bad.mu.Lock()
	bad.panics = 1
	bad.mu.Unlock()
	if err := eng.Signal("hall", wire.Event{Type: wire.TypeSignal}, rooms.SignalOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []wire.FeedKind{wire.FeedOpened, wire.FeedJoined, wire.FeedLeft, wire.FeedUnloaded} {
		if kind, ev := feed.next(); kind != want || ev.Room != "hall" || kind == wire.FeedLeft && ev.Why != "lost" {
			t.Fatalf("of a room that fails: told %s %+v, want %s", kind, ev, want)
		}
	}
}

// What is over the bound is not told, counted, and shows by the numbers.
func TestFeedIsBounded(t *testing.T) {
	srv := startServer(t)
	feed := followFeed(t, outsider(t, srv))
	var gate sync.RWMutex
	eng := startEngine(t, srv, func(c *rooms.Config) {
		withFeed(c)
		c.FeedQueue(3)
		c.HoldFeed(&gate)
	})
	_, first := feed.next(wire.FeedAlive)
	gate.Lock()
	for i := range 10 {
		eng.Connected(newMember(fmt.Sprint("c", i)))
	}
	dropped := eng.Stats().FeedDropped.Load()
	if dropped < 6 || dropped > 7 { // one may be taken out, whenever that is, and be held then
		t.Errorf("%d of 10 were dropped, where 3 may wait", dropped)
	}
	gate.Unlock()
	last := first.N
	for i := range 10 - int(dropped) {
		kind, ev := feed.next()
		if kind != wire.FeedConnected || ev.N <= last || ev.N > first.N+10 || i < 3 && ev.N != last+1 {
			t.Fatalf("told %s %+v as number %d", kind, ev, i)
		}
		last = ev.N
	}
	eng.Connected(newMember("last"))
	if _, ev := feed.next(); ev.Connection != "last" || ev.N != first.N+11 {
		t.Errorf("after the gap comes %+v; the first was %d", ev, first.N)
	}
}

// TestConnectionsForFollowers: rooms.members with connections lists all nodes'
// in pages, and says which events are in it.
func TestConnectionsForFollowers(t *testing.T) {
	srv := startServer(t)
	nc := outsider(t, srv)
	feed := followFeed(t, nc)
	n1 := startEngine(t, srv, withFeed)
	n2 := startEngine(t, srv, func(c *rooms.Config) { c.Node, c.Feed = "n2", true })
	awaitPeers(t, n1, "n2")
	awaitPeers(t, n2, "n1")
	var want, all []string
	last := map[string]uint64{}
	for i := range 7 {
		id, eng := fmt.Sprint("c", i), []*rooms.Engine{n1, n2}[i%2]
		m := newMember(id)
		eng.Connected(m)
		if err := eng.Join(within(t), "hall", m, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
		if i%3 == 1 {
			if err := eng.LeaveAsked(within(t), "hall", m, ""); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want = append(want, id)
	}
	n1.Disconnected(newMember("c0"), wire.CloseNormal)
	for last["n1"] == 0 || last["n2"] == 0 {
		_, ev := feed.next(wire.FeedJoined)
		last[ev.Node] = ev.N
	}

	ask := func(room wire.Room) (got []string) {
		for after := ""; ; {
			var page wire.Connections
			body, _ := json.Marshal(map[string]any{"room": room, "connections": true, "limit": 2, "after": after})
			msg, err := nc.Request("rooms.members", body, patience)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(msg.Data, &page); err != nil {
				t.Fatalf("%s %v: %v", msg.Data, msg.Header, err)
			}
			if len(page.Nodes) != 2 || page.Nodes[0].Node != "n1" || page.Nodes[0].N < last["n1"] || page.Nodes[1].N < last["n2"] || page.Nodes[1].Boot == "" || len(page.List) > 2 {
				t.Fatalf("the page is %s, the last events were %v", msg.Data, last)
			}
			for _, c := range page.List {
				got = append(got, c.Connection)
				if c.UID != "u-"+c.Connection || c.Node != "n1" && c.Node != "n2" {
					t.Errorf("listed is %+v", c)
				}
			}
			if after = page.Next; after == "" {
				return got
			}
		}
	}
	if got := ask("hall"); !slices.Equal(got, want) {
		t.Errorf("in the room are %q, want %q", got, want)
	}
	if got := ask(""); !slices.Equal(got, all[1:]) {
		t.Errorf("in all there are %q, want %q", got, all[1:])
	}
	if got := ask("nowhere"); got != nil {
		t.Errorf("where nobody is are %q", got)
	}
	msg, err := nc.Request("rooms.members", []byte(`{"room":"@u-c1","connections":true}`), patience)
	if err != nil || msg.Header.Get("Nats-Service-Error-Code") != string(wire.Forbidden) {
		t.Errorf("of an inbox: %s %v, %v", msg.Data, msg.Header, err)
	}
}

func TestNoFeedUnlessWanted(t *testing.T) {
	srv := startServer(t)
	nc := outsider(t, srv)
	feed := followFeed(t, nc)
	eng := startEngine(t, srv, nil)
	m := newMember("c1")
	eng.Connected(m)
	if err := eng.Join(within(t), "hall", m, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	if told := eng.Stats().FeedTold.Load(); told != 0 {
		t.Errorf("%d events were told", told)
	}
	if waiting, _, err := feed.sub.Pending(); waiting != 0 || err != nil {
		t.Errorf("%d events came, %v", waiting, err)
	}
	msg, err := nc.Request("rooms.members", []byte(`{"room":"hall","connections":true}`), patience)
	if err != nil || msg.Header.Get("Nats-Service-Error-Code") != string(wire.Unavailable) {
		t.Errorf("who asks is answered %s %v, %v", msg.Data, msg.Header, err)
	}
}
