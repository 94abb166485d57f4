package rooms

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// heardCopies is what a node that hears all rooms has heard of a stream without
// a gap. It shows a room without events that it has missed none, and that the
// first copy it gets is its first event, and nobody has to be asked.
type heardCopies struct {
	run follow.Run // owned by the dispatcher

	// Written by the dispatcher, of a copy before it is handed over:
	from, to atomic.Uint64 // the run
	of       atomic.Uint64 // the life it is of
	// and after:
	handed atomic.Uint64 // to; 0: the run is over

	life atomic.Uint64          // is another one when what was heard counts no more
	born atomic.Pointer[string] // a copy of that second or before may be of the stream before; nil: there was none
}

func (h *heardCopies) hear(msg *nats.Msg) {
	c, err := eventlog.Copy(msg)
	if err != nil {
		return // its room says so
	}
	if life := h.life.Load(); life != h.of.Load() {
		h.forget()
		h.of.Store(life)
	}
	if born := h.born.Load(); born != nil && toSecond(c.Time) <= *born {
		h.forget()
		return
	}
	h.from.Store(h.run.Hear(c.Seq))
	h.to.Store(c.Seq)
}

// forget is for the dispatcher.
func (h *heardCopies) forget() {
	h.run = follow.Run{}
	h.from.Store(math.MaxUint64)
	h.to.Store(0)
}

// renewed is for a stream that was made at that time.
func (h *heardCopies) renewed(made time.Time) {
	born := toSecond(made.UTC().Format(time.RFC3339))
	h.born.Store(&born)
	h.life.Add(1)
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
	epoch, life := st.Epoch(), st.copies.life.Load()
	to := st.copies.handed.Load()
	from := st.copies.from.Load() // after to: a run that has begun since is beyond it
	if !st.eng.cfg.HearAll || to == 0 || from > to || st.copies.of.Load() != life || st.Epoch() != epoch {
		return span{}
	}
	return span{epoch, from, to}
}

// heardFrom is follow.Copy.From for a copy that came to a room which is handed
// all copies from since on.
func (st *store) heardFrom(seq, since uint64, epoch string) uint64 {
	if !st.eng.cfg.HearAll || st.Epoch() != epoch || st.copies.of.Load() != st.copies.life.Load() {
		return seq
	}
	// The run may have ended since: then it says less, and nothing wrong.
	return min(max(st.copies.from.Load(), since), seq)
}
