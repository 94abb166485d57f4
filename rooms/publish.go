package rooms

import (
	"context"

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
// bad_payload, that it is larger than MaxEventBytes.
func (e *Engine) Publish(ctx context.Context, room wire.Room, body wire.Body, opts PublishOptions) (PubAck, error) {
	type outcome struct {
		stored PubAck
		err    error
	}
	if ctx.Err() != nil {
		return PubAck{}, wire.Errorf(wire.Unavailable, "nobody waits for the log's answer any more, so the event was not sent")
	}
	answer := make(chan outcome, 1)
	e.PublishAsync(room, body, opts, func(s PubAck, err error) { answer <- outcome{s, err} })
	select {
	case o := <-answer:
		return o.stored, o.err
	case <-ctx.Done():
		return PubAck{}, wire.Errorf(wire.Unavailable, "the log did not answer in time; send again under the same id")
	}
}

// PublishAsync is Publish without waiting: it returns when the event has been
// sent, and calls done once with the outcome, within 15 s, on any goroutine,
// which done must not block. Events of one caller are stored in the order of
// the calls.
func (e *Engine) PublishAsync(room wire.Room, body wire.Body, opts PublishOptions, done func(PubAck, error)) {
	if len(body.Bytes()) == 0 {
		done(PubAck{}, wire.Errorf(wire.BadJSON, "there is no event to publish"))
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
// error is a *wire.Error. It may be called from any goroutine.
func (e *Engine) Signal(room wire.Room, ev wire.Event, opts SignalOptions) error {
	msg := nats.NewMsg(wire.SignalSubject(room))
	msg.Data = wire.AppendEvent(nil, wire.Event{Type: ev.Type, Payload: ev.Payload})
	if opts.Except != "" {
		msg.Header[hdrSession] = []string{opts.Except}
	}
	if by := e.secret.Load().sign(forSignal, opts.Author, room, msg.Data); by != "" {
		msg.Header[HeaderBy] = []string{by}
	}
	if err := e.nc.PublishMsg(msg); err != nil {
		return wire.Errorf(wire.Unavailable, "the signal could not be sent: NATS is out of reach")
	}
	return nil
}
