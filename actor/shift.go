package actor

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// shift is what an actor needs while it works: from the message that wakes it
// until its mailbox is empty, over backoffs too. Then the next actor that wakes
// up gets it, with its buffers.
//
// Each step puts down what comes after it before it calls the actor's code.
// That code may end the goroutine (runtime.Goexit), and another one goes on from
// what was put down.
type shift[M any] struct {
	// Fixed when it was made.
	work func()     // s.run, made once: go s.work() allocates nothing
	pool *sync.Pool // where it goes when its actor goes idle

	// Owned by the actor's goroutine.
	ref    *Ref[M]
	batch  Batch[M]
	crash  *crash      // to be reported
	failed Receiver[M] // to be told that it failed
	cause  any         // and why
	delay  time.Duration
	resume bool // a backoff of delay is due
	over   bool // unread messages were handed over

	// Guarded by ref.mu.
	waiting queue[M]
	ask     bool        // whether the actor may be retired
	pause   *time.Timer // not nil: in backoff, with no goroutine
}

// run is the actor's goroutine.
func (s *shift[M]) run() {
	returned := false
	defer func() {
		if !returned {
			go s.work()
		}
	}()
	if s.ref.cfg.Yield {
		runtime.Gosched()
	}
	for s.step() {
	}
	returned = true
}

// first handles the message that woke the actor on the caller's goroutine, and
// puts the actor down if that was all.
func (s *shift[M]) first() {
	over := false
	defer func() {
		if !over {
			go s.work()
		}
	}()
	for range 2 { // take, receive
		if over = !s.step(); over {
			return
		}
	}
	if !s.more() {
		over = !s.step()
	}
}

// more reports whether there is anything to do that is worth a goroutine.
func (s *shift[M]) more() bool {
	r := s.ref
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(s.waiting.msgs) > 0 || r.stopping.Load() || s.crash != nil || s.batch.next < len(s.batch.msgs)
}

// step does the next thing that is due, and reports whether to go on. When it
// returns false the shift may already belong to somebody else.
func (s *shift[M]) step() bool {
	switch r := s.ref; {
	case s.crash != nil:
		s.report()
	case s.failed != nil:
		s.tellFailed()
	case r.stopping.Load():
		return s.finish()
	case s.resume:
		return s.backOff()
	case r.receiver == nil:
		s.try(InStart, s.start)
	case s.batch.next < len(s.batch.msgs):
		s.receive()
	default:
		return s.take()
	}
	return true
}

func (s *shift[M]) start() {
	r := s.ref
	r.owner.await()
	if r.stopping.Load() {
		return
	}
	r.receiver = r.owner.start(r)
	if r.receiver == nil {
		panic(ErrNoReceiver)
	}
}

// receive hands the next part of what was taken to the receiver.
func (s *shift[M]) receive() {
	b, r := &s.batch, s.ref
	b.first, b.end = b.next, len(b.msgs)
	if most := r.cfg.MaxBatch; most > 0 {
		b.end = min(b.end, b.next+most)
	}
	s.try(InReceive, func() {
		r.receiver.Receive(b)
		if b.next == b.first && !r.stopping.Load() {
			panic(ErrNoProgress)
		}
	})
}

// take swaps the batch that is used up for what is waiting. When nothing is, the
// actor goes idle.
func (s *shift[M]) take() bool {
	b, r := &s.batch, s.ref
	clear(b.msgs) // what was received must not be kept alive
	b.msgs, b.first, b.next, b.end = b.msgs[:0], 0, 0, 0

	r.mu.Lock()
	ask := s.ask
	s.ask = false
	switch {
	case r.stopping.Load():
	case len(s.waiting.msgs) > 0:
		b.msgs, s.waiting = s.waiting.msgs, queue[M]{msgs: b.msgs}
	case ask:
		r.mu.Unlock()
		s.askIdle()
		return true
	default:
		r.shift, r.rested = nil, true
		r.mu.Unlock()
		s.release()
		return false
	}
	r.mu.Unlock()
	return true
}

// askIdle retires the actor if its receiver agrees and no message comes meanwhile.
func (s *shift[M]) askIdle() {
	s.try(InIdle, func() {
		i, ok := s.ref.receiver.(Idler)
		if !ok || i.Idle() {
			s.ref.retire()
		}
	})
}

// backOff begins the delay after a failure: this goroutine ends, the timer's goes on.
func (s *shift[M]) backOff() bool {
	r := s.ref
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping.Load() {
		return true
	}
	s.resume = false
	s.pause = time.AfterFunc(s.delay, func() {
		r.mu.Lock()
		stopped := s.pause == nil
		s.pause = nil
		r.mu.Unlock()
		if !stopped {
			s.run()
		}
	})
	return false
}

// finish ends the actor: once for the unread messages, then for good. The shift
// is not kept, as a timer that came too late may still look at it.
func (s *shift[M]) finish() bool {
	r := s.ref
	if !s.over {
		r.owner.await()
		s.over = true
		s.handOver()
		return true
	}
	r.owner.gone()
	r.mu.Lock()
	r.shift = nil
	r.ended = true
	done := r.done
	r.mu.Unlock()
	if done != nil {
		close(done)
	}
	return false
}

// handOver gives the unread messages to the receiver or, for want of one, to OnUnread.
func (s *shift[M]) handOver() {
	r := s.ref
	r.mu.Lock()
	waiting := s.waiting.msgs
	s.waiting = queue[M]{}
	r.mu.Unlock()
	unread := slices.Concat(s.batch.msgs[s.batch.next:], waiting)
	s.batch.msgs, s.batch.next = nil, 0

	receiver := r.receiver
	r.receiver = nil
	s.try(InStopped, func() {
		if stopper, ok := receiver.(Stopper[M]); ok {
			stopper.Stopped(unread)
		} else if r.cfg.OnUnread != nil && len(unread) > 0 {
			r.cfg.OnUnread(unread)
		}
	})
}
