package rooms

import (
	"encoding/json"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// roster is who is in a room, on all nodes: the seats of this node's members,
// the other nodes' gossip about theirs, and when members and nodes are told
// about changes. An inbox has none. It is owned by the room's actor.
type roster struct {
	// fixed after start
	eng   *Engine
	h     *handle
	label string // of the room, as clients see it

	presence    *presence.Table
	open        bool        // startSync was called
	first       *firstPage  // encoded for room_joined; nil: not yet
	grace       *time.Timer // for the next kept seat; nil until there was one
	tickPending bool        // a presenceTick is due
	peers       roomPeers
}

func newRoster(e *Engine, h *handle, label string) *roster {
	return &roster{eng: e, h: h, label: label, presence: presence.New(e.cfg.Node, e.boot, e.incarnation.Add(1))}
}

// join gives a member its seat.
func (r *roster) join(m Member) error {
	if err := r.presence.Join(m.ID(), m.User()); err != nil {
		return wire.Errorf(wire.Internal, "the user has no uid")
	}
	r.changed(m.User().UID)
	return nil
}

// leave ends a seat; with LeaveLost it is kept for the grace period.
func (r *roster) leave(m Member, why LeaveReason) {
	if why == LeaveLost && r.eng.cfg.PresenceGrace > 0 {
		r.presence.Away(m.ID(), time.Now().Add(r.eng.cfg.PresenceGrace))
		r.armGrace()
	} else {
		r.presence.Leave(m.ID())
	}
	r.changed(m.User().UID)
}

// idle reports whether nobody has a seat on this node, and the other nodes have
// been told so.
func (r *roster) idle() bool {
	_, kept := r.presence.NextDeadline()
	unsent := r.peers.diffPending || r.peers.beatPending // other nodes would keep the members who left last
	return !kept && !unsent && len(r.peers.waiting) == 0
}

func (r *roster) release() {
	if r.grace != nil {
		r.grace.Stop()
	}
}

// refuseWaiting answers every request that waits.
func (r *roster) refuseWaiting(err error) {
	for _, m := range r.peers.waiting {
		refuseMessage(m, err)
	}
	r.peers.waiting = nil
}

// handle handles the roster's timers and news about other nodes. It reports
// whether to send the members what changed.
func (r *roster) handle(m message) (news bool) {
	switch m := m.(type) {
	case presenceTick:
		r.tickPending = r.tickPending && m.of != r
		return m.of == r
	case graceTick:
		if m.of == r {
			r.expireSeats()
		}
	case peerTick:
		if m.of == r {
			r.peers.diffPending = false
			r.sendDiff()
		}
	case beatTick:
		if m.of == r {
			r.onBeatTick()
		}
	case requestTick:
		if m.of == r {
			r.peers.requested = nil
		}
	case syncTick:
		if m.of == r {
			r.finishSync()
		}
	case peerUp:
		r.onPeerUp(m.node)
	case peerReplaced:
		r.onPeerReplaced(m.process)
	case peerDown:
		r.onPeerDown(m.node)
	case resync:
		r.resync()
	}
	return false
}

// changed records a change of the membership; members and nodes are told at the
// end of the interval. uid is the user; "": any.
func (r *roster) changed(uid string) {
	r.firstPageChanged(uid)
	r.h.users.Store(int64(r.presence.Count()))
	r.scheduleDiff()
	if r.tickPending {
		return
	}
	r.tickPending = true
	interval := r.eng.cfg.PresenceInterval
	if r.presence.Count() > r.eng.cfg.tuning.slowAbove {
		interval *= presenceSlowFactor
	}
	r.eng.after(r.h, interval, presenceTick{r})
}

// takeChanges returns a presence event with the changes since the last one, for
// the members; nil: none. In a large room, or with more changes than a list may
// have, it has only the count, and More.
func (r *roster) takeChanges() *Burst {
	// Changes that cancel out too: the owner may have read who was there between them.
	r.tellOwner(rosterChanged{})
	joined, left, changed := r.presence.Changes()
	if !changed {
		return nil
	}
	p := wire.PresenceChange{RoomID: r.label, Count: r.presence.Count()}
	p.More = p.Count > r.eng.cfg.tuning.countAbove || len(joined)+len(left) > MaxPresenceList ||
		usersWithin(joined, presenceBytes) < len(joined) || usersWithin(left, presenceBytes) < len(left)
	if !p.More {
		p.Joined, p.Left = joined, left
	}
	return PayloadBurst(wire.Event{Type: wire.TypePresence, Room: r.label}, p)
}

// tellOwner tells the owner of the table, if it is on this node.
func (r *roster) tellOwner(m rosterChanged) {
	if ref, ok := r.eng.owners.Lookup(string(r.h.name)); ok {
		_ = ref.Send(m) // fails only when the owner has ended
	}
}

// answer answers a request for the people in the room.
func (r *roster) answer(m *membersRequest) {
	if m.all {
		users, _ := r.presence.List("", r.presence.Count())
		reply(m.done, wire.OnlineUsers{RoomID: r.label, List: users})
		return
	}
	reply(m.done, r.online(m.after, m.limit))
}

// online is one page of the people in the room.
func (r *roster) online(after string, limit int) wire.OnlineUsers {
	answer := wire.OnlineUsers{RoomID: r.label, List: []wire.User{}}
	r.presence.Shown()
	answer.Count = r.presence.Count()
	if limit <= 0 || limit > MaxPresenceList {
		limit = MaxPresenceList
	}
	if users, next := r.page(after, limit); len(users) > 0 {
		answer.List, answer.Next = users, next
	}
	return answer
}

// page returns the users after a uid, at most limit and about presenceBytes of
// them, and where the next page starts; "": there is none.
func (r *roster) page(after string, limit int) (users []presence.User, next string) {
	users, next = r.presence.List(after, limit)
	if n := usersWithin(users, presenceBytes); n < len(users) {
		return users[:n], users[n-1].UID
	}
	return users, next
}

// usersWithin returns how many of the first users fit into about so many bytes
// of JSON; at least one if there is one.
func usersWithin(users []presence.User, bytes int) int {
	const names = len(`{"uid":"","username":"","avatar_id":""},`)
	for i := range users {
		bytes -= names + len(users[i].UID) + len(users[i].Username) + len(users[i].AvatarID)
		if bytes < 0 {
			return max(1, i)
		}
	}
	return len(users)
}

// armGrace sets the one timer for all kept seats.
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

// endKept ends the seats that are kept for a user, and returns their session
// ids.
func (r *roster) endKept(uid string) []string {
	ended := r.presence.EndKept(uid)
	if len(ended) > 0 {
		r.changed(uid)
		r.armGrace()
	}
	return ended
}

// expireSeats ends the seats of those who did not come back in time.
func (r *roster) expireSeats() {
	r.presence.Expire(time.Now())
	r.changed("")
	r.armGrace()
}

// firstPage is the encoded first page of the users, for room_joined in a room
// that has more than one page. Most joins into such a room do not change that
// page, so a storm of joins encodes it only a few times.
type firstPage struct {
	list json.RawMessage
	end  string // its last uid
}

// firstPageChanged drops the encoded page if a change of this user may be on
// it; "": any user.
func (r *roster) firstPageChanged(uid string) {
	if r.first != nil && uid <= r.first.end {
		r.first = nil
	}
}

// fillFirstPage sets the number of users and their first page in p, which is for
// one member, or for all: nil.
func (r *roster) fillFirstPage(p *wire.RoomJoined, one Member) {
	if one == nil {
		r.presence.Shown()
	} else {
		r.presence.ShownTo(one.User().UID)
	}
	p.Count = r.presence.Count()
	if r.first == nil {
		users, next := r.page("", MaxPresenceList)
		if next == "" {
			p.List = users
			return
		}
		r.first = &firstPage{list: wire.EncodeUsers(users), end: next}
	}
	p.EncodedList = r.first.list
}
