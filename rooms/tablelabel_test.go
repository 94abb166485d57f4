package rooms_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// ruleLabel has the rules of a ledger make a label.
func ruleLabel(t testing.TB, eng *rooms.Engine, room wire.Room, label string) {
	t.Helper()
	acknowledged(t, eng, room, service, "label", label)
}

// awaitLabel waits until the lobbies of all nodes, and their lists, show a label.
func awaitLabel(t testing.TB, engines map[string]*rooms.Engine, room wire.Room, want string) {
	t.Helper()
	for name, eng := range engines {
		last := ""
		defer func() {
			if t.Failed() {
				t.Logf("%s shows %s, want %s", name, last, want)
			}
		}()
		eventually(t, name+" shows "+want, func() bool {
			inLobby, err := eng.Lobby(within(t), lobby.Query{})
			list, err2 := eng.Rooms(within(t), lobby.Query{}, 1<<20)
			if err != nil || err2 != nil {
				return false // a node that was killed is asked too, until it is known to be gone
			}
			last = fmt.Sprint(inLobby.List, list.Rooms)
			for _, in := range inLobby.List {
				for _, r := range list.Rooms {
					if in.Name == string(room) && r.Name == room && string(in.Label) == want && string(r.Label) == want {
						return true
					}
				}
			}
			return want == "" && len(inLobby.List) == 0
		})
	}
}

// TestTableLabel: what the rules make of a table stands in the lobby, also after
// the node that decides was lost; one that is too large leaves the one before.
func TestTableLabel(t *testing.T) {
	const room = "ledger-1"
	engines := nodesOf(t, func(c *rooms.Config) { ledgers(c); c.Heartbeats(300 * time.Millisecond) }, "a", "b", "c")
	owner, others := split(t, engines, room)
	joinAs(t, others[0], room, "s1", "ann")
	ruleLabel(t, others[0], room, `{"round":1}`)
	awaitLabel(t, engines, room, `{"round":1}`)
	if err := others[0].SetLabel(within(t), room, []byte(`{"round":"mine"}`)); err == nil || wire.AsError(err).Code != wire.BadRoom {
		t.Errorf("a program sets a table's label: %v", err)
	}
	ruleLabel(t, others[0], room, `"`+strings.Repeat("x", wire.MaxLabelBytes)+`"`)
	eventually(t, "it is refused", func() bool { return owner.Stats().LabelsRefused.Load() == 1 })
	ruleLabel(t, others[0], room, `{"round":2}`)
	awaitLabel(t, engines, room, `{"round":2}`)
	for name, eng := range engines {
		if eng == owner {
			delete(engines, name)
		}
	}
	owner.Kill()
	eventually(t, "somebody decides", func() bool {
		_, err := command(t, others[0], room, "", service, "label", `{"round":3}`)
		return err == nil
	})
	awaitLabel(t, engines, room, `{"round":3}`)
}

// TestLabelOfNobodysTable: a table at which nobody is and nothing happens has none.
func TestLabelOfNobodysTable(t *testing.T) {
	const room = "ledger-1"
	eng, _ := start(t, func(c *rooms.Config) {
		ledgers(c)
		c.IdleAfter, c.PresenceGrace, c.PresenceInterval = 300*time.Millisecond, 0, 20*time.Millisecond
	})
	m := joinAs(t, eng, room, "s1", "ann")
	ruleLabel(t, eng, room, `"open"`)
	engines := map[string]*rooms.Engine{"the node": eng}
	awaitLabel(t, engines, room, `"open"`)
	eng.Leave(room, m, rooms.LeaveAsked)
	awaitLabel(t, engines, room, "")
	eventually(t, "the table is put away", func() bool { return eng.TablesOwned() == 0 })
	joinAs(t, eng, room, "s2", "bob")
	awaitLabel(t, engines, room, `"open"`)
}

// TestLabelOfATableThatIsLookedAt: who only asks how a table is does not keep its
// label in the lobby.
func TestLabelOfATableThatIsLookedAt(t *testing.T) {
	const room = "ledger-1"
	eng, _ := start(t, func(c *rooms.Config) {
		ledgers(c)
		c.IdleAfter, c.PresenceGrace, c.PresenceInterval = 300*time.Millisecond, 0, 20*time.Millisecond
	})
	m := joinAs(t, eng, room, "s1", "ann")
	ruleLabel(t, eng, room, `"open"`)
	awaitLabel(t, map[string]*rooms.Engine{"the node": eng}, room, `"open"`)
	eng.Leave(room, m, rooms.LeaveAsked)
	eventually(t, "the label is removed", func() bool {
		_, err := eng.InspectTable(within(t), room)
		return err == nil && eng.Label(room) == nil
	})
}

// resting are tables that show a label from the beginning.
type resting struct{ sums }

func (resting) Label(*tallied) any { return "resting" }

func restings(c *rooms.Config) {
	c.Tables = []rooms.Hosting{{Rooms: "tally-*", Game: table.Of(resting{})}}
}

