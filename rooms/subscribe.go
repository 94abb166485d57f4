package rooms

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// wildcardAbove is how many open rooms have subscriptions of their own. Rooms
// opened beyond it use two wildcard subscriptions of the node, one for the
// signals and one for the presence of all rooms of the cluster. A subscription
// takes 1.1 KB here and in the server; a message for a room that the node does
// not have open costs it a lookup.
const wildcardAbove = 1024

// subscriber manages the NATS subscriptions of the open rooms.
type subscriber struct {
	// fixed after start
	nc      *nats.Conn
	live    chan *nats.Msg
	hearAll bool         // Config.HearAll
	maxOwn  int64        // wildcardAbove
	own     atomic.Int64 // rooms that count against maxOwn

	mu            sync.Mutex
	wildcards     subscriptions // none while no room uses them
	wildcardRooms int           // how many rooms use them
}

// subscriptions are up to four subscriptions; unused ones are nil.
type subscriptions [4]*nats.Subscription

// roomSubscriptions are the subscriptions of one room. The zero value has none,
// and so has nil: a node that hears all rooms of the cluster has many rooms.
type roomSubscriptions struct {
	of       *subscriber
	own      subscriptions
	counted  bool // against maxOwn
	wildcard bool // uses the node's wildcard subscriptions
}

// start subscribes to all rooms of the cluster, with HearAll: then no room has
// a subscription of its own.
func (s *subscriber) start() error {
	if !s.hearAll {
		return nil
	}
	return s.subscribe(&s.wildcards, wire.SpaceRooms.AllLogs(), wire.AllSignals, wire.AllPresence, wire.SpaceInboxes.AllLogs())
}

// ofRoom is what open fills for a room.
func (s *subscriber) ofRoom() *roomSubscriptions {
	if s.hearAll {
		return nil
	}
	return &roomSubscriptions{of: s}
}

// open subscribes a room, with what ofRoom returned; an inbox only to its log.
// After an error subs holds the subscriptions made so far and must be ended.
func (s *subscriber) open(subs *roomSubscriptions, room wire.Room, inbox bool) error {
	switch {
	case s.hearAll:
		return nil
	case inbox:
		return s.subscribe(&subs.own, wire.LogSubject(room))
	case s.own.Load() >= s.maxOwn:
		subs.wildcard = true
		return errors.Join(s.subscribe(&subs.own, wire.LogSubject(room)), s.acquireWildcards())
	}
	s.own.Add(1)
	subs.counted = true
	return s.subscribe(&subs.own, wire.LogSubject(room), wire.SignalSubject(room), wire.PresenceSubject(room))
}

// subscribe makes one subscription for each of up to four subjects.
func (s *subscriber) subscribe(subs *subscriptions, subjects ...string) (err error) {
	for i, subject := range subjects {
		if subs[i], err = s.nc.ChanSubscribe(subject, s.live); err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	return nil
}

// acquireWildcards counts one more room that uses the wildcard subscriptions,
// and makes them for the first one.
func (s *subscriber) acquireWildcards() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wildcardRooms++
	if s.wildcardRooms > 1 {
		return nil
	}
	return s.subscribe(&s.wildcards, wire.AllSignals, wire.AllPresence)
}

// releaseWildcards counts one room less, and unsubscribes after the last one.
func (s *subscriber) releaseWildcards() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wildcardRooms--; s.wildcardRooms == 0 {
		s.wildcards.end()
	}
}

// end ends the room's subscriptions; it may be called again.
func (subs *roomSubscriptions) end() {
	if subs == nil {
		return
	}
	subs.own.end()
	if subs.counted {
		subs.of.own.Add(-1)
	}
	if subs.wildcard {
		subs.of.releaseWildcards()
	}
	*subs = roomSubscriptions{}
}

// end unsubscribes. That fails only when the connection is closed, which has
// ended them too.
func (subs *subscriptions) end() {
	for i, sub := range subs {
		if sub != nil {
			_ = sub.Unsubscribe()
			subs[i] = nil
		}
	}
}

// listensOn reports whether the room listens on the subscription by which a
// signal, or presence, came: while other rooms use the wildcard subscriptions,
// those of a room with subscriptions of its own come twice.
func (s *subscriber) listensOn(h *handle, by *nats.Subscription) bool {
	if s.hearAll {
		return true
	}
	wildcard := by.Subject == wire.AllSignals || by.Subject == wire.AllPresence
	return wildcard == h.wildcard.Load()
}
