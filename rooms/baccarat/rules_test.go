package baccarat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

func types(events []table.Event) (list []string) {
	for _, ev := range events {
		list = append(list, ev.Type)
	}
	return list
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestRound is one round as a player sees it.
func TestRound(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	same(t, "phase of an empty table", g.view("ann").Phase, baccarat.Resting)
	same(t, "the first to come", types(g.must(engine("ann"), table.TypeJoined, "")), []string{"shoe_seeded", "shoe_started", "round_opened"})
	same(t, "closes in", g.view("ann").ClosesAt-g.now, 15_000)
	same(t, "ann has", g.stack("ann"), 10_000)
	g.bet("ann", baccarat.Banker, 100)
	g.bet("ann", baccarat.Banker, 40)
	g.bet("ann", baccarat.Tie, 20)
	g.bet("bob", baccarat.Player, 2000)
	same(t, "ann has", g.stack("ann"), 9_840)
	same(t, "on banker she has", g.view("ann").Me.Bets[baccarat.Banker], 140)
	same(t, "of others she sees", g.view("ann").Totals[baccarat.Player], 2000)
	cleared := g.must(user("bob"), "clear_bets", `{"round":1}`)
	if !strings.Contains(string(cleared[0].Payload), `"bets":{"player":2000}`) {
		t.Errorf("who has the totals cannot follow them: %s", cleared[0].Payload)
	}
	same(t, "bob has", g.stack("bob"), 10_000)
	g.refused(user("bob"), "clear_bets", `{"round":1}`)

	closed := g.goOn()
	same(t, "then", types(closed), []string{"betting_closed"})
	if !strings.Contains(string(closed[0].Payload), `"totals":{"banker":140,"tie":20}`) {
		t.Errorf("closed with %s", closed[0].Payload)
	}
	var settled table.Event
	for at := g.now; settled.Type == ""; at = g.now {
		ev := g.goOn()[0]
		same(t, "time between two cards", g.now-at, 1000)
		if ev.Type == "round_settled" {
			settled = ev
		}
	}
	v := g.view("ann")
	same(t, "phase", v.Phase, baccarat.Settled)
	same(t, "results", len(v.Results), 1)
	want := 9_840 + baccarat.ResultOf(1, v.Player, v.Banker).Paid(baccarat.Banker, 140) + baccarat.ResultOf(1, v.Player, v.Banker).Paid(baccarat.Tie, 20)
	same(t, "ann has", v.Me.Stack, want)
	same(t, "after", types(g.goOn()), []string{"round_opened"})
	same(t, "bets of the new round", len(g.view("ann").Me.Bets), 0)
}

// TestRefused: what is not allowed changes nothing.
func TestRefused(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.refused(user("ann"), "place_bet", `{"round":0,"on":"player","amount":20}`) // none is open
	g.sit("ann")
	g.bet("ann", baccarat.Player, 9_980)
	for _, payload := range []string{
		``, `{}`, `[]`, `{"round":1}`, `{"round":1,"on":"player"}`,
		`{"round":2,"on":"player","amount":20}`, `{"round":0,"on":"player","amount":20}`,
		`{"round":1,"on":"dragon","amount":20}`, `{"round":1,"on":"","amount":20}`,
		`{"round":1,"on":"tie","amount":30}`, `{"round":1,"on":"tie","amount":-20}`, `{"round":1,"on":"tie","amount":0}`,
		`{"round":1,"on":"tie","amount":20.5}`, `{"round":1,"on":"tie","amount":"20"}`, `{"round":1,"on":"tie","amount":1e300}`,
		`{"round":1,"on":"tie","amount":9223372036854775800}`, `{"round":1,"on":"tie","amount":-9223372036854775800}`,
		`{"round":1,"on":"tie","amount":40}`,    // more than she has
		`{"round":1,"on":"player","amount":40}`, // more than the limit
		`{"round":1,"on":"banker","amount":20,"round":2}`,
	} {
		g.refused(user("ann"), "place_bet", payload)
	}
	g.refused(user("bob"), "place_bet", `{"round":1,"on":"tie","amount":1020}`)
	g.refused(user("ann"), "refill", "") // she has 20, and 9,980 on the table
	g.refused(user("ann"), "deal", `{"card":"8H"}`)
	g.refused(user("ann"), "joined", "")
	g.refused(user("ann"), "timer", "")
	g.refused(user("ann"), "send_message", `{"message":" "}`)
	g.refused(service(), "place_bet", `{"round":1,"on":"tie","amount":20}`)
	g.refused(service(), "deal", `{"card":"8H"}`) // it deals itself
	g.refused(service(), "void", `{"round":7,"reason":"x"}`)
	g.refused(service(), "new_shoe", "")
	g.refused(service(), "pause", "")
	g.refused(service(), "what", "")
	g.now = g.state.ClosesAt
	g.refused(user("ann"), "place_bet", `{"round":1,"on":"tie","amount":20}`) // the timer is late, the clock counts
	g.refused(user("ann"), "clear_bets", `{"round":1}`)
}

// TestLimits: with limits of one's own, a first bet reaches the least.
func TestLimits(t *testing.T) {
	g := newGame(t, baccarat.Config{Limits: map[baccarat.Spot]baccarat.Limit{baccarat.Player: {Min: 100, Max: 200}}})
	g.sit("ann")
	g.refused(user("ann"), "place_bet", `{"round":1,"on":"player","amount":80}`)
	g.bet("ann", baccarat.Player, 100)
	g.bet("ann", baccarat.Player, 20)
	g.refused(user("ann"), "place_bet", `{"round":1,"on":"player","amount":100}`)
	g.bet("ann", baccarat.Tie, 1000)
}

// TestRests: a round that is open is played to its end, then an empty table rests
// until somebody comes.
func TestRests(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	g.bet("ann", baccarat.Player, 100)
	g.present = 0
	g.must(engine("ann"), table.TypeLeft, "")
	g.until("round_settled")
	same(t, "after the round", types(g.goOn()), []string{"rested"})
	same(t, "due", g.rules.Timer(g.state), 0)
	same(t, "busy", g.rules.Busy(g.state), false)
	g.present = 1
	same(t, "somebody comes", types(g.must(engine("bob"), table.TypeJoined, "")), []string{"round_opened"})
	same(t, "the next to come", len(g.must(engine("cy"), table.TypeJoined, "")), 0)
	same(t, "round", g.state.Round, 2)
}

// TestPause: the round is played to its end, then nothing is opened until resume.
func TestPause(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	g.must(service(), "pause", `{"reason":"a new dealer sits down"}`)
	same(t, "the same again", len(g.must(service(), "pause", `{"reason":"a new dealer sits down"}`)), 0)
	g.bet("ann", baccarat.Tie, 20)
	g.until("round_settled")
	paused := g.goOn()
	same(t, "then", types(paused), []string{"rested"})
	same(t, "because", string(paused[0].Payload), `{"reason":"a new dealer sits down"}`)
	same(t, "somebody comes", len(g.must(engine("bob"), table.TypeJoined, "")), 0)
	same(t, "resumed", types(g.must(service(), "resume", "")), []string{"resumed", "round_opened"})
	same(t, "once more", len(g.must(service(), "resume", "")), 0)
}

// TestVoid gives every bet back, before the cards and in the middle of them.
func TestVoid(t *testing.T) {
	for cards := range 5 {
		g := newGame(t, baccarat.Config{})
		g.sit("ann")
		g.bet("ann", baccarat.Player, 100)
		g.bet("ann", baccarat.BankerPair, 60)
		g.bet("bob", baccarat.Tie, 20)
		if cards > 0 {
			g.goOn()
		}
		for range cards {
			g.goOn()
		}
		ev := g.must(service(), "void", `{"round":1,"reason":"misdealt"}`)[0]
		if want := `"returned":[{"uid":"ann","amount":160,"stack":10000},{"uid":"bob","amount":20,"stack":10000}]`; !strings.Contains(string(ev.Payload), want) {
			t.Errorf("after %d cards: %s", cards, ev.Payload)
		}
		same(t, "ann has", g.stack("ann"), 10_000)
		g.refused(service(), "void", `{"round":1,"reason":"again"}`)
		same(t, "then", types(g.goOn()), []string{"round_opened"})
		same(t, "results", len(g.view("").Results), 0)
	}
}

// TestLive: a dealer's program sends the cards, and can make no mistake that
// counts.
func TestLive(t *testing.T) {
	g := newGame(t, baccarat.Config{Live: true})
	g.refused(service(), "deal", `{"card":"8H"}`)
	g.sit("ann")
	g.refused(service(), "deal", `{"card":"8H"}`) // bets are taken
	same(t, "betting ends", types(g.goOn()), []string{"betting_closed"})
	same(t, "due before the dealer has dealt", g.rules.Timer(g.state), 0)
	for _, payload := range []string{"", "{}", `{"card":""}`, `{"card":"10H"}`, `{"card":null}`, `{"crad":"8H"}`, `{"card":0}`} {
		g.refused(service(), "deal", payload)
	}
	for _, c := range []string{"9H", "2S", "KD", "3C"} {
		g.must(service(), "deal", fmt.Sprintf(`{"card":%q}`, c))
	}
	g.refused(service(), "deal", `{"card":"8H"}`) // a natural: no more cards
	same(t, "settled", types(g.goOn()), []string{"round_settled"})
	same(t, "winner", g.view("").Results[0].Winner, baccarat.Player)
	same(t, "player", g.view("").Player, hand("9H KD"))
	same(t, "banker", g.view("").Banker, hand("2S 3C"))

	// The ninth copy of a card.
	for g.state.Round < 4 {
		g.until("betting_closed")
		for baccarat.NextCard(g.state.Player, g.state.Banker) != "" && count(g.state.Seen, "QH") < 8 {
			g.must(service(), "deal", `{"card":"QH"}`)
		}
		if count(g.state.Seen, "QH") == 8 {
			break
		}
		g.until("round_settled")
	}
	g.refused(service(), "deal", `{"card":"QH"}`)
	g.must(service(), "void", fmt.Sprintf(`{"round":%d,"reason":"a ninth queen"}`, g.state.Round))
	same(t, "a new shoe", types(g.must(service(), "new_shoe", "")), []string{"shoe_ended", "shoe_started"})
	same(t, "cards seen of it", len(g.state.Seen), 0)
	g.refused(user("ann"), "new_shoe", "")
}

func count(cards []baccarat.Card, text string) (n int) {
	for _, c := range cards {
		if c == card(text) {
			n++
		}
	}
	return n
}

// TestTakeover: who bets gets the time that the change of nodes has cost.
func TestTakeover(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	same(t, "of a table that rests, with somebody there", types(g.must(engine(""), table.TypeTookOver, "")), []string{"shoe_seeded", "shoe_started", "round_opened"})
	same(t, "with 15 s left", len(g.must(engine(""), table.TypeTookOver, "")), 0)
	g.now = g.state.ClosesAt - 1000
	same(t, "with 1 s left", types(g.must(engine(""), table.TypeTookOver, "")), []string{"betting_extended"})
	same(t, "closes in", g.state.ClosesAt-g.now, 5000)
	g.goOn()
	same(t, "while cards are dealt", len(g.must(engine(""), table.TypeTookOver, "")), 0)
}

// TestTakenOverAgainAndAgain: a round whose nodes are lost whenever bets are about to
// close goes on after so many of them, and the next one has its time again.
func TestTakenOverAgainAndAgain(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	for range 2 {
		for range baccarat.MaxExtensions {
			g.now = g.state.ClosesAt - 1
			same(t, "taken over", types(g.must(engine(""), table.TypeTookOver, "")), []string{"betting_extended"})
		}
		g.now = g.state.ClosesAt
		same(t, "once more", len(g.must(engine(""), table.TypeTookOver, "")), 0)
		same(t, "then", types(g.must(engine(""), table.TypeTimer, "")), []string{"betting_closed"})
		g.until("round_opened")
	}
}

// TestStacksAreKept: who leaves and comes back has what he had, a guest too.
func TestStacksAreKept(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	for _, who := range []table.User{user("bob"), guest("guest-a")} {
		g.must(who, "place_bet", `{"round":1,"on":"tie","amount":1000}`)
		who.From = table.FromEngine
		g.must(who, table.TypeLeft, "")
		g.must(who, table.TypeLeft, "") // as a new owner says it that does not know
	}
	g.until("round_settled")
	has := map[string]int64{"bob": g.stack("bob"), "guest-a": g.stack("guest-a")}
	same(t, "they have bet alike and have", has["bob"], has["guest-a"])
	back := guest("guest-a")
	back.From = table.FromEngine
	g.must(back, table.TypeJoined, "")
	same(t, "back, the guest has", g.stack("guest-a"), has["guest-a"])
	same(t, "gone are", len(g.state.Gone), 0)
	g.must(engine("guest-never-bet"), table.TypeLeft, "")
	same(t, "gone are", len(g.state.Gone), 0)
}

// TestManyStacks: a full table keeps what it has, and makes room where guests are
// gone: for those who have been gone for the longest, and have no bets.
func TestManyStacks(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	for i := range baccarat.MaxStacks {
		g.state.Stacks[fmt.Sprint("guest-", i)] = 2000
	}
	g.atBound("stacks", user("ann"), "place_bet", `{"round":1,"on":"tie","amount":20}`)
	g.bet("guest-1", baccarat.Tie, 20)
	for i := range 300 {
		who := guest(fmt.Sprint("guest-", i))
		who.From = table.FromEngine
		g.now++
		g.must(who, table.TypeLeft, "")
	}
	same(t, "the next one comes", types(g.must(user("ann"), "place_bet", fmt.Sprintf(`{"round":%d,"on":"tie","amount":20}`, g.state.Round))), []string{"forgotten", "bet_placed"})
	for uid, kept := range map[string]bool{"guest-0": false, "guest-1": true, "guest-2": false, "guest-100": false, "guest-101": true, "guest-9999": true} {
		if _, ok := g.state.Stacks[uid]; ok != kept {
			t.Errorf("of %s there is a stack: %v", uid, ok)
		}
	}
	same(t, "and one more", types(g.must(user("bob"), "place_bet", fmt.Sprintf(`{"round":%d,"on":"tie","amount":20}`, g.state.Round))), []string{"bet_placed"})
	if size := len(g.snapshot()); size > 512<<10 {
		t.Errorf("its state takes %d bytes", size)
	}
}

// TestReasons: those of a service are bounded, as they are kept and shown.
func TestReasons(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	long := strings.Repeat("x", baccarat.MaxReason+1)
	g.refused(service(), "pause", fmt.Sprintf(`{"reason":%q}`, long))
	g.refused(service(), "void", fmt.Sprintf(`{"round":1,"reason":%q}`, long))
	g.must(service(), "pause", fmt.Sprintf(`{"reason":%q}`, long[1:]))
	same(t, "everybody sees it", len(g.view("").Paused), baccarat.MaxReason)
	g.must(service(), "void", fmt.Sprintf(`{"round":1,"reason":%q}`, long[1:]))
}

// TestLiveShoe: the dealer's program says the first card of a shoe, the table
// counts the cards, and after the last round it waits for the next shoe.
func TestLiveShoe(t *testing.T) {
	g := newGame(t, baccarat.Config{Live: true})
	g.refused(service(), "new_shoe", `{"first":"9X"}`)
	started := g.must(service(), "new_shoe", `{"first":"9S"}`)
	same(t, "before anybody comes", types(started), []string{"shoe_started", "round_opened"})
	if want := `{"shoe":1,"decks":8,"cut":16,"first":"9S","burned":9}`; string(started[0].Payload) != want {
		t.Errorf("started with %s, want %s", started[0].Payload, want)
	}
	last := 0
	for round := 1; last == 0; round++ {
		if g.state.Phase == baccarat.Resting {
			t.Fatalf("it rests before round %d, after %d cards", round, g.state.Drawn)
		}
		g.until("betting_closed")
		for baccarat.NextCard(g.state.Player, g.state.Banker) != "" {
			deal(t, g)
		}
		g.until("round_settled")
		opened := g.goOn()
		if opened[0].Type == "rested" {
			last = round
			if !strings.Contains(string(opened[0].Payload), "the shoe is over") {
				t.Errorf("rested because of %s", opened[0].Payload)
			}
		} else if strings.Contains(string(opened[0].Payload), `"last":true`) && g.state.Drawn < baccarat.ShoeCards-baccarat.CutCards {
			t.Errorf("round %d is said to be the last after %d cards", g.state.Round, g.state.Drawn)
		}
	}
	if drawn := g.state.Drawn; drawn < baccarat.ShoeCards-baccarat.CutCards || drawn > baccarat.ShoeCards-baccarat.CutCards+12 {
		t.Errorf("%d cards were drawn", drawn)
	}
	same(t, "somebody comes", len(g.must(engine("bob"), table.TypeJoined, "")), 0)
	same(t, "another node", len(g.must(engine(""), table.TypeTookOver, "")), 0)
	g.must(service(), "pause", `{"reason":"x"}`)
	same(t, "resumed", types(g.must(service(), "resume", "")), []string{"resumed"})
	same(t, "a new shoe", types(g.must(service(), "new_shoe", `{"first":"KS"}`)), []string{"shoe_ended", "shoe_started", "round_opened"})
	same(t, "drawn", g.state.Drawn, 11)
}

// deal has the dealer send any card that is left.
func deal(t *testing.T, g *game) {
	t.Helper()
	for c := range baccarat.Card(52) {
		if count(g.state.Seen, c.String()) < baccarat.Decks {
			g.must(service(), "deal", fmt.Sprintf(`{"card":%q}`, c))
			return
		}
	}
	t.Fatal("no card is left")
}

// TestOtherDealer: a table that is run with another --dealer plays its shoe to the
// end of the round as it was begun, and goes on with one of the other kind.
func TestOtherDealer(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	g.until("card_dealt")
	g.rules = baccarat.New(baccarat.Config{Live: true})
	g.refused(service(), "deal", `{"card":"8H"}`)
	g.until("round_settled")
	same(t, "then", types(g.goOn()), []string{"shoe_ended", "shoe_started", "round_opened"})
	g.until("betting_closed")
	g.must(service(), "deal", `{"card":"8H"}`)
	g.rules = baccarat.New(baccarat.Config{})
	for baccarat.NextCard(g.state.Player, g.state.Banker) != "" {
		deal(t, g)
	}
	g.until("round_settled")
	same(t, "then", types(g.goOn()), []string{"shoe_ended", "shoe_seeded", "shoe_started", "round_opened"})
}

// TestLongUIDs: the end of the largest round fits into a step, however long the
// uids are as JSON: of those that take the most fewer users may bet.
func TestLongUIDs(t *testing.T) {
	for pattern, want := range map[string]int{"guest-%016d": 500, "%063d": 500, "%0127d": 349, strings.Repeat("\u2028", 39) + "%03d": 228, strings.Repeat(`"`, 60) + "%03d": 356} {
		g := newGame(t, baccarat.Config{})
		g.sit("ann")
		placed := 0
		for i := range baccarat.MaxBettors + 1 {
			written, err := json.Marshal(fmt.Sprintf(pattern, i))
			if err != nil {
				t.Fatal(err)
			}
			uid := fmt.Sprintf(pattern, i)
			if _, err := g.send(user(uid), "place_bet", `{"round":1,"on":"player","amount":1000}`); err != nil {
				break
			}
			placed++
			for _, on := range baccarat.Spots[1:] {
				g.bet(uid, on, 1000)
			}
			if size := baccarat.WrittenBytes(uid); size != len(written) {
				t.Fatalf("%s takes %d bytes, not %d", written, len(written), size)
			}
		}
		if bound := []string{"round_bytes", "bettors"}[placed/baccarat.MaxBettors]; placed <= baccarat.MaxBettors {
			g.atBound(bound, user(fmt.Sprintf(pattern, baccarat.MaxBettors)), "place_bet", `{"round":1,"on":"player","amount":1000}`)
		}
		if size := len(g.until("round_settled").Payload); size > baccarat.MaxRoundBytes || placed != want {
			t.Errorf("%s: %d users, %d bytes", pattern, placed, size)
		}
	}
}

// TestSecrets: nobody is shown a seed before its shoe has ended.
func TestSecrets(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	seed := g.state.Seed.String()
	for range 300 {
		if g.state.Shoe > 1 {
			break
		}
		data, err := json.Marshal([]any{g.rules.View(g.state, "ann"), g.rules.Label(g.state)})
		if err != nil || strings.Contains(string(data), seed) {
			t.Fatalf("%s %v", data, err)
		}
		g.goOn()
	}
	for _, ev := range g.log {
		if !ev.Sealed && strings.Contains(string(ev.Payload), seed) && ev.Type != "shoe_ended" {
			t.Errorf("%s shows it", ev.Type)
		}
	}
}

// TestLabel fits into what a lobby takes, also with the most results.
func TestLabel(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	for i := range 100 {
		g.state.Results = append(g.state.Results, baccarat.Result{Round: i, Winner: baccarat.Spots[i%3]})
	}
	data, err := json.Marshal(g.rules.Label(g.state))
	if err != nil || len(data) > table.MaxLabel || !strings.Contains(string(data), `PBTPBT`) {
		t.Errorf("%s %v", data, err)
	}
}

// TestUnknownEvent: a log that these rules do not understand is an error.
func TestUnknownEvent(t *testing.T) {
	rules := baccarat.New(baccarat.Config{})
	for _, ev := range []table.Event{{Type: "jackpot"}, {Type: "bet_placed", Payload: []byte(`7`)}, {Type: "bet_placed"}} {
		if _, err := rules.Apply(rules.New(), ev); err == nil {
			t.Errorf("%s %s is applied", ev.Type, ev.Payload)
		}
	}
	if _, err := rules.Decode(1, []byte(`{"phase":7}`)); err == nil {
		t.Error("a broken state is read")
	}
}
