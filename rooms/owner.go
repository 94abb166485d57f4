package rooms

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of an owner.
const (
	ownerMailbox = 4096      // commands that wait for a table; one more is refused as busy
	stepBytes    = 128 << 10 // after so much a step is appended, and what waits goes into the next
	checkEvery   = 64        // each so many-th decision is applied twice

	// snapshotSteps is after how many steps, at least, a table is written down.
	snapshotSteps = 64
)

// owner decides for a table, while this node is the one to do so. That another
// node believes the same is of no harm: see table.Log. It is an actor; what
// stores and reads runs beside it.
type owner struct {
	eng  *Engine // fixed after start
	room wire.Room
	game table.Game
	self *actor.Ref[ownerMessage]

	log      *table.Log // nil: it is being loaded
	waiting  []table.Request
	entering []enterRequest
	inHand   []table.Request // of the step that is being appended
	busy     bool            // something runs beside
	attempts int             // to load, since the last success
	timer    *time.Timer     // nil until it was needed

	injected     uint64 // up to where the log of rooms has commands, as far as is known
	injectedRead uint64 // up to where they were read
	reading      bool   // readInjected runs

	steps         int // since the last snapshot
	sinceSnapshot int // bytes of them
	snapshotBytes int // of the last one; 0: this owner has made none
	used          time.Time
}

// ownerMessage is what an owner's mailbox takes.
type ownerMessage interface{ ownerMessage() }

type (
	// decideRequest is a command, and who waits for what comes of it.
	decideRequest struct{ req table.Request }
	loaded        struct {
		of       *owner
		log      *table.Log
		present  []wire.User
		injected uint64 // where the log of rooms stood
		err      error
	}
	appended struct {
		of    *owner
		seq   uint64
		bytes int
		err   error
	}
	// enterRequest is somebody who wants to join, and to see the state.
	enterRequest struct {
		user table.User
		done answerFunc
	}
	// rosterChange says who came and went, on all nodes.
	rosterChange struct{ joined, left []wire.User }
	timerTick    struct{ of *owner }
)

func (decideRequest) ownerMessage() {}
func (loaded) ownerMessage()        {}
func (appended) ownerMessage()      {}
func (timerTick) ownerMessage()     {}
func (enterRequest) ownerMessage()  {}
func (rosterChange) ownerMessage()  {}

// answerFunc is what a request's Ref is.
type answerFunc = func(decided)

func (e *Engine) startOwner(name string, self *actor.Ref[ownerMessage]) actor.Receiver[ownerMessage] {
	room := wire.Room(name)
	o := &owner{eng: e, room: room, game: e.gameOf(room), self: self, used: time.Now()}
	o.load()
	return o
}

// Receive takes all that waits into one step.
func (o *owner) Receive(b *actor.Batch[ownerMessage]) {
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		switch m := m.(type) {
		case decideRequest:
			o.used = time.Now()
			o.waiting = append(o.waiting, m.req)
		case enterRequest:
			o.used = time.Now()
			o.entering = append(o.entering, m)
		case rosterChange:
			o.onRoster(m)
		case injected:
			o.injected = max(o.injected, m.seq)
		case injectedRead:
			if m.of == o {
				o.onInjectedRead(m)
			}
		case loaded:
			if m.of == o {
				o.onLoaded(m)
			}
		case appended:
			if m.of == o {
				o.onAppended(m)
			}
		case timerTick:
			if m.of == o {
				o.waiting = append(o.waiting, table.Request{Command: table.Command{Type: table.TypeTimer}, At: time.Now().UnixMilli()})
			}
		}
	}
	o.decide()
}

// load reads the table beside the owner.
func (o *owner) load() {
	o.log, o.busy = nil, true
	o.waiting = append(o.inHand, o.waiting...)
	o.inHand = nil
	attempt := o.attempts
	o.attempts++
	o.eng.background(func(ctx context.Context) {
		_ = eventlog.Pause(ctx, attempt)
		ctx, cancel := context.WithTimeout(ctx, o.eng.cfg.tuning.open)
		defer cancel()
		log, err := o.eng.loadTable(ctx, o.room, o.game)
		var present []wire.User
		if err == nil {
			present, err = o.eng.allOnline(ctx, o.room)
		}
		var injected uint64
		if err == nil {
			injected, err = o.eng.lastInjected(ctx, o.room)
		}
		o.post(loaded{o, log, present, injected, err})
	})
}

func (o *owner) post(m ownerMessage) { _ = o.self.Send(m) } // fails only when the owner has ended

