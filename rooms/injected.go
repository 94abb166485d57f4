package rooms

import (
	"context"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What is published on a table's room.<room>.event is a command of a service. It
// lies in the log of rooms until the owner takes it; the steps say up to where
// that was. Clients are shown nothing of it but what the rules make of it.

// place is where the log of rooms has a command, and when it has stored it, in ms
// since 1970. The sequence alone does not tell which one: the stream may be made
// anew, or put back to what it was before, while the steps stay.
type place struct {
	seq uint64 // 0: before the first
	at  int64  // 0: not known
}

// injectedRead is what was found there.
type injectedRead struct {
	of    *owner
	after place
	upto  uint64 // of the read
	page  follow.Page
	back  bool // the log of rooms has not what was read before
	err   error
}

func (injectedRead) ownerMessage() {}

// tellOwner says to the owner of a table, on whichever node it is, that a copy of
// a command has come. A table that has no owner gets one by that. room.<room>.log
// is heard by one of the nodes at least: see inspection.
func (e *Engine) tellOwner(token string, msg *nats.Msg) {
	room, err := wire.SpaceRooms.Room(token)
	if err != nil || !e.IsTable(room) {
		return
	}
	if c, err := eventlog.Copy(msg); err == nil {
		e.forward.wake(room, c.Seq, nil)
	}
}

// readInjected reads the commands that the owner has not taken, beside it, and the
// last one before them, to see whether it is still there.
func (o *owner) readInjected() {
	o.reading, o.doubt = true, false
	after := o.injectedRead
	q := follow.Range{After: after.seq, Upto: max(o.injected, after.seq), From: follow.Leader}
	o.eng.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, o.eng.cfg.tuning.open)
		defer cancel()
		m := injectedRead{of: o, after: after, upto: q.Upto}
		if m.page, m.err = o.eng.stores[wire.SpaceRooms].log.Read(ctx, o.room, q); m.err == nil && !after.begins(m.page) {
			_, m.back, m.err = o.eng.wentBack(ctx, o.room, after)
		}
		o.post(m)
	})
}

// begins reports whether a page that was read from there on begins with what was
// there.
func (p place) begins(page follow.Page) bool {
	return p.seq == 0 || page.Start && msOf(page.StartTime) == p.at
}

// wentBack asks the leader, and a majority, whether the log of rooms has no more, in
// that place, what was taken from there. newest is where it has the newest command
// for the table.
func (e *Engine) wentBack(ctx context.Context, room wire.Room, taken place) (newest uint64, back bool, err error) {
	v, err := e.stores[wire.SpaceRooms].log.Ask(ctx, room, taken.seq)
	switch {
	case err != nil || taken.seq == 0 || taken.at == 0:
	case v.State == follow.Present:
		back = msOf(v.Time) != taken.at
	case v.State == follow.Discarded: // and so are all that were before
		back = v.Oldest != 0 && v.Oldest < taken.seq || eventlog.EpochBegan(v.Epoch).UnixMilli() > taken.at
	default:
		back = true
	}
	return v.Last, back, err
}

func (o *owner) onInjectedRead(m injectedRead) {
	o.reading = false
	if o.log == nil || m.after != o.injectedRead {
		return // the table was loaded again, or is: it is read from there
	}
	if m.err != nil {
		o.eng.roomLog(o.room).Warn().Err(m.err).Msg("a table's injected commands could not be read; reading them again in a few seconds")
		o.injected = o.injectedRead.seq
		o.eng.injectedTold.forget(o.room)
		return
	}
	if m.back {
		o.reload = true
		return
	}
	for _, ev := range m.page.Events {
		o.injectedRead = place{ev.Seq, msOf(ev.Time)}
		o.eng.tableStats.Injected.Add(1)
		if req, ok := o.requestOf(ev); ok {
			o.waiting = append(o.waiting, req)
		}
	}
	if !m.page.Cut && o.injected == m.upto && o.injectedRead.seq < m.upto { // it is gone, or was never there
		o.injected = o.injectedRead.seq
		o.eng.injectedTold.forget(o.room)
	}
}

