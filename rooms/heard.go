package rooms

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// heardCopies is the contiguous run of a stream's copies that a node which
// subscribes to all rooms has received. It proves to a room that it has missed
// no event, or that the first copy it gets is its first event, without a
// request.
type heardCopies struct {
	run follow.Run // owned by the dispatcher

	// Written by the dispatcher before it hands a copy over:
	from, to      atomic.Uint64 // the run
	runGeneration atomic.Uint64 // of the stream that the run belongs to
	// after it has handed the copy over:
	handedTo atomic.Uint64 // the end of the run; 0: it is broken

	generation atomic.Uint64          // rises when the runs before no longer count
	createdAt  atomic.Pointer[string] // when the stream was created again; copies of that second or before may be of the one before; nil: never
}

func (h *heardCopies) hear(msg *nats.Msg) {
	c, err := eventlog.Copy(msg)
	if err != nil {
		return // its room says so
	}
	if life := h.generation.Load(); life != h.runGeneration.Load() {
		h.forget()
		h.runGeneration.Store(life)
	}
	if born := h.createdAt.Load(); born != nil && toSecond(c.Time) <= *born {
		h.forget()
		return
	}
	h.from.Store(h.run.Hear(c.Seq))
	h.to.Store(c.Seq)
}

// forget breaks the run. Only the dispatcher calls it.
func (h *heardCopies) forget() {
	h.run = follow.Run{}
	h.from.Store(math.MaxUint64)
	h.to.Store(0)
}

// renewed is called when the stream was created again, at that time.
func (h *heardCopies) renewed(made time.Time) {
	born := toSecond(made.UTC().Format(time.RFC3339))
	h.createdAt.Store(&born)
	h.generation.Add(1)
}

// toSecond is a time in RFC 3339 without what comes after the second.
func toSecond(t string) string { return t[:min(len(t), len("2006-01-02T15:04:05"))] }

// span is a run of the stream whose copies were all handed to their rooms, if
// to is not 0.
type span struct {
	epoch    string
	from, to uint64
}

// covers reports whether everything after one sequence up to another was handed
// over.
func (s span) covers(after, upto uint64) bool {
	return s.to != 0 && s.from <= after+1 && s.to >= upto
}

// heardSpan is what was handed over when it is called: before what is posted
// then.
func (st *store) heardSpan() span {
	epoch, life := st.Epoch(), st.copies.generation.Load()
	to := st.copies.handedTo.Load()
	from := st.copies.from.Load() // after to: a run that has begun since is beyond it
	if !st.eng.cfg.HearAll || to == 0 || from > to || st.copies.runGeneration.Load() != life || st.Epoch() != epoch {
		return span{}
	}
	return span{epoch, from, to}
}

// heardFrom is follow.Copy.From for a copy that came to a room which is handed
// all copies from since on.
func (st *store) heardFrom(seq, since uint64, epoch string) uint64 {
	if !st.eng.cfg.HearAll || st.Epoch() != epoch || st.copies.runGeneration.Load() != st.copies.generation.Load() {
		return seq
	}
	// The run may have ended since: then it says less, and nothing wrong.
	return min(max(st.copies.from.Load(), since), seq)
}
