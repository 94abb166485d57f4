package rooms

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// room is the actor of one room on one node: a loop over four parts. All its
// fields but the fixed ones are owned by its actor.
type room struct {
	// fixed after start
	eng   *Engine
	h     *handle
	label string // as clients see its name
	table bool   // rules decide here: its log holds steps

	follower *follow.Follower // orders the copies and decides what to read
	replay   replay           // past events for joins and history requests
	fanout   fanout           // events to the members
	roster   *roster          // who is in the room, on all nodes; nil for an inbox

	parsed   *parsedBody        // of the present copy; nil before the first one
	subs     *roomSubscriptions // from the opener
	opened   bool
	openErr  error     // why it could not be opened
	lastUsed time.Time // of the last request
	newest   uint64    // sequence of the event whose time is in h.active
}

// startRoom makes the receiver of a room's actor. It runs on the room's
// goroutine.
func (e *Engine) startRoom(id string, self *actor.Ref[message]) actor.Receiver[message] {
	name := wire.Room(id)
	_, inbox := wire.InboxOwner(name)
	h := &handle{store: e.storeOf(name), name: name, inbox: inbox, self: self}
	h.active.Store(time.Now().UnixMilli())
	r := &room{eng: e, h: h, label: roomLabel(name), table: e.IsTable(name), lastUsed: time.Now()}
	r.fanout.stats, r.fanout.waiting = &e.stats, e.waiting
	r.follower = follow.New(effects{r}, &e.limits)
	if !inbox {
		r.roster = newRoster(e, h, r.label)
	}
	h.store.handles.put(h)
	h.missedBefore(h.store.copies.to.Load() + 1)
	if err := e.opener.Send(r); err != nil {
		e.post(self, opened{of: r, err: err})
	}
	return r
}

// Receive handles a batch, and flushes the events of the whole batch together.
// It is the sixth station of a message, on the room's goroutine.
func (r *room) Receive(b *actor.Batch[message]) {
	if r.h.suspect.Load() && r.h.suspect.Swap(false) {
		r.follower.Suspect()
	}
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		r.eng.releaseCopy(m)
		r.fanout.buffer.expected = b.Len() + 1
		r.handle(m)
	}
	if r.opened && r.h.missed.Swap(false) {
		r.follower.Missed()
	}
	if r.h.stale.Swap(false) && r.roster != nil {
		r.roster.requestStates()
	}
	r.continueHistory()
	r.storeNewestTime(r.follower.Newest(), r.follower.NewestTime()) // before a member gets the event and lists the rooms
	r.flushOrDelay()
	r.replay.last = nil
	r.accountRing()
	r.retire()
}

// storeNewestTime publishes the newest event's time, as the log has it, for the
// list of rooms.
func (r *room) storeNewestTime(seq uint64, logTime string) {
	if seq == r.newest {
		return
	}
	r.newest = seq
	if at := wire.LogMillis(logTime); at != 0 {
		r.h.active.Store(at)
	}
}

// retire ends a room without members that nobody has asked for anything for
// Config.IdleAfter, although events still come.
func (r *room) retire() {
	if len(r.fanout.members.list) == 0 && time.Since(r.lastUsed) > r.eng.cfg.IdleAfter && r.Idle() {
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
		if r.roster != nil {
			r.roster.onGossip(m.msg)
		}
	case *connectionsRequest: // does not keep the room open
		r.onConnections(m)
	case *endSeats: // nor does this: every open room gets it
		reply(m.done, r.endKept(m.uid))
	case *joinRequest, *leaveRequest, *removeUser, *membersRequest, *historyRequest:
		r.lastUsed = time.Now()
		r.h.asked.Store(r.lastUsed.UnixNano())
		r.handleRequest(m)
	default:
		r.handleInternal(m)
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
		if r.roster == nil {
			reply(m.done, wire.OnlineUsers{RoomID: r.label, List: []wire.User{}})
			return
		}
		r.roster.onMembers(m)
	case *historyRequest:
		r.onHistory(m)
	}
}

// handleInternal handles what the room, or its opener, has posted to itself.
func (r *room) handleInternal(m message) {
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
			r.onReceived(m.received)
			r.follower.Verdict(m.verdict)
		}
	case checked:
		r.onChecked(m)
	case renewed:
		r.follower.Renewed()
	case trimRing:
		r.trimRing(m)
	case flushTick:
		if m.of == r {
			r.fanout.coalescer.tickPending = false // Receive ends with flushOrDelay
		}
	default:
		if r.roster != nil && r.roster.handle(m) {
			r.deliverPresence()
		}
	}
}

