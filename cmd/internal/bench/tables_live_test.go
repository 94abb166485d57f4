//go:build linux

package bench

import "testing"

// Tables and rooms of one server, in turn, lose nothing; nor on two nodes.
func TestTables(t *testing.T) {
	for name, change := range map[string]func(*Command){
		"chat":                     func(*Command) {},
		"without ids":              func(c *Command) { c.NoIDs = true },
		"on the node that decides": func(c *Command) { c.Nodes, c.NATS, c.Sender = 2, 1, Owner },
		"on another node":          func(c *Command) { c.Nodes, c.NATS, c.Sender = 2, 1, Other },
		"bets":                     func(c *Command) { c.Play, c.Rooms, c.Publishers = Bets, 2, 6 },
	} {
		t.Run(name, func(t *testing.T) {
			c := quick(Table)
			c.Members, c.Ahead = 4, 4
			c.Repeat = 1
			if change(c); c.Play == Bets {
				c.Settle = 0 // the mode's: a table opens its round when it has heard of who is there
			}
			built(t, roomdName)
			p, err := shop.roomd(t.Context(), programs[roomdName].path, c.tableFlags(), c.Nodes, c.NATS)
			if err != nil {
				t.Fatal(err)
			}
			results, rows := runJSONOn(t, c, tablesAndRooms(p)...)
			if len(results) != 2*c.rounds() || len(rows) == 0 {
				t.Fatalf("%d results, rows %v", len(results), rows)
			}
			for _, res := range results {
				positive(t, res, "messages", "deliveries", "cpu_us_per_message", "p50_ms")
				if !c.NoIDs {
					positive(t, res, "ack_p50_ms", "ack_p99_ms")
				}
				if res["refused"] != 0.0 {
					t.Errorf("%v refused %v", res["server"], res["first_refusal"])
				}
			}
		})
	}
}
