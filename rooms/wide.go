package rooms

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// wideAbove is how many open rooms have subscriptions of their own; those that
// are opened beyond it share one for the signals and one for the presence of all
// rooms of the cluster, and with Config.WideLog one for their events. A
// subscription takes 1.1 KB here and in an embedded server; what a node with so
// many rooms hears in vain costs it a lookup.
const wideAbove = 1024

// subjects makes the subscriptions of rooms.
type subjects struct {
	// fixed after start
	nc      *nats.Conn
	live    chan *nats.Msg
	above   int64        // wideAbove
	wideLog bool         // Config.WideLog
	own     atomic.Int64 // rooms that count against above

	mu   sync.Mutex
	wide threeSubs
	used int // rooms that share them
}

// threeSubs are up to three subscriptions; the others are nil.
type threeSubs [3]*nats.Subscription

// subscriptions are those of one room. The zero value has none.
type subscriptions struct {
	of      *subjects
	own     threeSubs
	counted bool // against above
	wide    bool // it shares the wide ones
}

// open subscribes a room. An inbox hears its log only. What was subscribed
// before an error is in subs and has to be ended.
func (s *subjects) open(subs *subscriptions, room string, inbox bool) error {
	subs.of = s
	mayShare := s.wideLog || !inbox // an inbox that did not share its log would share nothing
	if subs.wide = mayShare && s.own.Load() >= s.above; subs.wide {
		return s.share(subs, room)
	}
	if subs.counted = mayShare; subs.counted {
		s.own.Add(1)
	}
	subjects := []string{wire.LogSubject(room), wire.SignalSubject(room), wire.PresenceSubject(room)}
	if inbox {
		subjects = subjects[:1]
	}
	return s.subscribe(&subs.own, subjects...)
}

// subscribe makes the first ones of three.
func (s *subjects) subscribe(three *threeSubs, subjects ...string) (err error) {
	for i, subject := range subjects {
		if three[i], err = s.nc.ChanSubscribe(subject, s.live); err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	return nil
}

// share gives the room a part in the wide subscriptions, and makes them for the
// first one.
func (s *subjects) share(subs *subscriptions, room string) (err error) {
	if !s.wideLog {
		err = s.subscribe(&subs.own, wire.LogSubject(room))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used++
	if s.used > 1 {
		return err
	}
	subjects := []string{wire.AllSignals, wire.AllPresence, wire.AllLogs}
	if !s.wideLog {
		subjects = subjects[:2]
	}
	return errors.Join(err, s.subscribe(&s.wide, subjects...))
}

// unshare ends the wide subscriptions with the last room that shares them.
func (s *subjects) unshare() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used--; s.used == 0 {
		s.wide.end()
	}
}

// end gives all back; doing it again does nothing.
func (subs *subscriptions) end() {
	subs.own.end()
	if subs.counted {
		subs.of.own.Add(-1)
	}
	if subs.wide {
		subs.of.unshare()
	}
	*subs = subscriptions{}
}

// end fails only when the connection is closed, which ends them too.
func (three *threeSubs) end() {
	for i, sub := range three {
		if sub != nil {
			_ = sub.Unsubscribe()
			three[i] = nil
		}
	}
}

// meant reports whether a message of the kind that verb is the last letter of
// came by the subscription by which the room hears that kind: it may come by
// both.
func (s *subjects) meant(h *handle, verb byte, by *nats.Subscription) bool {
	wide := by.Subject == wire.AllLogs || by.Subject == wire.AllSignals || by.Subject == wire.AllPresence
	if verb == lastOfLog {
		return wide == (h.wide.Load() && s.wideLog)
	}
	return wide == h.wide.Load() && !h.inbox
}
