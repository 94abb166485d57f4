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
	ownerMailbox = 4096 // commands that wait for a table; one more is refused as busy
	checkEvery   = 64   // each so many-th decision is applied twice, see table.NewLog
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
	waking   []answerFunc    // who wants it to be loaded
	inHand   []table.Request // of the step that is being appended
	busy     bool            // something runs beside
	attempts int             // to load, since the last success
	slowLoad *time.Timer     // until who waits is told that it takes long
	timer    *time.Timer     // nil until it was needed

	stalled bool // the step that is being appended has waited for too long
	turn    turn

	injected     uint64 // up to where the log of rooms has commands, as far as is known
	injectedRead place  // up to where they were read
	reading      bool   // readInjected runs
	doubt        bool   // the log of rooms may not have any more what was read there
	reload       bool   // it has not
	stepsDoubted bool   // the log may not have the steps any more that the table was made of

	turnedAway bool // somebody, as the table may not begin

	who   attendance
	label tableLabel

	keeps keeper
	noted noted
	asked []inspectRequest
	full  int       // steps that found the log full, since the last one that did not
	used  time.Time // when somebody wanted something of the table, or it took a step
}

// ownerMessage is what an owner's mailbox takes.
type ownerMessage interface{ ownerMessage() }

type (
	// decideRequest is a command, and who waits for what comes of it.
	decideRequest struct {
		req table.Request
		route
	}
	// wakeRequest has the table loaded, and commands taken up to there.
	wakeRequest struct {
		injected uint64
		at       int64 // when that was stored, ms since 1970; 0: not said
		route
		done answerFunc
	}
	loaded struct {
		of       *owner
		log      *table.Log
		keeps    keeper
		injected uint64 // where the log of rooms has the newest command
		err      error
	}
	appended struct {
		of   *owner
		seq  uint64
		at   int64 // the time of its decisions, ms since 1970
		body []byte
		err  error

		writer string // of the last step, with errMoved
	}
	// appendStalled is that a step has been on its way for too long.
	appendStalled struct{ of *owner }
	// placementChanged is that other nodes have come or gone.
	placementChanged struct{}
	// enterRequest is somebody who wants to join, and to see the state.
	enterRequest struct {
		user  table.User
		stay  bool   // he is in already
		seen  uint64 // the last step that his node knows
		tried bool   // the table was loaded again, as it was behind
		route
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
	case decideRequest, enterRequest:
		return 1, 0
	}
	return 0, 0
}

func (wakeRequest) ownerMessage()      {}
func (appendStalled) ownerMessage()    {}
func (placementChanged) ownerMessage() {}

type ownerRef = actor.Ref[ownerMessage]

// answerFunc is what a request's Ref is.
type answerFunc = func(decided)

func (e *Engine) startOwner(name string, self *actor.Ref[ownerMessage]) actor.Receiver[ownerMessage] {
	room := wire.Room(name)
	o := &owner{eng: e, room: room, game: e.gameOf(room), self: self, used: time.Now(), turn: newTurn(room, e.cfg.Node, e.placement)}
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
			o.onDecide(m)
		case enterRequest:
			o.onEnter(m)
		case wakeRequest:
			o.onWake(m)
		case placementChanged:
			o.turn.review(time.Now())
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
		case loadIsSlow:
			if m.of == o {
				o.onLoadIsSlow()
			}
		case appendStalled:
			if m.of == o {
				o.onStalled()
			}
		case timerTick:
			if m.of == o && o.log != nil {
				o.waiting = append(o.waiting, table.Request{Command: table.Command{Type: table.TypeTimer}, At: o.now()})
			}
		case inspectRequest:
			o.onInspect(m)
		case foundBusy, busyNoted, resumeRequest, madeAnew:
			o.onNotes(m)
		case labelDue, labelStored:
			o.onLabel(m)
		case stepsDoubted, lookedAtSteps:
			o.onDoubt(m)
		default:
			o.onUsers(m)
		}
	}
	o.decide()
}

