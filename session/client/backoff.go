package client

import (
	"math/rand/v2"
	"time"
)

// backoff is the wait before a reconnect, with full jitter: many clients that
// lost the same server do not come back at the same moment.
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

// lasted is told how long a connection lived. Only one that outlived the
// longest wait counts as a success, so that a server which accepts and then
// closes is not hammered.
func (b *backoff) lasted(d time.Duration) {
	if d >= b.max {
		b.failures = 0
	}
}
