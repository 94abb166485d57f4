package actor

import (
	"sync"
	"sync/atomic"
)

// Ref is an actor as everybody else sees it. All its methods may be called by
// any goroutine, the actor's own included, and none of them waits.
//
// There may be very many, nearly all of them idle, so what only a working actor
// needs is in its activation, and what only a failing one needs is in its
// failures.
type Ref[M any] struct {
	// Fixed at spawn.
	cfg   *Config[M]
	owner owner[M]

	// Owned by the actor's goroutine.
	receiver Receiver[M]
	failures *failures

	// Set under mu, read without it.
	stopping atomic.Bool

	mu         sync.Mutex // guards what follows, and the guarded part of the activation
	ended      bool
	wentIdle   bool           // went idle since the group's last sweep
	activation *activation[M] // nil: idle or ended
	done       chan struct{}  // nil: nobody has asked
}

// owner is what differs between an actor of its own and a member of a group.
type owner[M any] interface {
	awaitPredecessor() // waits until the actor may begin; called more than once
	start(self *Ref[M]) Receiver[M]
	ended()   // the actor has ended, its Done is about to be closed
	key() any // nil: none
}

// standalone is the owner of an actor that is in no group: its start function.
type standalone[M any] func(self *Ref[M]) Receiver[M]

func (a standalone[M]) awaitPredecessor()              {}
func (a standalone[M]) start(self *Ref[M]) Receiver[M] { return a(self) }
func (a standalone[M]) ended()                         {}
func (a standalone[M]) key() any                       { return nil }

// closed is the Done of every actor that ended before anybody asked.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Spawn starts an actor. start makes its receiver: on the actor's goroutine,
// before the first message, and again after each failure. It is not called any
// more once the actor has been stopped. A nil cfg is the zero Config.
//
// The actor lives until Stop; a Ref that nobody holds any more is no reason to
// end.
func Spawn[M any](cfg *Config[M], start func(self *Ref[M]) Receiver[M]) *Ref[M] {
	r := spawned(cfg, start)
	go r.activation.goRun()
	return r
}

// SpawnInline is Spawn, except that start is called first on the caller's
// goroutine, before SpawnInline returns: starting a goroutine is most of what
// an actor costs that has nothing to do yet. start can store self where its
// receiver looks for it. After a failure it is called on the actor's goroutine,
// as always; a call of [runtime.Goexit] in it ends the caller's.
func SpawnInline[M any](cfg *Config[M], start func(self *Ref[M]) Receiver[M]) *Ref[M] {
	r := spawned(cfg, start)
	r.activation.startInline()
	return r
}

// spawned is a new actor whose activation the caller must run.
func spawned[M any](cfg *Config[M], start func(self *Ref[M]) Receiver[M]) *Ref[M] {
	if cfg == nil {
		cfg = new(Config[M])
	}
	r := &Ref[M]{cfg: cfg, owner: standalone[M](start)}
	r.activation = newActivation(r)
	return r
}

// Send puts m into the mailbox. It returns nil, [ErrFull] or [ErrStopped],
// never another error, and never waits for the actor.
func (r *Ref[M]) Send(m M) error {
	idle, err := r.put(m, 1)
	if idle != nil {
		go idle.goRun()
	}
	return err
}

// Offer is Send for what may be lost: it is refused with [ErrFull] where it
// would fill more than half of the mailbox, so that there is room for what may
// not.
func (r *Ref[M]) Offer(m M) error {
	idle, err := r.put(m, 2)
	if idle != nil {
		go idle.goRun()
	}
	return err
}

// SendInline is Send, except that an actor which is idle receives m on the
// caller's goroutine, before SendInline returns: starting a goroutine is most
// of what a message costs that finds its actor idle. It is for a caller that
// wakes many actors in turn, holds no lock that they may want, and knows that
// Receive does not wait with m. Anything that m is not, the actor does on a
// goroutine of its own as always; a call of [runtime.Goexit] in Receive ends
// the caller's.
func (r *Ref[M]) SendInline(m M) error {
	idle, err := r.put(m, 1)
	if idle != nil {
		idle.runInline()
	}
	return err
}

// put adds m to the mailbox if that stays within its bound divided by part. If
// the actor was idle it returns the new activation, which the caller must run;
// else nil.
func (r *Ref[M]) put(m M, part int) (idle *activation[M], err error) {
	count, bytes := r.cfg.cost(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping.Load() {
		return nil, ErrStopped
	}
	if r.activation == nil {
		idle = newActivation(r)
		r.activation = idle
	} else if !r.activation.waiting.fits(r.cfg, count, bytes, part) {
		return nil, ErrFull
	}
	r.activation.waiting.add(m, count, bytes)
	return idle, nil
}

// Stop ends the actor: after the message in hand it receives nothing more. It
// returns at once; see Done. Stopping again does nothing.
func (r *Ref[M]) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping.Load() {
		return
	}
	r.stopping.Store(true)
	switch s := r.activation; {
	case s == nil:
		r.activation = newActivation(r)
		go r.activation.goRun()
	case s.backoffTimer != nil:
		s.backoffTimer.Stop()
		s.backoffTimer = nil // if the timer has fired already, its function sees this and does nothing
		go s.goRun()
	}
}

// Done is closed when the actor has ended: after Stopped has returned, if the
// receiver has it. An actor of a group has then left the group.
func (r *Ref[M]) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		if r.ended {
			return closed
		}
		r.done = make(chan struct{})
	}
	return r.done
}

// Stopping reports whether the actor was stopped or retired: it takes no more
// messages, and may have ended already.
func (r *Ref[M]) Stopping() bool { return r.stopping.Load() }

// Len returns how many messages are waiting in the mailbox, without those that
// the actor has taken in its present wake-up.
func (r *Ref[M]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.activation == nil {
		return 0
	}
	return len(r.activation.waiting.msgs)
}

// Bytes returns what the messages cost that are waiting in the mailbox, in the
// bytes of Config.Cost.
func (r *Ref[M]) Bytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.activation == nil {
		return 0
	}
	return r.activation.waiting.bytes
}

// retire stops the actor unless a message is waiting.
func (r *Ref[M]) retire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.activation.waiting.msgs) == 0 {
		r.stopping.Store(true)
	}
}
