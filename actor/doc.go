// Package actor runs many small pieces of state, each behind a mailbox of its
// own and each touched by at most one goroutine at a time.
//
// An actor is a [Receiver]: a value whose Receive method is given messages.
// Because no two goroutines are ever in it at once, its fields need no lock.
// [Spawn] starts one and returns its [Ref], through which any goroutine sends.
//
//	ref := actor.Spawn(&cfg, func(self *actor.Ref[int]) actor.Receiver[int] {
//		return &counter{}
//	})
//	err := ref.Send(1)
//
// # Sending never waits
//
// [Ref.Send] puts the message into the mailbox and returns, or says why not:
// [ErrFull] when the mailbox has reached its bound, [ErrStopped] when the actor
// takes no more messages. What a full mailbox means is for the sender to
// decide. Messages of one sender are received in the order in which they were
// sent; a message for which Send returned nil is received, or handed over as
// unread when the actor stops, or named in a [Panic].
//
// # An idle actor is only memory
//
// The mailbox starts a goroutine when it becomes non-empty, and the goroutine
// ends when the mailbox is empty again. An idle actor is its Ref, less than a
// hundred bytes, and its Receiver; its buffers return to a pool. A busy actor
// takes everything that is queued in one wake-up, as a [Batch], so that work
// which is cheaper in bulk (one system call, one encoding, one lock) can be
// done in bulk.
//
// # Failure
//
// A panic in an actor's code, or a call of [runtime.Goexit] in it, ends neither
// the process nor the mailbox. The message in hand is lost and named in the
// [Panic] that Config.OnPanic gets; the messages behind it stay, in order. The
// receiver is told through [Failer] and thrown away, and after a delay the
// start function makes a new one. The delay follows a failure score that decays
// ([Backoff]): an actor that fails once a day is back at once, one that fails
// in a loop is slowed down. While it waits it holds no goroutine, and its
// mailbox takes messages up to its bound.
//
// # Stopping
//
// [Ref.Stop] does not queue behind the messages: after the message in hand
// nothing more is received. What was never received is handed to the receiver
// if it is a [Stopper], and else to Config.OnUnread. A receiver gets one last
// call, Failed or Stopped, never both. [Ref.Done] tells when the actor has
// ended.
//
// # Groups
//
// A [Group] keeps at most one live actor for each key, spawns it with the first
// message and retires it when it has been idle. A message to a key is received
// by the actor that was there or by the next one, never by none, and the next
// one starts only after the last one has ended.
//
// # When a channel is the better choice
//
// A goroutine reading from a channel is right where the receiver is always
// there, there are few of them, and a sender should wait for it: a pipeline, a
// semaphore, a result. This package is for the other case: very many receivers,
// mostly idle, which come and go, fail one by one, and must never make a sender
// wait.
package actor
