package budget

import (
	"fmt"
	"testing"
	"time"
)

const second = time.Second

func TestBucket(t *testing.T) {
	r := Rate{PerSecond: 10, Burst: 40}
	for _, tt := range []struct {
		name string
		run  func(b *Bucket) bool
		want bool
	}{
		{"within the burst", func(b *Bucket) bool { return b.Take(0, 40, r) }, true},
		{"beyond it", func(b *Bucket) bool { return b.Take(0, 40, r) && b.Take(0, 1, r) }, false},
		{"what has leaked out is free again", func(b *Bucket) bool { return b.Take(0, 40, r) && b.Take(second, 10, r) }, true},
		{"and no more", func(b *Bucket) bool { return b.Take(0, 40, r) && b.Take(second, 11, r) }, false},
		{"a refusal costs nothing", func(b *Bucket) bool { return b.Take(0, 30, r) && !b.Take(0, 11, r) && b.Take(0, 10, r) }, true},
		{"a long pause saves up one burst", func(b *Bucket) bool { return b.Take(0, 1, r) && b.Take(1e6*second, 40, r) && b.Take(1e6*second, 1, r) }, false},
		{"more than the burst into an empty one", func(b *Bucket) bool { return b.Take(0, 100, r) }, true},
		{"more than the burst into another", func(b *Bucket) bool { return b.Take(0, 1, r) && b.Take(0, 100, r) }, false},
		{"and it is owed", func(b *Bucket) bool { return b.Take(0, 100, r) && !b.Take(6*second, 1, r) && b.Take(7*second, 10, r) }, true},
		{"a clock that stands still or goes back", func(b *Bucket) bool { return b.Take(9*second, 40, r) && b.Take(second, 1, r) }, false},
		{"what is given back", func(b *Bucket) bool { b.Take(0, 40, r); b.GiveBack(5); return b.Take(0, 5, r) && !b.Take(0, 1, r) }, true},
		{"no limit", func(b *Bucket) bool {
			return b.Take(0, 1e12, Rate{}) && b.Take(0, 1e12, Rate{PerSecond: -1}) && b.Take(0, 40, r)
		}, true},
	} {
		if got := tt.run(&Bucket{}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestWaitAndFull(t *testing.T) {
	r := Rate{PerSecond: 10, Burst: 40}
	var b Bucket
	b.Charge(0, 60, r)
	if !b.Full(second, r) || b.Full(3*second, r) {
		t.Error("60 of 40 at 10 a second is full for 2 s")
	}
	if got := b.Wait(3*second, 5, r); got != 0 {
		t.Errorf("room for 5 comes in %s, want now", got)
	}
	if got := b.Wait(3*second, 20, r); got != second {
		t.Errorf("room for 20 comes in %s, want 1s", got)
	}
	if got := b.Wait(3*second, 1e9, r); got != 3*second {
		t.Errorf("room for more than the burst comes in %s, want when it is empty", got)
	}
	b.Charge(3*second, 1e300, r)
	if got := b.Wait(3*second, 1, r); got < 1e6*time.Hour/1e3 {
		t.Errorf("room comes in %s after a charge of 1e300", got)
	}
}

// Who comes back finds what it owes; who owes nothing is forgotten, and so is
// somebody when there are too many who do.
func TestTable(t *testing.T) {
	const maxIdle = 4 * minSweep
	tab := NewTable(Rate{1, 10}, Rate{1, 10}, maxIdle)
	a := tab.Hold("a", 0)
	a.Charge(Second, 0, 100)
	tab.Release(a)
	if again := tab.Hold("a", second); again != a || again.Take(Second, second, 1) || !again.Take(First, second, 10) {
		t.Fatal("an account that owes something was forgotten, or its buckets are mixed up")
	}
	for i := range 3 * maxIdle { // each is empty when the next comes
		tab.Get(fmt.Sprint("drained", i), time.Duration(i)*10*second).Charge(First, time.Duration(i)*10*second, 1)
	}
	if n := tab.Len(); n > 2*minSweep {
		t.Errorf("%d accounts are kept of %d that owed nothing", n, 3*maxIdle)
	}
	late := 1e9 * second
	for i := range 3 * maxIdle {
		tab.Get(fmt.Sprint("owes", i), late).Charge(First, late, 5)
	}
	if n := tab.Len(); n > maxIdle+1 {
		t.Errorf("%d accounts are kept, want at most %d that nobody holds", n, maxIdle)
	}
	if tab.Get("a", late) != a {
		t.Error("an account was forgotten that is held")
	}
}

// One who holds and lets go is counted right, also beside others.
func TestHeldAreNeverForgotten(t *testing.T) {
	tab := NewTable(Rate{1, 10}, Rate{}, 2)
	x, y := tab.Hold("x", 0), tab.Hold("x", 0)
	if x != y {
		t.Fatal("two accounts of one name")
	}
	tab.Release(x)
	for i := range 100 {
		tab.Get(fmt.Sprint(i), 0).Charge(First, 0, 5)
	}
	if tab.Get("x", 0) != x {
		t.Error("forgotten while it was held")
	}
	tab.Release(y)
	if n := tab.Len(); n > 3 {
		t.Errorf("%d accounts, want 2 that nobody holds and x", n)
	}
}

func TestParts(t *testing.T) {
	tab := NewTable(Rate{1, 100}, Rate{}, 9)
	a := tab.Get("a", 0)
	if !a.TakeUpTo(First, 0, 100, 1) || a.TakeUpTo(First, 0, 10, 1) || !a.TakeUpTo(First, 0, 20, 1.25) {
		t.Error("a quarter more than the burst is for those who ask for it")
	}
	if got := a.Used(First, 0); got != 1.2 {
		t.Errorf("%v of the burst is spent, want 1.2", got)
	}
	a.GiveBack(First, 120)
	if got := a.Used(First, 0); got != 0 || a.Used(Second, 0) != 0 {
		t.Errorf("%v of the burst is spent, want nothing", got)
	}
}
