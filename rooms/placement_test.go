package rooms_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestPlacement: every node has about its share of the tables, and only those of a
// node that goes move.
func TestPlacement(t *testing.T) {
	const tables = 3000
	all := []string{"a", "b", "c"}
	share, moved := map[string]int{}, 0
	for i := range tables {
		room := wire.Room(fmt.Sprint("baccarat-", i))
		owner := rooms.OwnerAmong(room, all...)
		share[owner]++
		for _, gone := range all {
			rest := slices.DeleteFunc(slices.Clone(all), func(node string) bool { return node == gone })
			next := rooms.OwnerAmong(room, rest...)
			switch {
			case owner != gone && next != owner:
				t.Fatalf("%s moves from %s to %s when %s goes", room, owner, next, gone)
			case next != owner:
				moved++
			}
		}
	}
	for _, node := range all {
		if n := share[node]; n < tables/4 || n > tables/2 {
			t.Errorf("%s has %d of %d tables", node, n, tables)
		}
	}
	if moved != tables {
		t.Errorf("%d moved, and each of %d has one node", moved, tables)
	}
}
