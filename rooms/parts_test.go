package rooms_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// TestRing compares the ring with a plain slice.
func TestRing(t *testing.T) {
	var ring rooms.Ring
	var all []uint64
	ring.Start(10)
	seq := uint64(10)
	for range 5000 {
		seq += 1 + rand.Uint64N(4)
		all = append(all, seq)
		ring.Push(seq, 10)
		kept := all[max(0, len(all)-rooms.MaxReplay):]
		at := 5 + rand.Uint64N(seq)
		i, found := slices.BinarySearch(kept, at)
		before := kept[:i]
		if found {
			i++
		}
		n := rand.IntN(600)
		switch {
		case !slices.Equal(ring.After(at), kept[i:]):
			t.Fatalf("after %d: %v", at, ring.After(at))
		case !slices.Equal(ring.Before(at, n), before[max(0, len(before)-n):]):
			t.Fatalf("before %d: %v", at, ring.Before(at, n))
		case !slices.Equal(ring.Tail(n), kept[max(0, len(kept)-n):]):
			t.Fatalf("the newest %d: %v", n, ring.Tail(n))
		}
		floor := uint64(10)
		if len(all) > rooms.MaxReplay {
			floor = all[len(all)-rooms.MaxReplay-1]
		}
		if !ring.Covers(floor) || ring.Covers(floor-1) {
			t.Fatalf("the floor is not %d", floor)
		}
		if _, _, capacity := ring.Size(); capacity > 4*rooms.MaxReplay {
			t.Fatalf("room for %d events", capacity)
		}
	}
}

func TestRingPrepend(t *testing.T) {
	var ring rooms.Ring
	ring.Start(100)
	ring.Push(110, 1)
	ring.Prepend([]uint64{50, 60, 100}, 40, false)
	if got := ring.After(0); !slices.Equal(got, []uint64{50, 60, 100, 110}) || !ring.Covers(40) || ring.Covers(39) {
		t.Errorf("%v", got)
	}
	older := make([]uint64, rooms.MaxReplay)
	for i := range older {
		older[i] = uint64(i) + 1
	}
	ring = rooms.Ring{}
	ring.Start(1000)
	ring.Push(1001, 1)
	ring.Prepend(older, 0, true)
	if got := ring.After(0); len(got) != rooms.MaxReplay || got[0] != 2 || ring.Covers(0) || !ring.Covers(1) {
		t.Errorf("%d events, the first %d", len(got), got[0])
	}
}

func TestRingIsBoundedInBytes(t *testing.T) {
	var ring rooms.Ring
	for seq := range uint64(400) {
		ring.Push(seq+1, rooms.MaxEventBytes)
	}
	if events, bytes, _ := ring.Size(); bytes > rooms.RingBytes || events != rooms.RingBytes/rooms.MaxEventBytes || ring.Covers(399-uint64(events)) {
		t.Errorf("%d events, %d bytes", events, bytes)
	}
}

// TestOutboxMemory: what is allocated ahead for a batch is bounded, because the
// ring keeps it, also when one event is much larger than the others.
func TestOutboxMemory(t *testing.T) {
	big, small := []byte(`"`+strings.Repeat("x", 200<<10)+`"`), []byte(`1`)
	for _, tc := range []struct {
		name   string
		expect int
		sizes  [][]byte
		most   int
	}{
		{"one small of many messages", 1000, [][]byte{small}, rooms.ChunkBytes},
		{"one large of many messages", 1000, [][]byte{big}, len(big) + 100},
		{"a large one first", 64, append([][]byte{big}, slices.Repeat([][]byte{small}, 60)...), len(big) + 100 + rooms.ChunkBytes},
		{"one alone", 1, [][]byte{small}, 100},
	} {
		var o rooms.Outbox
		got := o.Take(tc.expect, func(add func(string, []byte)) {
			for _, payload := range tc.sizes {
				add("note", payload)
			}
		})
		if got > tc.most {
			t.Errorf("%s: %d bytes, want at most %d", tc.name, got, tc.most)
		}
	}
}

func TestMembers(t *testing.T) {
	var set rooms.Members
	var model []string
	for i := range 5000 {
		id := fmt.Sprint(rand.IntN(40))
		if has := slices.Contains(model, id); set.Has(id) != has {
			t.Fatalf("step %d: has %s is %t", i, id, !has)
		}
		if rand.IntN(2) == 0 && !set.Has(id) {
			set.Add(newMember(id))
			model = append(model, id)
			continue
		}
		if had := slices.Contains(model, id); set.Remove(id) != had {
			t.Fatalf("step %d: removing %s said %t", i, id, !had)
		}
		model = slices.DeleteFunc(model, func(x string) bool { return x == id })
	}
	if got := set.IDs(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(model))) {
		t.Errorf("%v, want %v", got, model)
	}
}
