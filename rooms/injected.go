package rooms

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What is published on a table's room.<room>.event is a command of a service. It
// lies in the log of rooms until the owner takes it; the steps say up to where
// that was. Clients are shown nothing of it but what the rules make of it.

// injectedRead is what was found there.
type injectedRead struct {
	of   *owner
	page follow.Page
	upto uint64 // of the read
	err  error
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

// readInjected reads the commands that the owner has not taken, beside it.
func (o *owner) readInjected() {
	o.reading = true
	q := follow.Range{After: max(o.log.Taken(), o.injectedRead), Upto: o.injected, From: follow.Leader}
	o.eng.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, o.eng.cfg.tuning.open)
		defer cancel()
		page, err := o.eng.stores[wire.SpaceRooms].log.Read(ctx, o.room, q)
		o.post(injectedRead{o, page, q.Upto, err})
	})
}

func (o *owner) onInjectedRead(m injectedRead) {
	o.reading = false
	if m.err != nil {
		o.eng.roomLog(o.room).Warn().Err(m.err).Msg("a table's injected commands could not be read; reading them again in a few seconds")
		o.injected = o.injectedRead
		o.eng.injectedTold.forget(o.room)
		return
	}
	if o.log == nil {
		return // the node that decides now reads them
	}
	for _, ev := range m.page.Events {
		o.injectedRead = ev.Seq
		o.eng.tableStats.Injected.Add(1)
		if req, ok := o.requestOf(ev); ok {
			o.waiting = append(o.waiting, req)
		}
	}
	if !m.page.Cut {
		o.injectedRead = max(o.injectedRead, m.upto)
	}
}

// requestOf is the command that an event of the log of rooms stands for. What is
// none is reported where all such events are (see inspection); what a node
// published was said before the room was a table.
func (o *owner) requestOf(ev follow.Event) (table.Request, bool) {
	if o.eng.secret.Load().storedAuthor(ev.By, o.room, ev.Body, ev.Time) != wire.FromService {
		return table.Request{}, false
	}
	said, err := wire.Decode(ev.Body)
	if err != nil {
		return table.Request{}, false
	}
	service := table.User{From: table.FromService}
	req := table.Request{
		Command: table.Command{Type: said.Type, Payload: said.Payload, User: service}, Taken: ev.Seq,
		Ref: answerFunc(func(d decided) { o.eng.rejectInjected(o.room, ev, d) }),
	}
	if said.ID != "" {
		req.Key = table.KeyOf(table.FromService, "", serviceID(o.room, said.ID))
	}
	return req, true
}

// rejectInjected tells on room.<room>.rejected why the rules do not do what was
// injected.
func (e *Engine) rejectInjected(room wire.Room, ev follow.Event, d decided) {
	if d.Error == nil || d.Error.Code != wire.Refused {
		return // another owner takes it
	}
	out := &nats.Msg{Subject: wire.RejectedSubject(room), Data: ev.Body, Header: nats.Header{HeaderReason: {d.Error.Error()}}}
	if err := e.nc.PublishMsg(out); err != nil && !e.closed() {
		e.cfg.Log.Error().Err(err).Str("subject", out.Subject).Msg("a refused command could not be reported")
	}
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

// lastInjected is where the log of rooms has the newest command for a table.
func (e *Engine) lastInjected(ctx context.Context, room wire.Room) (uint64, error) {
	verdict, err := e.stores[wire.SpaceRooms].log.Ask(ctx, room, 0)
	return verdict.Last, err
}

// checkTaken says so when a table has taken more of the log of rooms than that has:
// what is published there next is taken for what was decided before.
func (e *Engine) checkTaken(ctx context.Context, room wire.Room, taken uint64) error {
	state, err := e.stores[wire.SpaceRooms].log.State(ctx)
	if err == nil && state.Last < taken {
		e.roomLog(room).Error().Uint64("taken", taken).Uint64("last", state.Last).
			Msg("the log of rooms is older than this table: what services publish there is passed over until it has as many events; send commands on room.<room>.command")
	}
	return err
}
