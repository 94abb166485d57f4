package rooms

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// presenceChanged notes a change of the membership, to be told at the end of
// the interval. uid is whose; "": it may be anybody's.
func (r *room) presenceChanged(uid string) {
	r.firstPageChanged(uid)
	r.h.users.Store(int64(r.presence.Count()))
	r.tellSoon()
	if r.ticking {
		return
	}
	r.ticking = true
	interval := r.eng.cfg.PresenceInterval
	if r.presence.Count() > r.eng.cfg.tuning.slowAbove {
		interval *= presenceSlowFactor
	}
	r.after(interval, presenceTick{r})
}

// tellPresence sends the members what changed since the last batch, or, in a
// large room, only how many there are.
func (r *room) tellPresence() {
	joined, left, changed := r.presence.Changes()
	if !changed {
		return
	}
	p := wire.PresenceChange{RoomID: r.label, Count: r.presence.Count()}
	if p.Count <= r.eng.cfg.tuning.countAbove && len(joined)+len(left) <= MaxPresenceList {
		p.Joined, p.Left = joined, left
	}
	r.flush()
	r.deliverBurst(EventBurst(wire.Event{Type: wire.TypePresence, Room: r.label, Payload: wire.MarshalPayload(p)}), "")
}

// online is one page of the people in the room.
func (r *room) online(after string, limit int) wire.OnlineUsers {
	answer := wire.OnlineUsers{RoomID: r.label, List: []wire.User{}}
	if r.presence == nil {
		return answer
	}
	r.presence.Shown()
	answer.Count = r.presence.Count()
	if limit <= 0 || limit > MaxPresenceList {
		limit = MaxPresenceList
	}
	if users, next := r.presence.List(after, limit); len(users) > 0 {
		answer.List, answer.Next = users, next
	}
	return answer
}

// armGrace sets the one timer of the kept seats.
func (r *room) armGrace() {
	next, ok := r.presence.NextDeadline()
	if !ok {
		return
	}
	if r.grace == nil {
		r.grace = r.after(time.Until(next), graceTick{r})
		return
	}
	r.grace.Reset(time.Until(next))
}

// expireSeats gives up the seats of those who did not come back in time.
func (r *room) expireSeats() {
	r.presence.Expire(time.Now())
	r.presenceChanged("")
	r.armGrace()
}

// after posts m to the room's own mailbox when d has passed.
func (r *room) after(d time.Duration, m message) *time.Timer {
	return time.AfterFunc(d, func() { r.eng.post(r.h.self, m) })
}
