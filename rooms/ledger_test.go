package rooms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// ledger are rules for the tests: it counts what is added, and notes who comes and
// goes. Nobody whose uid is barred may join, and nobody at all once it is shut.
type ledger struct{}

// ledgerState is all that is known of one; everybody sees it.
type ledgerState struct {
	Total int             `json:"total"`
	Moves []string        `json:"moves"` // "+uid" and "-uid"
	Shut  bool            `json:"shut"`
	Label json.RawMessage `json:"label,omitempty"`
}

func ledgers(c *rooms.Config) {
	c.Tables = []rooms.Hosting{{Rooms: "ledger-*", Game: table.Of[ledgerState](ledger{})}}
}

func (ledger) Version() int                         { return 1 }
func (ledger) New() ledgerState                     { return ledgerState{Moves: []string{}} }
func (ledger) Timer(ledgerState) int64              { return 0 }
func (ledger) Busy(ledgerState) bool                { return false }
func (ledger) View(s ledgerState, _ string) any     { return s }
func (ledger) Encode(s ledgerState) ([]byte, error) { return json.Marshal(s) }

func (ledger) Decode(_ int, data []byte) (s ledgerState, err error) {
	return s, json.Unmarshal(data, &s)
}

func (ledger) Admit(s ledgerState, u table.User) error {
	if s.Shut || u.UID == "barred" {
		return table.Refuse("not you, %s", u.UID)
	}
	return nil
}

func (ledger) Label(s ledgerState) any {
	if s.Label == nil {
		return nil
	}
	return s.Label
}

func (ledger) Decide(_ ledgerState, c table.Command) ([]table.Event, error) {
	switch c.Type {
	case table.TypeJoined:
		return []table.Event{table.Happened("moved", "+"+c.User.UID)}, nil
	case table.TypeLeft:
		return []table.Event{table.Happened("moved", "-"+c.User.UID)}, nil
	case "add":
		return []table.Event{table.Happened("added", 1)}, nil
	case "shut", "label":
		return []table.Event{{Type: c.Type, Payload: c.Payload}}, nil
	}
	return nil, nil
}

func (ledger) Apply(s ledgerState, ev table.Event) (ledgerState, error) {
	switch ev.Type {
	case "added":
		s.Total++
	case "moved":
		var move string
		if err := json.Unmarshal(ev.Payload, &move); err != nil {
			return s, err
		}
		s.Moves = append(slices.Clone(s.Moves), move)
	case "shut":
		s.Shut = true
	case "label":
		s.Label = ev.Payload
	}
	return s, nil
}

// ledgerOf is the state that a room_joined carries.
func ledgerOf(t testing.TB, joined wire.Event) (s ledgerState, at uint64) {
	t.Helper()
	var p wire.RoomJoined
	if err := json.Unmarshal(joined.Payload, &p); err != nil {
		t.Fatal(err)
	}
	if p.State == nil || p.StateSeq == 0 && p.Now == 0 {
		t.Fatalf("a room_joined without a state: %s", joined.Payload)
	}
	if err := json.Unmarshal(p.State, &s); err != nil {
		t.Fatal(err)
	}
	return s, p.StateSeq
}

// audit is a ledger as it is now, seen from a node by somebody of whom it keeps no
// note.
func audit(t testing.TB, eng *rooms.Engine, room wire.Room) ledgerState {
	t.Helper()
	m := newMember("audit")
	if err := eng.Join(within(t), room, m, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	defer eng.Leave(room, m, rooms.LeaveClosed)
	s, _ := ledgerOf(t, m.events(wire.TypeRoomJoined)[0])
	s.Moves = slices.DeleteFunc(s.Moves, func(move string) bool { return move[1:] == m.user.UID })
	return s
}

// awaitTotal waits until a ledger, seen from a node, has what was acknowledged; it
// has no more.
func awaitTotal(t testing.TB, eng *rooms.Engine, room wire.Room, acked int) {
	t.Helper()
	has := 0
	eventually(t, fmt.Sprint("the ledger has ", acked), func() bool { has = audit(t, eng, room).Total; return has >= acked })
	if has != acked {
		t.Errorf("the ledger has %d, and %d were acknowledged", has, acked)
	}
}

// awaitMoves waits until a ledger has noted these, and no others but the auditor's.
func awaitMoves(t testing.TB, eng *rooms.Engine, room wire.Room, want ...string) {
	t.Helper()
	var last []string
	defer func() {
		if t.Failed() {
			t.Logf("noted %v, want %v", last, want)
		}
	}()
	eventually(t, fmt.Sprint("the ledger has noted ", want), func() bool {
		last = audit(t, eng, room).Moves
		return slices.Equal(last, want)
	})
}

// joinAs makes a new member of a user.
func joinAs(t testing.TB, eng *rooms.Engine, room wire.Room, session, uid string) *member {
	t.Helper()
	m := newMember(session)
	m.user = wire.User{UID: uid, Username: uid}
	if err := eng.Join(within(t), room, m, "", rooms.Since{}); err != nil {
		t.Fatalf("%s joins %s: %v", uid, room, err)
	}
	return m
}

var service = table.User{From: table.FromService}
