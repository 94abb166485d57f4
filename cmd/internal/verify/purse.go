package verify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// purse is what a player knows of the table from what it was shown and has seen.
type purse struct {
	seq    uint64 // of the state that it was shown
	round  int
	open   bool // bets are taken
	stack  int64
	stakes map[string]int64
	used   map[stake]bool // bets of this round: none is sent twice, so that the log tells them apart
}

type stake struct {
	on     string
	amount int64
}

// show takes a state that the player was shown.
func (p *purse) show(x shown) {
	if x.view.Round != p.round || p.used == nil {
		p.used = make(map[stake]bool)
	}
	p.seq, p.round, p.open = x.seq, x.view.Round, x.view.Phase == "betting"
	p.stack, p.stakes = x.view.Me.Stack, make(map[string]int64)
	for on, amount := range x.view.Me.Bets {
		p.stakes[on] = amount
	}
}

// see takes the events of a step. What is in the state already is not applied.
func (p *purse) see(uid string, seq uint64, events []book.Event) {
	if seq <= p.seq {
		return
	}
	for _, ev := range events {
		var e struct {
			Round  int
			UID    string
			On     string
			Amount int64
			Stack  int64
			Paid   []struct {
				UID   string
				Stack int64
			}
			Returned []struct {
				UID   string
				Stack int64
			}
		}
		if json.Unmarshal(ev.Payload, &e) != nil {
			continue // the book finds it
		}
		switch ev.Type {
		case "round_opened":
			p.round, p.open = e.Round, true
			p.stakes, p.used = make(map[string]int64), make(map[stake]bool)
		case "betting_closed":
			p.open = false
		case "round_settled", "round_voided":
			p.open, p.stakes = false, make(map[string]int64)
			for _, x := range append(e.Paid, e.Returned...) {
				if x.UID == uid {
					p.stack = x.Stack
				}
			}
		case "bet_placed", "bets_cleared", "refilled":
			if e.UID != uid {
				continue
			}
			p.stack = e.Stack
			if ev.Type == "bet_placed" {
				p.stakes[e.On] += e.Amount
			} else if ev.Type == "bets_cleared" {
				p.stakes = make(map[string]int64)
			}
		}
	}
}

func (p *purse) staked() (sum int64) {
	for _, amount := range p.stakes {
		sum += amount
	}
	return sum
}

// order is a command that a bot wants to send, and what must be in the log when
// it is taken.
type order struct {
	typ     string
	payload any
	fact    string
	bet     int // the round, of a bet
}

// Bounds of the bets: the limits of a table that is not told otherwise.
const (
	betUnit   = 20
	smallBets = 50 // in a round and of a bot
	maxBet    = 10_000
)

var spots = [...]string{"player", "banker", "tie", "player_pair", "banker_pair"}

// next chooses what to do: mostly to bet, while bets are taken, and otherwise to
// talk. Now and then it does what is refused, and stakes all that it has, or it
// would never need a refill.
func (p *purse) next(uid, say string) order {
	dice := rand.IntN(100)
	switch {
	case p.stack+p.staked() < 100:
		return order{typ: "refill", payload: struct{}{}, fact: book.RefillFact(uid)}
	case p.open && dice < 5 && p.staked() > 0:
		return order{typ: "clear_bets", payload: map[string]any{"round": p.round}, fact: book.ClearFact(uid, p.round)}
	case dice < 8:
		return order{typ: "place_bet", payload: map[string]any{"round": p.round, "on": "tie", "amount": betUnit + 1}}
	case p.open && dice < 85 || dice < 15:
		if bet, ok := p.bet(dice < 12); ok {
			p.used[bet] = true
			return order{typ: "place_bet", payload: map[string]any{"round": p.round, "on": bet.on, "amount": bet.amount},
				fact: book.BetFact(uid, p.round, bet.on, bet.amount), bet: p.round}
		}
	}
	return order{typ: wire.TypeSendMessage, payload: wire.SendMessage{Message: say}, fact: book.SayFact(uid, say)}
}

// bet is one that was not sent in this round.
func (p *purse) bet(all bool) (stake, bool) {
	if all {
		x := stake{on: spots[rand.IntN(2)]}
		x.amount = min(p.stack, maxBet-p.stakes[x.on]) / betUnit * betUnit
		return x, x.amount > 0 && !p.used[x]
	}
	first := rand.IntN(smallBets)
	for i := range smallBets {
		n := (first + i) % smallBets
		if x := (stake{spots[n%len(spots)], int64(betUnit * (1 + n/len(spots)))}); !p.used[x] {
			return x, x.amount <= p.stack
		}
	}
	return stake{}, false
}

// text is a message that nobody else sends.
func (b *bot) text(number int) string { return fmt.Sprintf("%s %d", b.name, number) }
