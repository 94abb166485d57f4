package rooms

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

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
		o.fail(&table.Broken{What: "encode a step", Cause: err})
		return
	}
	o.eng.background(func(ctx context.Context) {
		seq, err := o.eng.appendStep(ctx, o.room, body, by, prev)
		o.post(appended{o, seq, now, body, err})
	})
}

// errMoved: the log has another step where this one belongs.
var errMoved = errors.New("another node has decided meanwhile")

// appendStep appends until the log takes it or has another step there: also when
// a try before was stored and its ack was lost.
func (e *Engine) appendStep(ctx context.Context, room wire.Room, body []byte, by string, prev uint64) (seq uint64, err error) {
	msg := &nats.Msg{Subject: wire.SpaceTables.Capture(room), Data: body, Header: nats.Header{
		"Nats-Expected-Last-Subject-Sequence": {fmt.Sprint(prev)}, HeaderBy: {by},
	}}
	for attempt := 0; ; attempt++ {
		if err := eventlog.Pause(ctx, attempt); err != nil {
			return 0, err
		}
		seq, err := e.stores[wire.SpaceTables].log.AppendStep(ctx, msg)
		if err == nil || errors.Is(err, eventlog.ErrWrongLast) || errors.Is(err, eventlog.ErrFull) {
			return seq, err
		}
		e.roomLog(room).Debug().Err(err).Msg("a step has no ack; sending it again")
	}
}

func (o *owner) onAppended(m appended) {
	o.busy = false
	if errors.Is(m.err, eventlog.ErrFull) {
		o.onFull()
		return
	}
	if m.err != nil {
		o.load()
		return
	}
	o.inHand, o.full = nil, 0
	o.answer(o.log.Stored(m.seq))
	o.eng.stats.Steps.Add(1)
	o.eng.stats.StepBytes.Add(int64(len(m.body)))
	o.keeps.appended(m.seq, m.at, m.body, o.eng.cfg.markEvery())
	if o.keeps.due() {
		o.snapshot()
	}
}
