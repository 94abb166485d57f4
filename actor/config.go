package actor

import "time"

// Defaults of Config and Backoff.
const (
	DefaultMaxMessages = 1024
	DefaultMinBackoff  = 10 * time.Millisecond
	DefaultMaxBackoff  = 5 * time.Second
	DefaultDecay       = 30 * time.Second
)

// Config says how actors of one kind behave. Many actors share one Config,
// which must not be changed after its first use. The zero value is ready to
// use.
//
// Its functions may be called by many goroutines at once.
type Config[M any] struct {
	// MaxMessages bounds the messages waiting in a mailbox, counted by Cost;
	// what is over it gets ErrFull. Zero or less: DefaultMaxMessages.
	//
	// The bound is on what waits. What the actor has taken in its wake-up,
	// which was itself within the bound, no longer counts: an actor holds at
	// most twice its bound.
	MaxMessages int

	// MaxBytes bounds the bytes waiting in a mailbox, counted by Cost, in the
	// same way. Zero or less: no bound.
	MaxBytes int

	// Cost says what a message counts against the two bounds. Zero or less
	// counts nothing, and a message is never refused for a bound against which
	// it counts nothing. A message larger than a bound is accepted when nothing
	// is waiting. It is called by Send, on the sender's goroutine, and may be
	// called again for the same message. Nil: 1 message, 0 bytes.
	Cost func(m M) (count, bytes int)

	// MaxBatch bounds the messages that one call of Receive is given. Zero or
	// less: all that were waiting.
	MaxBatch int

	// Yield has an actor that is woken let all others run first that can, once:
	// what they send it meanwhile comes in the same batch. It is for an actor
	// whose Receive costs far more than a message does, such as a system call.
	// Where nothing else can run it changes nothing.
	Yield bool

	// Backoff says when an actor that failed is started again.
	Backoff Backoff

	// OnPanic is told of every panic in an actor's code, on the actor's
	// goroutine. It is the last one to be told: a panic in OnPanic is not
	// caught and ends the process. Nil: panics are caught and not reported.
	OnPanic func(p Panic)

	// OnUnread gets the unread messages of a stopped actor when there is no
	// Stopper to get them: the receiver is none, was never made, or has failed.
	// It is called on the actor's goroutine, oldest message first, and never
	// without any. Nil: they are dropped.
	OnUnread func(unread []M)
}

func (c *Config[M]) maxMessages() int {
	if c.MaxMessages <= 0 {
		return DefaultMaxMessages
	}
	return c.MaxMessages
}

// cost returns what m counts, never less than zero.
func (c *Config[M]) cost(m M) (count, bytes int) {
	if c.Cost == nil {
		return 1, 0
	}
	count, bytes = c.Cost(m)
	return max(count, 0), max(bytes, 0)
}
