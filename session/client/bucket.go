package client

import "time"

// bucket paces what we write to what the server takes: it answers what is
// above its rate with rate_limited, and ends a client that goes on.
type bucket struct {
	rate   float64 // events per second; 0: no limit
	burst  float64
	tokens float64
	last   time.Time
}

func newBucket(rate float64, burst int, now time.Time) bucket {
	return bucket{rate: max(0, rate), burst: float64(burst), tokens: float64(burst), last: now}
}

// wait is how long to wait for the next event; at 0 it may go out now.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.tokens = min(b.burst, b.tokens+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens >= 1 {
		return 0
	}
	// Rounded up, so that a timer of this length finds a whole token.
	return time.Duration((1-b.tokens)/b.rate*float64(time.Second)) + time.Microsecond
}

func (b *bucket) take() { b.tokens-- }
