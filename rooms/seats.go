package rooms

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// changed notes a change of the membership, to be told at the end of
// the interval. uid is whose; "": it may be anybody's.
func (r *roster) changed(uid string) {
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
	r.eng.after(r.h, interval, presenceTick{r})
}

// news is what changed since the last batch, or, of a large room or of more
// changes than a list may have, only how many there are and that there were
// changes; for the members. nil: nothing.
func (r *roster) news() *Burst {
	joined, left, changed := r.presence.Changes()
	if !changed {
		return nil
	}
	p := wire.PresenceChange{RoomID: r.label, Count: r.presence.Count()}
	p.More = p.Count > r.eng.cfg.tuning.countAbove || len(joined)+len(left) > MaxPresenceList
	if !p.More {
		p.Joined, p.Left = joined, left
	}
	return PayloadBurst(wire.Event{Type: wire.TypePresence, Room: r.label}, p)
}

// online is one page of the people in the room.
func (r *roster) online(after string, limit int) wire.OnlineUsers {
	answer := wire.OnlineUsers{RoomID: r.label, List: []wire.User{}}
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
func (r *roster) armGrace() {
	next, ok := r.presence.NextDeadline()
	if !ok {
		return
	}
	if r.grace == nil {
		r.grace = r.eng.after(r.h, time.Until(next), graceTick{r})
		return
	}
	r.grace.Reset(time.Until(next))
}

// expireSeats gives up the seats of those who did not come back in time.
func (r *roster) expireSeats() {
	r.presence.Expire(time.Now())
	r.changed("")
	r.armGrace()
}
