package budget

import (
	"math"
	"time"
)

// Rate is the leak rate and the capacity of a Bucket: PerSecond on average, and
// Burst at once. A PerSecond of 0 or less is no limit.
type Rate struct{ PerSecond, Burst float64 }

// Limits reports whether there is a limit.
func (r Rate) Limits() bool { return r.PerSecond > 0 }

// Times returns the rate times n.
func (r Rate) Times(n float64) Rate { return Rate{r.PerSecond * n, r.Burst * n} }

// Bucket is a leaky bucket. The zero value is empty. It is owned by one
// goroutine, or guarded by its owner's lock.
type Bucket struct {
	level float64
	at    time.Duration // when level was computed
}

// Level returns what is in the bucket at a time.
func (b *Bucket) Level(now time.Duration, r Rate) float64 {
	if passed := now - b.at; passed > 0 {
		b.level = max(0, b.level-passed.Seconds()*r.PerSecond)
		b.at = now
	}
	return b.level
}

// Take adds n if that fits, and reports whether it did. More than the burst
// fits into an empty bucket only, and overfills it: else it could never be
// taken.
func (b *Bucket) Take(now time.Duration, n float64, r Rate) bool {
	if !r.Limits() {
		return true
	}
	if level := b.Level(now, r); level > 0 && level+n > r.Burst {
		return false
	}
	b.level += n
	return true
}

// Charge adds n even if it does not fit.
func (b *Bucket) Charge(now time.Duration, n float64, r Rate) {
	if r.Limits() {
		b.Level(now, r)
		b.level += n
	}
}

// GiveBack undoes a Take.
func (b *Bucket) GiveBack(n float64) { b.level = max(0, b.level-n) }

// Full reports whether nothing more fits.
func (b *Bucket) Full(now time.Duration, r Rate) bool {
	return r.Limits() && b.Level(now, r) >= r.Burst
}

// Wait returns how long it takes until n fits.
func (b *Bucket) Wait(now time.Duration, n float64, r Rate) time.Duration {
	if !r.Limits() {
		return 0
	}
	excess := b.Level(now, r) + min(n, r.Burst) - r.Burst
	if excess <= 0 {
		return 0
	}
	seconds := excess / r.PerSecond
	if seconds > math.MaxInt64/2/float64(time.Second) {
		return math.MaxInt64 / 2
	}
	return time.Duration(seconds * float64(time.Second))
}
