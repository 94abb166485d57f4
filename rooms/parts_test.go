package rooms_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

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
		{"one alone", 1, [][]byte{small}, 110},
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
