package budget

import (
	"sync"
	"time"
)

// Kind names one of the two buckets of an account.
type Kind uint8

// Kinds. What they hold is the table's owner's choice.
const (
	First Kind = iota
	Second
	kinds
)

// Account is what somebody has spent, who may have many connections. Its
// methods may be called from any goroutine.
type Account struct {
	rates *[kinds]Rate // of its table

	mu      sync.Mutex
	buckets [kinds]Bucket
	slots   chan struct{} // made when it is first needed

	held int // by Table.Hold; guarded by the table's mu
}

// Take spends n of a kind if there is room.
func (a *Account) Take(kind Kind, now time.Duration, n float64) bool {
	return a.TakeUpTo(kind, now, n, 1)
}

// Rate is the limit of a kind.
func (a *Account) Rate(kind Kind) Rate { return a.rates[kind] }

// TakeUpTo is Take with a burst of part of the rate's, or more than it.
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

// Charge spends n of a kind whether there is room or not.
func (a *Account) Charge(kind Kind, now time.Duration, n float64) {
	if !a.rates[kind].Limits() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buckets[kind].Charge(now, n, a.rates[kind])
}

// Wait is how long it takes until there is room for n of a kind.
func (a *Account) Wait(kind Kind, now time.Duration, n float64) time.Duration {
	if !a.rates[kind].Limits() {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buckets[kind].Wait(now, n, a.rates[kind])
}

// Part is how much of the burst is spent: 1 is all.
func (a *Account) Used(kind Kind, now time.Duration) float64 {
	r := a.rates[kind]
	if !r.Limits() {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.buckets[kind].Level(now, r) / r.Burst
}

// Turns is a channel that holds as many elements as things may be done at once
// for this account: put one in, and take it out when it is done. most is the
// same in each call.
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

// Table holds accounts by name. One that nobody holds stays until what it has
// spent has leaked out, so that who goes away and comes back finds what it owes;
// but only maxIdle of them: beyond that one is forgotten for each that comes.
// Its methods may be called from any goroutine.
type Table struct {
	// fixed after NewTable
	rates   [kinds]Rate
	maxIdle int

	mu       sync.Mutex
	accounts map[string]*Account
	held     int // accounts that somebody holds
	sweepAt  int // number of accounts
}

// sweepLeast is from how many accounts on the empty ones are looked for.
const minSweep = 1 << 10

// NewTable returns an empty table, whose accounts have these limits.
func NewTable(first, second Rate, maxIdle int) *Table {
	return &Table{rates: [kinds]Rate{first, second}, maxIdle: maxIdle, accounts: make(map[string]*Account), sweepAt: minSweep}
}

// Limits reports whether the table's accounts have any limit.
func (t *Table) Limits() bool { return t.rates[First].Limits() || t.rates[Second].Limits() }

// Len is how many accounts there are.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.accounts)
}

// New returns an account of nobody's: its owner keeps it.
func (t *Table) New() *Account { return &Account{rates: &t.rates} }

// Get returns the account of that name, which it makes if there is none.
func (t *Table) Get(name string, now time.Duration) *Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.get(name, now)
}

// Hold is Get of an account that is not forgotten before it was let go of as
// often.
func (t *Table) Hold(name string, now time.Duration) *Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.get(name, now)
	if a.held++; a.held == 1 {
		t.held++
	}
	return a
}

// LetGo undoes a Hold.
func (t *Table) Release(a *Account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.held--; a.held == 0 {
		t.held--
	}
}

// get needs mu.
func (t *Table) get(name string, now time.Duration) *Account {
	if a := t.accounts[name]; a != nil {
		return a
	}
	if len(t.accounts) >= t.sweepAt {
		t.sweep(now)
	}
	if len(t.accounts)-t.held >= t.maxIdle {
		t.forgetOne()
	}
	a := t.New()
	t.accounts[name] = a
	return a
}

// sweep drops the accounts that owe nothing. The next one comes when there are
// twice as many as are left: what it costs is paid by those that came since. It
// needs mu.
func (t *Table) sweep(now time.Duration) {
	for name, a := range t.accounts {
		if a.held == 0 && a.empty(now) {
			delete(t.accounts, name)
		}
	}
	t.sweepAt = max(minSweep, 2*len(t.accounts))
}

// forgetOne drops some account that nobody holds. It needs mu.
func (t *Table) forgetOne() {
	for name, a := range t.accounts {
		if a.held == 0 {
			delete(t.accounts, name)
			return
		}
	}
}
