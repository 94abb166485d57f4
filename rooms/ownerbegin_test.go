package rooms_test

import (
	"fmt"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestMaxTables: no more tables begin than may, and guests begin half of them; who
// would begin one more is told so, and the tables that there are go on, on a node
// that starts later as well. What a service has injected for a table that may not
// begin is taken when it may.
func TestMaxTables(t *testing.T) {
	const most = 4
	srv := startServer(t)
	bounded := func(c *rooms.Config) { tallies(sums{})(c); c.MaxTables = most }
	eng := startEngine(t, srv, bounded)
	aGuest := table.User{From: table.FromUser, UID: wire.GuestPrefix + "1", Guest: true}
	addAs := func(eng *rooms.Engine, who table.User, i int) error {
		_, err := command(t, eng, wire.Room(fmt.Sprint("tally-", i)), "", who, "add", "1")
		return err
	}
	refused := int64(0)
	busy := func(eng *rooms.Engine, what string, err error) {
		t.Helper()
		if err == nil || wire.AsError(err).Code != wire.Busy {
			t.Errorf("%s is answered %v", what, err)
		}
		if refused++; eng.TableStats().RefusedNew.Load() != refused {
			t.Errorf("%d are counted, want %d", eng.TableStats().RefusedNew.Load(), refused)
		}
	}
	begin := func(name string, who table.User, i int) {
		eventually(t, fmt.Sprint(name, " begins table ", i), func() bool {
			err := addAs(eng, who, i)
			if err != nil && wire.AsError(err).Code == wire.Busy { // the one before counts twice: see TablesBegun
				refused++
				return false
			}
			if err != nil {
				t.Fatal(err)
			}
			return true
		})
	}
	for i := range most / 2 {
		begin("a guest", aGuest, i)
	}
	busy(eng, "a guest's command at one more", addAs(eng, aGuest, 2))
	guest := newMember("g")
	guest.user.UID = aGuest.UID
	busy(eng, "a guest who joins one more", eng.Join(within(t), "tally-2", guest, "", rooms.Since{}))
	for i := 2; i < most; i++ {
		begin("a service", aService, i)
	}
	for i := range most {
		if err := addAs(eng, aGuest, i); err != nil {
			t.Errorf("a guest at table %d, which there is: %v", i, err)
		}
	}
	busy(eng, "a service's command at one more", addAs(eng, aService, most))
	busy(eng, "a user who joins one more", eng.Join(within(t), "tally-4", newMember("m"), "", rooms.Since{}))
	inject(t, outsider(t, srv), "room.tally-4.event", `{"type":"add","payload":7}`)
	closeEngine(t, eng)

	eng, refused = startEngine(t, srv, bounded), 0
	busy(eng, "a command at one more, after a restart,", addAs(eng, aService, most))
	if err := addAs(eng, aGuest, 0); err != nil {
		t.Errorf("a guest at a table that there is, after a restart: %v", err)
	}
	closeEngine(t, eng)

	eng = startEngine(t, srv, func(c *rooms.Config) { bounded(c); c.MaxTables = most + 1 })
	add(t, eng, "tally-4", 1)
	eventually(t, "what was injected is taken", func() bool { return tallyOf(t, eng, "tally-4").Sum == 8 })
	closeEngine(t, eng)

	eng = startEngine(t, srv, func(c *rooms.Config) { bounded(c); c.MaxTables = 0 })
	add(t, eng, "tally-5", 1)
}
