package rooms_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
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