// deliverPresence sends the members who has joined and left.
func (r *room) deliverPresence() {
	if news := r.roster.takeChanges(); news != nil {
		r.flush()
		r.deliverBurst(news, "")
	}
}

func (r *room) onOpened(m opened) {
	r.subs = m.subs
	if m.err != nil {
		r.eng.roomLog(r.h.name).Error().Err(m.err).Msg("a room could not be opened: its joins are refused as unavailable; is NATS reachable and the stream there?")
		r.openErr = wire.Errorf(wire.Unavailable, "the room could not be opened because the log is out of reach; try again")
		r.refuseWaiting(r.openErr)
		r.h.self.Stop() // the next request makes a new one
		return
	}
	r.opened = true
	r.eng.stats.Opened.Add(1)
	if !r.h.inbox {
		r.eng.feed.room(wire.FeedOpened, r.label)
	}
	if r.roster != nil {
		r.roster.startSync()
	}
	// Before Open, which admits the members that waited: they may list the rooms.
	r.h.last.Store(m.at.Last)
	r.storeNewestTime(m.at.Last, m.at.LastTime)
	r.follower.Open(m.at)
	r.h.last.Store(r.follower.Newest())
}

// Idle reports whether the room may be unloaded.
func (r *room) Idle() bool {
	if r.table { // who decides for it goes by who is there
		if _, ok := r.eng.owners.Lookup(string(r.h.name)); ok {
			return false
		}
	}
	return len(r.fanout.members.list) == 0 && r.opened && r.follower.Quiet() && len(r.replay.continued) == 0 && (r.roster == nil || r.roster.idle())
}

// Stopped answers the messages that were not received and ends the
// subscriptions. Requests to a room that retired go to its successor.
func (r *room) Stopped(unread []message) {
	r.release()
	for _, m := range unread {
		r.eng.releaseCopy(m)
		switch {
		case r.eng.closed():
			refuseMessage(m, errClosed)
		case r.openErr != nil:
			refuseMessage(m, r.openErr)
		default:
			r.forward(m)
		}
	}
	r.refuseWaiting(errClosed)
}

// forward hands a request to the room's next actor; this one had no members and
// no pending requests.
func (r *room) forward(m message) {
	switch m := m.(type) {
	case *joinRequest, *historyRequest, *membersRequest:
		if r.eng.rooms.Send(string(r.h.name), m) != nil {
			refuseMessage(m, errBusy)
		}
	case liveEvent:
		r.eng.inspectUnread(m.msg)
	default:
		refuseMessage(m, errClosed)
	}
}

// Failed closes the members' connections: their clients resume, in the room
// that is started next.
func (r *room) Failed(any) {
	r.release()
	if r.roster != nil {
		r.roster.sendEmptyState()
	}
	r.refuseWaiting(wire.Errorf(wire.Internal, "the room failed and starts again; try again"))
	for _, m := range r.fanout.members.list {
		m.Close(wire.ClosePositionLost)
	}
}

func (r *room) release() {
	if r.roster != nil {
		r.roster.release()
	}
	r.fanout.release()
	r.follower.Close()
	r.subs.end()
	r.h.store.handles.remove(r.h)
	r.feedUnloaded()
}

// feedUnloaded announces the end of the room in the feed. Members that are left
// are those of a room that failed, or of an engine that closes.
func (r *room) feedUnloaded() {
	if !r.opened || r.h.inbox || r.eng.feed == nil {
		return
	}
	for _, m := range r.fanout.members.list {
		r.eng.feed.member(wire.FeedLeft, r.label, m, LeaveLost)
	}
	r.eng.feed.room(wire.FeedUnloaded, r.label)
}

// refuseWaiting answers every pending join and request with err.
func (r *room) refuseWaiting(err error) {
	joins, histories := r.follower.GiveUp()
	for _, j := range joins {
		reply(j.Ref.(*joinRequest).done, err)
	}
	for _, h := range histories {
		reply(h.Ref.(*historyRequest).done, historyAnswer{err: err})
	}
	for _, h := range r.replay.continued {
		reply(h.done, historyAnswer{err: err})
	}
	r.replay.continued = nil
	if r.roster != nil {
		r.roster.refuseWaiting(err)
	}
}
