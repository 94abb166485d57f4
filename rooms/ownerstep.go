package rooms

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// append has the log take the step behind the last one, and behind no other.
func (o *owner) append(step *table.Step) {
	o.busy = true
	prev, now := step.Prev, step.Now
	body, by, err := o.eng.encodeStep(o.room, step)
	if err != nil {
		o.fail(&table.Broken{What: "write a step", Cause: err})
		return
	}
	began := time.Now()
	again := func(err error) {
		stalled := time.AfterFunc(table.MaxWait-time.Since(began), func() { o.post(appendStalled{o}) })
		o.eng.background(func(ctx context.Context) {
			m := o.eng.appendAgain(ctx, o.room, body, by, prev, err)
			stalled.Stop()
			m.of, m.at, m.body = o, now, body
			o.post(m)
		})
	}
	send := func() {
		if o.eng.cfg.tuning.appendGate != nil {
			again(nil)
			return
		}
		o.eng.appender.Append(o.room, body, by, prev, func(seq uint64, err error) {
			if lose := o.eng.cfg.tuning.loseAck; lose != nil && err == nil {
				err = lose()
			}
			if err != nil {
				again(err)
				return
			}
			o.post(appended{of: o, seq: seq, at: now, body: body})
		})
	}
	note := false
	if o.noted.busy == 0 && !o.noted.writing {
		if note, err = o.log.WillBeBusy(); err != nil {
			o.fail(err)
			return
		}
	}
	if !note {
		send()
		return
	}
	// Before the step, so that a table which is busy is found whenever this node is
	// lost.
	o.noted.writing = true
	o.eng.background(func(ctx context.Context) {
		o.post(busyNoted{o, o.eng.noteBusy(ctx, o.room)})
		send()
	})
}

// appendAgain appends what was not stored, or may not have been, until the log
// takes it or has another step there. Where a try before was stored and its ack was
// lost, the step that is there is this one.
func (e *Engine) appendAgain(ctx context.Context, room wire.Room, body []byte, by string, prev uint64, err error) appended {
	if gate := e.cfg.tuning.appendGate; gate != nil {
		gate.Lock()
		defer gate.Unlock()
	}
	revived := e.revived.soon()
	for attempt := 1; ; attempt++ {
		var wrong *eventlog.WrongLastError
		switch {
		case errors.As(err, &wrong):
			return e.whoWrote(ctx, room, body, prev, wrong.Last)
		case errors.Is(err, eventlog.ErrFull):
			return appended{err: err}
		case errors.Is(err, eventlog.ErrInProcess):
			attempt = 1 // the pause is short
		}
		e.tableStats.Retries.Add(1)
		e.roomLog(room).Debug().Err(err).Msg("a step has no ack; sending it again")
		early, pauseErr := e.pause(ctx, attempt, revived)
		if pauseErr != nil {
			return appended{err: pauseErr}
		}
		if early {
			attempt = 0
		}
		revived = e.revived.soon()
		var seq uint64
		if seq, err = e.appender.AppendStep(ctx, room, body, by, prev); err == nil {
			return appended{seq: seq}
		}
	}
}

// whoWrote says whether the step after prev is this one, and if not, who has
// written the last.
func (e *Engine) whoWrote(ctx context.Context, room wire.Room, body []byte, prev, least uint64) appended {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.tuning.open)
	defer cancel()
	next, last, err := e.stores[wire.SpaceTables].log.StepsAfter(ctx, room, prev, least)
	if err != nil {
		return appended{err: err}
	}
	if bytes.Equal(next.Body, body) {
		return appended{seq: next.Seq}
	}
	step, err := e.readStep(room, last)
	if errors.Is(err, errForged) {
		return appended{err: errMoved} // no node wrote it: it is passed over
	}
	if err == nil {
		err = errMoved
	}
	return appended{err: err, writer: step.Node}
}

// errMoved: the log has another step where this one belongs.
var errMoved = errors.New("another node has decided meanwhile")

func (o *owner) onAppended(m appended) {
	o.busy, o.stalled = false, false
	switch {
	case o.noted.stopped != nil:
		return // meanwhile
	case m.err == nil:
	case errors.Is(m.err, eventlog.ErrFull):
		o.onFull()
		return
	case errors.Is(m.err, errMoved):
		o.onRefused(m.writer)
		return
	default:
		o.dropUnrepeatable()
		o.eng.roomLog(o.room).Warn().Err(m.err).Msg("it is not known whether a step was stored; reading the table again")
		o.load()
		return
	}
	o.turn.stored()
	o.inHand, o.full, o.used = nil, 0, time.Now()
	o.label.happened = true
	if o.log.Last() == 0 {
		o.eng.begun.add(m.seq)
	}
	o.answer(o.log.Stored(m.seq))
	o.eng.tableStats.Steps.Add(1)
	o.eng.tableStats.StepBytes.Add(int64(len(m.body)))
	o.keeps.appended(m.seq, m.at, m.body)
	o.noteChange()
	if o.log != nil && o.keeps.due() {
		o.snapshot()
	}
}

// onRefused leaves the table to the node that has written its last step, or decides
// again behind it.
func (o *owner) onRefused(writer string) {
	o.eng.tableStats.Conflicts.Add(1)
	if o.turn.refused(writer, time.Now()) {
		o.giveWay()
	} else {
		o.load()
	}
}

// dropUnrepeatable answers the commands of a step of which nobody knows whether it
// was stored, and that would not be known again.
func (o *owner) dropUnrepeatable() {
	o.inHand = slices.DeleteFunc(o.inHand, func(req table.Request) bool {
		if req.Key != 0 || req.Taken != 0 || req.User.From == table.FromEngine {
			return false
		}
		answerTo(req.Ref, decided{Error: errNoLog})
		return true
	})
}

// onStalled answers who waits, as the log takes no step: those of the step that is
// on its way too, which may be stored or not. They may be sent again.
func (o *owner) onStalled() {
	if !o.busy || o.log == nil {
		return
	}
	o.stalled = true
	o.eng.tableStats.Stalled.Add(1)
	o.eng.tableSays.stall.Do(func() {
		o.eng.roomLog(o.room).Warn().Msg("the log has taken no step of a table, and maybe of others, for too long; their commands are answered unavailable until it does")
	})
	for i := range o.inHand {
		answerTo(o.inHand[i].Ref, decided{Error: errNoLog})
	}
	waiting := o.waiting[:0]
	for _, req := range o.waiting {
		if req.Ref == nil || req.Taken != 0 {
			waiting = append(waiting, req)
			continue
		}
		answerTo(req.Ref, decided{Error: errNoLog})
	}
	clear(o.waiting[len(waiting):])
	o.waiting = waiting
	for _, m := range o.entering {
		m.done(decided{Error: errNoLog})
	}
	o.entering = nil
}

var errNoLog = wire.Errorf(wire.Unavailable, "the log takes no decisions now; send again under the same id")
