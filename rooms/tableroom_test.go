package rooms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestTableIsARoom: who is at a table, its history and a resume are on each node
// what they are for any room.
func TestTableIsARoom(t *testing.T) {
	const room = "ledger-1"
	engines := nodesOf(t, func(c *rooms.Config) { ledgers(c); c.PresenceGrace = 0 }, "a", "b", "c")
	for name, eng := range engines {
		joinAs(t, eng, room, "s-"+name, "u-"+name)
	}
	owner, _ := split(t, engines, room)
	eventually(t, "all are there", func() bool { // first, as each audit writes to the history
		online, err := owner.Online(within(t), room, "", 0)
		return err == nil && online.Count == 3
	})
	awaitMoves3 := func() bool { s := audit(t, owner, room); return len(s.Moves) == 3 }
	eventually(t, "the rules know of all", awaitMoves3)
	var seqs []uint64
	for i := range 5 {
		for _, eng := range engines {
			d, err := command(t, eng, room, fmt.Sprint("add-", i, eng.Node()), service, "add", "")
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, d)
		}
	}
	for name, eng := range engines {
		eventually(t, name+" knows who is there", func() bool {
			online, err := eng.Online(within(t), room, "", 0)
			return err == nil && online.Count == 3 && online.List[0].UID == "u-a"
		})
		eventually(t, name+" has the history", func() bool { // the auditor's going is decided when it is
			page, err := eng.History(within(t), room, 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			var added []uint64
			for _, body := range page.Events {
				var ev wire.Event
				if err := json.Unmarshal(body, &ev); err != nil {
					t.Fatal(err)
				}
				if ev.Type == "added" {
					added = append(added, ev.Seq)
				}
			}
			return slices.Equal(added, seqs) && !page.More
		})
		m := newMember("back-" + name)
		if err := eng.Join(within(t), room, m, "j", fromOf(eng, room, seqs[9])); err != nil {
			t.Fatal(err)
		}
		joined := m.events(wire.TypeRoomJoined)[0]
		var p wire.RoomJoined
		if err := json.Unmarshal(joined.Payload, &p); err != nil || !p.Recovered || p.Seq != seqs[9] || p.StateSeq < seqs[14] {
			t.Errorf("%s: resumed with %s, %v", name, joined.Payload, err)
		}
		m.awaitSeq(t, seqs[14])
		var got []uint64
		for _, ev := range m.events("added") {
			got = append(got, ev.Seq)
		}
		if !slices.Equal(got, seqs[10:]) {
			t.Errorf("%s: replayed %v, want %v", name, got, seqs[10:])
		}
		eng.Leave(room, m, rooms.LeaveAsked)
		other := newMember("lost-" + name)
		if err := eng.Join(within(t), room, other, "j", rooms.Since{Position: &wire.Position{Epoch: "another", Seq: seqs[9]}}); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(other.events(wire.TypeRoomJoined)[0].Payload, &p); err != nil || p.Recovered || other.totalOf(t) != len(seqs) {
			t.Errorf("%s: resumed in another log with %+v, %v, and counts %d", name, p, err, other.totalOf(t))
		}
		eng.Leave(room, other, rooms.LeaveAsked)
	}
}
