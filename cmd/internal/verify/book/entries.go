package book

import (
	"encoding/json"
	"maps"
)

// entries say by type what an event changes.
var entries = map[string]func(*Book, json.RawMessage) error{
	"round_opened":   entry((*Book).opened),
	"bet_placed":     entry((*Book).placed),
	"bets_cleared":   entry((*Book).cleared),
	"betting_closed": entry((*Book).closed),
	"card_dealt":     entry((*Book).dealt),
	"round_settled":  entry((*Book).settle),
	"round_voided":   entry((*Book).void),
	"refilled":       entry((*Book).refilled),
}

// entry reads the payload of an event.
func entry[P any](enter func(*Book, P)) func(*Book, json.RawMessage) error {
	return func(b *Book, payload json.RawMessage) error {
		var p P
		if err := json.Unmarshal(payload, &p); err != nil {
			return err
		}
		enter(b, p)
		return nil
	}
}

type opened struct{ Round int }

func (b *Book) opened(p opened) {
	if b.Open() != 0 {
		b.fault(Round, "round %d is opened before it is settled", p.Round)
	}
	if p.Round != b.round+1 {
		b.fault(Round, "round %d is opened after it", p.Round)
	}
	b.round, b.phase, b.player, b.banker = p.Round, betting, nil, nil
	clear(b.bets)
}

// in notes an event that is told of another round, or in another phase, than
// this one.
func (b *Book) in(what string, round int, phase string) {
	if round != b.round || b.phase != phase {
		b.fault(Round, "%s of round %d, while the round is %d and %s", what, round, b.round, b.phase)
	}
}

type placed struct {
	Round  int
	UID    string
	On     string
	Amount int64
	Stack  int64
}

func (b *Book) placed(p placed) {
	b.in("a bet", p.Round, betting)
	has := b.Stack(p.UID)
	if p.Stack != has-p.Amount && p.Stack == startStack-p.Amount && b.forgets(p.UID) && len(b.bets[p.UID]) == 0 {
		has = startStack
	}
	if p.Amount <= 0 || p.Amount > has || p.Stack != has-p.Amount {
		b.fault(Money, "%s bets %d of %d and has %d left", p.UID, p.Amount, has, p.Stack)
	}
	if b.bets[p.UID] == nil {
		b.bets[p.UID] = make(map[string]int64)
	}
	b.bets[p.UID][p.On] += p.Amount
	b.stacks[p.UID] = has - p.Amount
}

type cleared struct {
	Round int
	UID   string
	Stack int64
}

func (b *Book) cleared(p cleared) {
	b.in("bets cleared", p.Round, betting)
	back := b.staked(p.UID)
	if p.Stack != b.Stack(p.UID)+back {
		b.fault(Money, "%s takes back %d, had %d and has %d", p.UID, back, b.Stack(p.UID), p.Stack)
	}
	b.stacks[p.UID] = b.Stack(p.UID) + back
	delete(b.bets, p.UID)
}

type closed struct {
	Round  int
	Totals map[string]int64
}

func (b *Book) closed(p closed) {
	b.in("betting closed", p.Round, betting)
	if !maps.Equal(standing(p.Totals), b.totals()) {
		b.fault(Money, "the totals are told as %v, and are %v", p.Totals, b.totals())
	}
	b.phase = dealing
}

type dealt struct {
	Round int
	To    string
	Index int
	Card  string
}

func (b *Book) dealt(p dealt) {
	b.in("a card", p.Round, dealing)
	hand := &b.player
	if p.To == "banker" {
		hand = &b.banker
	}
	if p.Index != len(*hand) || len(*hand) == 3 || len(p.Card) != 2 {
		b.fault(Round, "%s gets %q as card %d, and has %v", p.To, p.Card, p.Index, *hand)
		return
	}
	*hand = append(*hand, p.Card)
}

type refilled struct {
	UID   string
	Stack int64
}

func (b *Book) refilled(p refilled) {
	if has := b.Stack(p.UID) + b.staked(p.UID); has >= refillBelow || p.Stack != startStack {
		b.fault(Money, "%s, who has %d, is refilled to %d", p.UID, has, p.Stack)
	}
	b.stacks[p.UID] = p.Stack
}
