package presence

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestDictIsAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var d dict[int]
		want := map[string]int{}
		grew := false
		for i := range 400 {
			key := strconv.Itoa(rnd.IntN(3 * dictListMax))
			if rnd.IntN(3) > 0 == (i < 200) { // first it grows, then it shrinks
				d.set(key, i)
				want[key] = i
			} else {
				d.delete(key)
				delete(want, key)
			}
			grew = grew || d.table != nil
			if got, _ := d.get(key); got != want[key] {
				t.Fatalf("get(%q) = %d, want %d", key, got, want[key])
			}
			if got := maps.Collect(d.all); d.len() != len(want) || !maps.Equal(got, want) {
				t.Fatalf("dict is %v with len %d, want %v", got, d.len(), want)
			}
			if d.list != nil && d.table != nil || len(d.list) > dictListMax || d.table != nil && len(d.table) <= dictListMax/2 {
				t.Fatalf("dict holds %d in the slice, %d in the map", len(d.list), len(d.table))
			}
		}
		for key := range want {
			d.delete(key)
		}
		if !grew || d.len() != 0 || d.list != nil || d.table != nil {
			t.Fatalf("after deleting all: grew %v, %+v", grew, d)
		}
	}
}

func TestDictStops(t *testing.T) {
	for _, n := range []int{3, 3 * dictListMax} {
		var d dict[int]
		for i := range n {
			d.set(strconv.Itoa(i), i)
		}
		seen := 0
		for range d.all {
			seen++
			break
		}
		if seen != 1 {
			t.Errorf("a walk over %d went on for %d after break", n, seen)
		}
	}
}
