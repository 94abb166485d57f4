package baccarat_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// game is a table with its time and its log.
type game struct {
	t       testing.TB
	rules   baccarat.Rules
	state   *baccarat.State
	now     int64
	present int
	seeds   uint64
	log     []table.Event
}

func newGame(t testing.TB, cfg baccarat.Config) *game {
	rules := baccarat.New(cfg)
	return &game{t: t, rules: rules, state: rules.New(), now: 1_800_000_000_000, present: 1}
}

func user(uid string) table.User   { return table.User{From: table.FromUser, UID: uid, Name: uid} }
func guest(uid string) table.User  { return table.User{From: table.FromUser, UID: uid, Guest: true} }
func service() table.User          { return table.User{From: table.FromService} }
func engine(uid string) table.User { return table.User{UID: uid} }

// send decides a command and applies what comes of it.
func (g *game) send(who table.User, typ, payload string) ([]table.Event, error) {
	g.t.Helper()
	c := table.Command{Type: typ, User: who, Now: g.now, Present: g.present}
	if payload != "" {
		c.Payload = json.RawMessage(payload)
	}
	g.seeds++
	binary.BigEndian.PutUint64(c.Seed[:], g.seeds)
	c.Seed = sha256.Sum256(c.Seed[:])
	events, err := g.rules.Decide(g.state, c)
	if err != nil {
		return nil, err
	}
	for _, ev := range events {
		g.log = append(g.log, ev)
		if g.state, err = g.rules.Apply(g.state, ev); err != nil {
			g.t.Fatal(err)
		}
	}
	return events, nil
}

// must is send for what is not refused.
func (g *game) must(who table.User, typ, payload string) []table.Event {
	g.t.Helper()
	events, err := g.send(who, typ, payload)
	if err != nil {
		g.t.Fatalf("%s %s: %v", typ, payload, err)
	}
	return events
}

// atBound is refused for what a bound of the rules forbids.
func (g *game) atBound(bound string, who table.User, typ, payload string) {
	g.t.Helper()
	var refusal *table.Refusal
	if _, err := g.send(who, typ, payload); !errors.As(err, &refusal) || refusal.Bound != bound {
		g.t.Errorf("%s %s: %v, want a refusal at the bound %s", typ, payload, err, bound)
	}
}

// refused is send for what must be.
func (g *game) refused(who table.User, typ, payload string) {
	g.t.Helper()
	before := g.snapshot()
	if events, err := g.send(who, typ, payload); err == nil {
		g.t.Errorf("%s %s: %v, want a refusal", typ, payload, events)
	}
	if !bytes.Equal(before, g.snapshot()) {
		g.t.Errorf("%s %s was refused and changed the table", typ, payload)
	}
}

// goOn moves the clock to what is due next.
func (g *game) goOn() []table.Event {
	g.t.Helper()
	due := g.rules.Timer(g.state)
	if due == 0 {
		g.t.Fatalf("nothing is due: %s", g.snapshot())
	}
	g.now = max(g.now, due)
	return g.must(engine(""), table.TypeTimer, "")
}

// until goes on until an event of that type has come, and returns it.
func (g *game) until(typ string) table.Event {
	g.t.Helper()
	for range 100 {
		for _, ev := range g.goOn() {
			if ev.Type == typ {
				return ev
			}
		}
	}
	g.t.Fatalf("%s never comes", typ)
	panic("unreachable")
}

func (g *game) snapshot() []byte {
	g.t.Helper()
	data, err := g.rules.Encode(g.state)
	if err != nil {
		g.t.Fatal(err)
	}
	return data
}

func (g *game) sit(uid string) { g.must(engine(uid), table.TypeJoined, "") }

func (g *game) bet(uid string, on baccarat.Spot, amount int64) {
	g.t.Helper()
	g.must(user(uid), "place_bet", fmt.Sprintf(`{"round":%d,"on":%q,"amount":%d}`, g.state.Round, on, amount))
}

func (g *game) stack(uid string) int64 { return g.me(uid).Stack }

// quick is what me says, from the state itself.
func (g *game) quick(uid string) (stack int64, bets baccarat.Stakes) {
	stack, ok := g.state.Stacks[uid]
	if !ok {
		stack = baccarat.StartStack
	}
	return stack, g.state.Bets[uid]
}

// view is what room_joined says of a table.
type view struct {
	Phase    baccarat.Phase
	Paused   string
	ClosesAt int64 `json:"closes_at"`
	Player   []baccarat.Card
	Banker   []baccarat.Card
	Totals   map[baccarat.Spot]int64
	Results  []baccarat.Result
	Me       struct {
		Stack int64
		Bets  map[baccarat.Spot]int64
	}
}

