package follow

import "sync/atomic"

// Budget is a memory budget in bytes that many rooms share. Its methods may be
// called from any goroutine. A nil Budget counts nothing and has no limit.
type Budget struct {
	limit int64 // fixed; 0: none
	used  atomic.Int64
}

// NewBudget returns a Budget of limit bytes; 0: no limit, usage is only
// counted.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Take reserves n bytes if they are free, and reports whether it did.
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

// Force reserves n bytes even beyond the limit.
func (b *Budget) Force(n int) {
	if b != nil {
		b.used.Add(int64(n))
	}
}

// Give releases n bytes.
func (b *Budget) Give(n int) {
	if b != nil && n != 0 {
		b.used.Add(-int64(n))
	}
}

// Used returns how many bytes are reserved.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Limit returns the limit in bytes; 0: none.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit
}

// Over returns by how many bytes the limit is exceeded.
func (b *Budget) Over() int64 {
	if b == nil || b.limit == 0 {
		return 0
	}
	return max(0, b.used.Load()-b.limit)
}