// loadTable makes a table from its log, as far as the replica that answers has
// it.
func (e *Engine) loadTable(ctx context.Context, room wire.Room, game table.Game) (*table.Log, error) {
	st := e.stores[wire.SpaceTables]
	state, err := st.log.State(ctx)
	if err != nil {
		return nil, err
	}
	log := table.NewLog(game, e.cfg.Node, checkEvery)
	snapshot, err := e.snapshots.Last(ctx, room)
	if err != nil {
		return nil, err
	}
	if snapshot != nil {
		if err := log.Restore(snapshot); err != nil {
			return nil, err
		}
	}
	for more := true; more && log.Last() < state.Last; {
		page, err := st.log.Read(ctx, room, follow.Range{After: log.Last(), Upto: state.Last})
		if err != nil {
			return nil, err
		}
		for _, ev := range page.Events {
			step, err := table.DecodeStep(ev.Body)
			if err == nil {
				err = log.Take(ev.Seq, step)
			}
			if err != nil {
				return nil, err
			}
		}
		more = page.Cut
	}
	return log, nil
}

// allOnline is who is in a room on all nodes, whose room this opens here.
func (e *Engine) allOnline(ctx context.Context, room wire.Room) (users []wire.User, err error) {
	for after := ""; ; {
		page, err := e.Online(ctx, room, after, MaxPresenceList)
		if err != nil {
			return nil, err
		}
		users = append(users, page.List...)
		if after = page.Next; after == "" {
			return users, nil
		}
	}
}

func (o *owner) onLoaded(m loaded) {
	o.busy = false
	if m.err != nil {
		o.fail(m.err)
		return
	}
	o.log, o.attempts = m.log, 0
	o.injected, o.injectedRead = max(o.injected, m.injected), 0
	first := []table.Request{o.engineCommand(table.TypeTookOver, table.User{})}
	for _, u := range m.present {
		first = append(first, o.engineCommand(table.TypeJoined, tableUser(u)))
	}
	o.waiting = append(first, o.waiting...)
}

func (o *owner) engineCommand(typ string, u table.User) table.Request {
	return table.Request{Command: table.Command{Type: typ, User: u}, At: time.Now().UnixMilli()}
}

func tableUser(u wire.User) table.User {
	return table.User{UID: u.UID, Name: u.Username, Avatar: u.AvatarID, Guest: wire.IsGuest(u.UID)}
}

// onRoster tells the rules who came and went.
func (o *owner) onRoster(m rosterChange) {
	for _, u := range m.joined {
		o.waiting = append(o.waiting, o.engineCommand(table.TypeJoined, tableUser(u)))
	}
	for _, u := range m.left {
		o.waiting = append(o.waiting, o.engineCommand(table.TypeLeft, tableUser(u)))
	}
}

// enter answers those who want to join. The state is given between two steps only.
func (o *owner) enter() {
	for _, m := range o.entering {
		err := o.log.Admit(m.user)
		var view json.RawMessage
		if err == nil {
			view, err = o.log.View(m.user.UID)
		}
		var refusal *table.Refusal
		switch {
		case errors.As(err, &refusal):
			m.done(decided{Error: wire.Errorf(wire.Refused, "%s", refusal.Reason)})
		case err != nil:
			o.fail(err)
			return
		default:
			m.done(decided{State: &tableState{State: view, Seq: o.log.Last(), Now: time.Now().UnixMilli()}})
		}
	}
	o.entering = nil
}

// fail answers who waits: a table that is broken stays so until somebody looks
// after it; what else kept it from being loaded may pass.
func (o *owner) fail(err error) {
	shown := wire.Errorf(wire.Unavailable, "the table is out of reach; try again")
	var broken *table.Broken
	if errors.As(err, &broken) {
		shown = wire.Errorf(wire.Internal, "the rules of this table have failed; it stands still until somebody looks after it")
	}
	o.eng.roomLog(o.room).Error().Err(err).Msg("a table cannot decide; its commands are refused")
	for _, req := range append(o.inHand, o.waiting...) {
		answerTo(req.Ref, 0, shown)
	}
	for _, m := range o.entering {
		m.done(decided{Error: shown})
	}
	o.inHand, o.waiting, o.entering = nil, nil, nil
	o.self.Stop() // the next command tries again
}

func answerTo(ref any, seq uint64, err error) {
	if fn, ok := ref.(answerFunc); ok {
		d := decided{Seq: seq}
		if err != nil {
			d.Error = wire.AsError(err)
		}
		fn(d)
	}
}

// decide makes one step of what waits and has it appended.
func (o *owner) decide() {
	if o.busy || o.log == nil {
		return
	}
	o.enter()
	if !o.reading && o.injected > max(o.log.Taken(), o.injectedRead) {
		o.readInjected()
	}
	if len(o.waiting) == 0 {
		o.arm()
		return
	}
	list := o.waiting
	o.waiting = nil
	for i := range list {
		_, _ = rand.Read(list[i].Seed[:]) // never fails: crypto/rand
	}
	present := 0
	if h := o.eng.handleOf(o.room); h != nil {
		present = int(h.users.Load())
	}
	step, answers, err := o.log.Decide(time.Now().UnixMilli(), present, list)
	o.answer(answers)
	switch {
	case err != nil:
		o.inHand = list
		o.fail(err)
	case step == nil:
		o.arm()
	default:
		o.inHand = list
		o.append(step)
	}
}