// requestOf is the command that an event of the log of rooms stands for, or was meant
// to be; what a node published was said before the room was a table.
func (o *owner) requestOf(ev follow.Event) (table.Request, bool) {
	if o.eng.secret.Load().storedAuthor(ev.By, o.room, ev.Body, ev.Time) != wire.FromService {
		return table.Request{}, false
	}
	req := table.Request{Taken: ev.Seq, At: msOf(ev.Time)}
	said, err := wire.Decode(ev.Body)
	if err == nil {
		_, err = wire.ReadStored(ev.Body)
	}
	if err != nil {
		req.Unfit = err.Error()
	}
	req.Ref = answerFunc(func(d decided) { o.eng.rejectInjected(o.room, ev, err, d) })
	req.Command = table.Command{Type: said.Type, Payload: said.Payload, User: table.User{From: table.FromService}}
	if said.ID != "" {
		req.Key = table.KeyOf(table.FromService, "", serviceID(o.room, said.ID))
	}
	return req, true
}

// rejectInjected tells on room.<room>.rejected why what was injected is not done: it
// is no command, or the rules refuse it.
func (e *Engine) rejectInjected(room wire.Room, ev follow.Event, unfit error, d decided) {
	if d.Error == nil || d.Error.Code != wire.Refused {
		return // it was done, or another owner takes it
	}
	subject, seq := wire.RejectedSubject(room), strconv.FormatUint(ev.Seq, 10)
	if unfit != nil {
		e.reject(subject, seq, ev.Body, unfit)
		return
	}
	e.tellRejected(subject, seq, ev.Body, d.Error)
}

// commandQueue is the queue group of the nodes that take commands.
const commandQueue = "roomd"

// errNotTable answers a command for a room that only relays.
var errNotTable = wire.Errorf(wire.BadRoom, "no rules decide for this room; publish on room.<room>.event")

// onCommand answers a request on room.<room>.command as a client is answered: ack
// or error. One node of all does.
func (e *Engine) onCommand(msg *nats.Msg) {
	_, token, _ := wire.SubjectToken(msg.Subject)
	room, err := wire.SpaceRooms.Room(token)
	var ev wire.Event
	if err == nil {
		ev, err = wire.Decode(msg.Data)
	}
	if err == nil && !e.IsTable(room) {
		err = errNotTable
	}
	answer := func(d Decision, err error) {
		out := wire.Event{Type: wire.TypeAck, ID: ev.ID, Room: string(room), Seq: d.Seq, Payload: wire.MarshalPayload(wire.Ack{Duplicate: d.Again})}
		if err != nil {
			shown := wire.AsError(err)
			out.Type, out.Payload = wire.TypeError, wire.MarshalPayload(wire.ErrorInfo{Code: shown.Code, Message: shown.Message, Retryable: shown.Code.Retryable()})
		}
		if err := msg.Respond(wire.AppendEvent(nil, out)); err != nil && !errors.Is(err, nats.ErrMsgNoReply) && !e.closed() {
			e.cfg.Log.Warn().Err(err).Str("subject", msg.Subject).Msg("a command could not be answered")
		}
	}
	if err != nil {
		answer(Decision{}, err)
		return
	}
	e.serviceCommand(room, ev, serviceID(room, ev.ID), answer)
}

// serviceID is the id of a service's command: the same however it comes, as an
// event, as a request or over HTTP.
func serviceID(room wire.Room, id string) string {
	if id == "" {
		return ""
	}
	return ServiceMessageID(room, id)
}

// serviceCommand has a table decide what a service sends.
func (e *Engine) serviceCommand(room wire.Room, ev wire.Event, id string, done func(Decision, error)) {
	e.Command(room, ev, CommandOptions{ID: id, User: table.User{From: table.FromService}}, done)
}

// commandOf has a table decide what a service publishes into its room.
func (e *Engine) commandOf(room wire.Room, body wire.Body, id string, done func(PubAck, error)) {
	ev, err := wire.Decode(body.Bytes())
	if err != nil {
		done(PubAck{}, err)
		return
	}
	e.serviceCommand(room, ev, id, func(d Decision, err error) { done(PubAck{Seq: d.Seq, Duplicate: d.Again}, err) })
}