func (o *owner) onDecide(m decideRequest) {
	if d, ok := o.takes(m.route, len(o.waiting)); !ok {
		answerTo(m.req.Ref, d)
		return
	}
	o.waiting = append(o.waiting, m.req)
}

func (o *owner) onEnter(m enterRequest) {
	if d, ok := o.takes(m.route, len(o.entering)); !ok {
		m.done(d)
		return
	}
	o.entering = append(o.entering, m)
}

// takes reports whether a request may wait, behind so many of its kind, or what it
// is answered instead.
func (o *owner) takes(r route, waiting int) (d decided, ok bool) {
	switch {
	case o.leaves(r):
		return o.toWriter(), false
	case o.stalled:
		return decided{Error: errNoLog}, false
	case waiting >= ownerMailbox:
		o.eng.tableStats.Busy.Add(1)
		return decided{Error: errTableBusy}, false
	}
	o.used = time.Now()
	return decided{}, true
}

func (o *owner) onWake(m wakeRequest) {
	if o.leaves(m.route) {
		m.done(o.toWriter())
		return
	}
	o.injected = max(o.injected, m.injected)
	if read := o.injectedRead; m.at != 0 && (m.injected < read.seq || m.injected == read.seq && m.at != read.at) {
		o.doubt = true
	}
	o.waking = append(o.waking, m.done)
}

func (o *owner) toWriter() decided {
	return decided{Moved: &moved{To: o.turn.writer, Writer: true, Alive: o.turn.alive}}
}

func (o *owner) post(m ownerMessage) { _ = o.self.Send(m) } // fails only when the owner has ended

// tellOwners sends a message to every owner on this node.
func (e *Engine) tellOwners(m ownerMessage) {
	e.owners.Range(func(_ string, o *ownerRef) bool {
		_ = o.Send(m) // fails only when it has ended: the next one reads the log
		return true
	})
}

func (o *owner) engineCommand(typ string, u table.User) table.Request {
	return table.Request{Command: table.Command{Type: typ, User: u}, At: o.now()}
}

// fail answers who waits: a table whose rules failed stops until somebody looks
// after it; what else kept it from being loaded may pass.
func (o *owner) fail(err error) {
	if errors.Is(err, table.ErrNewer) {
		o.leaveToNewer(err)
		return
	}
	shown := errOutOfReach
	info, isNew := o.stoppedInfo(err)
	if info != nil {
		o.log, o.noted.stopped, shown = nil, info, errStopped
		o.stopTimer()
	}
	if isNew {
		o.stop(err, info)
	} else if info == nil && o.attempts == 1 { // once per outage
		o.eng.roomLog(o.room).Warn().Err(err).Msg("a table cannot be read; its commands are answered unavailable, and it is read again until that succeeds")
	}
	o.refuse(shown)
	switch {
	case info != nil:
	case o.eng.closed():
		o.self.Stop()
	default:
		o.load()
	}
}

// refuse answers all that waits with an error; only how a table is that has
// stopped can be asked.
func (o *owner) refuse(shown *wire.Error) {
	if o.noted.stopped != nil {
		o.inspect()
	}
	o.answerAll(decided{Error: shown})
}

func answerTo(ref any, d decided) {
	if fn, ok := ref.(answerFunc); ok {
		fn(d)
	}
}

