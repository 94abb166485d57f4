package client

import (
	"cmp"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// tracker holds the joined rooms, and the position in each.
type tracker struct {
	joined  map[string]wire.Position
	current string // the server's default for events without a room; "" for none
}

func newTracker(first string) *tracker {
	return &tracker{joined: make(map[string]wire.Position), current: first}
}

// joinCause is the request that a room_joined answers. Zero: it was
// unsolicited, or resumes the room after a reconnect.
type joinCause struct {
	since *wire.Position // of a join_room
	again bool           // a join of a room that was joined already on this connection
}

// join applies a room_joined. It returns a gap unless all events between our
// position and the server's have been read, or will be sent.
//
// Unless recovered, the position becomes the server's, even if that is lower:
// the log was rolled back, or has never had what we read, and at the higher
// position all further events would be taken for repeats. If recovered, the
// position never moves back.
func (t *tracker) join(room string, p wire.RoomJoined, why joinCause) (Gap, bool) {
	now := wire.Position{Epoch: p.Epoch, Seq: p.Seq}
	was, member := t.joined[room]
	if !member && why.since != nil {
		was = *why.since
	}
	missed := false
	switch {
	case !member && why.since == nil: // no earlier position
	case was.Epoch != now.Epoch:
		missed = true
	case p.Recovered:
		now.Seq = max(now.Seq, t.joined[room].Seq)
	case why.again: // it requested no replay: nothing was recovered, and nothing missed
		missed = now.Seq < was.Seq
	default:
		missed = true
	}
	t.joined[room] = now
	if t.current == "" && room != wire.InboxAlias {
		t.current = room
	}
	return Gap{Room: room, From: was, To: now}, missed
}

func (t *tracker) leave(room string) {
	delete(t.joined, room)
	if t.current == room {
		t.current = ""
	}
}

// see advances the position of the event's room; it returns false if the event
// was seen before. Only logged events advance it: the ack of our own event has
// its seq too, and may come before the event.
func (t *tracker) see(ev wire.Event) bool {
	if ev.Seq == 0 || !wire.Logged(ev.Type) {
		return true
	}
	p, ok := t.joined[ev.Room]
	if !ok {
		return true
	}
	if ev.Seq <= p.Seq {
		return false
	}
	p.Seq = ev.Seq
	t.joined[ev.Room] = p
	return true
}

// resume returns the rooms to resume, sorted by name.
func (t *tracker) resume() []wire.Resume {
	var list []wire.Resume
	for room, p := range t.joined {
		list = append(list, wire.Resume{Room: room, Since: p})
	}
	slices.SortFunc(list, func(a, b wire.Resume) int { return cmp.Compare(a.Room, b.Room) })
	return list
}
