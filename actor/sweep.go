package actor

import "time"

// sweepChunk is how many actors a sweep copies out under one hold of the
// group's lock.
const sweepChunk = 256

// sweep says how a group finds its idle actors: it looks at all of them every
// so often, so that neither an actor nor a message needs a timer or reads a
// clock.
type sweep struct {
	every time.Duration // zero: never
	ticks uint32        // so many sweeps without a message make an actor idle
}

func newSweep(idleAfter time.Duration) sweep {
	if idleAfter <= 0 {
		return sweep{}
	}
	every := max(idleAfter/4, time.Millisecond)
	return sweep{every: every, ticks: uint32((idleAfter + every - 1) / every)}
}

// armTimer starts the timer of a group that has got its first actor. The caller
// holds mu for writing.
func (g *Group[K, M]) armTimer() {
	if g.armed || g.sweep.every == 0 {
		return
	}
	g.armed = true
	if g.timer == nil {
		g.timer = time.AfterFunc(g.sweep.every, g.sweepOnce)
	} else {
		g.timer.Reset(g.sweep.every)
	}
}

// sweepOnce is one sweep. It goes through the members from the end, because one
// that leaves is replaced by the last one: that one may be looked at twice in a
// sweep, which changes nothing, but none is left out for ever.
func (g *Group[K, M]) sweepOnce() {
	g.mu.Lock()
	g.tick++
	tick, at := g.tick, len(g.members)
	g.mu.Unlock()

	var some [sweepChunk]*member[K, M]
	for at > 0 {
		g.mu.RLock()
		at = min(at, len(g.members))
		n := copy(some[:], g.members[max(0, at-sweepChunk):at])
		g.mu.RUnlock()
		at -= n
		for _, m := range some[:n] {
			m.checkIdle(tick)
		}
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = !g.closed && len(g.members) > 0
	if g.armed {
		g.timer.Reset(g.sweep.every)
	}
}

// checkIdle notes whether the actor has worked since the last sweep, and has it
// asked whether it may be retired when it has not for long enough.
func (m *member[K, M]) checkIdle(tick uint32) {
	r := &m.ref
	r.mu.Lock()
	if r.wentIdle || r.activation != nil {
		r.wentIdle = false
		m.idleSince = tick
	}
	ask := tick-m.idleSince >= m.group.sweep.ticks && !r.stopping.Load()
	if ask {
		r.activation = newActivation(r)
		r.activation.askIdle = true
	}
	s := r.activation
	r.mu.Unlock()
	if ask {
		go s.goRun()
	}
}
