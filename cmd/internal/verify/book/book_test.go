package book_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
)

// round is a whole one, a line for each step: player has 8, banker 4.
const round = `
round_opened {"round":1,"shoe":1,"closes_at":9}
bet_placed {"round":1,"uid":"ann","on":"player","amount":100,"stack":9900}
bet_placed {"round":1,"uid":"ann","on":"tie","amount":20,"stack":9880}
bet_placed {"round":1,"uid":"bob","on":"banker","amount":40,"stack":9960}
bets_cleared {"round":1,"uid":"bob","stack":10000}
bet_placed {"round":1,"uid":"bob","on":"banker_pair","amount":60,"stack":9940}
betting_closed {"round":1,"totals":{"player":100,"tie":20,"banker_pair":60}}
card_dealt {"round":1,"to":"player","index":0,"card":"8H"}
card_dealt {"round":1,"to":"banker","index":0,"card":"2S"}
card_dealt {"round":1,"to":"player","index":1,"card":"KD"}
card_dealt {"round":1,"to":"banker","index":1,"card":"2C"}
round_settled {"round":1,"player":["8H","KD"],"banker":["2S","2C"],"winner":"player","player_pair":false,"banker_pair":true,"paid":[{"uid":"ann","on":"player","amount":100,"paid":200,"stack":10080},{"uid":"ann","on":"tie","amount":20,"paid":0,"stack":10080},{"uid":"bob","on":"banker_pair","amount":60,"paid":720,"stack":10660}]}
round_opened {"round":2,"shoe":1,"closes_at":9}
bet_placed {"round":2,"uid":"ann","on":"player","amount":80,"stack":10000}
round_voided {"round":2,"reason":"a card fell","returned":[{"uid":"ann","amount":80,"stack":10080}]}
`

func steps(text string) (list []book.Event) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		typ, payload, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, book.Event{Type: typ, Payload: json.RawMessage(payload)})
	}
	return list
}

func keep(text string) *book.Book {
	b := book.New(func(uid string) bool { return strings.HasPrefix(uid, "guest-") })
	for i, ev := range steps(text) {
		b.Take(uint64(i+1), []book.Event{ev})
	}
	return b
}

func TestARoundThatIsRight(t *testing.T) {
	b := keep(round)
	if len(b.Faults) > 0 {
		t.Errorf("%v", b.Faults)
	}
	if b.Settled != 1 || b.Voided != 1 || b.Stack("ann") != 10_080 || b.Stack("bob") != 10_660 || b.Stack("cid") != 10_000 {
		t.Errorf("%d settled, %d voided; %d %d %d", b.Settled, b.Voided, b.Stack("ann"), b.Stack("bob"), b.Stack("cid"))
	}
	if b.Open() != 0 || b.Staked() {
		t.Errorf("round %d is open", b.Open())
	}
}

func TestEveryLieIsFound(t *testing.T) {
	line := func(n int) string { return strings.Split(strings.TrimSpace(round), "\n")[n-1] + "\n" }
	for name, lie := range map[string]struct {
		old, new string
		want     book.Kind
	}{
		"a round settled twice":           {line(12), line(12) + line(12), book.Round},
		"a round never settled":           {line(12), "", book.Round},
		"a round left out":                {`round_opened {"round":2`, `round_opened {"round":3`, book.Round},
		"a bet after the close":           {line(6) + line(7), line(7) + line(6), book.Round},
		"a bet that costs nothing":        {`"amount":20,"stack":9880`, `"amount":20,"stack":9900`, book.Money},
		"a bet of more than he has":       {`"on":"tie","amount":20,"stack":9880`, `"on":"tie","amount":9920,"stack":-20`, book.Money},
		"bets that do not come back":      {`"uid":"bob","stack":10000`, `"uid":"bob","stack":9960`, book.Money},
		"wrong totals":                    {`"totals":{"player":100`, `"totals":{"player":200`, book.Money},
		"a card left out":                 {line(9), "", book.Round},
		"a card told twice":               {line(9), line(9) + line(9), book.Round},
		"another hand than was dealt":     {`"player":["8H","KD"]`, `"player":["9H","KD"]`, book.Round},
		"the wrong winner":                {`"winner":"player"`, `"winner":"banker"`, book.Round},
		"a pair that is none":             {`"player_pair":false`, `"player_pair":true`, book.Round},
		"paid too much":                   {`"paid":200,"stack":10080`, `"paid":300,"stack":10180`, book.Money},
		"paid, and not given":             {`"paid":720,"stack":10660`, `"paid":720,"stack":9940`, book.Money},
		"a bet that nobody hears of":      {`,{"uid":"bob","on":"banker_pair","amount":60,"paid":720,"stack":10660}`, "", book.Money},
		"a bet that nobody made":          {`"on":"banker_pair","amount":60,"paid":720,"stack":10660}`, `"on":"player_pair","amount":60,"paid":0,"stack":9940}`, book.Money},
		"a void that keeps the bet":       {`"returned":[{"uid":"ann","amount":80,"stack":10080}]`, `"returned":[]`, book.Money},
		"a void that gives another's bet": {`"amount":80,"stack":10080}]`, `"amount":180,"stack":10180}]`, book.Money},
		"a refill of the rich":            {line(13), `refilled {"uid":"ann","stack":10000}` + "\n" + line(13), book.Money},
		"what cannot be read":             {`"uid":"ann","on":"tie"`, `"uid":7,"on":"tie"`, book.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			told := strings.Replace(round, lie.old, lie.new, 1)
			if told == round {
				t.Fatal("the lie was not told")
			}
			b := keep(told)
			if !slices.ContainsFunc(b.Faults, func(f book.Fault) bool { return f.Kind == lie.want }) {
				t.Errorf("nothing of %s is found: %v", lie.want, b.Faults)
			}
		})
	}
}

