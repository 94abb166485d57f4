package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The names of rooms that these methods take are clean (wire.CleanRoom).
// Errors that a client may see are *wire.Error.

// Join makes m a member of the room and returns when room_joined has been
// delivered to it; id, the client's own, is carried by that. What since asks
// for follows, then every later event. Joining again delivers room_joined
// again and replays nothing. If ctx ends first, the member is taken out again.
func (e *Engine) Join(ctx context.Context, room string, m Member, id string, since Since) error {
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
func (e *Engine) ask(room string, m message) error {
	switch err := e.rooms.Send(room, m); {
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
func (e *Engine) Leave(room string, m Member, why LeaveReason) {
	if ref, ok := e.rooms.Lookup(room); ok {
		e.post(ref, &leaveRequest{member: m, why: why})
	}
}

// LeaveAsked takes m out of the room because its client asked, and returns
// when room_left, which carries the client's id, has been delivered.
func (e *Engine) LeaveAsked(ctx context.Context, room string, m Member, id string) error {
	ref, ok := e.rooms.Lookup(room)
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

// PubAck says where an event is stored in its room's log.
type PubAck = eventlog.PubAck

// Publish stores an event in the room's log and returns at once; done is
// called once with the outcome, on any goroutine, and must not block. msgID,
// if not empty, is the idempotency key: an event stored before under the same
// one is not stored again. ev's type and payload count, its other fields do
// not; what nobody would get to see is refused (wire.NewBody).
func (e *Engine) Publish(room, msgID string, ev wire.Event, done func(PubAck, error)) {
	body, err := wire.NewBody(ev)
	if err != nil {
		done(PubAck{}, err)
		return
	}
	e.PublishBody(room, msgID, body, done)
}

// PublishBody is Publish of what was checked before.
func (e *Engine) PublishBody(room, msgID string, body wire.Body, done func(PubAck, error)) {
	e.PublishAs(wire.FromService, room, msgID, body, done)
}

// PublishAs is PublishBody for an author: FromUser and FromGuest are for what a
// session has stamped with who its client is, and every node believes it; all
// else is a service's.
func (e *Engine) PublishAs(author wire.Author, room, msgID string, body wire.Body, done func(PubAck, error)) {
	if len(body.Bytes()) == 0 {
		done(PubAck{}, wire.Errorf(wire.BadJSON, "there is no event to publish"))
		return
	}
	by := e.secret.Load().sign(forLog, author, room, body.Bytes())
	measured := e.latency.sample(e, room, body)
	e.pub.Send(room, msgID, by, body.Bytes(), func(s PubAck, err error) {
		if h := e.handleOf(room); h != nil && err == nil {
			h.ack(s.Seq)
		}
		if measured != nil {
			e.latency.answered(measured, s, err)
		}
		done(s, err)
	})
}

// PublishWait is Publish that waits for the outcome.
func (e *Engine) PublishWait(ctx context.Context, room, msgID string, ev wire.Event) (PubAck, error) {
	body, err := wire.NewBody(ev)
	if err != nil {
		return PubAck{}, err
	}
	return e.PublishBodyWait(ctx, room, msgID, body)
}

// PublishBodyWait is PublishBody that waits for the outcome.
func (e *Engine) PublishBodyWait(ctx context.Context, room, msgID string, body wire.Body) (PubAck, error) {
	type outcome struct {
		stored PubAck
		err    error
	}
	answer := make(chan outcome, 1)
	e.PublishBody(room, msgID, body, func(s PubAck, err error) { answer <- outcome{s, err} })
	select {
	case o := <-answer:
		return o.stored, o.err
	case <-ctx.Done():
		return PubAck{}, wire.Errorf(wire.Unavailable, "the log did not answer in time; send again under the same id")
	}
}

// Signal delivers an event to the room's members on all nodes, but not to the
// session except, now and without a log. It is a service's.
func (e *Engine) Signal(room, except string, ev wire.Event) error {
	return e.SignalAs(wire.FromService, room, except, ev)
}

// SignalAs is Signal for an author; see PublishAs.
func (e *Engine) SignalAs(author wire.Author, room, except string, ev wire.Event) error {
	msg := nats.NewMsg(wire.SignalSubject(room))
	msg.Data = wire.AppendEvent(nil, wire.Event{Type: ev.Type, Payload: ev.Payload})
	if except != "" {
		msg.Header[hdrSession] = []string{except}
	}
	if by := e.secret.Load().sign(forSignal, author, room, msg.Data); by != "" {
		msg.Header[HeaderBy] = []string{by}
	}
	if err := e.nc.PublishMsg(msg); err != nil {
		return wire.Errorf(wire.Unavailable, "the signal could not be sent: NATS is out of reach")
	}
	return nil
}

// Online returns one page of the people in the room, sorted by uid.
func (e *Engine) Online(ctx context.Context, room, after string, limit int) (wire.OnlineUsers, error) {
	empty := wire.OnlineUsers{RoomID: roomLabel(room), List: []wire.User{}}
	req := &membersRequest{after: after, limit: limit, done: make(chan wire.OnlineUsers, 1)}
	ref, ok := e.rooms.Lookup(room)
	if !ok {
		if e.peers.none() {
			return empty, nil
		}
		// Other nodes may have it: the room is opened here, to ask them.
		if err := e.ask(room, req); err != nil {
			return empty, err
		}
		if ref, ok = e.rooms.Lookup(room); !ok {
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
func (e *Engine) History(ctx context.Context, room string, before uint64, limit int) (wire.History, error) {
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
	Name     string    `json:"name"`
	Users    int64     `json:"count"`
	Sessions int64     `json:"sessions"`
	Seq      uint64    `json:"seq"`
	Epoch    string    `json:"epoch"`
	Active   time.Time `json:"active"` // of the newest event, or of opening
	At       int64     `json:"at"`     // of the newest event, in ms since 1970; 0: there is none, or the room is open nowhere

	Label json.RawMessage `json:"label,omitempty"` // not told by Rooms and Room
}

// Rooms lists the open rooms of this node by name; inboxes are left out.
func (e *Engine) Rooms() []RoomInfo {
	var list []RoomInfo
	for _, h := range e.stores[wire.SpaceRooms].handles.all() {
		list = append(list, h.info())
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// OpenRooms is how many rooms are open on this node, inboxes included.
func (e *Engine) OpenRooms() int { return e.rooms.Len() }

// Room returns what Rooms does for one room; ok is false when it is not open
// on this node.
func (e *Engine) Room(room string) (info RoomInfo, ok bool) {
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
