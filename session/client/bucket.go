package client

import "time"

// bucket is a token bucket that paces writes to the server's rate limit: the
// server refuses events above it, and closes a client that keeps exceeding it.
type bucket struct {
	rate   float64 // events per second; 0: no limit
	burst  float64
	tokens float64
	last   time.Time
}

func newBucket(rate float64, burst int, now time.Time) bucket {
	return bucket{rate: rate, burst: float64(burst), tokens: float64(burst), last: now}
}

// wait returns how long to wait before the next event; at 0 it may be written
// now.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens >= 1 {
		return 0
	}
	// Rounded up, so that there is a whole token when the timer fires.
	return time.Duration((1-b.tokens)/b.rate*float64(time.Second)) + time.Microsecond
}

func (b *bucket) take() { b.tokens-- }
