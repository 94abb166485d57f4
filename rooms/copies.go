package rooms

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// receivedCopies is the contiguous run of a stream's copies that a node which
// subscribes to all rooms has received. It proves to a room, without a request,
// that it has missed no event, or that the first copy it gets is its first
// event.
type receivedCopies struct {
	run follow.Run // owned by the dispatcher

	// Written by the dispatcher before it hands a copy over:
	from, to      atomic.Uint64 // the run
	runGeneration atomic.Uint64 // of the stream that the run belongs to
	// after it has handed the copy over:
	handedTo atomic.Uint64 // the end of the run; 0: it is broken

	generation atomic.Uint64          // incremented when earlier runs no longer count
	createdAt  atomic.Pointer[string] // when the stream was created again; copies of that second or before may be of the one before; nil: never
}

func (h *receivedCopies) add(msg *nats.Msg) {
	c, err := eventlog.Copy(msg)
	if err != nil {
		return // its room says so
	}
	if generation := h.generation.Load(); generation != h.runGeneration.Load() {
		h.reset()
		h.runGeneration.Store(generation)
	}
	if created := h.createdAt.Load(); created != nil && truncateToSecond(c.Time) <= *created {
		h.reset()
		return
	}
	h.from.Store(h.run.Add(c.Seq))
	h.to.Store(c.Seq)
}

// reset starts a new run. Only the dispatcher calls it.
func (h *receivedCopies) reset() {
	h.run = follow.Run{}
	h.from.Store(math.MaxUint64)
	h.to.Store(0)
}

// onRecreated is called when the stream was created again, at that time.
func (h *receivedCopies) onRecreated(at time.Time) {
	created := truncateToSecond(at.UTC().Format(time.RFC3339))
	h.createdAt.Store(&created)
	h.generation.Add(1)
}

// truncateToSecond cuts an RFC 3339 time after the seconds.
func truncateToSecond(t string) string { return t[:min(len(t), len("2006-01-02T15:04:05"))] }

// span is a run of the stream all of whose copies were handed to their rooms;
// to is 0 if there is none.
type span struct {
	epoch    string
	from, to uint64
}

// covers reports whether every copy after one sequence up to another was handed
// to its room.
func (s span) covers(after, upto uint64) bool {
	return s.to != 0 && s.from <= after+1 && s.to >= upto
}

// receivedSpan returns the run that was handed to the rooms before the call,
// and so before anything that is posted to them after it.
func (st *store) receivedSpan() span {
	epoch, generation := st.Epoch(), st.copies.generation.Load()
	to := st.copies.handedTo.Load()
	from := st.copies.from.Load() // after to: a run that has begun since is beyond it
	if !st.eng.cfg.HearAll || to == 0 || from > to || st.copies.runGeneration.Load() != generation || st.Epoch() != epoch {
		return span{}
	}
	return span{epoch, from, to}
}

// receivedFrom returns follow.Copy.From for a copy that came to a room which
// has missed no copy from since on.
func (st *store) receivedFrom(seq, since uint64, epoch string) uint64 {
	if !st.eng.cfg.HearAll || st.Epoch() != epoch || st.copies.runGeneration.Load() != st.copies.generation.Load() {
		return seq
	}
	// The run may have ended since: then this is less than could be said, but
	// true.
	return min(max(st.copies.from.Load(), since), seq)
}
