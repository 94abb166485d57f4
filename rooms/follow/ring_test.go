package follow_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

const (
	ringEvents = follow.RingEvents
	ringBytes  = follow.RingBytes
	eventBytes = 256 << 10
)

// TestRing compares the ring with a plain slice.
func TestRing(t *testing.T) {
	var ring follow.Ring
	var all []uint64
	ring.Start(10)
	seq := uint64(10)
	for range 5000 {
		seq += 1 + rand.Uint64N(4)
		all = append(all, seq)
		ring.Push(seq, 10)
		kept := all[max(0, len(all)-ringEvents):]
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
		if len(all) > ringEvents {
			floor = all[len(all)-ringEvents-1]
		}
		if !ring.Covers(floor) || ring.Covers(floor-1) {
			t.Fatalf("the floor is not %d", floor)
		}
		if _, _, capacity := ring.Size(); capacity > 4*ringEvents {
			t.Fatalf("room for %d events", capacity)
		}
	}
}

func TestRingPrepend(t *testing.T) {
	var ring follow.Ring
	ring.Start(100)
	ring.Push(110, 1)
	ring.Prepend([]uint64{50, 60, 100}, 40, false)
	if got := ring.After(0); !slices.Equal(got, []uint64{50, 60, 100, 110}) || !ring.Covers(40) || ring.Covers(39) {
		t.Errorf("%v", got)
	}
	older := make([]uint64, ringEvents)
	for i := range older {
		older[i] = uint64(i) + 1
	}
	ring = follow.Ring{}
	ring.Start(1000)
	ring.Push(1001, 1)
	ring.Prepend(older, 0, true)
	if got := ring.After(0); len(got) != ringEvents || got[0] != 2 || ring.Covers(0) || !ring.Covers(1) {
		t.Errorf("%d events, the first %d", len(got), got[0])
	}
}

func TestRingIsBoundedInBytes(t *testing.T) {
	var ring follow.Ring
	for seq := range uint64(400) {
		ring.Push(seq+1, eventBytes)
	}
	if events, bytes, _ := ring.Size(); bytes > ringBytes || events != ringBytes/(eventBytes+64) || ring.Covers(399-uint64(events)) {
		t.Errorf("%d events, %d bytes", events, bytes)
	}
}
