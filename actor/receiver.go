package actor

import "errors"

var (
	// ErrFull is returned by Send when the mailbox has reached its bound. The
	// message was not queued; it may be sent again later.
	ErrFull = errors.New("actor: mailbox is full")

	// ErrStopped is returned by Send when the actor, or the group, was stopped.
	// The message was not queued and sending it again will not help.
	ErrStopped = errors.New("actor: stopped")

	// ErrGoexit is the value of a Panic, and the cause given to Failed, when an
	// actor's code ended its goroutine by runtime.Goexit instead of returning.
	ErrGoexit = errors.New("actor: runtime.Goexit was called in the actor's code")

	// ErrNoProgress is the value of a Panic when Receive returned without
	// having taken any message: calling it again could go on for ever.
	ErrNoProgress = errors.New("actor: Receive returned without taking a message")

	// ErrNoReceiver is the value of a Panic when start returned nil.
	ErrNoReceiver = errors.New("actor: start returned a nil Receiver")
)

// Receiver handles the messages of one actor.
//
// Its methods, and those of the optional interfaces [Stopper], [Failer] and
// [Idler], are called by at most one goroutine at a time, and each call sees
// what the one before did. They are not always called by the same goroutine.
type Receiver[M any] interface {
	// Receive handles messages of b, at least one. Messages that it leaves in b
	// come first in its next call. Neither b nor what it returns about the rest
	// of the batch may be used after Receive has returned.
	Receive(b *Batch[M])
}

// Stopper is a Receiver that wants to know that its actor was stopped or
// retired.
type Stopper[M any] interface {
	// Stopped is the last call the receiver gets. unread are the messages that
	// were accepted and never taken from a batch, oldest first, nil when there
	// are none; the slice belongs to the receiver.
	Stopped(unread []M)
}

// Failer is a Receiver that wants to know that it failed.
type Failer interface {
	// Failed is the last call a receiver gets after a panic in it, before start
	// makes another. cause is the value of the panic, or [ErrGoexit]. A panic
	// in Failed is reported like any other and changes nothing else.
	Failed(cause any)
}

// Idler is a Receiver in a [Group] that has a say in its retirement. A receiver
// without it is retired whenever it has been idle for long enough.
type Idler interface {
	// Idle reports whether the actor may be retired now.
	Idle() bool
}

// Batch is what an actor took from its mailbox in one wake-up. It is valid
// during the Receive it was given to and belongs to that goroutine.
type Batch[M any] struct {
	ref   *Ref[M]
	msgs  []M // all that was taken from the mailbox at once
	first int // where this Receive began
	next  int
	end   int // where this Receive ends, len(msgs) unless Config.MaxBatch says less
}

// Next takes the next message. ok is false when the batch is exhausted or the
// actor has been stopped, by whomever, also in the middle of the batch.
func (b *Batch[M]) Next() (m M, ok bool) {
	if b.next >= b.end || b.ref.stopping.Load() {
		return m, false
	}
	m = b.msgs[b.next]
	b.next++
	return m, true
}

// Len returns how many messages Next will still return: none once the actor has
// been stopped, which may happen between Len and Next.
func (b *Batch[M]) Len() int {
	if b.ref.stopping.Load() {
		return 0
	}
	return b.end - b.next
}
