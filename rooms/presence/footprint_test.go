package presence_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// There is one table with one session for every connection (the user's inbox).
// The figures are heap bytes per table without the strings, which belong to the
// session; the limits leave no room for a map.
func TestFootprint(t *testing.T) {
	const tables = 10_000
	u := user("ann")
	for _, c := range []struct {
		name  string
		make  func() *presence.Table
		limit float64
	}{
		{"empty", func() *presence.Table { return presence.New("a", 0, 1) }, 264},
		{"one session, nothing asked", func() *presence.Table {
			tab := presence.New("a", 0, 1)
			join(t, tab, "s", u)
			return tab
		}, 512},
		{"one session, changes asked", func() *presence.Table {
			tab := presence.New("a", 0, 1)
			join(t, tab, "s", u)
			tab.Changes()
			tab.LocalDiff()
			return tab
		}, 408},
		{"one session came and left", func() *presence.Table {
			tab := presence.New("a", 0, 1)
			join(t, tab, "s", u)
			tab.Away("s", at(0))
			tab.Expire(at(1))
			return tab
		}, 264},
	} {
		keep := make([]*presence.Table, tables)
		before := heap()
		for i := range keep {
			keep[i] = c.make()
		}
		each := float64(heap()-before) / tables
		runtime.KeepAlive(keep)
		t.Logf("%-28s %4.0f bytes", c.name, each)
		if each > c.limit {
			t.Errorf("%s: %.0f bytes each, want at most %.0f", c.name, each, c.limit)
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A Join costs the same allocations in a room of any size; its time is in
// BenchmarkJoin.
func TestJoinAllocationsAreFlat(t *testing.T) {
	allocs := func(n int) float64 {
		tab, _ := crowd(t, n)
		tab.Changes()
		tab.LocalDiff()
		u := user("u0002x")
		return testing.AllocsPerRun(100, func() {
			join(t, tab, "new", u)
			tab.List("", 100)
			tab.Leave("new")
		})
	}
	small, large := allocs(500), allocs(5000)
	t.Logf("join, list of 100 and leave: %.0f allocations at 500, %.0f at 5,000", small, large)
	if large > small {
		t.Errorf("join, list and leave take %.0f allocations at 500 members and %.0f at 5,000", small, large)
	}
}

func BenchmarkJoin(b *testing.B) {
	for _, n := range []int{500, 5_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkJoin(b, n, false) })
	}
}

// What one joiner costs: its Join and the first page of the list.
func BenchmarkJoinAndList(b *testing.B) {
	for _, n := range []int{500, 5_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkJoin(b, n, true) })
	}
}

// benchmarkJoin lets a user leave and come back, all over the room, so that its
// size stays n. The changes are asked for once every 1,000 joins.
func benchmarkJoin(b *testing.B, n int, list bool) {
	tab, sessions := crowd(b, n)
	users := make([]presence.User, n)
	for i := range users {
		users[i] = user(fmt.Sprintf("u%06d", i))
	}
	tab.Changes()
	tab.LocalDiff()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		k := i * 7919 % n
		tab.Leave(sessions[k])
		if err := tab.Join(sessions[k], users[k]); err != nil {
			b.Fatal(err)
		}
		if list {
			tab.List("", 100)
		}
		if i%1000 == 999 {
			tab.Changes()
			tab.LocalDiff()
		}
	}
}

// BenchmarkFill is the arrival of a whole room, the changes told every 500.
func BenchmarkFill(b *testing.B) {
	for _, n := range []int{500, 5_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			users, sessions := make([]presence.User, n), make([]string, n)
			for i := range n {
				k := i * 7919 % n
				users[i], sessions[i] = user(fmt.Sprintf("u%06d", k)), fmt.Sprintf("s%06d", k)
			}
			b.ReportAllocs()
			for b.Loop() {
				tab := presence.New("a", 0, 1)
				for i := range n {
					if err := tab.Join(sessions[i], users[i]); err != nil {
						b.Fatal(err)
					}
					if i%500 == 0 {
						tab.Changes()
						tab.LocalDiff()
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/join")
		})
	}
}
