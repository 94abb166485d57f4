package follow

import "sync/atomic"

// Budget is memory, in bytes, that many rooms share. Its methods may be called
// from any goroutine. A nil Budget counts nothing and has no end.
type Budget struct {
	limit int64 // fixed; 0: none
	used  atomic.Int64
}

// NewBudget makes a Budget of that many bytes; 0: no limit, it is only counted.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Take takes n bytes if they are there.
func (b *Budget) Take(n int) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(n)) <= b.limit || b.limit == 0 {
		return true
	}
	b.used.Add(-int64(n))
	return false
}

// Force takes n bytes whether they are there or not.
func (b *Budget) Force(n int) {
	if b != nil {
		b.used.Add(int64(n))
	}
}

// Give gives n bytes back.
func (b *Budget) Give(n int) {
	if b != nil && n != 0 {
		b.used.Add(-int64(n))
	}
}

// Used is how many bytes are taken.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Limit is how many there are; 0: no limit.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit
}

// Over is by how many bytes more are taken than there are.
func (b *Budget) Over() int64 {
	if b == nil || b.limit == 0 {
		return 0
	}
	return max(0, b.used.Load()-b.limit)
}
