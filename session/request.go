package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// HandlerFunc handles one event of a client. It runs on the goroutine that
// reads the client's connection: the next event of this client waits for it,
// those of others do not. A returned error is answered as an error event; one
// that is no *wire.Error is logged and shown as internal. Otherwise, and if the
// error is a nil pointer (see wire.ErrorOrNil), an event with an id is answered
// with ack.
type HandlerFunc func(req *Request) error

// Request is an event from a client. It is valid until the handler returns, and
// so is its payload.
type Request struct {
	Event wire.Event

	client  *Client
	pending *pendingAnswer // of what was published; nil: nothing yet
}

// Client returns the client that sent the event.
func (r *Request) Client() *Client { return r.client }

// Bind decodes the payload into v; its error is bad_payload. Without a payload
// v stays as it is.
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
	var e *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &e):
		return err.Error()
	case e.Field == "":
		return "it must be an object"
	default:
		return e.Field + " has the wrong type: " + e.Value
	}
}

// Room returns the room that the event is for: the one it names, or the
// client's current one. The client must be in it, else the error is not_member.
func (r *Request) Room() (wire.Room, error) { return r.memberOf(r.Event.Room) }

// memberOf resolves a name and checks that the client is in the room; "" is the
// current room.
func (r *Request) memberOf(name string) (wire.Room, error) {
	if name == "" {
		_, current := r.client.Rooms()
		if current == "" {
			return "", wire.Errorf(wire.NotMember, "you have no current room; join one or name one")
		}
		return current, nil
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

// Reply sends an event to the client, with ev's type and room, the payload, which
// may be nil, and the request's id. If the type is none that an event can have,
// that is logged, and the request is answered with internal.
func (r *Request) Reply(ev wire.Event, payload any) {
	if !wire.ValidType(ev.Type) {
		pending, n := r.addPending()
		pending.published(n, r.Event.Room, rooms.PubAck{}, fmt.Errorf("session: reply with an event of type %q: it must be 1-%d of a-z 0-9 _ . -", ev.Type, wire.MaxTypeBytes))
		return
	}
	ev = wire.Event{Type: ev.Type, ID: r.Event.ID, Room: ev.Room}
	// An error has closed the connection.
	if payload == nil {
		_ = r.client.Send(ev)
		return
	}
	_ = r.client.sendPayload(ev, payload)
}

// replyAsked is Reply with an answer that is charged to the client: see
// answerShare.
func (r *Request) replyAsked(ev wire.Event, payload any) {
	b := rooms.PayloadBurst(wire.Event{Type: ev.Type, ID: r.Event.ID, Room: ev.Room}, payload)
	b.Asked = max(b.Bytes, answerLeast)
	_ = r.client.sendOwn(b) // an error has closed the connection
}

// Publish stores an event in a room's log, from which every member gets it.
// The client need not be in the room. The request is answered once, when the
// handler has returned and everything that it published is stored: with ack,
// or with the first error. The ack may come before the event itself or after
// it. The request's id makes the idempotency keys: a handler that is run again
// for the same id must publish the same events in the same order.
//
// A room in which the client may not speak (auth.Identity.MaySpeak) is refused
// with forbidden. What the program says by itself goes through rooms.Engine.
//
// A message (new_message, private_message) that a handler publishes is its
// client's: uid, username, avatar_id and from are set as for one that the client
// has sent. Events of other types are stored as they are given.
//
// Publish does not wait for the log, unless publishWindow of the client's
// events have no ack: then the client is read no further.
func (r *Request) Publish(room wire.Room, ev wire.Event) error {
	parsed, err := wire.ParseRoom(string(room))
	if err != nil {
		return fmt.Errorf("session: publish to the room %q: %w", room, err)
	}
	body, err := wire.NewBody(ev)
	if err == nil && wire.IsMessage(ev.Type) {
		if ev.Payload, err = r.stamped(ev.Payload, true); err == nil {
			body, err = wire.NewBody(ev)
		}
	}
	if err != nil {
		return fmt.Errorf("session: publish an event of type %q to the room %q: %w", ev.Type, room, err)
	}
	return r.publish(parsed, body)
}

// publish is Publish with a valid body.
func (r *Request) publish(room wire.Room, body wire.Body) error {
	c := r.client
	if err := c.maySpeak(room); err != nil {
		return err
	}
	size := len(body.Bytes())
	if uid, inbox := wire.InboxOwner(room); inbox {
		if err := c.spendInbox(c.m.now(), uid, size); err != nil {
			return err
		}
	}
	if err := c.spendRoom(room, size); err != nil {
		return err
	}
	id := r.Event.ID
	if c.m.cfg.Hooks.Publish != nil {
		return r.consultBody(room, body, func(t *pendingAnswer, n int, body wire.Body) { c.store(t, n, id, room, body) })
	}
	t, n, err := r.beginPublish()
	if err != nil {
		return err
	}
	c.store(t, n, id, room, body)
	return nil
}

// store publishes as number n of the request with that id. The caller has
// acquired the window.
func (c *Client) store(t *pendingAnswer, n int, id string, room wire.Room, body wire.Body) {
	opts := rooms.PublishOptions{ID: c.m.eng.MessageID(room, c.who.UID, id, n), Author: c.author()}
	c.m.eng.PublishAsync(room, body, opts, func(stored rooms.PubAck, err error) {
		<-c.window
		t.published(n, roomLabel(c, room), stored, err)
	})
}

// publishPrivate is publish to a user's inbox and, when it is stored there, to
// the client's own. The answer is for the second; if the first fails, nothing
// is stored.
func (r *Request) publishPrivate(to string, body wire.Body) error {
	c := r.client
	first, second := wire.Inbox(to), c.inbox()
	for _, room := range []wire.Room{first, second} {
		if err := c.maySpeak(room); err != nil {
			return err
		}
	}
	size := len(body.Bytes())
	if err := c.spendInbox(c.m.now(), to, 2*size); err != nil {
		return err
	}
	for _, room := range []wire.Room{first, second} {
		if err := c.spendRoom(room, size); err != nil {
			return err
		}
	}
	id := r.Event.ID
	if c.m.cfg.Hooks.Publish != nil {
		return r.consultBody(first, body, func(t *pendingAnswer, n int, body wire.Body) { c.storeBoth(t, n, id, first, second, body) })
	}
	t, n, err := r.beginPublish()
	if err != nil {
		return err
	}
	c.storeBoth(t, n, id, first, second, body)
	return nil
}

// storeBoth is store for one room and, when it is stored there, for another.
func (c *Client) storeBoth(t *pendingAnswer, n int, id string, first, second wire.Room, body wire.Body) {
	done := func(stored rooms.PubAck, err error) {
		<-c.window
		t.published(n, roomLabel(c, second), stored, err)
	}
	one := rooms.PublishOptions{ID: c.m.eng.MessageID(first, c.who.UID, id, n), Author: c.author()}
	// The key contains the first room: an id that is used again for another
	// receiver is another message, in both rooms.
	two := rooms.PublishOptions{ID: c.m.eng.MessageID(second+"\x00"+first, c.who.UID, id, n+1), Author: c.author()}
	c.m.eng.PublishAsync(first, body, one, func(stored rooms.PubAck, err error) {
		if err != nil {
			done(stored, err)
			return
		}
		c.m.eng.PublishAsync(second, body, two, done)
	})
}

// beginPublish acquires the window for one more publish, waiting if it is full.
func (r *Request) beginPublish() (t *pendingAnswer, n int, err error) {
	r.client.openWindow()
	if err := r.client.acquireWindow(); err != nil {
		return nil, 0, err
	}
	t, n = r.addPending()
	return t, n, nil
}

// openWindow makes the window of a client that publishes for the first time. It
// runs on the reading goroutine.
func (c *Client) openWindow() {
	if c.window == nil {
		c.window = make(chan struct{}, publishWindow)
	}
}

// acquireWindow waits until the client has fewer than publishWindow events
// without an ack.
func (c *Client) acquireWindow() error {
	select {
	case c.window <- struct{}{}: // even if the connection has ended
		return nil
	default:
	}
	select {
	case c.window <- struct{}{}:
		return nil
	case <-c.self.Done():
		return errGone
	}
}

// addPending makes the answer wait for one more publish.
func (r *Request) addPending() (t *pendingAnswer, n int) {
	if r.pending == nil {
		c, id := r.client, r.Event.ID
		r.pending = newPendingAnswer(func(room string, stored rooms.PubAck, err error) { c.answer(id, room, stored, err) })
	}
	return r.pending, r.pending.add()
}

// errGone ends a handler whose client has disconnected; nobody sees it.
var errGone = wire.Errorf(wire.Unavailable, "the connection has ended")

// author returns the kind of author that the client's events have.
func (c *Client) author() wire.Author {
	if c.who.Guest {
		return wire.FromGuest
	}
	return wire.FromUser
}

// context bounds what the handler waits for.
func (r *Request) context() (context.Context, context.CancelFunc) { return r.client.request() }

// finish answers the request, or leaves that to its publishes.
func (r *Request) finish(err error) {
	if r.pending != nil {
		r.pending.done(err)
		return
	}
	r.client.answer(r.Event.ID, r.Event.Room, rooms.PubAck{}, err)
}

// answer sends ack or error. An event without an id gets no ack, but errors are
// always sent.
func (c *Client) answer(id, room string, stored rooms.PubAck, err error) {
	if err != nil {
		c.sendError(id, room, err)
		return
	}
	if id == "" {
		return
	}
	ev := wire.Event{Type: wire.TypeAck, ID: id, Room: room, Seq: stored.Seq}
	_ = c.sendPayload(ev, wire.Ack{Duplicate: stored.Duplicate}) // an error has closed the connection
}

func (c *Client) sendError(id, room string, err error) {
	e := wire.AsError(err)
	if !wire.Known(err) {
		c.m.cfg.Log.Error().Err(err).Str("uid", c.who.UID).Str("client", c.id).Msg("a handler failed; its event was answered with internal")
	}
	sent := c.Send(wire.Event{
		Type: wire.TypeError, ID: id, Room: room,
		Payload: wire.MarshalPayload(wire.ErrorInfo{Code: e.Code, Message: e.Message, Retryable: e.Code.Retryable()}),
	})
	if sent == nil {
		c.traffic.refused.Add(1)
		c.m.stats.Errors.add(e.Code)
	}
}
