package rooms

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// wildcardAbove is how many open rooms have subscriptions of their own; those
// that are opened beyond it share one for the signals and one for the presence
// of all rooms of the cluster. A subscription takes 1.1 KB here and in the
// server; what a node with so many rooms hears in vain costs it a lookup.
const wildcardAbove = 1024

// subscriber makes the subscriptions by which rooms hear what is for them.
type subscriber struct {
	// fixed after start
	nc      *nats.Conn
	live    chan *nats.Msg
	hearAll bool         // Config.HearAll
	above   int64        // wildcardAbove
	own     atomic.Int64 // rooms that count against above

	mu     sync.Mutex
	shared subscriptions // the wildcards
	used   int           // rooms that share them
}

// subscriptions are up to four; the others are nil.
type subscriptions [4]*nats.Subscription

// roomSubscriptions are those of one room. The zero value has none.
type roomSubscriptions struct {
	of      *subscriber
	own     subscriptions
	counted bool // against above
	shares  bool // the wildcards
}

// start subscribes to the rooms of the whole cluster, if all are to be heard:
// then no room has a subscription of its own.
func (s *subscriber) start() error {
	if !s.hearAll {
		return nil
	}
	return s.subscribe(&s.shared, wire.SpaceRooms.AllLogs(), wire.AllSignals, wire.AllPresence, wire.SpaceInboxes.AllLogs())
}

// open subscribes a room. An inbox hears its log only. What was subscribed
// before an error is in subs and has to be ended.
func (s *subscriber) open(subs *roomSubscriptions, room string, inbox bool) error {
	subs.of = s
	switch {
	case s.hearAll:
		return nil
	case inbox:
		return s.subscribe(&subs.own, wire.LogSubject(room))
	case s.own.Load() >= s.above:
		subs.shares = true
		return errors.Join(s.subscribe(&subs.own, wire.LogSubject(room)), s.share())
	}
	s.own.Add(1)
	subs.counted = true
	return s.subscribe(&subs.own, wire.LogSubject(room), wire.SignalSubject(room), wire.PresenceSubject(room))
}

// subscribe makes the first ones of four.
func (s *subscriber) subscribe(subs *subscriptions, subjects ...string) (err error) {
	for i, subject := range subjects {
		if subs[i], err = s.nc.ChanSubscribe(subject, s.live); err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	return nil
}

// share counts one more room on the wildcards, and makes them for the first.
func (s *subscriber) share() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used++
	if s.used > 1 {
		return nil
	}
	return s.subscribe(&s.shared, wire.AllSignals, wire.AllPresence)
}

// unshare ends the wildcards with the last room that shares them.
func (s *subscriber) unshare() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used--; s.used == 0 {
		s.shared.end()
	}
}

// end gives all back; doing it again does nothing.
func (subs *roomSubscriptions) end() {
	subs.own.end()
	if subs.counted {
		subs.of.own.Add(-1)
	}
	if subs.shares {
		subs.of.unshare()
	}
	*subs = roomSubscriptions{}
}

// end fails only when the connection is closed, which ends them too.
func (subs *subscriptions) end() {
	for i, sub := range subs {
		if sub != nil {
			_ = sub.Unsubscribe()
			subs[i] = nil
		}
	}
}

// listensOn reports whether the room listens on the subscription by which a
// message came that is no event: while others share the wildcards, signals and
// presence of a room with subscriptions of its own come twice.
func (s *subscriber) listensOn(h *handle, by *nats.Subscription) bool {
	if s.hearAll {
		return true
	}
	wildcard := by.Subject == wire.AllSignals || by.Subject == wire.AllPresence
	return wildcard == h.shares.Load()
}
