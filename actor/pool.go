package actor

import (
	"reflect"
	"sync"
)

// maxPooled is how many messages a buffer may have room for and still be kept
// for the next actor that wakes up. A larger one was for a burst.
const maxPooled = 2 * DefaultMaxMessages

// pools has, for each type of message, a *sync.Pool of the shifts of actors that
// went idle. A pool in Config would spare the look-up, but a Config that must not
// be copied is a nuisance, and actors of several Configs can share.
var pools sync.Map

// newShift returns a shift for r.
func newShift[M any](r *Ref[M]) *shift[M] {
	kind := reflect.TypeFor[M]()
	found, ok := pools.Load(kind)
	if !ok {
		found, _ = pools.LoadOrStore(kind, new(sync.Pool))
	}
	pool := found.(*sync.Pool)
	s, ok := pool.Get().(*shift[M])
	if !ok {
		s = &shift[M]{pool: pool}
		s.work = s.run
	}
	s.ref, s.batch.ref = r, r
	return s
}

// release lets another actor have the shift. There is nothing left in it but
// buffers.
func (s *shift[M]) release() {
	s.ref, s.batch.ref = nil, nil
	if cap(s.waiting.msgs) > maxPooled {
		s.waiting.msgs = nil
	}
	if cap(s.batch.msgs) > maxPooled {
		s.batch.msgs = nil
	}
	s.pool.Put(s)
}
