package rooms

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of an owner.
const (
	ownerMailbox = 4096      // commands that wait for a table; one more is refused as busy
	stepBytes    = 128 << 10 // after so much a step is appended, and what waits goes into the next
	checkEvery   = 64        // each so many-th decision is applied twice
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

	who attendance

	keeps keeper
	full  int // steps that found the log full, since the last one that did not
	used  time.Time
}

// ownerMessage is what an owner's mailbox takes.
type ownerMessage interface{ ownerMessage() }

type (
	// decideRequest is a command, and who waits for what comes of it.
	decideRequest struct{ req table.Request }
	loaded        struct {
		of       *owner
		log      *table.Log
		keeps    keeper
		injected uint64 // where the log of rooms stood
		err      error
	}
	appended struct {
		of   *owner
		seq  uint64
		at   int64 // the time of its decisions, ms since 1970
		body []byte
		err  error
	}
	// enterRequest is somebody who wants to join, and to see the state.
	enterRequest struct {
		user table.User
		done answerFunc
	}
	timerTick struct{ of *owner }
)

func (decideRequest) ownerMessage() {}
func (loaded) ownerMessage()        {}
func (appended) ownerMessage()      {}
func (timerTick) ownerMessage()     {}
func (enterRequest) ownerMessage()  {}

// ownerCost is what a message counts against ownerMailbox: what must not be lost
// counts nothing, as there is never more of it than there are owners, timers and
// reads that it comes from.
func ownerCost(m ownerMessage) (count, bytes int) {
	switch m.(type) {
	case decideRequest, enterRequest, injected:
		return 1, 0
	}
	return 0, 0
}

// answerFunc is what a request's Ref is.
type answerFunc = func(decided)

func (e *Engine) startOwner(name string, self *actor.Ref[ownerMessage]) actor.Receiver[ownerMessage] {
	room := wire.Room(name)
	o := &owner{eng: e, room: room, game: e.gameOf(room), self: self, used: time.Now()}
	o.who.patient = time.Now().Add(e.cfg.PresenceGrace)
	o.load()
	o.readUsers()
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
		case saved:
			if m.of == o {
				o.onSaved(m)
			}
		case timerTick:
			if m.of == o {
				o.waiting = append(o.waiting, table.Request{Command: table.Command{Type: table.TypeTimer}, At: time.Now().UnixMilli()})
			}
		default:
			o.onUsers(m)
		}
	}
	o.decide()
}

func (o *owner) post(m ownerMessage) { _ = o.self.Send(m) } // fails only when the owner has ended

func (o *owner) engineCommand(typ string, u table.User) table.Request {
	return table.Request{Command: table.Command{Type: typ, User: u}, At: time.Now().UnixMilli()}
}

// fail answers who waits: a table that is broken stays so until somebody looks
// after it; what else kept it from being loaded may pass.
func (o *owner) fail(err error) {
	shown := wire.Errorf(wire.Unavailable, "the table is out of reach; try again")
	var broken *table.Broken
	if errors.As(err, &broken) {
		o.log = nil // of no use any more
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
	o.tellUsers()
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
	step, answers, err := o.log.Decide(time.Now().UnixMilli(), list)
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
	if o.busy || o.log == nil || len(o.waiting) > 0 || o.attended() {
		return false
	}
	at, err := o.log.Timer()
	return err == nil && at == 0
}

// Stopped answers what was never received.
func (o *owner) Stopped(unread []ownerMessage) {
	if o.log != nil && !o.busy && o.keeps.steps > 0 && !o.keeps.writing {
		o.snapshot()
	}
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
	if o.who.wake != nil {
		o.who.wake.Stop()
	}
	for _, req := range append(o.inHand, o.waiting...) {
		answerTo(req.Ref, 0, wire.Errorf(wire.Unavailable, "the table starts again; try again"))
	}
	for _, m := range o.entering {
		m.done(decided{Error: wire.Errorf(wire.Unavailable, "the table starts again; try again")})
	}
	o.inHand, o.waiting, o.entering = nil, nil, nil
}
