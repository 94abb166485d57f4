package actor

import (
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// Where says in which part of an actor's code a panic happened.
type Where string

// The parts of an actor's code.
const (
	InStart   Where = "start"
	InReceive Where = "Receive"
	InIdle    Where = "Idle"
	InFailed  Where = "Failed"
	InStopped Where = "Stopped" // or Config.OnUnread
)

// Panic is a panic in an actor's code, or a runtime.Goexit.
type Panic struct {
	Where Where
	Key   any    // the actor's key in its group, nil if it has none
	Value any    // what was given to panic, or ErrGoexit, ErrNoProgress, ErrNoReceiver
	Stack []byte // of the goroutine, at the panic

	// Message is the message in hand, which is lost: the last one that Receive
	// had taken. Nil if it had taken none, or the panic was not in Receive.
	Message any
	// Taken is how many messages that call of Receive had taken, Message
	// included. A receiver that handles them together has lost all of these.
	Taken int

	// Restart reports whether start will be called again, after Delay. It is
	// false once the actor has been stopped.
	Restart bool
	Delay   time.Duration
	// Score is the actor's failure score, this failure included: 1 for the
	// first.
	Score float64
}

// Backoff says how long an actor waits after a failure. The failure score grows
// by one with each failure and halves in every Decay; the delay is chosen at
// random, up to Min doubled for each point of the score above one, and at most
// Max. Choosing from the whole range keeps actors that failed together from
// coming back together.
type Backoff struct {
	Min   time.Duration // the longest delay after a first failure; zero or less: DefaultMinBackoff
	Max   time.Duration // the longest delay at all; zero or less: DefaultMaxBackoff
	Decay time.Duration // half-life of the failure score; zero or less: DefaultDecay
}

// limit returns the longest delay for a score.
func (b Backoff) limit(score float64) time.Duration {
	most := orDefault(b.Max, DefaultMaxBackoff)
	d := float64(orDefault(b.Min, DefaultMinBackoff)) * math.Exp2(score-1)
	if d >= float64(most) {
		return most
	}
	return time.Duration(d)
}

// decayed returns what is left of a score after a time.
func (b Backoff) decayed(score float64, after time.Duration) float64 {
	return score * math.Exp2(-float64(after)/float64(orDefault(b.Decay, DefaultDecay)))
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// failures is an actor's record. Most actors never have one.
type failures struct {
	score float64
	last  time.Time
}

// caughtPanic is a panic that was caught and not yet reported.
type caughtPanic struct {
	where   Where
	value   any
	stack   []byte
	message any
	taken   int
}

// guard calls the actor's code. It is the one place where its panics are
// caught. After a runtime.Goexit it does not return: the goroutine ends, and
// run starts the next one. What handles a panic is in a function of its own,
// recovered, so that this frame, which every wake-up has on a small stack,
// stays small.
func (a *activation[M]) guard(where Where, code func()) {
	returned := false
	defer func() {
		if !returned {
			a.recovered(where, recover())
		}
	}()
	code()
	returned = true
}

// recovered notes a panic, or a Goexit when there is no value.
func (a *activation[M]) recovered(where Where, value any) {
	if value == nil {
		value = ErrGoexit
	}
	a.panicked = &caughtPanic{where: where, value: value, stack: debug.Stack()}
	if b := &a.batch; where == InReceive && b.next > b.first {
		a.panicked.message = b.msgs[b.next-1]
		a.panicked.taken = b.next - b.first
	}
}

// report tells OnPanic. The receiver is thrown away, unless the panic was in
// its last call (Failed or Stopped) anyway.
func (a *activation[M]) report() {
	c, r := a.panicked, a.ref
	a.panicked = nil
	if c.where != InFailed && c.where != InStopped {
		a.failed, a.cause, r.receiver = r.receiver, c.value, nil
		a.backoffDue, a.delay = true, r.fail()
	}
	p := Panic{Where: c.where, Key: r.owner.key(), Value: c.value, Stack: c.stack,
		Message: c.message, Taken: c.taken}
	if r.failures != nil {
		p.Score = r.failures.score
	}
	if !r.stopping.Load() {
		p.Restart, p.Delay = true, a.delay
	}
	if r.cfg.OnPanic != nil {
		r.cfg.OnPanic(p)
	}
}

// fail adds a failure to the actor's record and returns the delay before its
// restart.
func (r *Ref[M]) fail() time.Duration {
	now := time.Now()
	f := r.failures
	if f == nil {
		f = &failures{last: now}
		r.failures = f
	}
	b := r.cfg.Backoff
	f.score = b.decayed(f.score, now.Sub(f.last)) + 1
	f.last = now
	return rand.N(b.limit(f.score) + 1)
}

// tellFailed gives the failed receiver its last call.
func (a *activation[M]) tellFailed() {
	receiver, cause := a.failed, a.cause
	a.failed, a.cause = nil, nil
	if f, ok := receiver.(Failer); ok {
		a.guard(InFailed, func() { f.Failed(cause) })
	}
}
