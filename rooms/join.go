package rooms

import (
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onJoin admits a member, now or when the follower knows what to replay.
func (r *room) onJoin(j *joinRequest) {
	switch {
	case j.abandoned.Load():
	case j.stay && !r.fanout.members.has(j.member.ID()):
		reply(j.done, error(wire.Errorf(wire.NotMember, "it has left")))
	case j.fromState:
		r.joinFromState(j)
	case r.fanout.members.has(j.member.ID()):
		r.flush() // buffered events come before the position in the answer
		if !r.covered(j, r.follower.Position().Seq) {
			r.catchUp(j)
			return
		}
		r.answer(j, r.joinedBurst(j, r.follower.Position().Seq, false, 0))
	case j.since.Position != nil && j.since.Allowance.spent():
		r.eng.stats.ReplayCut.Add(1)
		r.follower.Join(&follow.Join{Ref: j})
	default:
		r.follower.Join(&follow.Join{Since: j.since.position(), Last: j.since.Last, Ref: j})
	}
}

// admit gives the member, in this order: room_joined, the replay, and
// everything after that.
func (r *room) admit(j *joinRequest, a follow.Admission) {
	r.flush() // buffered events come before the join, or are in the replay
	if j.abandoned.Load() {
		return
	}
	replay, own := r.seenBy(j.member.User().UID, a.Replay)
	if !j.fromState && !j.since.Allowance.take(follow.Bytes(replay)) {
		r.eng.stats.ReplayCut.Add(1)
		a, replay = follow.Admission{Seq: r.follower.Position().Seq}, nil
	}
	switch covered := r.covered(j, a.Seq); {
	case !covered && a.Recovered: // the member knows more of the table than its owner
		reply(j.done, errStateBehind)
		return
	case !covered:
		r.catchUp(j)
		return
	}
	if err := r.add(j.member); err != nil {
		reply(j.done, err)
		return
	}
	if r.answer(j, r.joinedBurst(j, a.Seq, a.Recovered && !j.fromState, len(replay))) {
		r.sendReplay(j.member, replay, own)
	}
}

// add makes somebody a member who is none.
func (r *room) add(m Member) error {
	if r.fanout.members.has(m.ID()) {
		return nil // of a table, and joins again
	}
	if r.roster != nil {
		if err := r.roster.join(m); err != nil {
			return err
		}
	}
	r.fanout.members.add(m)
	r.h.sessions.Store(int64(len(r.fanout.members.list)))
	if !r.h.inbox {
		r.eng.feed.member(wire.FeedJoined, r.label, m, "")
	}
	return nil
}

// answer sends room_joined and ends the request.
func (r *room) answer(j *joinRequest, joined *Burst) bool {
	joined.Asked = joined.Bytes
	if j.member.Deliver(joined) != nil {
		r.remove(j.member, LeaveLost)
		reply(j.done, error(wire.Errorf(wire.NotMember, "the connection ended before the join was done")))
		return false
	}
	reply(j.done, nil)
	return true
}

// joinedBurst makes the room_joined event with the present state, as the answer
// to a join, or for all members: nil.
func (r *room) joinedBurst(j *joinRequest, seq uint64, recovered bool, replayed int) *Burst {
	p := wire.RoomJoined{RoomID: r.label, Epoch: r.follower.Position().Epoch, Seq: seq, Recovered: recovered, Replayed: replayed}
	var (
		id  string
		one Member
	)
	if j != nil {
		id, one = j.id, j.member
	}
	if r.roster != nil {
		r.roster.fillFirstPage(&p, one)
	}
	if j != nil && j.state != nil {
		p.State, p.StateSeq, p.Now = j.state.State, j.state.Seq, j.state.Now
	}
	return PayloadBurst(wire.Event{Type: wire.TypeRoomJoined, ID: id, Room: r.label}, p)
}

func (r *room) onLeave(l *leaveRequest) {
	r.follower.RemoveJoins(func(waiting *follow.Join) bool {
		j := waiting.Ref.(*joinRequest)
		if j.member.ID() != l.member.ID() {
			return false
		}
		reply(j.done, error(wire.Errorf(wire.NotMember, "left before the join was done")))
		return true
	})
	if r.remove(l.member, l.why) && (l.why == LeaveAsked || l.why == LeaveRemoved) {
		// An error says that the member is gone, which is what it wants.
		_ = l.member.Deliver(EventBurst(r.leftEvent(l.id, l.why)))
	}
	if l.done != nil {
		reply(l.done, struct{}{})
	}
}

func (r *room) leftEvent(id string, why LeaveReason) wire.Event {
	return wire.Event{Type: wire.TypeRoomLeft, ID: id, Room: r.label, Payload: wire.MarshalPayload(wire.RoomLeft{RoomID: r.label, Reason: string(why)})}
}

// remove takes a member out, after handing it what was buffered. With LeaveLost
// its seat is kept for the grace period.
func (r *room) remove(m Member, why LeaveReason) bool {
	here := r.fanout.members.has(m.ID())
	if here && (why == LeaveAsked || why == LeaveRemoved) {
		r.flush()
	}
	if here {
		r.fanout.members.remove(m.ID())
		r.h.sessions.Store(int64(len(r.fanout.members.list)))
		if !r.h.inbox {
			r.eng.feed.member(wire.FeedLeft, r.label, m, why)
		}
	}
	if r.roster != nil && (here || why != LeaveLost) {
		r.roster.leave(m, why)
	}
	return here
}

// removeUser removes every session of a user, waiting joins and kept seats
// included, or, with a close code, ends them. It returns the session ids.
func (r *room) removeUser(uid string, code wire.CloseCode) (sessions []string) {
	var out []Member
	for _, m := range r.fanout.members.list {
		if m.User().UID == uid {
			out = append(out, m)
		}
	}
	sessions = r.removeWaiting(uid, code)
	for _, m := range out {
		sessions = append(sessions, m.ID())
		if code != 0 {
			m.Close(code)
			continue
		}
		r.onLeave(&leaveRequest{member: m, why: LeaveRemoved})
		m.Left(r.h.name)
	}
	return append(sessions, r.endKept(uid)...)
}

// endKept ends the seats that are kept for a user; an inbox keeps none.
func (r *room) endKept(uid string) []string {
	if r.roster == nil {
		return nil
	}
	return r.roster.endKept(uid)
}

func (r *room) removeWaiting(uid string, code wire.CloseCode) (sessions []string) {
	r.follower.RemoveJoins(func(waiting *follow.Join) bool {
		j := waiting.Ref.(*joinRequest)
		if j.member.User().UID != uid {
			return false
		}
		sessions = append(sessions, j.member.ID())
		reply(j.done, error(wire.Errorf(wire.NotMember, "removed before the join was done")))
		if code != 0 {
			j.member.Close(code)
		}
		return true
	})
	return sessions
}
