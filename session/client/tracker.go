package client

import (
	"cmp"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// tracker knows which rooms the server has let us into, and how far we have
// read each.
type tracker struct {
	joined  map[string]wire.Position
	current string // the server's default for events without a room; "" for none
}

func newTracker(first string) *tracker {
	return &tracker{joined: make(map[string]wire.Position), current: first}
}

// asked is what we had asked for when the server said room_joined. Zero: it
// said so unasked, or brings us back after a reconnect.
type asked struct {
	since *wire.Position // a join_room was to go on from here
	again bool           // a join of a room that this connection had let us into before
}

// join takes a room_joined. It returns a gap when it cannot be said that we
// have read, or will be sent, everything between our position and the
// server's.
//
// What is not recovered puts us where the server is, even if that is further
// back: the log was rolled back, or we were shown what it never had, and
// whoever stayed at the higher position would take all that comes for
// repeats. What is recovered never puts us back: the replay was seen.
func (t *tracker) join(room string, p wire.RoomJoined, why asked) (Gap, bool) {
	now := wire.Position{Epoch: p.Epoch, Seq: p.Seq}
	was, member := t.joined[room]
	if !member && why.since != nil {
		was = *why.since
	}
	missed := false
	switch {
	case !member && why.since == nil: // we were nowhere
	case was.Epoch != now.Epoch:
		missed = true
	case p.Recovered:
		now.Seq = max(now.Seq, t.joined[room].Seq)
	case why.again: // it asked for nothing: nothing was recovered, and nothing missed
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

// see moves the position of the event's room; false means that the event was
// seen before. Only what stands in a log moves it: the ack of our own event
// has its seq too, and may come before the event.
func (t *tracker) see(ev wire.Event) bool {
	if ev.Seq == 0 || wire.Reserved(ev.Type) {
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

// resume lists the rooms to come back to, by name.
func (t *tracker) resume() []wire.Resume {
	var list []wire.Resume
	for room, p := range t.joined {
		list = append(list, wire.Resume{Room: room, Since: p})
	}
	slices.SortFunc(list, func(a, b wire.Resume) int { return cmp.Compare(a.Room, b.Room) })
	return list
}
