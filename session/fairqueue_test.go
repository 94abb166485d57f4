package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Who has asked least lately is the next; among equals, who came first.
func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFairQueue(1)
		if !l.acquire(t.Context(), "often", 0) {
			t.Fatal("the only place is not given")
		}
		var served []string
		ask := func(name, key string) {
			go func() {
				if l.acquire(t.Context(), key, 0) {
					served = append(served, name)
					l.release()
				}
			}()
			synctest.Wait()
		}
		for _, name := range []string{"often 2", "often 3", "often 4"} {
			ask(name, "often")
		}
		hurried, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan bool)
		go func() { gaveUp <- !l.acquire(hurried, "hurried", 0) }()
		synctest.Wait()
		ask("seldom", "seldom")
		ask("new", "new")
		ask("seldom 2", "seldom")
		cancel()
		same(t, "who did not wait got nothing", <-gaveUp, true)
		l.release()
		synctest.Wait()
		same(t, "the order", text("%q", served), text("%q", []string{"seldom", "new", "often 2", "seldom 2", "often 3", "often 4"}))
		same(t, "places", l.freeSlots, 1)
		if !l.acquire(t.Context(), "often", time.Hour) || l.usage.Get("often", time.Hour).Used(bytesSent, time.Hour) != 1 {
			t.Error("what was asked long ago counts")
		}
	})
}

// So many of one address may wait; others are not concerned.
func TestWaitingOfOneAddress(t *testing.T) {
	s := newStack(t)
	p := s.user("ann")
	c := s.client(p)
	for range maxQueued {
		same(t, "joined", s.m.pages.join(c.fairKey()), true)
	}
	for _, typ := range []string{wire.TypeGetHistory, wire.TypeGetOnlineUsers} {
		p.send(typ, typ, "", "{}")
		p.wantError(p.await("an answer", func(ev wire.Event) bool { return ev.ID == typ }), wire.Busy)
	}
	same(t, "LimitedReads", s.m.Stats().LimitedReads.Load(), 2)
	s.user("bob").acked(wire.TypeGetHistory, "", wire.RoomRequest{})
	s.m.pages.leave(c.fairKey())
	p.acked(wire.TypeGetHistory, "", wire.RoomRequest{})
	same(t, "waiting of others", len(s.m.pages.waiting), 1)
}