// decide makes one step of what waits and has it appended.
func (o *owner) decide() {
	switch {
	case o.turn.next != "" && (o.log == nil || !o.busy):
		o.handOn()
		return
	case o.turn.writer != "":
		o.waiting = nil // nobody asked for it; the other node does that too
		return
	case o.noted.stopped != nil:
		o.refuse(errStopped)
		return
	case o.noted.newer:
		o.sendOn(moved{Older: o.game.Version()})
		return
	case o.busy || o.log == nil:
		return
	}
	for _, done := range o.waking {
		done(decided{Seq: o.log.Last()})
	}
	o.waking = nil
	if o.reload {
		o.load()
		return
	}
	if !o.begins() || !o.enter() {
		return
	}
	if o.inspect(); o.log == nil {
		return // its rules have failed
	}
	o.tellUsers()
	o.showLabel()
	if !o.reading && (o.doubt || o.injected > o.injectedRead.seq) {
		o.readInjected()
	}
	if len(o.waiting) == 0 {
		o.arm()
		o.lookedAt()
		o.dismiss()
		return
	}
	list := o.waiting
	o.waiting = nil
	for i := range list {
		_, _ = rand.Read(list[i].Seed[:]) // never fails: crypto/rand
	}
	step, answers, err := o.log.Decide(o.now(), list)
	o.answer(answers)
	left := o.log.Left()
	list = list[:len(list)-len(left)]
	o.waiting = append(o.waiting, left...)
	switch {
	case err != nil:
		o.inHand = list
		o.fail(err)
	case step == nil:
		o.arm()
		o.dismiss()
	default:
		o.inHand = list
		o.append(step)
	}
}

func (o *owner) answer(answers []table.Answer) {
	stats := &o.eng.tableStats
	for _, a := range answers {
		d := decided{Seq: a.Seq, Again: a.Again}
		switch {
		case a.Undecided == table.TooMany:
			stats.TooMany.Add(1)
			d.Error = wire.Errorf(wire.Busy, "the table has more commands than it can remember; try again in a moment")
		case a.Undecided == table.TooLate:
			stats.TooLate.Add(1)
			d.Error = wire.Errorf(wire.Unavailable, "the table did not decide in time; try again")
		case a.Again:
			stats.Again.Add(1)
		default:
			stats.Decided.Add(1)
		}
		if a.Refused != "" {
			if !a.Again {
				stats.Refused.Add(1)
				if a.Bound != "" {
					stats.AtBound.add(a.Bound)
				}
			}
			d.Error = wire.Errorf(wire.Refused, "%s", a.Refused)
		}
		answerTo(a.Ref, d)
	}
}

// now is the time at the table, in ms since 1970.
func (o *owner) now() int64 { return o.eng.tableClock.now().UnixMilli() }

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
	d := o.eng.tableClock.until(at)
	if o.timer == nil {
		o.timer = time.AfterFunc(d, func() { o.post(timerTick{o}) })
		return
	}
	o.timer.Reset(d)
}

// Idle reports whether the owner may be unloaded: nothing is due.
func (o *owner) Idle() bool {
	if o.turn.writer != "" || o.noted.stopped != nil || o.noted.newer {
		return true
	}
	if o.busy || o.log == nil || len(o.waiting) > 0 || o.attended() {
		return false
	}
	busy, err := o.log.Busy()
	if err != nil || busy {
		return false
	}
	at, err := o.log.Timer()
	return err == nil && at == 0 && o.putAwayLabel()
}

// Stopped has other nodes asked for what was not done.
func (o *owner) Stopped(unread []ownerMessage) {
	if o.log != nil && !o.busy && o.keeps.steps > 0 && !o.keeps.writing {
		o.snapshot()
	}
	o.stopTimer()
	elsewhere := decided{Moved: &moved{To: o.turn.next}}
	o.answerAll(elsewhere)
	answerUnread(unread, elsewhere)
}

// answerUnread answers what no owner has received.
func answerUnread(unread []ownerMessage, d decided) {
	for _, m := range unread {
		switch m := m.(type) {
		case decideRequest:
			answerTo(m.req.Ref, d)
		case enterRequest:
			m.done(d)
		case wakeRequest:
			m.done(d)
		case inspectRequest:
			m.done(d)
		}
	}
}

// Failed answers who waits.
func (o *owner) Failed(any) {
	o.stopTimer()
	o.answerAll(decided{Error: wire.Errorf(wire.Unavailable, "the table starts again; try again")})
}
