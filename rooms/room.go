package rooms

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// room is the actor of one room on one node. All its fields but the fixed ones
// are owned by its actor.
type room struct {
	// fixed after start
	eng   *Engine
	h     *handle
	label string // as clients see its name
	inbox bool   // a user's inbox has no presence

	subs   subscriptions // from the opener
	opened bool
	broken error     // why the room gives up; nil: it does not
	used   time.Time // of the last request

	follower *follow.Follower
	again    []*historyRequest // want an older page than the one just read

	members  members
	presence *presence.Table // nil for an inbox
	first    *firstPage      // of presence, as room_joined shows it; nil: to be encoded
	peers    roomPeers
	grace    *time.Timer // for the next kept seat; nil until there was one
	ticking  bool        // a presenceTick is on its way

	out    outbox
	gather *gathering // nil until it was needed
}

// startRoom makes the receiver. It runs on the room's goroutine.
func (e *Engine) startRoom(name string, self *actor.Ref[message]) actor.Receiver[message] {
	_, inbox := wire.InboxOwner(name)
	h := &handle{name: name, inbox: inbox, self: self}
	h.touched.Store(time.Now().UnixNano())
	r := &room{eng: e, h: h, label: roomLabel(name), inbox: inbox, used: time.Now()}
	r.follower = follow.New(effects{r}, &e.limits)
	if !inbox {
		r.presence = presence.New(e.cfg.Node, e.boot, e.incarnation.Add(1))
	}
	e.handles.put(h)
	if err := e.opener.Send(r); err != nil {
		e.post(self, opened{of: r, err: err})
	}
	return r
}

// logger names the room; it is made when there is something to log, because most
// rooms never log and there are very many.
func (r *room) logger() *zerolog.Logger {
	l := r.eng.cfg.Log.With().Str("room", r.h.name).Logger()
	return &l
}

// Receive handles a batch. Events of the whole batch leave together. It is the
// sixth station of a message, on the room's goroutine.
func (r *room) Receive(b *actor.Batch[message]) {
	if r.h.doubtful.Load() && r.h.doubtful.Swap(false) {
		r.follower.Doubt()
	}
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		r.out.expect = b.Len() + 1
		r.handle(m)
	}
	if r.opened && r.h.missed.Swap(false) {
		r.follower.Missed()
	}
	if r.h.stale.Swap(false) {
		r.askAll()
	}
	r.askAgain()
	r.leave()
	r.retire()
}

// retire ends a room that nobody has asked for anything for as long as an idle
// one lives, although events still come.
func (r *room) retire() {
	if len(r.members.list) == 0 && time.Since(r.used) > r.eng.cfg.IdleAfter && r.Idle() {
		r.h.self.Stop()
	}
}

func (r *room) handle(m message) {
	switch m := m.(type) {
	case liveEvent:
		r.onLive(m.msg)
	case liveSignal:
		r.onSignal(m.msg)
	case livePresence:
		r.onShared(m.msg)
	case *joinRequest, *leaveRequest, *removeUser, *membersRequest, *historyRequest:
		r.used = time.Now()
		r.handleRequest(m)
	default:
		r.handleOwn(m)
	}
}

func (r *room) handleRequest(m message) {
	switch m := m.(type) {
	case *joinRequest:
		r.onJoin(m)
	case *leaveRequest:
		r.onLeave(m)
	case *removeUser:
		reply(m.done, r.removeUser(m.uid, m.code))
	case *membersRequest:
		r.onMembers(m)
	case *historyRequest:
		r.onHistory(m)
	}
}

// handleOwn handles what the room, or its opener, posted to itself.
func (r *room) handleOwn(m message) {
	switch m := m.(type) {
	case opened:
		if m.of == r {
			r.onOpened(m)
		} else {
			m.subs.end()
		}
	case pageRead:
		if m.of == r {
			r.follower.Page(m.page)
		}
	case verdictGiven:
		if m.of == r {
			r.follower.Verdict(m.verdict)
		}
	case checked:
		r.onChecked(m)
	case renewed:
		r.follower.Renewed()
	case gatherTick:
		if m.of == r {
			r.gather.ticking = false // Receive ends with leave
		}
	default:
		r.handlePresence(m)
	}
}

