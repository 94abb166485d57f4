package client

import (
	"math/rand/v2"
	"time"
)

// backoff is exponential backoff with full jitter, so that clients that lost
// the same server do not reconnect at the same moment.
type backoff struct {
	min, max time.Duration
	failures int
}

func (b *backoff) next() time.Duration {
	ceiling := b.ceiling()
	b.failures++
	return rand.N(ceiling + 1)
}

func (b *backoff) ceiling() time.Duration {
	ceiling := b.min
	for range b.failures {
		if ceiling >= b.max/2 {
			return b.max
		}
		ceiling *= 2
	}
	return ceiling
}

// connectionEnded takes how long a connection lasted. Only one that lasted
// longer than max resets the backoff, so that a server that accepts and then
// closes is not overloaded.
func (b *backoff) connectionEnded(d time.Duration) {
	if d >= b.max {
		b.failures = 0
	}
}
