package rooms

import (
	"context"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onJoin admits a member, or lets it wait until the room knows what to replay.
func (r *room) onJoin(j *joinRequest) {
	if r.phase == opening {
		r.waiting = append(r.waiting, j)
		return
	}
	if !r.tryJoin(j, attempt{}) {
		r.waiting = append(r.waiting, j)
		r.load()
	}
}

// attempt says what was read from the log before a request is tried again:
// what it asked for and is not there now is not to be had.
type attempt struct {
	loaded   bool // events after `after`, into the ring
	tail     bool // the newest events, into the ring
	after    uint64
	repaired bool // up to the log's end
}

// tryJoin admits the member if the ring has what it asked to be replayed.
func (r *room) tryJoin(j *joinRequest, tried attempt) bool {
	if r.members.has(j.member.ID()) {
		r.answer(j, r.joined(j.id, r.position(), false, 0))
		return true
	}
	since := j.since.Position
	if since == nil {
		return r.tryJoinLast(j, tried)
	}
	switch {
	case since.Epoch != r.epoch:
		r.admit(j, nil, false, r.position())
	case since.Seq > max(r.last, r.horizon) && !tried.repaired:
		r.repair(0) // another node may be ahead of this one
		return false
	case since.Seq > max(r.last, r.horizon):
		r.admit(j, nil, false, r.position()) // the log was rolled back
	case r.ring.covers(since.Seq):
		r.admit(j, r.ring.after(since.Seq), true, since.Seq)
	case tried.loaded && tried.after <= since.Seq:
		r.admit(j, nil, false, r.position())
	default:
		return false
	}
	return true
}

// tryJoinLast is for a join that names no position.
func (r *room) tryJoinLast(j *joinRequest, tried attempt) bool {
	n := min(j.since.Last, MaxReplay)
	if n > len(r.ring.entries) && !r.tail && !tried.tail {
		return false
	}
	replay := r.ring.tail(n)
	r.admit(j, replay, false, r.before(replay))
	return true
}

// before is the position that the first event of a replay follows.
func (r *room) before(replay []ringEntry) uint64 {
	if len(replay) == 0 {
		return r.position()
	}
	return replay[0].seq - 1
}

// admit makes the member hear, in this order: room_joined, what is replayed,
// and everything that comes after.
func (r *room) admit(j *joinRequest, replay []ringEntry, recovered bool, seq uint64) {
	r.flush() // what is gathered is before the join, or in the replay
	if r.presence != nil {
		if err := r.presence.Join(j.member.ID(), j.member.User()); err != nil {
			j.done <- wire.Errorf(wire.Internal, "the user has no uid")
			return
		}
		r.presenceChanged()
	}
	r.members.add(j.member)
	r.h.sessions.Store(int64(len(r.members.list)))
	if r.answer(j, r.joined(j.id, seq, recovered, len(replay))) {
		r.replay(j.member, replay)
	}
}

// answer sends room_joined and ends the request.
func (r *room) answer(j *joinRequest, joined wire.Event) bool {
	if j.member.Deliver(EventBurst(joined)) != nil {
		r.remove(j.member, LeftLost)
		j.done <- wire.Errorf(wire.NotMember, "the connection ended before the join was done")
		return false
	}
	j.done <- nil
	return true
}

// replay hands over events that the ring holds. They are charged as one
// message, because their memory is the room's and not the member's.
func (r *room) replay(m Member, entries []ringEntry) {
	if len(entries) == 0 {
		return
	}
	frames := make([][]byte, len(entries))
	for i, e := range entries {
		frames[i] = e.frame
	}
	r.eng.stats.Replayed.Add(int64(len(entries)))
	if m.Deliver(&Burst{Frames: frames, Count: 1}) != nil {
		r.remove(m, LeftLost)
	}
}

// joined is the room_joined event as of now.
func (r *room) joined(id string, seq uint64, recovered bool, replayed int) wire.Event {
	p := wire.RoomJoined{RoomID: r.label, Epoch: r.epoch, Seq: seq, Recovered: recovered, Replayed: replayed, List: []wire.User{}}
	if r.presence != nil {
		online := r.online("", MaxPresenceList)
		p.Count, p.List = online.Count, online.List
	}
	return wire.Event{Type: wire.TypeRoomJoined, ID: id, Room: r.label, Payload: wire.MarshalPayload(p)}
}

func (r *room) onLeave(l *leaveRequest) {
	for i, j := range r.waiting {
		if j.member.ID() == l.member.ID() {
			j.done <- wire.Errorf(wire.NotMember, "left before the join was done")
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			break
		}
	}
	if r.remove(l.member, l.why) && (l.why == LeftAsked || l.why == LeftRemoved) {
		// An error says that the member is gone, which is what it wants.
		_ = l.member.Deliver(EventBurst(r.left(l.id, l.why)))
	}
	if l.done != nil {
		close(l.done)
	}
}

func (r *room) left(id string, why Left) wire.Event {
	return wire.Event{Type: wire.TypeRoomLeft, ID: id, Room: r.label, Payload: wire.MarshalPayload(wire.RoomLeft{RoomID: r.label, Reason: string(why)})}
}

// remove takes a member out. It hears what was gathered before. A member that
// was dropped because it could take no more gives up its seat when it turns
// out that it does not come back.
func (r *room) remove(m Member, why Left) bool {
	if !r.members.has(m.ID()) {
		if r.presence != nil && why != LeftLost {
			r.presence.Leave(m.ID())
			r.presenceChanged()
		}
		return false
	}
	if why == LeftAsked || why == LeftRemoved {
		r.flush()
	}
	r.members.remove(m.ID())
	r.h.sessions.Store(int64(len(r.members.list)))
	if r.presence == nil {
		return true
	}
	if why == LeftLost && r.eng.cfg.PresenceGrace > 0 {
		r.presence.Away(m.ID(), time.Now().Add(r.eng.cfg.PresenceGrace))
		r.armGrace()
	} else {
		r.presence.Leave(m.ID())
	}
	r.presenceChanged()
	return true
}

// removeUser takes every session of a user out of the room.
func (r *room) removeUser(uid string) int {
	var out []Member
	for _, m := range r.members.list {
		if m.User().UID == uid {
			out = append(out, m)
		}
	}
	for _, m := range out {
		r.onLeave(&leaveRequest{member: m, why: LeftRemoved})
		m.Left(r.h.name)
	}
	return len(out)
}

// load reads older events into the ring for the requests that wait: from the
// oldest position that a join asks for, or, when somebody asks for the newest
// events, as many as the ring holds.
func (r *room) load() {
	if r.loading || r.phase == opening {
		return
	}
	r.loading = true
	floor, name := r.ring.floor, r.h.name
	after, tail := r.oldestAsked()
	r.eng.beside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		var page logPage
		var err error
		if tail {
			page, err = r.eng.reader.newest(ctx, name, floor+1, MaxReplay+1)
			after = 0
		} else {
			page, err = r.eng.reader.read(ctx, name, after, floor)
		}
		r.eng.post(r.h.self, loaded{of: r, floor: floor, after: after, tail: tail, page: page, err: err})
	})
}

