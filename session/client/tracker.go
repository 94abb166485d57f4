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

// join takes a room_joined. It returns a gap when the room was joined before
// and the server could not replay all that was missed. A position never goes
// back within an epoch: what a repeated join replays was seen.
func (t *tracker) join(room string, p wire.RoomJoined) (Gap, bool) {
	now := wire.Position{Epoch: p.Epoch, Seq: p.Seq}
	was, back := t.joined[room]
	if back && was.Epoch == now.Epoch {
		now.Seq = max(now.Seq, was.Seq)
	}
	t.joined[room] = now
	if t.current == "" && room != wire.InboxAlias {
		t.current = room
	}
	return Gap{Room: room, From: was, To: now}, back && !p.Recovered && now != was
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
