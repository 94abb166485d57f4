package book

import (
	"maps"
	"slices"
	"strings"
)

type settlement struct {
	Round      int
	Player     []string
	Banker     []string
	Winner     string
	PlayerPair bool `json:"player_pair"`
	BankerPair bool `json:"banker_pair"`
	Paid       []struct {
		UID    string
		On     string
		Amount int64
		Paid   int64
		Stack  int64
	}
}

// settle pays every bet by the cards that were seen, and compares.
func (b *Book) settle(p settlement) {
	b.in("settled", p.Round, dealing)
	if !slices.Equal(p.Player, b.player) || !slices.Equal(p.Banker, b.banker) || len(b.player) < 2 || len(b.banker) < 2 {
		b.fault(Round, "it is settled with %v and %v, and the cards were %v and %v", p.Player, p.Banker, b.player, b.banker)
		b.end()
		return
	}
	won := b.outcome()
	if p.Winner != won.winner || p.PlayerPair != won.playerPair || p.BankerPair != won.bankerPair {
		b.fault(Round, "%v against %v is told as %s, pairs %v %v", b.player, b.banker, p.Winner, p.PlayerPair, p.BankerPair)
	}
	left := make(map[string]map[string]int64)
	for uid, stakes := range b.bets {
		left[uid] = maps.Clone(stakes)
	}
	for _, x := range p.Paid {
		if left[x.UID][x.On] != x.Amount || x.Amount == 0 {
			b.fault(Money, "%s is paid for %d on %s, and has %d there", x.UID, x.Amount, x.On, left[x.UID][x.On])
		}
		delete(left[x.UID], x.On)
		if x.Paid != won.pays(x.On, x.Amount) {
			b.fault(Money, "%s gets %d for %d on %s, instead of %d", x.UID, x.Paid, x.Amount, x.On, won.pays(x.On, x.Amount))
		}
		b.stacks[x.UID] = b.Stack(x.UID) + won.pays(x.On, x.Amount)
		if x.Stack != b.stacks[x.UID] {
			b.fault(Money, "%s is paid and told to have %d, and has %d", x.UID, x.Stack, b.stacks[x.UID])
		}
	}
	for _, uid := range b.users() {
		if len(left[uid]) > 0 {
			b.fault(Money, "%s is not told what became of %v", uid, left[uid])
		}
	}
	b.Settled++
	b.end()
}

type voided struct {
	Round    int
	Returned []struct {
		UID    string
		Amount int64
		Stack  int64
	}
}

func (b *Book) void(p voided) {
	if p.Round != b.Open() {
		b.fault(Round, "round %d is voided, while the round is %d and %s", p.Round, b.round, b.phase)
	}
	back := make(map[string]bool)
	for _, x := range p.Returned {
		if x.Amount != b.staked(x.UID) || back[x.UID] || x.Stack != b.Stack(x.UID)+x.Amount {
			b.fault(Money, "%s gets %d back, staked %d, had %d and has %d", x.UID, x.Amount, b.staked(x.UID), b.Stack(x.UID), x.Stack)
		}
		back[x.UID] = true
	}
	for _, uid := range b.users() {
		if !back[uid] {
			b.fault(Money, "%s does not get %d back", uid, b.staked(uid))
		}
		b.stacks[uid] = b.Stack(uid) + b.staked(uid)
	}
	b.Voided++
	b.end()
}

func (b *Book) end() {
	b.phase = settled
	clear(b.bets)
}

// outcome is how the cards fell.
type outcome struct {
	winner                 string
	playerPair, bankerPair bool
}

func (b *Book) outcome() outcome {
	o := outcome{winner: "tie", playerPair: b.player[0][0] == b.player[1][0], bankerPair: b.banker[0][0] == b.banker[1][0]}
	switch p, k := points(b.player), points(b.banker); {
	case p > k:
		o.winner = "player"
	case p < k:
		o.winner = "banker"
	}
	return o
}

// points are a hand's: of ace to nine the pips, of all others none.
func points(hand []string) (sum int) {
	for _, card := range hand {
		sum += strings.IndexByte("A23456789", card[0]) + 1
	}
	return sum % 10
}

// pays is what a bet gives back in all.
func (o outcome) pays(on string, amount int64) int64 {
	switch {
	case on == "player_pair" && o.playerPair, on == "banker_pair" && o.bankerPair:
		return 12 * amount
	case on == "player_pair", on == "banker_pair":
		return 0
	case on == "tie" && o.winner == "tie":
		return 9 * amount
	case o.winner == "tie":
		return amount
	case on != o.winner:
		return 0
	case on == "banker":
		return amount + amount*95/100
	}
	return 2 * amount
}
