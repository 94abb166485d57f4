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

// TestNodesThatHostOtherTables: each of two nodes notices that the other one has other
// tables, or settings, until that one is gone.
func TestNodesThatHostOtherTables(t *testing.T) {
	srv := startServer(t)
	hosting := func(settings string) func(*rooms.Config) {
		return func(c *rooms.Config) { ledgers(c); c.Tables[0].Settings = settings }
	}
	a, b := startNode(t, srv, "a", hosting("bets 15 s")), startNode(t, srv, "b", hosting("bets 15 s"))
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	if a.TablesDiffer()+b.TablesDiffer() != 0 {
		t.Error("two that host the same differ")
	}
	c := startNode(t, srv, "c", hosting("bets 20 s"))
	eventually(t, "all notice", func() bool {
		return a.TablesDiffer() == 1 && b.TablesDiffer() == 1 && c.TablesDiffer() == 2
	})
	c.Kill()
	eventually(t, "it is forgotten", func() bool { return a.TablesDiffer()+b.TablesDiffer() == 0 })
	d := startNode(t, srv, "d", nil) // no tables
	eventually(t, "none are others", func() bool { return d.TablesDiffer() == 2 && a.TablesDiffer() == 1 })
}
