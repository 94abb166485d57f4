package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	last := -1
	for v := uint64(0); v < 1<<20; v++ {
		i := bucketOf(v)
		if i != last && i != last+1 {
			t.Fatalf("%d is in bucket %d, the one before in %d", v, i, last)
		}
		if last = i; bucketEnd(i) < v || float64(bucketEnd(i)-v) > float64(v)/subBuckets {
			t.Fatalf("bucket %d of %d ends at %d", i, v, bucketEnd(i))
		}
	}
	var h histogram
	h.add(1 << 62)
	if got := h.quantile(0.5); got <= 0 || h.max != 1<<62 {
		t.Errorf("a duration beyond all buckets: p50 %v, max %v", got, h.max)
	}
}

func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var a, b histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(rng.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		if i%2 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	a.merge(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := a.quantile(q); got < want || float64(got) > float64(want)*(1+1.0/subBuckets)+1 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if a.max != all[len(all)-1] || a.total != uint64(len(all)) {
		t.Errorf("max %v of %d, want %v", a.max, a.total, all[len(all)-1])
	}
}

func TestEmptyHistogram(t *testing.T) {
	var h histogram
	if h.quantile(0.99) != 0 {
		t.Error("nothing has a quantile")
	}
	h.add(-time.Second)
	if h.quantile(1) != 0 || h.total != 1 {
		t.Error("a negative duration is not 0")
	}
}
