package actor

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// activation is the state of an actor that is awake: from the message that
// wakes it until its mailbox is empty, backoffs included. Then it goes back to
// the pool, with its buffers, for the next actor that wakes up.
//
// Each step records what is to be done next before it calls the actor's code.
// That code may end the goroutine (runtime.Goexit); another goroutine then goes
// on from what was recorded.
type activation[M any] struct {
	// Fixed when it was made.
	goRun func()     // a.run, made once, so that go a.goRun() allocates nothing
	pool  *sync.Pool // it returns there when its actor goes idle

	// Owned by the actor's goroutine.
	ref        *Ref[M]
	batch      Batch[M]
	panicked   *caughtPanic // to be reported
	failed     Receiver[M]  // to be told that it failed
	cause      any          // and why
	delay      time.Duration
	backoffDue bool // a backoff of delay is due
	drained    bool // the unread messages were handed over

	// Guarded by ref.mu.
	waiting      queue[M]
	askIdle      bool        // whether the actor may be retired
	backoffTimer *time.Timer // not nil: in a backoff, without a goroutine
}

// run is the actor's goroutine.
func (a *activation[M]) run() {
	returned := false
	defer func() {
		if !returned {
			go a.goRun()
		}
	}()
	if a.ref.cfg.Yield {
		runtime.Gosched()
	}
	for a.step() {
	}
	returned = true
}

// runInline handles the message that woke the actor on the caller's goroutine,
// and puts the actor to sleep if that was all.
func (a *activation[M]) runInline() {
	over := false
	defer func() {
		if !over {
			go a.goRun()
		}
	}()
	for range 2 { // take, receive
		if over = !a.step(); over {
			return
		}
	}
	if !a.more() {
		over = !a.step()
	}
}

// startInline makes the receiver on the caller's goroutine, and puts the actor
// to sleep if that was all.
func (a *activation[M]) startInline() {
	over := false
	defer func() {
		if !over {
			go a.goRun()
		}
	}()
	a.step() // start
	if !a.more() {
		over = !a.step()
	}
}

// more reports whether there is anything to do that is worth a goroutine.
func (a *activation[M]) more() bool {
	r := a.ref
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(a.waiting.msgs) > 0 || r.stopping.Load() || a.panicked != nil || a.batch.next < len(a.batch.msgs)
}

// step does the next thing that is due, and reports whether to go on. When it
// returns false the activation may already belong to another actor.
func (a *activation[M]) step() bool {
	switch r := a.ref; {
	case a.panicked != nil:
		a.report()
	case a.failed != nil:
		a.tellFailed()
	case r.stopping.Load():
		return a.finish()
	case a.backoffDue:
		return a.backOff()
	case r.receiver == nil:
		a.guard(InStart, a.start)
	case a.batch.next < len(a.batch.msgs):
		a.receive()
	default:
		return a.take()
	}
	return true
}

func (a *activation[M]) start() {
	r := a.ref
	r.owner.awaitPredecessor()
	if r.stopping.Load() {
		return
	}
	r.receiver = r.owner.start(r)
	if r.receiver == nil {
		panic(ErrNoReceiver)
	}
}

// receive hands the next part of what was taken to the receiver.
func (a *activation[M]) receive() {
	b, r := &a.batch, a.ref
	b.first, b.end = b.next, len(b.msgs)
	if most := r.cfg.MaxBatch; most > 0 {
		b.end = min(b.end, b.next+most)
	}
	a.guard(InReceive, func() {
		r.receiver.Receive(b)
		if b.next == b.first && !r.stopping.Load() {
			panic(ErrNoProgress)
		}
	})
}

// take swaps the batch that is used up for what is waiting. When nothing is,
// the actor goes idle.
func (a *activation[M]) take() bool {
	b, r := &a.batch, a.ref
	clear(b.msgs) // what was received must not be kept alive
	b.msgs, b.first, b.next, b.end = b.msgs[:0], 0, 0, 0

	r.mu.Lock()
	ask := a.askIdle
	a.askIdle = false
	switch {
	case r.stopping.Load():
	case len(a.waiting.msgs) > 0:
		b.msgs, a.waiting = a.waiting.msgs, queue[M]{msgs: b.msgs}
	case ask:
		r.mu.Unlock()
		a.offerRetirement()
		return true
	default:
		r.activation, r.wentIdle = nil, true
		r.mu.Unlock()
		a.release()
		return false
	}
	r.mu.Unlock()
	return true
}

// offerRetirement retires the actor if its receiver agrees and no message comes
// meanwhile.
func (a *activation[M]) offerRetirement() {
	a.guard(InIdle, func() {
		i, ok := a.ref.receiver.(Idler)
		if !ok || i.Idle() {
			a.ref.retire()
		}
	})
}

// backOff begins the delay after a failure: this goroutine ends, the timer's
// goes on.
func (a *activation[M]) backOff() bool {
	r := a.ref
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping.Load() {
		return true
	}
	a.backoffDue = false
	a.backoffTimer = time.AfterFunc(a.delay, func() {
		r.mu.Lock()
		stopped := a.backoffTimer == nil
		a.backoffTimer = nil
		r.mu.Unlock()
		if !stopped {
			a.run()
		}
	})
	return false
}

// finish ends the actor: the first call hands the unread messages over, the
// second one ends it. The activation does not go back to the pool, as a backoff
// timer that fires too late may still look at it.
func (a *activation[M]) finish() bool {
	r := a.ref
	if !a.drained {
		r.owner.awaitPredecessor()
		a.drained = true
		a.handOver()
		return true
	}
	r.owner.ended()
	r.mu.Lock()
	r.activation = nil
	r.ended = true
	done := r.done
	r.mu.Unlock()
	if done != nil {
		close(done)
	}
	return false
}

// handOver gives the unread messages to the receiver or, for want of one, to
// OnUnread.
func (a *activation[M]) handOver() {
	r := a.ref
	r.mu.Lock()
	waiting := a.waiting.msgs
	a.waiting = queue[M]{}
	r.mu.Unlock()
	unread := slices.Concat(a.batch.msgs[a.batch.next:], waiting)
	a.batch.msgs, a.batch.next = nil, 0

	receiver := r.receiver
	r.receiver = nil
	a.guard(InStopped, func() {
		if stopper, ok := receiver.(Stopper[M]); ok {
			stopper.Stopped(unread)
		} else if r.cfg.OnUnread != nil && len(unread) > 0 {
			r.cfg.OnUnread(unread)
		}
	})
}
