package baccarat_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

var update = flag.Bool("update", false, "write the log of the present version anew")

// golden is a log that a version of these rules has written, and the states that
// it led to.
type golden struct {
	Version int             `json:"version"`
	Events  []goldenEvent   `json:"events"`
	Middle  int             `json:"middle"` // how many events State was made of
	State   json.RawMessage `json:"state"`
	End     json.RawMessage `json:"end"`
}

type goldenEvent struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// TestGoldens: what earlier versions have written is understood, and means what it
// meant. A change that fails this needs another Version, a file of its own, and
// Apply and Decode that know both.
func TestGoldens(t *testing.T) {
	rules := baccarat.New(baccarat.Config{})
	if *update {
		writeGolden(t, rules)
	}
	names, err := filepath.Glob("testdata/log-v*.json")
	if err != nil || len(names) != rules.Version() {
		t.Fatalf("%v are the logs of %d versions, %v", names, rules.Version(), err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(data, &g); err != nil {
			t.Fatal(err)
		}
		if got := replayed(t, rules, rules.New(), g.Events); got != compact(t, g.End) {
			t.Errorf("%s leads to\n%s\nwant\n%s", name, got, compact(t, g.End))
		}
		state, err := rules.Decode(g.Version, g.State)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := replayed(t, rules, state, g.Events[g.Middle:]); got != compact(t, g.End) {
			t.Errorf("%s, from its snapshot, leads to\n%s\nwant\n%s", name, got, compact(t, g.End))
		}
		if g.Version != rules.Version() {
			continue
		}
		var types []string
		for _, ev := range g.Events {
			types = append(types, ev.Type)
		}
		for _, typ := range baccarat.EventTypes() {
			if !slices.Contains(types, typ) {
				t.Errorf("%s has no %s", name, typ)
			}
		}
	}
}

func replayed(t *testing.T, rules baccarat.Rules, state *baccarat.State, events []goldenEvent) string {
	t.Helper()
	for i, ev := range events {
		var err error
		if state, err = rules.Apply(state, table.Event{Type: ev.Type, Payload: ev.Payload}); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	data, err := rules.Encode(state)
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, data)
}

func compact(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// writeGolden plays a game in which each event happens.
func writeGolden(t *testing.T, rules baccarat.Rules) {
	t.Helper()
	g := newGame(t, baccarat.Config{})
	leave := guest("guest-cy")
	leave.From = table.FromEngine
	g.sit("ann")
	g.bet("ann", baccarat.Banker, 100)
	g.bet("ann", baccarat.Tie, 20)
	g.bet("bob", baccarat.Player, 2000)
	g.must(guest("guest-cy"), "place_bet", `{"round":1,"on":"banker_pair","amount":40}`)
	g.must(user("bob"), "clear_bets", `{"round":1}`)
	g.must(user("bob"), "send_message", `{"message":"good luck"}`)
	g.must(leave, table.TypeLeft, "")
	g.now = g.state.ClosesAt - 100
	g.must(engine(""), table.TypeTookOver, "")
	g.until("round_settled")
	middle, state := len(g.log), g.snapshot()
	g.must(leave, table.TypeJoined, "")
	g.must(leave, table.TypeLeft, "")
	g.until("round_opened")
	g.bet("ann", baccarat.PlayerPair, 60)
	g.until("card_dealt")
	g.must(service(), "void", `{"round":2,"reason":"a card fell"}`)
	g.must(service(), "pause", `{"reason":"tea"}`)
	g.goOn()
	g.must(service(), "new_shoe", "")
	g.must(service(), "resume", "")
	for _, rare := range []table.Event{
		table.Happened("refilled", map[string]any{"uid": "zoe", "stack": 10_000}), table.Happened("forgotten", map[string]any{"uids": []string{"guest-cy"}}),
	} {
		var err error
		if g.state, err = rules.Apply(g.state, rare); err != nil {
			t.Fatal(err)
		}
		g.log = append(g.log, rare)
	}
	g.rules = baccarat.New(baccarat.Config{Live: true})
	g.until("round_settled")
	g.goOn()
	g.goOn()
	deal(t, g)
	deal(t, g)
	out := golden{Version: rules.Version(), Middle: middle, State: state, End: g.snapshot()}
	for _, ev := range g.log {
		out.Events = append(out.Events, goldenEvent{ev.Type, ev.Payload})
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("testdata/log-v%d.json", rules.Version()), append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
