package actor

import "sync"

// MaxPooled is the size of the largest buffer that is kept.
const MaxPooled = maxPooled

// Released returns what is left of an activation's two buffers after its
// release.
func Released(room int) (waiting, batch int) {
	s := &activation[int]{pool: new(sync.Pool)}
	s.waiting.msgs, s.batch.msgs = make([]int, 0, room), make([]int, 0, room)
	s.release()
	return cap(s.waiting.msgs), cap(s.batch.msgs)
}

// Sweep does at once what the timer of a group does every so often. The group's
// own timer must be too slow to get in its way.
func (g *Group[K, M]) Sweep() { g.sweepOnce() }

// Armed reports whether the group's timer runs.
func (g *Group[K, M]) Armed() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.armed
}

// Idle reports whether the actor has neither a goroutine nor a buffer.
func (r *Ref[M]) Idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.activation == nil
}
