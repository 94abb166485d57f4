package rooms

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// wideAbove is how many open rooms have subscriptions of their own for signals
// and presence; those that are opened beyond it share one of each for all rooms
// of the cluster. A subscription takes 1.1 KB here and in an embedded server;
// what a node with so many rooms hears in vain costs it a lookup.
const wideAbove = 1024

// subjects makes the subscriptions of rooms.
type subjects struct {
	// fixed after start
	nc    *nats.Conn
	live  chan *nats.Msg
	above int64        // wideAbove
	own   atomic.Int64 // rooms with subscriptions of their own for signals and presence

	mu   sync.Mutex
	wide []*nats.Subscription // nil: no room shares them
	used int                  // rooms that do
}

// subscriptions are those of one room. The zero value has none.
type subscriptions struct {
	of   *subjects
	log  *nats.Subscription
	own  [2]*nats.Subscription // for signals and presence
	side side
}

// side is how a room hears signals and presence.
type side uint8

const (
	deaf   side = iota // not at all: it is an inbox
	byOwn              // by subscriptions of its own
	byWide             // by the wide ones
)

// open subscribes a room. What was subscribed before an error is in subs and
// has to be ended.
func (s *subjects) open(subs *subscriptions, room string, inbox bool) error {
	subs.of = s
	err := s.subscribe(&subs.log, wire.LogSubject(room))
	switch {
	case err != nil || inbox:
		return err
	case s.own.Load() >= s.above:
		return s.share(subs)
	}
	subs.side = byOwn
	s.own.Add(1)
	return errors.Join(
		s.subscribe(&subs.own[0], wire.SignalSubject(room)),
		s.subscribe(&subs.own[1], wire.PresenceSubject(room)))
}

func (s *subjects) subscribe(to **nats.Subscription, subject string) (err error) {
	if *to, err = s.nc.ChanSubscribe(subject, s.live); err != nil {
		return fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return nil
}

// share gives the room a part in the wide subscriptions, and makes them for the
// first one.
func (s *subjects) share(subs *subscriptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	subs.side = byWide
	s.used++
	if s.wide != nil {
		return nil
	}
	s.wide = make([]*nats.Subscription, 2)
	return errors.Join(s.subscribe(&s.wide[0], wire.AllSignals), s.subscribe(&s.wide[1], wire.AllPresence))
}

// unshare ends the wide subscriptions with the last room that shares them.
func (s *subjects) unshare() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used--; s.used == 0 {
		unsubscribe(s.wide...)
		s.wide = nil
	}
}

// end gives all back; doing it again does nothing.
func (subs *subscriptions) end() {
	unsubscribe(subs.log, subs.own[0], subs.own[1])
	switch subs.side {
	case byOwn:
		subs.of.own.Add(-1)
	case byWide:
		subs.of.unshare()
	}
	*subs = subscriptions{}
}

// unsubscribe fails only when the connection is closed, which ends them too.
func unsubscribe(subs ...*nats.Subscription) {
	for _, sub := range subs {
		if sub != nil {
			_ = sub.Unsubscribe()
		}
	}
}

// isWide reports whether the subscription is for all rooms.
func isWide(sub *nats.Subscription) bool {
	return sub.Subject == wire.AllSignals || sub.Subject == wire.AllPresence
}
