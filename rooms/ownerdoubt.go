package rooms

import (
	"bytes"
	"context"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The stream of steps may be put back to what it was before, or made anew, under an
// owner that runs on. The next step finds out, as it belongs behind one that is not
// there. But a state that was given to somebody before would be of steps that never
// were, and is never corrected: so first the owner looks.

type (
	// stepsDoubted is that the stream of steps may have lost some.
	stepsDoubted struct{}
	// lookedAtSteps is whether it has the last one of the table.
	lookedAtSteps struct {
		of   *owner
		same bool
		err  error
	}
)

func (stepsDoubted) ownerMessage()  {}
func (lookedAtSteps) ownerMessage() {}

// doubtSteps has this node's owners look before they give somebody the state.
func (st *store) doubtSteps() {
	if st.space != wire.SpaceTables || !st.eng.connected.Load() {
		return
	}
	st.eng.tellOwners(stepsDoubted{})
}

// lookAtSteps asks, beside the owner, whether the last step is in the log.
func (o *owner) lookAtSteps() {
	o.busy, o.stepsDoubted = true, false
	seq, body := o.log.Last(), o.keeps.body
	o.eng.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, o.eng.cfg.tuning.open)
		defer cancel()
		m := lookedAtSteps{of: o}
		last, err := o.eng.stores[wire.SpaceTables].log.LastStep(ctx, o.room)
		if m.err = err; last == nil {
			m.same = seq == 0
		} else {
			m.same = last.Seq == seq && bytes.Equal(last.Body, body)
		}
		o.post(m)
	})
}

func (o *owner) onDoubt(m ownerMessage) {
	looked, ok := m.(lookedAtSteps)
	switch {
	case !ok:
		o.stepsDoubted = true
	case looked.of != o:
	default:
		o.busy = false
		if looked.err != nil || !looked.same {
			o.load()
		}
	}
}
