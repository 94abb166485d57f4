package baccarat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// seen are the events that clients see.
func seen(log []table.Event) []table.Event {
	return slices.DeleteFunc(slices.Clone(log), func(ev table.Event) bool { return ev.Sealed || ev.To != nil })
}

func isGuest(uid string) bool { return strings.HasPrefix(uid, "guest-") }

// checked is what a checker says of a log.
func checked(log []table.Event) []*baccarat.ShoeReport {
	c := baccarat.NewChecker(isGuest)
	for i, ev := range log {
		c.Take(uint64(i+1), 0, ev.Type, ev.Payload)
	}
	return c.Reports()
}

func faults(reports []*baccarat.ShoeReport) (list []string) {
	for _, r := range reports {
		list = append(list, r.Faults...)
	}
	return list
}

// busyGame plays until a shoe has begun that often, with bets of all kinds, and
// what else may happen between them.
func busyGame(t *testing.T, seed uint64, cfg baccarat.Config, shoes int) *game {
	rng := rand.New(rand.NewPCG(seed, 14))
	g := newGame(t, cfg)
	g.seeds = seed << 32
	g.sit("ann")
	for g.state.Shoe < shoes {
		switch {
		case g.state.Phase == baccarat.Betting:
			for range rng.IntN(5) {
				uid := string('a' + rune(rng.IntN(6)))
				_, _ = g.send(guest(uid), "place_bet", fmt.Sprintf(`{"round":%d,"on":%q,"amount":%d}`, g.state.Round, baccarat.Spots[rng.IntN(5)], 20+20*rng.IntN(49)))
				_, _ = g.send(guest(uid), "refill", "")
			}
			switch rng.IntN(8) {
			case 0:
				_, _ = g.send(guest("a"), "clear_bets", fmt.Sprintf(`{"round":%d}`, g.state.Round))
			case 1:
				g.must(service(), "void", fmt.Sprintf(`{"round":%d,"reason":"x"}`, g.state.Round))
			case 2:
				g.now = g.state.ClosesAt - 100
				g.must(engine(""), table.TypeTookOver, "")
			}
		case cfg.Live && g.state.Phase == baccarat.Dealing && baccarat.NextCard(g.state.Player, g.state.Banker) != "":
			deal(t, g)
			continue
		case cfg.Live && g.state.Last && g.state.Phase != baccarat.Dealing:
			g.must(service(), "new_shoe", `{"first":"7C"}`)
		}
		if g.rules.Timer(g.state) != 0 {
			g.goOn()
		}
	}
	return g
}

// TestChecker finds nothing in what was played, from any point on.
func TestChecker(t *testing.T) {
	for _, live := range []bool{false, true} {
		g := busyGame(t, 1, baccarat.Config{Live: live}, 4)
		log := seen(g.log)
		reports := checked(log)
		if list := faults(reports); list != nil {
			t.Errorf("live %v: %s", live, strings.Join(list, "\n"))
		}
		if len(reports) != 4 || !reports[2].Whole || reports[3].Whole || reports[1].Live != live || reports[1].Rounds < 50 || reports[1].Bets < 50 || reports[1].Voided == 0 || reports[1].Cards < 350 {
			t.Errorf("live %v: %+v", live, reports[1])
		}
		for from := 0; from < len(log); from += 97 {
			if list := faults(checked(log[from:])); list != nil {
				t.Fatalf("live %v, from event %d on: %s", live, from, strings.Join(list, "\n"))
			}
		}
	}
}

// TestCheckerLate: of a shoe whose beginning is not in the log any more, what is
// left is checked, its cards by its seed too.
func TestCheckerLate(t *testing.T) {
	for _, live := range []bool{false, true} {
		log := seen(busyGame(t, 3, baccarat.Config{Live: live}, 2).log)
		end := slices.IndexFunc(log, func(ev table.Event) bool { return ev.Type == "shoe_ended" })
		opened := func(from int) int {
			return from + slices.IndexFunc(log[from:], func(ev table.Event) bool { return ev.Type == "round_opened" })
		}
		for _, from := range []int{1, end / 3, end / 2, end - 40} {
			var first struct{ Round int }
			if err := json.Unmarshal(log[opened(from)].Payload, &first); err != nil {
				t.Fatal(err)
			}
			reports := checked(log[from:])
			if len(reports) != 2 || reports[0].Faults != nil {
				t.Fatalf("live %v, from event %d on: %q", live, from, faults(reports))
			}
			if r := reports[0]; r.FromRound != first.Round || !r.Ended || r.Whole || r.Live != live || r.Cards < 4 || live == (r.Seed != nil) {
				t.Errorf("live %v, from event %d on, round %d: %+v", live, from, first.Round, r)
			}
		}
		from := opened(end / 2)
		missed := findable(t, log[from:], 1, end+1-from)
		for _, known := range notInTheLog {
			delete(missed, known)
		}
		if len(missed) > 0 {
			t.Errorf("live %v, not found: %v", live, missed)
		}
	}
}

