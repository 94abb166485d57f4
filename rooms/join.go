package rooms

import (
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onJoin admits a member, or lets it wait until the room knows what to replay.
func (r *room) onJoin(j *joinRequest) {
	if r.phase == opening {
		r.waiting = append(r.waiting, j)
		return
	}
	if n := r.tryJoin(j, attempt{}); n != nothing {
		r.waiting = append(r.waiting, j)
		r.obtain(n)
	}
}

// attempt says what was read from the log before a request is tried again:
// what it asked for and is not there now is not to be had.
type attempt struct {
	loaded   bool // events after `after`, into the ring
	tail     bool // the newest events, into the ring
	after    uint64
	repaired bool   // up to the log's end
	upto     uint64 // or up to here
}

// need is what must be read from the log before a request can be answered.
type need uint8

const (
	nothing need = 0
	older   need = 1 << iota // events before those in the ring
	newer                    // events that this node may have missed
)

// obtain reads what is needed; retryWaiting follows.
func (r *room) obtain(n need) {
	if n&older != 0 {
		r.load()
	}
	if n&newer != 0 {
		r.repair(0)
	}
}

// tryJoin admits the member if the room has what it asked to be replayed.
func (r *room) tryJoin(j *joinRequest, tried attempt) need {
	since := j.since.Position
	switch {
	case r.members.has(j.member.ID()):
		r.flush() // what is gathered is before the position it is told
		r.answer(j, r.joined(j.id, r.position(), false, 0))
	case since == nil:
		return r.tryJoinLast(j, tried)
	case since.Epoch != r.epoch:
		r.admit(j, nil, false, r.position())
	case since.Seq > max(r.position(), r.horizon):
		if !tried.repaired {
			return newer // another node may be ahead of this one
		}
		r.admit(j, nil, false, r.position()) // the log was rolled back
	case r.ring.covers(since.Seq):
		r.admit(j, r.ring.after(since.Seq), true, since.Seq)
	case !tried.loaded || tried.after > since.Seq:
		return older
	default:
		r.admit(j, nil, false, r.position())
	}
	return nothing
}

// tryJoinLast is for a join that names no position.
func (r *room) tryJoinLast(j *joinRequest, tried attempt) need {
	n := max(0, min(j.since.Last, MaxReplay))
	if n > len(r.ring.entries) && !r.tail && !tried.tail {
		return older
	}
	replay := r.ring.tail(n)
	r.admit(j, replay, false, r.before(replay))
	return nothing
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
			reply(j.done, error(wire.Errorf(wire.Internal, "the user has no uid")))
			return
		}
		r.presenceChanged(j.member.User().UID)
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
		reply(j.done, error(wire.Errorf(wire.NotMember, "the connection ended before the join was done")))
		return false
	}
	reply(j.done, nil)
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
	if r.presence == nil {
		return wire.Event{Type: wire.TypeRoomJoined, ID: id, Room: r.label, Payload: wire.MarshalPayload(p)}
	}
	r.presence.Shown()
	p.Count = r.presence.Count()
	return wire.Event{Type: wire.TypeRoomJoined, ID: id, Room: r.label, Payload: r.withFirstPage(p)}
}

func (r *room) onLeave(l *leaveRequest) {
	r.waiting = slices.DeleteFunc(r.waiting, func(j *joinRequest) bool {
		waits := j.member.ID() == l.member.ID()
		if waits {
			reply(j.done, error(wire.Errorf(wire.NotMember, "left before the join was done")))
		}
		return waits
	})
	if r.remove(l.member, l.why) && (l.why == LeftAsked || l.why == LeftRemoved) {
		// An error says that the member is gone, which is what it wants.
		_ = l.member.Deliver(EventBurst(r.left(l.id, l.why)))
	}
	if l.done != nil {
		reply(l.done, struct{}{})
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
			r.presenceChanged(m.User().UID)
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
	r.presenceChanged(m.User().UID)
	return true
}

// removeUser takes every session of a user out of the room, or, with a close
// code, ends them.
func (r *room) removeUser(uid string, code wire.CloseCode) int {
	var out []Member
	for _, m := range r.members.list {
		if m.User().UID == uid {
			out = append(out, m)
		}
	}
	for _, m := range out {
		if code != 0 {
			m.Close(code)
			continue
		}
		r.onLeave(&leaveRequest{member: m, why: LeftRemoved})
		m.Left(r.h.name)
	}
	return len(out)
}