func (o *owner) answer(answers []table.Answer) {
	for _, a := range answers {
		switch {
		case a.Undecided == table.TooMany:
			answerTo(a.Ref, 0, wire.Errorf(wire.Busy, "the table has more commands than it can remember; try again in a moment"))
		case a.Undecided == table.TooLate:
			answerTo(a.Ref, 0, wire.Errorf(wire.Unavailable, "the table did not decide in time; try again"))
		case a.Refused != "":
			answerTo(a.Ref, a.Seq, wire.Errorf(wire.Refused, "%s", a.Refused))
		default:
			answerTo(a.Ref, a.Seq, nil)
		}
	}
}

// append has the log take the step behind the last one, and behind no other.
func (o *owner) append(step *table.Step) {
	o.busy = true
	prev := step.Prev
	body, err := json.Marshal(step)
	if err != nil {
		o.fail(&table.Broken{What: "encode a step", Cause: err})
		return
	}
	o.eng.background(func(ctx context.Context) {
		seq, err := o.eng.appendStep(ctx, o.room, body, prev)
		o.post(appended{o, seq, len(body), err})
	})
}

// errMoved: the log has another step where this one belongs.
var errMoved = errors.New("another node has decided meanwhile")

// appendStep appends until the log takes it or has another step there: also when
// a try before was stored and its ack was lost.
func (e *Engine) appendStep(ctx context.Context, room wire.Room, body []byte, prev uint64) (seq uint64, err error) {
	msg := &nats.Msg{Subject: wire.SpaceTables.Capture(room), Data: body, Header: nats.Header{
		"Nats-Expected-Last-Subject-Sequence": {fmt.Sprint(prev)},
	}}
	for attempt := 0; ; attempt++ {
		if err := eventlog.Pause(ctx, attempt); err != nil {
			return 0, err
		}
		seq, err := e.stores[wire.SpaceTables].log.AppendStep(ctx, msg)
		if err == nil || errors.Is(err, eventlog.ErrWrongLast) {
			return seq, err
		}
		e.roomLog(room).Debug().Err(err).Msg("a step has no ack; sending it again")
	}
}

func (o *owner) onAppended(m appended) {
	o.busy = false
	if m.err != nil {
		o.load()
		return
	}
	o.inHand = nil
	o.answer(o.log.Stored(m.seq))
	o.sinceSnapshot += m.bytes
	o.steps++
	if o.steps >= snapshotSteps && o.sinceSnapshot >= o.snapshotBytes {
		o.snapshot()
	}
}

// snapshot writes the table down beside the owner, when as much was appended as
// the last one takes: so it never costs more than the steps do.
func (o *owner) snapshot() {
	data, err := o.log.Snapshot()
	if err != nil {
		o.fail(err)
		return
	}
	o.steps, o.sinceSnapshot, o.snapshotBytes = 0, 0, len(data)
	o.eng.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
		defer cancel()
		if err := o.eng.snapshots.Save(ctx, o.room, data); err != nil && !o.eng.closed() {
			o.eng.roomLog(o.room).Warn().Err(err).Msg("a table could not be written down; its next owner reads more steps")
		}
	})
}

// arm sets the clock for what the table does by itself.
func (o *owner) arm() {
	at, err := o.log.Timer()
	switch {
	case err != nil:
		o.fail(err)
		return
	case at == 0:
		return
	}
	d := time.Until(time.UnixMilli(at))
	if o.timer == nil {
		o.timer = time.AfterFunc(d, func() { o.post(timerTick{o}) })
		return
	}
	o.timer.Reset(d)
}

// Idle reports whether the owner may be unloaded: nothing is due.
func (o *owner) Idle() bool {
	if o.busy || o.log == nil || len(o.waiting) > 0 {
		return false
	}
	at, err := o.log.Timer()
	return err == nil && at == 0
}

// Stopped answers what was never received.
func (o *owner) Stopped(unread []ownerMessage) {
	o.Failed(nil)
	for _, m := range unread {
		switch m := m.(type) {
		case decideRequest:
			answerTo(m.req.Ref, 0, errClosed)
		case enterRequest:
			m.done(decided{Error: errClosed})
		}
	}
}

// Failed answers who waits.
func (o *owner) Failed(any) {
	if o.timer != nil {
		o.timer.Stop()
	}
	for _, req := range append(o.inHand, o.waiting...) {
		answerTo(req.Ref, 0, wire.Errorf(wire.Unavailable, "the table starts again; try again"))
	}
	for _, m := range o.entering {
		m.done(decided{Error: wire.Errorf(wire.Unavailable, "the table starts again; try again")})
	}
	o.inHand, o.waiting, o.entering = nil, nil, nil
}
