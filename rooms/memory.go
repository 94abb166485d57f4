package rooms

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// How the rings of all rooms are kept within Config.RingBytes: a large ring
// that takes more while there is too little gives up as much of its own, so the
// bound holds at any time; and the sweeper cuts the rings that nobody has asked
// for the longest, so that it is not always those who talk now that pay.
const (
	// ringsFull is from which part of the budget on the sweeper cuts, ringsFree
	// down to which: 15/16 and 7/8.
	ringsFull = 16
	ringsFree = 8
	// sweepPause is the least time between two sweeps: the rooms need some to
	// do what the last one has told them.
	sweepPause = 100 * time.Millisecond
)

// trimRing tells a room to cut its ring to so many bytes.
type trimRing struct{ keep int }

func (trimRing) roomMessage() {}

// accountRing says what the room's ring costs, where the sweeper sees it, and
// calls the sweeper if it is time. It runs at the end of each batch.
func (r *room) accountRing() {
	if now := int64(r.follower.RingBytes()); now != r.h.ring.Load() {
		r.h.ring.Store(now)
	}
	if rings := r.eng.limits.Rings; rings.Limit() > 0 && rings.Used() > rings.Limit()-rings.Limit()/ringsFull {
		select {
		case r.eng.sweep <- struct{}{}:
		default:
		}
	}
}

func (r *room) trimRing(m trimRing) {
	if r.opened && r.follower.Trim(m.keep) {
		r.eng.stats.RingsCut.Add(1)
	}
}

// sweepLoop cuts rings when they are called too large, until the engine closes.
func (e *Engine) sweepLoop(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		select {
		case <-e.sweep:
			e.sweepRings()
			pause.Reset(sweepPause)
		case <-ctx.Done():
			return
		}
	}
}

// sweepRings tells rooms to cut their rings, the one first that was not asked
// for the longest. Small rings are left alone until there are no larger ones.
func (e *Engine) sweepRings() {
	limit := e.limits.Rings.Limit()
	free := e.limits.Rings.Used() - (limit - limit/ringsFree)
	for _, keep := range []int{e.limits.SmallRing(), 0} {
		for _, h := range e.byLastRequest(int64(keep)) {
			if free <= 0 {
				return
			}
			free -= h.ring.Load() - int64(keep)
			e.post(h.self, trimRing{keep})
		}
	}
}

// byLastRequest are the rooms whose ring costs more than that, in the order in
// which they were last asked for anything.
func (e *Engine) byLastRequest(above int64) []*handle {
	type found struct {
		*handle
		asked int64
	}
	var list []found
	for _, st := range e.stores {
		for _, h := range st.handles.all() {
			if h.ring.Load() > above {
				list = append(list, found{h, h.asked.Load()})
			}
		}
	}
	slices.SortFunc(list, func(a, b found) int { return cmp.Compare(a.asked, b.asked) })
	handles := make([]*handle, len(list))
	for i, f := range list {
		handles[i] = f.handle
	}
	return handles
}

// Waiting counts the bytes of the bursts that wait for the clients of a node:
// each once, however many it waits for. Its methods may be called from any
// goroutine.
type Waiting struct {
	limit int64 // fixed; 0: none
	bytes atomic.Int64
	full  atomic.Pointer[func()] // nil: nobody wants to know
}

// NewWaiting makes one with a limit; 0: none.
func NewWaiting(limit int64) *Waiting { return &Waiting{limit: max(0, limit)} }

// Bytes is how much waits.
func (w *Waiting) Bytes() int64 { return w.bytes.Load() }

// Over is by how much that is more than the limit.
func (w *Waiting) Over() int64 {
	if w.limit == 0 {
		return 0
	}
	return max(0, w.bytes.Load()-w.limit)
}

// Limit is how much may wait; 0: there is none.
func (w *Waiting) Limit() int64 { return w.limit }

// OnFull has fn called each time that something is added beyond the limit. It
// must not block.
func (w *Waiting) OnFull(fn func()) { w.full.Store(&fn) }

func (w *Waiting) add(n int) {
	if w.bytes.Add(int64(n)) > w.limit && n > 0 && w.limit > 0 {
		if fn := w.full.Load(); fn != nil {
			(*fn)()
		}
	}
}

// Hold says that one more member, or whoever hands the burst out, holds it.
func (b *Burst) Hold(w *Waiting) {
	if b.holders.Add(1) == 1 {
		w.add(b.Bytes)
	}
}

// Release ends one Hold. The last one calls Written, if that is set.
func (b *Burst) Release(w *Waiting) {
	if b.holders.Add(-1) != 0 {
		return
	}
	w.add(-b.Bytes)
	if b.Written != nil {
		b.Written()
	}
}

// Allowance is how many bytes may still be replayed to a connection that
// resumes several rooms at once.
type Allowance struct{ left atomic.Int64 }

// NewAllowance is for one handshake: MaxResumeBytes.
func NewAllowance() *Allowance {
	a := new(Allowance)
	a.left.Store(MaxResumeBytes)
	return a
}

// spent reports whether nothing is left. A nil Allowance has no end.
func (a *Allowance) spent() bool { return a != nil && a.left.Load() <= 0 }

// take takes n bytes. When they are not there nothing is left.
func (a *Allowance) take(n int) bool {
	return a == nil || n == 0 || a.left.Add(-int64(n)) >= 0
}