// oldestAsked returns what the load must reach back to.
func (r *room) oldestAsked() (since uint64, tail bool) {
	since = r.ring.floor
	for _, j := range r.waiting {
		if j.since.Position == nil {
			tail = true
			continue
		}
		since = min(since, j.since.Position.Seq)
	}
	return since, tail || len(r.asked) > 0
}

func (r *room) onLoaded(m loaded) {
	r.loading = false
	if m.err != nil {
		if !r.eng.closed() {
			r.log.Warn().Err(m.err).Msg("a room's history could not be read; those who wait for it are refused as unavailable")
		}
		r.refuseWaiting(wire.Errorf(wire.Unavailable, "the room's history is out of reach; try again"))
		return
	}
	if m.floor == r.ring.floor { // else newer events have filled the ring meanwhile
		r.extend(m)
	}
	r.retryWaiting(attempt{loaded: true, tail: m.tail, after: m.after})
}

// extend puts the loaded events in front of the ring.
func (r *room) extend(m loaded) {
	older := make([]ringEntry, 0, len(m.page.events))
	for _, s := range m.page.events {
		ev, err := publicEvent(r.label, s.seq, s.body, s.time)
		if err == nil {
			older = append(older, ringEntry{s.seq, wire.EventFrame(ev)})
		}
	}
	floor := m.floor
	switch {
	case m.page.reaches:
		floor = m.after
	case len(m.page.events) > 0:
		floor = m.page.events[0].seq
	}
	r.tail = r.tail || m.tail
	r.ring.prepend(older, floor, m.tail && len(m.page.events) <= MaxReplay)
}

// retryWaiting answers what waits, as far as the ring now goes.
func (r *room) retryWaiting(tried attempt) {
	waiting, asked := r.waiting, r.asked
	r.waiting, r.asked = nil, nil
	for _, j := range waiting {
		if !r.tryJoin(j, tried) {
			r.waiting = append(r.waiting, j)
		}
	}
	for _, a := range asked {
		if !r.tryHistory(a, tried) {
			r.asked = append(r.asked, a)
		}
	}
	if len(r.waiting)+len(r.asked) > 0 {
		r.load()
	}
}