// TestCheckerFinds: each number and each name that is changed in a log, and each
// event that is missing or comes twice, is found.
func TestCheckerFinds(t *testing.T) {
	log := seen(busyGame(t, 2, baccarat.Config{}, 2).log)
	missed := findable(t, log, 0, len(log)-2) // without the second shoe, of which nothing more is there
	for _, known := range append(notInTheLog, "shoe_started is missing") {
		delete(missed, known)
	}
	if len(missed) > 0 {
		t.Errorf("not found: %v", missed)
	}
}

// notInTheLog is what a log alone does not tell: when betting was to end, texts, on
// what a bet was that was given back, and all that came before the first shoe.
var notInTheLog = []string{"bet_placed .on",
	"round_opened .closes_at", "betting_extended .closes_at", "betting_extended is missing", "round_voided .reason",
	"betting_closed .next_at", "card_dealt .next_at", "round_settled .next_at", "round_voided .next_at"}

// findable forges the events of a log from one to another in all ways, and returns in
// which ones nothing was found.
func findable(t *testing.T, log []table.Event, from, upto int) (missed map[string]int) {
	t.Helper()
	missed, tried := map[string]int{}, map[string]int{}
	for i := from; i < upto; i++ {
		ev := log[i]
		if tried[ev.Type]++; tried[ev.Type] > 4 && tried[ev.Type]%16 != 0 {
			continue
		}
		for what, other := range forgeries(t, ev) {
			forged := slices.Clone(log)
			forged[i] = other
			if faults(checked(forged)) == nil {
				missed[ev.Type+" "+what]++
			}
		}
		if faults(checked(slices.Delete(slices.Clone(log), i, i+1))) == nil {
			missed[ev.Type+" is missing"]++
		}
		if ev.Type != "betting_extended" && ev.Type != "bet_placed" && faults(checked(slices.Insert(slices.Clone(log), i, ev))) == nil {
			missed[ev.Type+" comes twice"]++
		}
	}
	return missed
}

// forgeries are an event with one value changed, by where.
func forgeries(t *testing.T, ev table.Event) map[string]table.Event {
	t.Helper()
	var payload any
	dec := json.NewDecoder(bytes.NewReader(ev.Payload))
	dec.UseNumber()
	if err := dec.Decode(&payload); err != nil {
		t.Fatal(err)
	}
	list := map[string]table.Event{}
	forge(payload, "", func(v any) { payload = v }, func(where string) {
		data, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		list[where] = table.Event{Type: ev.Type, Payload: data}
	})
	return list
}

// forge changes each value below v in turn, and puts it back.
func forge(v any, where string, set func(any), done func(where string)) {
	change := func(other any) { set(other); done(where); set(v) }
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			forge(inner, where+"."+key, func(other any) { v[key] = other }, done)
		}
	case []any:
		for i, inner := range v {
			forge(inner, where+"[]", func(other any) { v[i] = other }, done)
		}
	case json.Number:
		n, _ := v.Int64()
		change(n + 20)
	case bool:
		change(!v)
	case string:
		switch {
		case len(v) == 2:
			change(map[bool]string{true: "9H", false: "8D"}[v != "9H"])
		case len(v) == 64:
			change(strings.Repeat("ab", 32))
		case slices.Contains(baccarat.Spots[:], baccarat.Spot(v)):
			change(string(baccarat.Spots[(slices.Index(baccarat.Spots[:], baccarat.Spot(v))+1)%5]))
		default:
			change("zoe")
		}
	}
}