// TestNoLabelBeforeATableBegins: who is refused where he would begin a table, or
// only asks how it is, puts it in nobody's list, and a table that refused is unloaded
// without waiting until it was idle for long.
func TestNoLabelBeforeATableBegins(t *testing.T) {
	for name, most := range map[string]int64{"guests have begun theirs": 3, "all have begun": 1} {
		t.Run(name, func(t *testing.T) {
			eng, _ := start(t, func(c *rooms.Config) { restings(c); c.MaxTables, c.IdleAfter = most, time.Hour })
			begun := int64(0)
			for ; begun < (most+1)/2; begun++ {
				add(t, eng, wire.Room(fmt.Sprint("tally-", begun)), 1)
			}
			owned := eng.TablesOwned()
			set := func() int64 { return eng.Stats().LabelsSet.Load() }
			eventually(t, "those that have begun have labels", func() bool { return set() == begun })
			for i := range 20 {
				m := newMember(fmt.Sprint("g", i))
				m.user.UID = wire.GuestPrefix + m.id
				room := wire.Room(fmt.Sprint("tally-9", i))
				if err := eng.Join(within(t), room, m, "", rooms.Since{}); err == nil || wire.AsError(err).Code != wire.Busy {
					t.Fatalf("a guest's join is answered %v", err)
				}
			}
			eventually(t, "the tables that refused are unloaded", func() bool { return eng.TablesOwned() == owned })
			if _, err := eng.InspectTable(within(t), "tally-77"); err != nil {
				t.Error("a table that has not begun:", err)
			}
			if list, err := eng.Rooms(within(t), lobby.Query{}, 1<<20); err != nil || int64(len(list.Rooms)) != begun {
				t.Errorf("listed are %v, %v", list.Rooms, err)
			}
			if n := set(); n != begun {
				t.Errorf("%d labels were stored, want %d", n, begun)
			}
		})
	}
}

// TestInspectedTableIsNotListed: who only asks how a table is at which nobody is
// does not have its label stored again.
func TestInspectedTableIsNotListed(t *testing.T) {
	const room = "tally-1"
	srv := startServer(t)
	eng := startEngine(t, srv, tallies(sums{}))
	add(t, eng, room, 1)
	closeEngine(t, eng)
	eng = startEngine(t, srv, func(c *rooms.Config) { restings(c); c.IdleAfter = 300 * time.Millisecond })
	if _, err := eng.InspectTable(within(t), room); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is unloaded", func() bool { return eng.TablesOwned() == 0 })
	if n := eng.Stats().LabelsSet.Load(); n != 0 {
		t.Errorf("%d labels were stored or removed", n)
	}
	add(t, eng, room, 1)
	eventually(t, "something has happened there", func() bool { return eng.Stats().LabelsSet.Load() > 0 })
}

// TestLabelOfALostOwner: the label of a table whose owner was lost before it could
// put it away is removed by the next, although nobody comes: of one that has begun
// and of one that has not.
func TestLabelOfALostOwner(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, tallies(sums{}))
	add(t, eng, "tally-1", 1)
	closeEngine(t, eng)
	lists := []wire.Room{"tally-1", "tally-2"}
	eng = startEngine(t, srv, func(*rooms.Config) {}) // to it they are no tables
	for _, room := range lists {
		if err := eng.SetLabel(within(t), room, []byte(`"resting"`)); err != nil {
			t.Fatal(err)
		}
	}
	closeEngine(t, eng)
	eng = startEngine(t, srv, func(c *rooms.Config) {
		restings(c)
		c.IdleAfter = 300 * time.Millisecond
		c.Heartbeats(100 * time.Millisecond)
	})
	for _, room := range lists {
		eventually(t, "the label of "+string(room)+" is removed", func() bool { return eng.Label(room) == nil })
	}
}

// TestLabelsOfTablesTakeHalf: however many tables there are, programs and services
// can set labels.
func TestLabelsOfTablesTakeHalf(t *testing.T) {
	const most = 4
	eng, _ := start(t, func(c *rooms.Config) { restings(c); c.Labels(most) })
	stats := eng.TableStats()
	for i := range most + 1 {
		add(t, eng, wire.Room(fmt.Sprint("tally-", i)), 1)
	}
	eventually(t, "tables have half", func() bool {
		return eng.Stats().LabelsSet.Load() == most/2 && stats.Unlabelled.Load() >= most/2+1
	})
	for i := range most / 2 {
		if err := eng.SetLabel(within(t), wire.Room(fmt.Sprint("hall-", i)), []byte(`"open"`)); err != nil {
			t.Errorf("the site's label %d: %v", i, err)
		}
	}
	if err := eng.SetLabel(within(t), "hall-9", []byte(`"open"`)); err == nil || wire.AsError(err).Code != wire.Busy {
		t.Errorf("one more is answered %v", err)
	}
	list, err := eng.Rooms(within(t), lobby.Query{}, 1<<20)
	labelled := 0
	for _, r := range list.Rooms {
		if r.Label != nil {
			labelled++
		}
	}
	if err != nil || labelled != most {
		t.Errorf("%d rooms have a label, %v: %v", labelled, err, list.Rooms)
	}
}

// TestRemovedLabelsOfTables: the mark of a removed label takes its place in the
// bucket until it is gone, and then another table may have it.
func TestRemovedLabelsOfTables(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { restings(c); c.Labels(4); c.IdleAfter = 300 * time.Millisecond })
	set, refused := &eng.Stats().LabelsSet, &eng.TableStats().Unlabelled
	add(t, eng, "tally-0", 1)
	add(t, eng, "tally-1", 1)
	eventually(t, "two labels are stored and removed", func() bool { return set.Load() >= 4 })
	add(t, eng, "tally-2", 1)
	eventually(t, "a third has no place", func() bool { return refused.Load() > 0 })
	before := set.Load()
	eng.AgeLabels()
	eventually(t, "it has one", func() bool {
		add(t, eng, "tally-2", 1)
		return set.Load() > before
	})
}