// A guest who was away is forgotten, and begins again; nobody else is.
func TestWhoMayBeForgotten(t *testing.T) {
	for uid, faults := range map[string]int{"guest-1": 0, "ann": 1} {
		lost := strings.ReplaceAll(`
round_opened {"round":1}
bet_placed {"round":1,"uid":"UID","on":"tie","amount":9980,"stack":20}
betting_closed {"round":1,"totals":{"tie":9980}}
card_dealt {"round":1,"to":"player","index":0,"card":"9H"}
card_dealt {"round":1,"to":"banker","index":0,"card":"2S"}
card_dealt {"round":1,"to":"player","index":1,"card":"KD"}
card_dealt {"round":1,"to":"banker","index":1,"card":"3C"}
round_settled {"round":1,"player":["9H","KD"],"banker":["2S","3C"],"winner":"player","paid":[{"uid":"UID","on":"tie","amount":9980,"paid":0,"stack":20}]}
round_opened {"round":2}
bet_placed {"round":2,"uid":"UID","on":"tie","amount":40,"stack":9960}`, "UID", uid)
		if b := keep(lost); len(b.Faults) != faults {
			t.Errorf("%s: %v", uid, b.Faults)
		}
	}
}

func TestWhatIsShown(t *testing.T) {
	begun := keep(strings.Join(strings.Split(strings.TrimSpace(round), "\n")[:3], "\n"))
	for shown, faults := range map[string]int{
		`{"round":1,"phase":"betting","totals":{"player":100,"tie":20},"me":{"stack":9880,"bets":{"player":100,"tie":20}}}`: 0,
		`{"round":1,"phase":"betting","totals":{"player":100,"tie":20},"me":{"stack":9900,"bets":{"player":100,"tie":20}}}`: 1,
		`{"round":1,"phase":"betting","totals":{"player":100,"tie":20},"me":{"stack":9880,"bets":{"player":100}}}`:          1,
		`{"round":1,"phase":"betting","totals":{"player":100},"me":{"stack":9880,"bets":{"player":100,"tie":20}}}`:          1,
		`{"round":1,"phase":"dealing","totals":{"player":100,"tie":20},"me":{"stack":9880,"bets":{"player":100,"tie":20}}}`: 1,
		`{"round":2,"phase":"betting","totals":{"player":100,"tie":20},"me":{"stack":9880,"bets":{"player":100,"tie":20}}}`: 1,
	} {
		var v book.View
		if err := json.Unmarshal([]byte(shown), &v); err != nil {
			t.Fatal(err)
		}
		before := len(begun.Faults)
		begun.Compare("ann", v)
		if got := len(begun.Faults) - before; got != faults {
			t.Errorf("%s: %v", shown, begun.Faults[before:])
		}
	}
}

func TestLedger(t *testing.T) {
	bet := book.BetFact("ann", 1, "tie", 20)
	placed := steps(`bet_placed {"round":1,"uid":"ann","on":"tie","amount":20,"stack":9980}`)
	for name, tt := range map[string]struct {
		answered func(*book.Ledger)
		at       []uint64
		want     []book.Kind
	}{
		"acknowledged and there":       {func(l *book.Ledger) { l.Acked(7, bet) }, []uint64{7}, nil},
		"acknowledged and not there":   {func(l *book.Ledger) { l.Acked(7, bet) }, nil, []book.Kind{book.Lost}},
		"acknowledged and elsewhere":   {func(l *book.Ledger) { l.Acked(7, bet) }, []uint64{8}, []book.Kind{book.Doubled, book.Lost}},
		"there twice":                  {func(l *book.Ledger) { l.Acked(7, bet) }, []uint64{7, 9}, []book.Kind{book.Doubled}},
		"refused and there":            {func(*book.Ledger) {}, []uint64{7}, []book.Kind{book.Doubled}},
		"without an answer, there":     {func(l *book.Ledger) { l.Unknown(bet) }, []uint64{7}, nil},
		"without an answer, not there": {func(l *book.Ledger) { l.Unknown(bet) }, nil, nil},
		"without an answer, twice":     {func(l *book.Ledger) { l.Unknown(bet) }, []uint64{7, 8}, []book.Kind{book.Doubled}},
	} {
		t.Run(name, func(t *testing.T) {
			l := book.NewLedger()
			l.Player("ann")
			tt.answered(l)
			var faults []book.Fault
			for _, seq := range tt.at {
				faults = append(faults, l.Take(seq, placed)...)
			}
			faults = append(faults, l.Rest()...)
			var kinds []book.Kind
			for _, f := range faults {
				kinds = append(kinds, f.Kind)
			}
			if !slices.Equal(kinds, tt.want) {
				t.Errorf("%v", faults)
			}
		})
	}
	if l := book.NewLedger(); len(l.Take(7, placed)) > 0 {
		t.Error("somebody else's bet counts")
	}
}
