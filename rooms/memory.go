package rooms

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// How the rings of all rooms are kept within Config.RingBytes: when the budget
// is used up, a large ring that grows drops as much of its own, so the limit
// always holds; and the sweeper cuts the rings of the rooms whose last request
// is longest ago, so that it is not always the active rooms that lose theirs.
const (
	// ringsFull and ringsFree: the sweeper starts above 15/16 of the budget and
	// cuts down to 7/8 of it.
	ringsFull = 16
	ringsFree = 8
	// sweepPause is the least time between two sweeps: the rooms need some time
	// to cut their rings.
	sweepPause = 100 * time.Millisecond
)

// trimRing tells a room to cut its ring to so many bytes.
type trimRing struct{ keep int }

func (trimRing) roomMessage() {}

// accountRing publishes the memory of the room's ring for the sweeper, and
// wakes that if the budget is nearly used up. It runs at the end of each batch.
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

// sweepLoop cuts rings whenever it is woken, until the engine closes.
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

// sweepRings tells rooms to cut their rings, the one with the oldest last
// request first. Small rings are left alone until there are no larger ones.
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

// byLastRequest returns the rooms whose ring takes more than that many bytes,
// the one with the oldest last request first.
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

// QueuedBytes counts the bytes of the bursts in the send queues of a node's
// clients, each burst once, however many queues it is in. Its methods may be
// called from any goroutine.
type QueuedBytes struct {
	limit int64 // fixed; 0: none
	bytes atomic.Int64
	full  atomic.Pointer[func()] // nil: none
}

// NewQueuedBytes returns a counter with a limit in bytes; 0 or less: no limit.
func NewQueuedBytes(limit int64) *QueuedBytes { return &QueuedBytes{limit: max(0, limit)} }

// Bytes returns how many bytes are queued.
func (w *QueuedBytes) Bytes() int64 { return w.bytes.Load() }

// Over returns by how many bytes the limit is exceeded; 0 if it is not.
func (w *QueuedBytes) Over() int64 {
	if w.limit == 0 {
		return 0
	}
	return max(0, w.bytes.Load()-w.limit)
}

// Limit returns the limit in bytes; 0: none.
func (w *QueuedBytes) Limit() int64 { return w.limit }

// OnFull sets a function that is called each time something is added beyond the
// limit, on the goroutine that adds it. It must not block.
func (w *QueuedBytes) OnFull(fn func()) { w.full.Store(&fn) }

func (w *QueuedBytes) add(n int) {
	if w.bytes.Add(int64(n)) > w.limit && n > 0 && w.limit > 0 {
		if fn := w.full.Load(); fn != nil {
			(*fn)()
		}
	}
}

// Hold adds a reference to the burst: a member whose queue has it, or the
// caller that hands it out. The first one counts its bytes as queued.
func (b *Burst) Hold(w *QueuedBytes) {
	if b.holders.Add(1) == 1 {
		w.add(b.Bytes)
	}
}

// Release ends one Hold. The last one calls Written, if that is set.
func (b *Burst) Release(w *QueuedBytes) {
	if b.holders.Add(-1) != 0 {
		return
	}
	w.add(-b.Bytes)
	if b.Written != nil {
		b.Written()
	}
}

// Allowance is how many bytes may still be replayed to a connection that
// resumes several rooms at once. Its methods may be called from any goroutine.
type Allowance struct{ left atomic.Int64 }

// NewAllowance returns the allowance of one handshake, MaxResumeBytes.
func NewAllowance() *Allowance {
	a := new(Allowance)
	a.left.Store(MaxResumeBytes)
	return a
}

// spent reports whether nothing is left. A nil Allowance has no limit.
func (a *Allowance) spent() bool { return a != nil && a.left.Load() <= 0 }

// take takes n bytes and reports whether that many were left; if not, nothing
// is left afterwards.
func (a *Allowance) take(n int) bool {
	return a == nil || n == 0 || a.left.Add(-int64(n)) >= 0
}
