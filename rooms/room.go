package rooms

import (
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// phase is where a room stands with its log.
type phase uint8

const (
	opening   phase = iota // not subscribed yet: joins wait, live copies are held
	following              // last is the newest event it knows of
	repairing              // a hole is being read: live copies are held
)

// room is the actor of one room on one node. All its fields but the fixed ones
// are owned by its actor.
type room struct {
	// fixed after start
	eng   *Engine
	h     *handle
	label string // as clients see its name
	inbox bool   // a user's inbox has no presence
	log   zerolog.Logger
	subs  []*nats.Subscription // set by the opener before it says opened

	phase phase
	epoch string
	last  uint64 // sequence of the newest event delivered; 0: none in the log
	// horizon is a sequence of the stream up to which the room knows all its
	// events, for a room that has none.
	horizon uint64
	ring    ring
	held    []liveEvent

	members  members
	presence *presence.Table // nil for an inbox
	ticking  bool            // a presenceTick is on its way
	grace    *time.Timer     // for the next kept seat; nil until there was one

	waiting []*joinRequest    // joins that wait for opening or for a load
	asked   []*historyRequest // requests that wait for opening or for a load
	loading bool              // a load is on its way
	tail    bool              // a load has filled the ring with the newest events

	out outbox
}

// startRoom makes the receiver. It runs on the room's goroutine.
func (e *Engine) startRoom(name string, self *actor.Ref[message]) actor.Receiver[message] {
	h := &handle{name: name, token: wire.RoomToken(name), self: self}
	h.touched.Store(time.Now().UnixNano())
	_, inbox := wire.InboxOwner(name)
	r := &room{eng: e, h: h, label: roomLabel(name), inbox: inbox, log: e.cfg.Log.With().Str("room", name).Logger()}
	if !inbox {
		r.presence = presence.New(e.cfg.Node, uint64(time.Now().UnixNano()))
	}
	e.handles.put(h)
	if err := e.opener.Send(r); err != nil {
		e.post(self, opened{of: r, err: err})
	}
	return r
}

// Receive handles a batch. Events of the whole batch leave together.
func (r *room) Receive(b *actor.Batch[message]) {
	r.out.begin(b.Len())
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		r.handle(m)
	}
	if r.h.missed.Swap(false) {
		r.repair(0)
	}
	r.flush()
	r.out.end()
}

func (r *room) handle(m message) {
	switch m := m.(type) {
	case liveEvent:
		r.onLive(m)
	case liveSignal:
		r.onSignal(m.msg)
	case *joinRequest:
		r.onJoin(m)
	case *leaveRequest:
		r.onLeave(m)
	case *removeUser:
		m.done <- r.removeUser(m.uid)
	case *membersRequest:
		m.done <- r.online(m.after, m.limit)
	case *historyRequest:
		r.onHistory(m)
	case checked:
		if m.last > r.last && r.phase == following {
			r.repair(m.last)
		}
	default:
		r.handleOwn(m)
	}
}

// handleOwn handles what the room, or its opener, posted to itself.
func (r *room) handleOwn(m message) {
	switch m := m.(type) {
	case opened:
		if m.of == r {
			r.onOpened(m)
		}
	case loaded:
		if m.of == r {
			r.onLoaded(m)
		}
	case repaired:
		if m.of == r {
			r.onRepaired(m)
		}
	case presenceTick:
		if m.of == r {
			r.ticking = false
			r.tellPresence()
		}
	case graceTick:
		if m.of == r {
			r.expireSeats()
		}
	}
}

func (r *room) onOpened(m opened) {
	if m.err != nil {
		r.log.Error().Err(m.err).Msg("a room could not be opened: its joins are refused as unavailable; is NATS reachable and the stream there?")
		r.refuseWaiting(wire.Errorf(wire.Unavailable, "the room could not be opened because the log is out of reach; try again"))
		r.h.self.Stop() // the next request makes a new one
		return
	}
	r.phase = following
	r.epoch = r.eng.Epoch()
	r.last, r.horizon = m.last, m.stream
	r.ring.floor = r.position()
	r.h.last.Store(r.last)
	r.takeHeld()
	r.retryWaiting(attempt{})
}

// position is where the room stands in the log: its newest event, or, when it
// has none, where the stream stood when the room looked.
func (r *room) position() uint64 {
	if r.last == 0 {
		return r.horizon
	}
	return r.last
}

// Idle reports whether the room may be unloaded.
func (r *room) Idle() bool {
	kept := false
	if r.presence != nil {
		_, kept = r.presence.NextDeadline()
	}
	return len(r.members.list) == 0 && !kept && r.phase == following && !r.loading && len(r.waiting)+len(r.asked) == 0
}

// Stopped answers what was never received and gives back the subscriptions.
func (r *room) Stopped(unread []message) {
	for _, m := range unread {
		r.refuse(m)
	}
	r.refuseWaiting(errClosed)
	r.release()
}

// Failed ends the sessions of the members: they resume, and find the room that
// start makes next.
func (r *room) Failed(any) {
	for _, m := range r.members.list {
		m.Close(wire.ClosePositionLost)
	}
	r.refuseWaiting(wire.Errorf(wire.Internal, "the room failed and starts again; try again"))
	r.release()
}

func (r *room) release() {
	if r.grace != nil {
		r.grace.Stop()
	}
	for _, sub := range r.subs {
		if err := sub.Unsubscribe(); err != nil && !r.eng.closed() {
			r.log.Warn().Err(err).Str("subject", sub.Subject).Msg("a room's subscription could not be ended")
		}
	}
	r.eng.handles.drop(r.h)
}

// refuseWaiting answers every join and request that waits.
func (r *room) refuseWaiting(err error) {
	for _, j := range r.waiting {
		j.done <- err
	}
	for _, a := range r.asked {
		a.done <- historyAnswer{err: err}
	}
	r.waiting, r.asked = nil, nil
}

// refuse answers a message that the room never got to.
func (r *room) refuse(m message) { refuseMessage(m, errClosed) }

func refuseMessage(m message, err error) {
	switch m := m.(type) {
	case *joinRequest:
		m.done <- err
	case *historyRequest:
		m.done <- historyAnswer{err: err}
	case *membersRequest:
		m.done <- wire.OnlineUsers{List: []wire.User{}}
	case *removeUser:
		m.done <- 0
	case *leaveRequest:
		if m.done != nil {
			close(m.done)
		}
	}
}