func (g *game) view(uid string) (v view) {
	g.t.Helper()
	data, err := json.Marshal(g.rules.View(g.state, uid))
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

func (g *game) me(uid string) struct {
	Stack int64
	Bets  map[baccarat.Spot]int64
} {
	return g.view(uid).Me
}

// rounds is how many random rounds are played: 5,000, or what
// BACCARAT_ROUNDS says. A million take two minutes.
func rounds(t *testing.T) int {
	text := os.Getenv("BACCARAT_ROUNDS")
	if text == "" {
		return 5_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestMoneyIsConserved plays rounds of random bets, voids and refills. What the
// players have and what the log says was taken and given agree after each, to the
// chip, and nobody ever owes anything.
func TestMoneyIsConserved(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	g := newGame(t, baccarat.Config{})
	g.sit("p-0")
	uids := make([]string, 12)
	for i := range uids {
		uids[i] = fmt.Sprint("p-", i)
	}
	ledger := map[string]int64{}
	for _, uid := range uids {
		ledger[uid] = baccarat.StartStack
	}
	for n := range rounds(t) {
		for range rng.IntN(6) {
			k := rng.IntN(len(uids))
			uid, on := uids[k], baccarat.Spots[rng.IntN(5)]
			who := user(uid)
			if k%2 == 0 {
				who = guest(uid)
			}
			if coming := rng.IntN(10); coming < 2 { // whoever leaves and comes back has what he had
				who := who
				who.From = table.FromEngine
				g.must(who, []string{table.TypeLeft, table.TypeJoined}[coming], "")
			}
			amount := int64(rng.IntN(60)-2) * 20
			payload := fmt.Sprintf(`{"round":%d,"on":%q,"amount":%d}`, g.state.Round, on, amount)
			stack, bets := g.quick(uid)
			if _, err := g.send(who, "place_bet", payload); err != nil && amount > 0 && amount <= 1000 && amount <= stack && bets[on]+amount <= 1000 {
				t.Fatalf("%s: %v", payload, err)
			}
			if rng.IntN(20) == 0 {
				_, _ = g.send(who, "clear_bets", fmt.Sprintf(`{"round":%d}`, g.state.Round))
			}
			_, _ = g.send(who, "refill", "")
		}
		if rng.IntN(50) == 0 {
			g.must(service(), "void", fmt.Sprintf(`{"round":%d,"reason":"a card fell"}`, g.state.Round))
		}
		g.until("round_opened")
		book(t, ledger, g.log)
		g.log = g.log[:0]
		for _, uid := range uids {
			if has, _ := g.quick(uid); has < 0 || has != ledger[uid] {
				t.Fatalf("after %d rounds %s has %d, and %d by the log", n+1, uid, has, ledger[uid])
			}
		}
	}
	if g.state.Shoe < 2 {
		t.Errorf("only %d shoe was played", g.state.Shoe)
	}
}

// book keeps the players' accounts by the log alone: by the amounts of what was
// bet and paid, and never by the stacks that it names, which it checks.
func book(t *testing.T, ledger map[string]int64, log []table.Event) {
	t.Helper()
	stakes := map[string]int64{}
	for _, ev := range log {
		var p struct {
			UID           string
			Amount, Stack int64
			Paid          []struct {
				UID                 string
				Amount, Paid, Stack int64
			}
			Returned []struct {
				UID           string
				Amount, Stack int64
			}
		}
		if err := json.Unmarshal(ev.Payload, &p); err != nil {
			t.Fatal(err)
		}
		agree := func(uid string, stack int64) {
			if ledger[uid] != stack {
				t.Fatalf("%s %s: %s has %d by the accounts", ev.Type, ev.Payload, uid, ledger[uid])
			}
		}
		switch ev.Type {
		case "bet_placed":
			stakes[p.UID] += p.Amount
			ledger[p.UID] -= p.Amount
			agree(p.UID, p.Stack)
		case "bets_cleared":
			ledger[p.UID] += stakes[p.UID]
			delete(stakes, p.UID)
			agree(p.UID, p.Stack)
		case "refilled":
			if has := ledger[p.UID] + stakes[p.UID]; has >= baccarat.RefillBelow {
				t.Fatalf("%s was refilled and had %d", p.UID, has)
			}
			ledger[p.UID] = baccarat.StartStack
			agree(p.UID, p.Stack)
		case "round_settled":
			for _, pay := range p.Paid {
				stakes[pay.UID] -= pay.Amount
				ledger[pay.UID] += pay.Paid
				agree(pay.UID, pay.Stack)
			}
		case "round_voided":
			for _, back := range p.Returned {
				stakes[back.UID] -= back.Amount
				ledger[back.UID] += back.Amount
				agree(back.UID, back.Stack)
			}
		}
		if ev.Type == "round_settled" || ev.Type == "round_voided" {
			for uid, left := range stakes {
				if left != 0 {
					t.Fatalf("%s %s forgot %d of %s", ev.Type, ev.Payload, left, uid)
				}
			}
		}
	}
}

// TestShoe plays one to its end and checks it as a player would: the cards dealt
// are those of the seed that is told at the end, whose sum was told at the start,
// behind the burned ones, in the order of the tableau; the round in which the cut
// card shows and one more are the last.
func TestShoe(t *testing.T) {
	seenBefore := 0
	for shoe := range 60 {
		g := newGame(t, baccarat.Config{})
		g.seeds = uint64(shoe) << 32
		g.sit("ann")
		if checkShoe(t, g) {
			seenBefore++
		}
	}
	if seenBefore == 0 {
		t.Error("in no shoe the cut card came before the first card of a round; take other seeds")
	}
}

func checkShoe(t *testing.T, g *game) (cutFirst bool) {
	for g.until("round_opened"); g.state.Shoe == 1; {
		g.until("round_opened")
	}
	var started struct {
		Commit string
		Cut    int
		First  baccarat.Card
		Burned int
	}
	var ended struct{ Seed baccarat.Seed }
	var cards []baccarat.Card
	starts := []int{} // of the rounds
	for _, ev := range g.log {
		switch ev.Type {
		case "shoe_started":
			if started.Commit == "" {
				read(t, ev, &started)
			}
		case "shoe_ended":
			read(t, ev, &ended)
		case "round_opened":
			starts = append(starts, len(cards))
		case "card_dealt":
			var dealt struct{ Card baccarat.Card }
			read(t, ev, &dealt)
			cards = append(cards, dealt.Card)
		}
	}
	starts = starts[:len(starts)-1] // of the next shoe
	if ended.Seed.Commit() != started.Commit {
		t.Fatalf("the seed %s does not fit %s", ended.Seed, started.Commit)
	}
	order := baccarat.Shuffle(ended.Seed)
	burned := map[byte]int{'A': 1, 'T': 10, 'J': 10, 'Q': 10, 'K': 10}[order[0].String()[0]]
	if burned == 0 {
		burned = int(order[0].String()[0] - '0')
	}
	if order[0] != started.First || burned != started.Burned {
		t.Fatalf("first %s and %d burned, want %s and %d", started.First, started.Burned, order[0], burned)
	}
	if got, want := written(cards), written(order[1+burned:1+burned+len(cards)]); got != want {
		t.Fatalf("dealt %s, want %s", got, want)
	}
	// How many rounds begin once the cut card has come out.
	cut := baccarat.ShoeCards - started.Cut - 1 - burned // cards before it
	behind := 0
	for _, start := range starts {
		if start > cut {
			behind++
		}
		cutFirst = cutFirst || start == cut
	}
	last := starts[len(starts)-1]
	switch {
	case cutFirst && (behind != 0 || last != cut):
		t.Fatalf("the cut card came before the round at %d; rounds began at %v", cut, starts)
	case !cutFirst && behind != 1:
		t.Fatalf("the cut card came at %d; %d rounds began after it: %v", cut, behind, starts)
	}
	return cutFirst
}

func read(t *testing.T, ev table.Event, v any) {
	t.Helper()
	if err := json.Unmarshal(ev.Payload, v); err != nil {
		t.Fatal(err)
	}
}

// TestLargestRound settles as many bets as a round can have, and refuses one
// player more.
func TestLargestRound(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("u-0")
	for i := range baccarat.MaxBettors {
		for _, on := range baccarat.Spots {
			g.bet(fmt.Sprint("u-", i), on, 1000)
		}
	}
	g.atBound("bettors", user("one more"), "place_bet", `{"round":1,"on":"tie","amount":20}`)
	g.bet("u-7", baccarat.Player, 20) // who has a place may go on
	ev := g.until("round_settled")
	var settled struct{ Paid []any }
	read(t, ev, &settled)
	if len(settled.Paid) != 5*baccarat.MaxBettors || len(ev.Payload) > baccarat.MaxRoundBytes {
		t.Errorf("%d payments in %d bytes", len(settled.Paid), len(ev.Payload))
	}
}

// TestResumesAnywhere: whatever the point at which a table is written down and
// read again, it goes on to the same end.
func TestResumesAnywhere(t *testing.T) {
	g := newGame(t, baccarat.Config{})
	g.sit("ann")
	snapshots := [][]byte{g.snapshot()}
	after := []int{len(g.log)}
	for round := range 90 {
		if round%3 == 0 && g.state.Phase == baccarat.Betting {
			g.bet("ann", baccarat.Spots[round%5], 20)
		}
		for range 8 {
			g.goOn()
			snapshots, after = append(snapshots, g.snapshot()), append(after, len(g.log))
		}
	}
	for i, data := range snapshots {
		state, err := g.rules.Decode(1, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range g.log[after[i]:] {
			if state, err = g.rules.Apply(state, ev); err != nil {
				t.Fatal(err)
			}
		}
		if end, err := g.rules.Encode(state); err != nil || !bytes.Equal(end, g.snapshot()) {
			t.Fatalf("from snapshot %d it ends at %s, want %s (%v)", i, end, g.snapshot(), err)
		}
	}
}
