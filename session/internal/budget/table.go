package budget

import (
	"sync"
	"time"
)

// Kind names one of the two buckets of an account.
type Kind uint8

// Kinds. The owner of the table defines what they count.
const (
	First Kind = iota
	Second
	kinds
)

// Account has the buckets of one owner, such as a user, whose connections share
// it. Its methods may be called from any goroutine.
type Account struct {
	rates *[kinds]Rate // of its table

	mu      sync.Mutex
	buckets [kinds]Bucket
	slots   chan struct{} // made by the first call of Slots

	held int // number of Holds; guarded by the table's mu
}

// Take adds n to a kind if that fits, and reports whether it did.
func (a *Account) Take(kind Kind, now time.Duration, n float64) bool {
	return a.TakeUpTo(kind, now, n, 1)
}

// Rate returns the limit of a kind.
func (a *Account) Rate(kind Kind) Rate { return a.rates[kind] }

// TakeUpTo is Take with a burst of part times the rate's; part may be more than
// 1.
func (a *Account) TakeUpTo(kind Kind, now time.Duration, n, part float64) bool {
	r := a.rates[kind]
	if !r.Limits() {
		return true
	}
	r.Burst *= part
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buckets[kind].Take(now, n, r)
}

// GiveBack undoes a Take.
func (a *Account) GiveBack(kind Kind, n float64) {
	if !a.rates[kind].Limits() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buckets[kind].GiveBack(n)
}

// Charge adds n to a kind even if it does not fit.
func (a *Account) Charge(kind Kind, now time.Duration, n float64) {
	if !a.rates[kind].Limits() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buckets[kind].Charge(now, n, a.rates[kind])
}

// Wait returns how long it takes until n of a kind fits.
func (a *Account) Wait(kind Kind, now time.Duration, n float64) time.Duration {
	if !a.rates[kind].Limits() {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buckets[kind].Wait(now, n, a.rates[kind])
}

// Used returns which part of the burst is used: 1 is all of it.
func (a *Account) Used(kind Kind, now time.Duration) float64 {
	r := a.rates[kind]
	if !r.Limits() {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buckets[kind].Level(now, r) / r.Burst
}

// Slots returns a semaphore: send an element to acquire one of n slots of this
// account, receive one to release it. n must be the same in each call.
func (a *Account) Slots(n int) chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.slots == nil {
		a.slots = make(chan struct{}, n)
	}
	return a.slots
}

func (a *Account) empty(now time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for kind := range a.buckets {
		if a.buckets[kind].Level(now, a.rates[kind]) > 0 {
			return false
		}
	}
	return true
}

// Table holds accounts by name. One that is not held stays until its buckets
// are empty, so that reconnecting does not reset limits; but only maxIdle of
// them: beyond that one is evicted for each new one. Its methods may be called
// from any goroutine.
type Table struct {
	// fixed after NewTable
	rates   [kinds]Rate
	maxIdle int

	mu       sync.Mutex
	accounts map[string]*Account
	held     int // number of accounts that are held
	sweepAt  int // number of accounts at which to sweep
}

// minSweep is the fewest accounts at which empty ones are removed.
const minSweep = 1 << 10

// NewTable returns an empty table whose accounts have these limits.
func NewTable(first, second Rate, maxIdle int) *Table {
	return &Table{rates: [kinds]Rate{first, second}, maxIdle: maxIdle, accounts: make(map[string]*Account), sweepAt: minSweep}
}

// Limits reports whether the table's accounts have any limit.
func (t *Table) Limits() bool { return t.rates[First].Limits() || t.rates[Second].Limits() }

// Len returns the number of accounts.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.accounts)
}

// New returns an account that is not in the table.
func (t *Table) New() *Account { return &Account{rates: &t.rates} }

// Get returns the account of that name, and creates it if there is none.
func (t *Table) Get(name string, now time.Duration) *Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.get(name, now)
}

// Hold is Get of an account that is kept until Release has been called as often
// as Hold.
func (t *Table) Hold(name string, now time.Duration) *Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.get(name, now)
	if a.held++; a.held == 1 {
		t.held++
	}
	return a
}

// Release undoes a Hold.
func (t *Table) Release(a *Account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.held--; a.held == 0 {
		t.held--
	}
}

// get is called with mu held.
func (t *Table) get(name string, now time.Duration) *Account {
	if a := t.accounts[name]; a != nil {
		return a
	}
	if len(t.accounts) >= t.sweepAt {
		t.sweep(now)
	}
	if len(t.accounts)-t.held >= t.maxIdle {
		t.evictOne()
	}
	a := t.New()
	t.accounts[name] = a
	return a
}

// sweep removes accounts with empty buckets. The next sweep is when there are
// twice as many as are left, so that its cost is amortized. It is called with
// mu held.
func (t *Table) sweep(now time.Duration) {
	for name, a := range t.accounts {
		if a.held == 0 && a.empty(now) {
			delete(t.accounts, name)
		}
	}
	t.sweepAt = max(minSweep, 2*len(t.accounts))
}

// evictOne removes some account that is not held. It is called with mu held.
func (t *Table) evictOne() {
	for name, a := range t.accounts {
		if a.held == 0 {
			delete(t.accounts, name)
			return
		}
	}
}
