package baccarat

// Spot is what can be bet on.
type Spot string

// The spots.
const (
	Player     Spot = "player"
	Banker     Spot = "banker"
	Tie        Spot = "tie"
	PlayerPair Spot = "player_pair"
	BankerPair Spot = "banker_pair"
)

// Spots are all of them, in the order in which bets are told.
var Spots = [...]Spot{Player, Banker, Tie, PlayerPair, BankerPair}

func (s Spot) known() bool {
	for _, spot := range Spots {
		if s == spot {
			return true
		}
	}
	return false
}

// Points are what a hand counts.
func Points(hand []Card) int {
	sum := 0
	for _, c := range hand {
		sum += c.Points()
	}
	return sum % 10
}

// NextCard says who gets the next card by the rules of punto banco; "" when the
// round is over. Two cards each, the player's first, in turns; an 8 or a 9 of
// either ends it; the player draws to 5 and less; the banker does the same when
// the player has drawn nothing, else by his own points and the card that was
// drawn.
func NextCard(player, banker []Card) Spot {
	switch {
	case len(player) < 2 || len(banker) < 2:
		if len(player) <= len(banker) {
			return Player
		}
		return Banker
	case len(banker) == 3:
		return ""
	case len(player) == 2 && Points(player) <= 5 && !natural(player) && !natural(banker):
		return Player
	case natural(player[:2]) || natural(banker):
		return ""
	case len(player) == 2:
		if Points(banker) <= 5 {
			return Banker
		}
		return ""
	case bankerDraws(Points(banker), player[2].Points()):
		return Banker
	}
	return ""
}

func natural(hand []Card) bool { return len(hand) == 2 && Points(hand) >= 8 }

// bankerDraws is the row of the tableau for the banker's points, after the
// player has drawn a third card of so many points.
func bankerDraws(points, third int) bool {
	switch points {
	case 0, 1, 2:
		return true
	case 3:
		return third != 8
	case 4:
		return third >= 2 && third <= 7
	case 5:
		return third >= 4 && third <= 7
	case 6:
		return third == 6 || third == 7
	}
	return false
}

// Result is how a round ended.
type Result struct {
	Round      int  `json:"round"`
	Winner     Spot `json:"winner"` // Player, Banker or Tie
	PlayerPair bool `json:"player_pair"`
	BankerPair bool `json:"banker_pair"`
}

// resultOf is the result of two hands that are complete.
func resultOf(round int, player, banker []Card) Result {
	r := Result{Round: round, Winner: Tie, PlayerPair: pair(player), BankerPair: pair(banker)}
	switch p, b := Points(player), Points(banker); {
	case p > b:
		r.Winner = Player
	case b > p:
		r.Winner = Banker
	}
	return r
}

func pair(hand []Card) bool { return hand[0].rank() == hand[1].rank() }

// Paid is what is given back in all for a bet: nothing for a lost one, the stake
// for a push.
func (r Result) Paid(on Spot, amount int64) int64 {
	switch on {
	case PlayerPair:
		return times(r.PlayerPair, 12, amount)
	case BankerPair:
		return times(r.BankerPair, 12, amount)
	case Tie:
		return times(r.Winner == Tie, 9, amount)
	}
	switch {
	case r.Winner == Tie:
		return amount
	case r.Winner != on:
		return 0
	case on == Banker:
		return 2*amount - amount/20
	}
	return 2 * amount
}

func times(won bool, n, amount int64) int64 {
	if won {
		return n * amount
	}
	return 0
}