// handlePresence handles the timers of the membership and what the engine
// learned of other nodes.
func (r *room) handlePresence(m message) {
	switch m := m.(type) {
	case presenceTick:
		if m.of == r {
			r.ticking = false
			r.tellPresence()
		}
	case graceTick:
		if m.of == r {
			r.expireSeats()
		}
	case peerTick:
		if m.of == r {
			r.peers.telling = false
			r.tellDiff()
		}
	case beatTick:
		if m.of == r {
			r.onBeatTick()
		}
	case askTick:
		if m.of == r {
			r.peers.asking = nil
		}
	case settleTick:
		if m.of == r {
			r.settle()
		}
	case peerUp:
		r.onPeerUp(m.node)
	case peerOver:
		r.onPeerOver(m.part)
	case peerGone:
		r.onPeerGone(m.node)
	case resync:
		r.resync()
	}
}

func (r *room) onOpened(m opened) {
	r.subs = m.subs
	if m.err != nil {
		r.logger().Error().Err(m.err).Msg("a room could not be opened: its joins are refused as unavailable; is NATS reachable and the stream there?")
		r.broken = wire.Errorf(wire.Unavailable, "the room could not be opened because the log is out of reach; try again")
		r.refuseWaiting(r.broken)
		r.h.self.Stop() // the next request makes a new one
		return
	}
	r.opened = true
	r.eng.stats.Opened.Add(1)
	r.meet()
	r.follower.Open(m.at)
	r.h.last.Store(r.follower.Newest())
}

// Idle reports whether the room may be unloaded.
func (r *room) Idle() bool {
	kept := false
	if r.presence != nil {
		_, kept = r.presence.NextDeadline()
	}
	untold := r.peers.telling || r.peers.beating // other nodes would keep who was here last
	return len(r.members.list) == 0 && !kept && !untold && r.opened && r.follower.Quiet() && len(r.again)+len(r.peers.curious) == 0
}

// Stopped answers what was never received and gives back the subscriptions.
// Requests to a room that retired by itself are for the next one.
func (r *room) Stopped(unread []message) {
	r.release()
	for _, m := range unread {
		switch {
		case r.eng.closed():
			refuseMessage(m, errClosed)
		case r.broken != nil:
			refuseMessage(m, r.broken)
		default:
			r.forward(m)
		}
	}
	r.refuseWaiting(errClosed)
}

// forward gives a request to the room that comes after this one, which had no
// members and waited for nothing.
func (r *room) forward(m message) {
	switch m.(type) {
	case *joinRequest, *historyRequest, *membersRequest:
		if r.eng.rooms.Send(r.h.name, m) != nil {
			refuseMessage(m, errBusy)
		}
	default:
		refuseMessage(m, errClosed)
	}
}

// Failed ends the sessions of the members: they resume, and find the room that
// start makes next.
func (r *room) Failed(any) {
	r.release()
	r.tellEmpty()
	r.refuseWaiting(wire.Errorf(wire.Internal, "the room failed and starts again; try again"))
	for _, m := range r.members.list {
		m.Close(wire.ClosePositionLost)
	}
}

func (r *room) release() {
	if r.grace != nil {
		r.grace.Stop()
	}
	if r.gather != nil && r.gather.timer != nil {
		r.gather.timer.Stop()
	}
	r.subs.end()
	r.eng.handles.drop(r.h)
}

// refuseWaiting answers every join and request that waits.
func (r *room) refuseWaiting(err error) {
	joins, histories := r.follower.GiveUp()
	for _, j := range joins {
		reply(j.Ref.(*joinRequest).done, err)
	}
	for _, h := range histories {
		reply(h.Ref.(*historyRequest).done, historyAnswer{err: err})
	}
	for _, h := range r.again {
		reply(h.done, historyAnswer{err: err})
	}
	for _, m := range r.peers.curious {
		refuseMessage(m, err)
	}
	r.again, r.peers.curious = nil, nil
}
