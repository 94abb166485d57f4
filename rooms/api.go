package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Errors that a client may see are *wire.Error.

// Join makes m a member of the room and returns when room_joined has been
// delivered to it; id, the client's own, is carried by that. What since asks
// for follows, then every later event. Joining again delivers room_joined
// again and replays nothing. If ctx ends first, the member is taken out again.
func (e *Engine) Join(ctx context.Context, room wire.Room, m Member, id string, since Since) error {
	j := &joinRequest{member: m, since: since, id: id, done: make(chan error, 1)}
	if err := e.ask(room, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		j.abandoned.Store(true) // before Leave looks for the room: the join may be on its way to the next one
		e.Leave(room, m, LeaveClosed)
		return wire.Errorf(wire.Unavailable, "the room did not answer in time; try again")
	}
}

// ask sends a request to the room's actor, which is started when there is none.
func (e *Engine) ask(room wire.Room, m message) error {
	switch err := e.rooms.Send(string(room), m); {
	case errors.Is(err, actor.ErrFull):
		e.stats.JoinBusy.Add(1)
		return errBusy
	case err != nil:
		return errClosed
	}
	return nil
}

// Leave takes m out of the room. It returns at once and is never lost; a
// member that asked, or was removed, gets room_left.
func (e *Engine) Leave(room wire.Room, m Member, why LeaveReason) {
	if ref, ok := e.rooms.Lookup(string(room)); ok {
		e.post(ref, &leaveRequest{member: m, why: why})
	}
}

// LeaveAsked takes m out of the room because its client asked, and returns
// when room_left, which carries the client's id, has been delivered.
func (e *Engine) LeaveAsked(ctx context.Context, room wire.Room, m Member, id string) error {
	ref, ok := e.rooms.Lookup(string(room))
	if !ok {
		return nil
	}
	l := &leaveRequest{member: m, why: LeaveAsked, id: id, done: make(chan struct{}, 1)}
	e.post(ref, l)
	select {
	case <-l.done:
		return nil
	case <-ref.Done():
		return nil
	case <-ctx.Done():
		return wire.Errorf(wire.Unavailable, "the room did not answer in time; try again")
	}
}

// await takes the answer of a room, or the zero value when the room has ended.
func await[T any](ctx context.Context, ref *actor.Ref[message], answer <-chan T, zero T) (T, error) {
	select {
	case v := <-answer:
		return v, nil
	case <-ref.Done():
		select {
		case v := <-answer:
			return v, nil
		default:
			return zero, nil
		}
	case <-ctx.Done():
		return zero, wire.Errorf(wire.Unavailable, "the room did not answer in time; try again")
	}
}

// Online returns one page of the people in the room, sorted by uid.
func (e *Engine) Online(ctx context.Context, room wire.Room, after string, limit int) (wire.OnlineUsers, error) {
	empty := wire.OnlineUsers{RoomID: roomLabel(room), List: []wire.User{}}
	req := &membersRequest{after: after, limit: limit, done: make(chan wire.OnlineUsers, 1)}
	ref, ok := e.rooms.Lookup(string(room))
	if !ok {
		if e.peers.none() {
			return empty, nil
		}
		// Other nodes may have it: the room is opened here, to ask them.
		if err := e.ask(room, req); err != nil {
			return empty, err
		}
		if ref, ok = e.rooms.Lookup(string(room)); !ok {
			return empty, nil
		}
	} else if ref.Send(req) == actor.ErrFull {
		return empty, errBusy
	}
	return await(ctx, ref, req.done, empty)
}

// History returns up to limit events of the room before a sequence (0: the
// newest, with everything that this node was told is stored), as event objects
// oldest first.
func (e *Engine) History(ctx context.Context, room wire.Room, before uint64, limit int) (wire.History, error) {
	if limit <= 0 || limit > MaxHistoryPage {
		limit = MaxHistoryPage
	}
	req := &historyRequest{before: before, limit: limit, done: make(chan historyAnswer, 1)}
	if err := e.ask(room, req); err != nil {
		return wire.History{}, err
	}
	select {
	case a := <-req.done:
		h := wire.History{RoomID: roomLabel(room), Events: a.events, More: a.more}
		if h.Events == nil {
			h.Events = []json.RawMessage{}
		}
		return h, a.err
	case <-ctx.Done():
		return wire.History{}, wire.Errorf(wire.Unavailable, "the room did not answer in time; try again")
	}
}

// RoomInfo is what is known of an open room without asking it.
type RoomInfo struct {
	Name     wire.Room `json:"name"`
	Users    int64     `json:"count"`
	Sessions int64     `json:"sessions"`
	Seq      uint64    `json:"seq"`
	Epoch    string    `json:"epoch"`
	Active   time.Time `json:"active"` // of the newest event, or of opening
	At       int64     `json:"at"`     // of the newest event, in ms since 1970; 0: there is none, or the room is open nowhere

	Label json.RawMessage `json:"label,omitempty"` // not told by RoomsHere and RoomHere
}

// RoomsHere lists the open rooms of this node by name; inboxes are left out.
func (e *Engine) RoomsHere() []RoomInfo {
	var list []RoomInfo
	for _, h := range e.stores[wire.SpaceRooms].handles.all() {
		list = append(list, h.info())
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// OpenRoomsHere is how many rooms are open on this node, inboxes included.
func (e *Engine) OpenRoomsHere() int { return e.rooms.Len() }

// RoomHere returns what RoomsHere does for one room; ok is false when it is not
// open on this node.
func (e *Engine) RoomHere(room wire.Room) (info RoomInfo, ok bool) {
	h := e.handleOf(room)
	if h == nil {
		return RoomInfo{}, false
	}
	return h.info(), true
}

func (h *handle) info() RoomInfo {
	info := RoomInfo{
		Name: h.name, Users: h.users.Load(), Sessions: h.sessions.Load(),
		Seq: h.last.Load(), Epoch: h.store.Epoch(), Active: time.UnixMilli(h.active.Load()).UTC(),
	}
	if info.Seq != 0 {
		info.At = info.Active.UnixMilli()
	}
	return info
}
