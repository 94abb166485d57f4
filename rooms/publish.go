package rooms

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// PubAck says where an event is stored in its room's log.
type PubAck = eventlog.PubAck

// PublishOptions are the options of a publish. The zero value is for an event
// of a service, without an idempotency key.
type PublishOptions struct {
	// ID is the idempotency key: for two minutes an event under the same one is
	// not stored again, in whatever room, and its ack says Duplicate. Engine.
	// MessageID makes those of clients. "": none.
	ID string
	// Author is who the event is shown as from: FromUser and FromGuest are for
	// what a session has stamped with who its client is, and every node believes
	// it. All else, the zero value too, is a service's.
	Author wire.Author
}

// Publish stores an event in the room's log, from which every member gets it,
// and returns when the log has acknowledged it. wire.NewBody makes the body of
// an event. Its errors are *wire.Error: unavailable, also when ctx ends before
// the ack, says that it may be stored or not, and to send it again under the
// same ID; busy, that too much waits for the log (Config.PublishBytes);
// bad_payload, that it is larger than MaxEventBytes; bad_room, that room is not
// what wire.ParseRoom returns, so that nobody could be in it. At a table it is a
// command of a service, and the ack is for the step that holds the decision;
// refused is the rules' own.
func (e *Engine) Publish(ctx context.Context, room wire.Room, body wire.Body, opts PublishOptions) (PubAck, error) {
	type outcome struct {
		stored PubAck
		err    error
	}
	if ctx.Err() != nil {
		return PubAck{}, wire.Errorf(wire.Unavailable, "nobody waits for the log's answer any more, so the event was not sent")
	}
	if err := checkRoom(room); err != nil {
		return PubAck{}, err
	}
	answer := make(chan outcome, 1)
	e.publish(room, body, opts, func(s PubAck, err error) { answer <- outcome{s, err} })
	select {
	case o := <-answer:
		return o.stored, o.err
	case <-ctx.Done():
		return PubAck{}, wire.Errorf(wire.Unavailable, "the log did not answer in time; send again under the same id")
	}
}

// PublishAsync is Publish without waiting: it returns when the event has been
// sent, and calls done once with the outcome, within 15 s, on any goroutine;
// done must neither block nor panic, and may be nil. Events of one caller are
// stored in the order of the calls. Of a room of FromUser and FromGuest, which
// sessions have parsed, it looks only at whether the log takes its events.
func (e *Engine) PublishAsync(room wire.Room, body wire.Body, opts PublishOptions, done func(PubAck, error)) {
	if done == nil {
		done = func(PubAck, error) {}
	}
	parsed := (opts.Author == wire.FromUser || opts.Author == wire.FromGuest) && wire.HasSubject(room)
	if !parsed {
		if err := checkRoom(room); err != nil {
			done(PubAck{}, err)
			return
		}
	}
	e.publish(room, body, opts, done)
}

// checkRoom returns an error unless room is what wire.ParseRoom returns.
func checkRoom(room wire.Room) error {
	parsed, err := wire.ParseRoom(string(room))
	if err == nil && parsed != room {
		err = wire.Errorf(wire.BadRoom, "the room's name %q is not in NFC; use what wire.ParseRoom returns", room)
	}
	return err
}

// publish is PublishAsync for a room that was checked.
func (e *Engine) publish(room wire.Room, body wire.Body, opts PublishOptions, done func(PubAck, error)) {
	if len(body.Bytes()) == 0 {
		done(PubAck{}, wire.Errorf(wire.BadJSON, "there is no event to publish"))
		return
	}
	if e.IsTable(room) {
		if opts.Author == wire.FromUser || opts.Author == wire.FromGuest {
			done(PubAck{}, wire.Errorf(wire.Forbidden, "rules decide in this room; what a user does there is a command"))
			return
		}
		e.commandOf(room, body, opts.ID, done)
		return
	}
	by := e.secret.Load().sign(forLog, opts.Author, room, body.Bytes())
	measured := e.latency.sample(e, room, body)
	e.pub.Send(room, opts.ID, by, body.Bytes(), func(s PubAck, err error) {
		if h := e.handleOf(room); h != nil && err == nil {
			h.ack(s.Seq)
		}
		if measured != nil {
			e.latency.onAck(measured, s, err)
		}
		done(s, err)
	})
}

// SignalOptions are the options of a signal. The zero value is for a signal of
// a service to all members.
type SignalOptions struct {
	Except string      // the id of a member that does not get it, as the one who sent it
	Author wire.Author // as in PublishOptions
}

// Signal delivers an ephemeral event to the room's members on all nodes,
// without storing it: members that are not connected miss it. It returns when
// it has been passed to NATS. Of ev only the type and the payload are used. Its
// errors are *wire.Error: bad_room, as of Publish, or forbidden for an inbox,
// which takes no signals; bad_type, bad_json or bad_payload for an event that no
// member would get; unavailable. It may be called from any goroutine.
func (e *Engine) Signal(room wire.Room, ev wire.Event, opts SignalOptions) error {
	if err := checkRoom(room); err != nil {
		return err
	}
	if wire.SpaceOf(room) == wire.SpaceInboxes {
		return wire.Errorf(wire.Forbidden, "an inbox takes no signals")
	}
	body, err := wire.SignalBody(ev)
	if err != nil {
		return err
	}
	msg := nats.NewMsg(wire.SignalSubject(room))
	msg.Data = body
	if opts.Except != "" {
		msg.Header[hdrSession] = []string{opts.Except}
	}
	if by := e.secret.Load().sign(forSignal, opts.Author, room, msg.Data); by != "" {
		msg.Header[HeaderBy] = []string{by}
	}
	switch err := e.nc.PublishMsg(msg); {
	case errors.Is(err, nats.ErrMaxPayload):
		return wire.Errorf(wire.BadPayload, "the signal is larger than the %d bytes that NATS takes; send a smaller one", e.nc.MaxPayload())
	case err != nil:
		return wire.Errorf(wire.Unavailable, "the signal could not be sent: NATS is out of reach")
	}
	return nil
}
