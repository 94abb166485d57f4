package bench

import (
	"math/bits"
	"time"
)

// A bucket is at most 1/32 of its value wide: quantiles are within 3%.
const (
	subBits    = 5
	subBuckets = 1 << subBits
	maxExp     = 40 // 2^40 ns are 18 minutes
)

// histogram counts durations. Its zero value is empty. It is not safe for
// concurrent use.
type histogram struct {
	counts [(maxExp - subBits + 1) * subBuckets]uint64
	total  uint64
	max    time.Duration
}

// add counts one duration; a negative one is 0.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// merge adds what other has counted.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// quantile returns a duration that a part q, from 0 to 1, of those counted does
// not exceed; 0 when nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.total)), h.total-1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen > rank {
			return min(time.Duration(bucketEnd(i)), h.max)
		}
	}
	return h.max
}

// bucketOf: values below 2*subBuckets have one each, then every power of two
// has subBuckets.
func bucketOf(v uint64) int {
	if v < 2*subBuckets {
		return int(v)
	}
	exp := bits.Len64(v) - 1 - subBits
	if exp > maxExp-subBits-1 {
		return (maxExp-subBits+1)*subBuckets - 1
	}
	return exp*subBuckets + int(v>>exp)
}

// bucketEnd is the largest value of a bucket.
func bucketEnd(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i)
	}
	exp := i/subBuckets - 1
	return (uint64(i%subBuckets+subBuckets)+1)<<exp - 1
}
