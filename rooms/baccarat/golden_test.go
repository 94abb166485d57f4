package baccarat_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table/tabletest"
)

var update = flag.Bool("update", false, "write the log of the present version anew")

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
	tabletest.Goldens(t, rules, "testdata")
	data, err := os.ReadFile(fmt.Sprintf("testdata/log-v%d.json", rules.Version()))
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Version int
		Events  []struct{ Type string }
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, ev := range g.Events {
		types = append(types, ev.Type)
	}
	for _, typ := range baccarat.EventTypes() {
		if !slices.Contains(types, typ) {
			t.Errorf("the log of version %d has no %s", g.Version, typ)
		}
	}
}

// writeGolden plays a game in which each event happens, and each field of the state
// is used.
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
	for shoe := g.state.Shoe; g.state.Shoe == shoe; { // to its cut card, and behind
		g.goOn()
	}
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
	if err := tabletest.WriteGolden(rules, "testdata", g.log...); err != nil {
		t.Fatal(err)
	}
}
