package actor

import (
	"reflect"
	"sync"
)

// maxPooled is how many messages a buffer may have room for and still be kept
// for the next actor that wakes up. A larger one was for a burst.
const maxPooled = 2 * DefaultMaxMessages

// pools holds, for each message type, a *sync.Pool of the activations of actors
// that went idle. A pool in Config would save the lookup, but then a Config
// could not be copied, and actors of different Configs could not share a pool.
var pools sync.Map

// newActivation returns an activation for r, from the pool if it has one.
func newActivation[M any](r *Ref[M]) *activation[M] {
	kind := reflect.TypeFor[M]()
	found, ok := pools.Load(kind)
	if !ok {
		found, _ = pools.LoadOrStore(kind, new(sync.Pool))
	}
	pool := found.(*sync.Pool)
	a, ok := pool.Get().(*activation[M])
	if !ok {
		a = &activation[M]{pool: pool}
		a.goRun = a.run
	}
	a.ref, a.batch.ref = r, r
	return a
}

// release puts the activation back into the pool. Only its buffers are left in
// it, and only those that are not too large.
func (a *activation[M]) release() {
	a.ref, a.batch.ref = nil, nil
	if cap(a.waiting.msgs) > maxPooled {
		a.waiting.msgs = nil
	}
	if cap(a.batch.msgs) > maxPooled {
		a.batch.msgs = nil
	}
	a.pool.Put(a)
}

// queue is the messages of a mailbox and what they cost.
type queue[M any] struct {
	msgs  []M
	count int
	bytes int
}

func (q *queue[M]) add(m M, count, bytes int) {
	q.msgs = append(q.msgs, m)
	q.count += count
	q.bytes += bytes
}

// fits reports whether a message of that cost may join what is waiting.
func (q *queue[M]) fits(cfg *Config[M], count, bytes, part int) bool {
	if len(q.msgs) == 0 {
		return true
	}
	// Subtracting, because a sum of costs could overflow.
	if count > 0 && count > cfg.maxMessages()/part-q.count {
		return false
	}
	return bytes <= 0 || cfg.MaxBytes <= 0 || bytes <= cfg.MaxBytes/part-q.bytes
}
