package session

import (
	"context"
	"encoding/json"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// HandlerFunc handles one event of a client. It runs on the goroutine that
// reads the client's connection: the next event of this client waits for it,
// those of others do not. A returned error is answered as an error event; one
// that is no *wire.Error is logged and shown as internal. Otherwise an event
// with an id is answered with ack.
type HandlerFunc func(req *Request) error

// Request is an event from a client. It is valid until the handler returns,
// and so is the payload.
type Request struct {
	Event wire.Event

	client *Client
	async  bool // the answer follows the publish
}

// Client is who sent the event.
func (r *Request) Client() *Client { return r.client }

// Bind decodes the payload into v; what does not fit is bad_payload. An absent
// payload leaves v as it is.
func (r *Request) Bind(v any) error {
	if r.Event.Payload == nil {
		return nil
	}
	if err := json.Unmarshal(r.Event.Payload, v); err != nil {
		return wire.Errorf(wire.BadPayload, "the payload of %s does not fit: %s", r.Event.Type, jsonProblem(err))
	}
	return nil
}

func jsonProblem(err error) string {
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		return e.Field + " must not be a " + e.Value
	}
	return "it must be an object"
}

// Room is the room the event is for: the one it names, or the client's
// current one. The client must be in it.
func (r *Request) Room() (string, error) { return r.memberOf(r.Event.Room) }

// memberOf resolves a name and checks that the client is there; "" is the
// current room.
func (r *Request) memberOf(name string) (string, error) {
	if name == "" {
		if _, name = r.client.Rooms(); name == "" {
			return "", wire.Errorf(wire.NotMember, "you are in no room; join one or name one")
		}
		return name, nil
	}
	room, err := r.client.resolve(name)
	if err != nil {
		return "", err
	}
	if !r.client.isIn(room) {
		return "", wire.Errorf(wire.NotMember, "you are not in the room %q; join it first", name)
	}
	return room, nil
}

// Reply sends the client an event of its own; it carries the request's id.
func (r *Request) Reply(typ, room string, payload any) {
	ev := wire.Event{Type: typ, ID: r.Event.ID, Room: room}
	if payload != nil {
		ev.Payload = wire.MarshalPayload(payload)
	}
	_ = r.client.Send(ev) // an error has closed the connection
}

// Publish stores an event in the room's log, from which every member gets it.
// The request is answered with ack once it is stored; the handler returns
// before that. The request's id is the idempotency key. It waits while too
// many of the client's events have no ack.
func (r *Request) Publish(room string, ev wire.Event) error {
	return r.publish([]string{room}, ev)
}

// publish stores the event in every room named; the ack speaks of the last.
func (r *Request) publish(to []string, ev wire.Event) error {
	c := r.client
	id, label := r.Event.ID, roomLabel(c, to[len(to)-1])
	select {
	case c.window <- struct{}{}:
	case <-c.self.Done():
		return nil // there is nobody to answer
	}
	r.async = true
	left := newCountdown(len(to), func(stored rooms.Stored, err error) {
		<-c.window
		c.answer(id, label, stored, err)
	})
	for i, room := range to {
		c.m.eng.Publish(room, c.messageID(room, id), ev, left.done(i == len(to)-1))
	}
	return nil
}

// messageID is the idempotency key of an event: no two users and no two rooms
// share one.
func (c *Client) messageID(room, id string) string {
	if id == "" {
		return ""
	}
	return "ws/" + wire.RoomKey(room) + "/" + wire.RoomKey(c.who.UID) + "/" + wire.RoomKey(id)
}

// context bounds what the handler waits for.
func (r *Request) context() (context.Context, context.CancelFunc) { return r.client.request() }

// finish answers the request, unless its publish will.
func (r *Request) finish(err error) {
	switch {
	case err != nil:
		r.client.answer(r.Event.ID, r.Event.Room, rooms.Stored{}, err)
	case !r.async && r.Event.ID != "":
		r.client.answer(r.Event.ID, r.Event.Room, rooms.Stored{}, nil)
	}
}

// answer sends ack or error. An event without an id wants no ack, but an error
// is always told.
func (c *Client) answer(id, room string, stored rooms.Stored, err error) {
	if err != nil {
		c.sendError(id, room, err)
		return
	}
	if id == "" {
		return
	}
	_ = c.Send(wire.Event{ // an error has closed the connection
		Type: wire.TypeAck, ID: id, Room: room, Seq: stored.Seq,
		Payload: wire.MarshalPayload(wire.Ack{Duplicate: stored.Duplicate}),
	})
}

func (c *Client) sendError(id, room string, err error) {
	e := wire.AsError(err)
	if e.Code == wire.Internal {
		c.m.cfg.Log.Error().Err(err).Str("uid", c.who.UID).Str("client", c.id).Msg("an event was answered with internal")
	}
	c.m.stats.Errors.Add(1)
	_ = c.Send(wire.Event{ // an error has closed the connection
		Type: wire.TypeError, ID: id, Room: room,
		Payload: wire.MarshalPayload(wire.ErrorInfo{Code: e.Code, Message: e.Message, Retryable: e.Code.Retryable()}),
	})
}
