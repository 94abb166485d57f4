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

// Join makes m a member of the room and returns when room_joined, with the
// request's id, has been delivered to it. The events that since asks for
// follow, then every later one. Joining again delivers room_joined again and
// replays nothing. At a table the rules are asked first (Refused: they do not let
// the member in, which then is what it was before), and room_joined carries the
// state, behind which nothing is left out: what has been decided since follows. If ctx ends first, the member is removed again. Its errors
// are *wire.Error. It may be called from any goroutine.
func (e *Engine) Join(ctx context.Context, room wire.Room, m Member, id string, since Since) error {
	j := &joinRequest{member: m, since: since, id: id, done: make(chan error, 1)}
	if e.IsTable(room) {
		return e.joinTable(ctx, room, j)
	}
	return e.joinRoom(ctx, room, j)
}

func (e *Engine) joinRoom(ctx context.Context, room wire.Room, j *joinRequest) error {
	if err := e.ask(room, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		j.abandoned.Store(true) // before Leave looks the room up: a new activation may get the join
		e.Leave(room, j.member, LeaveClosed)
		return wire.Errorf(wire.Unavailable, "the room did not answer in time; try again")
	}
}

// ask sends a request to the room's actor, which is started if needed.
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

// Leave removes m from the room. It does not block, and is never dropped; a
// member that asked, or was removed, gets room_left.
func (e *Engine) Leave(room wire.Room, m Member, why LeaveReason) {
	if ref, ok := e.rooms.Lookup(string(room)); ok {
		e.post(ref, &leaveRequest{member: m, why: why})
	}
}

// LeaveAsked removes m from the room because its client asked, and returns when
// room_left, with the request's id, has been delivered, or with unavailable
// when ctx ends.
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

// await returns the answer of a room, or zero if the room has ended.
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

// Online returns one page of the users in the room on all nodes, sorted by uid:
// at most limit of them, after a uid. ctx bounds the call. Its errors are
// *wire.Error.
func (e *Engine) Online(ctx context.Context, room wire.Room, after string, limit int) (wire.OnlineUsers, error) {
	empty := wire.OnlineUsers{RoomID: roomLabel(room), List: []wire.User{}}
	req := &membersRequest{after: after, limit: limit, done: make(chan wire.OnlineUsers, 1)}
	ref, ok := e.rooms.Lookup(string(room))
	if !ok {
		if e.peers.none() {
			return empty, nil
		}
		// It may be open on other nodes: open it here, to ask them.
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
// newest, including all whose acks this node has got), as JSON objects, oldest
// first. 0, and more than MaxHistoryPage, is MaxHistoryPage. ctx bounds the
// call. Its errors are *wire.Error. Of a table it is what everybody may see.
func (e *Engine) History(ctx context.Context, room wire.Room, before uint64, limit int) (wire.History, error) {
	return e.HistoryFor(ctx, room, everybody, before, limit)
}

// HistoryFor is History as a user sees it: at a table, with what is for him.
func (e *Engine) HistoryFor(ctx context.Context, room wire.Room, uid string, before uint64, limit int) (wire.History, error) {
	if limit <= 0 || limit > MaxHistoryPage {
		limit = MaxHistoryPage
	}
	req := &historyRequest{uid: uid, before: before, limit: limit, done: make(chan historyAnswer, 1)}
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

// RoomInfo is the state of an open room.
type RoomInfo struct {
	Name     wire.Room `json:"name"`
	Users    int64     `json:"count"`
	Sessions int64     `json:"sessions"`
	Seq      uint64    `json:"seq"`
	Epoch    string    `json:"epoch"`
	Active   time.Time `json:"active,omitzero"` // time of the newest event, or when the room was opened; zero: it is open nowhere
	At       int64     `json:"at"`              // time of the newest event, in ms since 1970; 0: there is none, or the room is open nowhere

	Label json.RawMessage `json:"label,omitempty"` // not set by RoomsHere and RoomHere
}

// RoomsHere returns the open rooms of this node, sorted by name, without
// inboxes.
func (e *Engine) RoomsHere() []RoomInfo {
	var list []RoomInfo
	for _, h := range e.roomHandles() {
		list = append(list, h.info())
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// OpenRoomsHere returns how many rooms are open on this node, including
// inboxes.
func (e *Engine) OpenRoomsHere() int { return e.rooms.Len() }

// RoomHere returns the state of one room; ok is false if it is not open on this
// node.
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
