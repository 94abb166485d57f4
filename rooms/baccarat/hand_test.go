package baccarat_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
)

// cardOf is a card of so many points.
func cardOf(points int) baccarat.Card {
	if points == 0 {
		return card("TS")
	}
	return card(string("A23456789"[points-1]) + "S")
}

func card(s string) baccarat.Card {
	c, err := baccarat.ParseCard(s)
	if err != nil {
		panic(err)
	}
	return c
}

// tableau is the banker's rule as casinos print it: by his points, one letter for
// each value of the player's third card from 0 to 9, and one for a player who
// stands; D draws, S stands.
var tableau = strings.Fields(`
	DDDDDDDDDD/D
	DDDDDDDDDD/D
	DDDDDDDDDD/D
	DDDDDDDDSD/D
	SSDDDDDDSS/D
	SSSSDDDDSS/D
	SSSSSSDDSS/S
	SSSSSSSSSS/S
`)

// slow plays a round from six points by the printed rules, and says which cards
// each side got.
func slow(points [6]int) (player, banker []int) {
	player, banker = []int{points[0], points[2]}, []int{points[1], points[3]}
	p, b := (points[0]+points[2])%10, (points[1]+points[3])%10
	if p > 7 || b > 7 {
		return player, banker
	}
	column, used := 11, 4 // of who stands
	if p < 6 {
		player = append(player, points[used])
		column, used = points[used], used+1
	}
	if tableau[b][column] == 'D' {
		banker = append(banker, points[used])
	}
	return player, banker
}

// dealt plays the same by NextCard.
func dealt(points [6]int) (player, banker []baccarat.Card) {
	for i := 0; ; i++ {
		switch baccarat.NextCard(player, banker) {
		case baccarat.Player:
			player = append(player, cardOf(points[i]))
		case baccarat.Banker:
			banker = append(banker, cardOf(points[i]))
		default:
			return player, banker
		}
	}
}

// all calls fn with each possible draw of six.
func all(fn func(points [6]int)) {
	for n := range 1_000_000 {
		var points [6]int
		for i := range points {
			points[i] = n % 10
			n /= 10
		}
		fn(points)
	}
}

// TestTableau compares with the printed rules in all combinations of six cards.
func TestTableau(t *testing.T) {
	all(func(points [6]int) {
		player, banker := dealt(points)
		wantPlayer, wantBanker := slow(points)
		if got, want := fmt.Sprint(pointsOf(player), pointsOf(banker)), fmt.Sprint(wantPlayer, wantBanker); got != want {
			t.Fatalf("from %v: %s, want %s", points, got, want)
		}
	})
}

func pointsOf(hand []baccarat.Card) []int {
	list := make([]int, len(hand))
	for i, c := range hand {
		list[i] = c.Points()
	}
	return list
}

// TestOdds computes the chances of the three results from eight decks, exactly,
// and compares them with those that are published for punto banco:
// https://wizardofodds.com/games/baccarat/basics/
func TestOdds(t *testing.T) {
	chances := map[baccarat.Spot]float64{}
	all(func(points [6]int) {
		left := [10]int{128, 32, 32, 32, 32, 32, 32, 32, 32, 32}
		chance := 1.0
		for i, p := range points {
			chance *= float64(left[p]) / float64(baccarat.ShoeCards-i)
			left[p]--
		}
		player, banker := dealt(points)
		chances[baccarat.ResultOf(1, player, banker).Winner] += chance
	})
	for on, want := range map[baccarat.Spot]float64{baccarat.Banker: 0.458597, baccarat.Player: 0.446247, baccarat.Tie: 0.095156} {
		if math.Abs(chances[on]-want) > 0.0000005 {
			t.Errorf("%s: %.7f, want %.6f", on, chances[on], want)
		}
	}
}

// TestPaid is what a bet of 100 brings back, by the result.
func TestPaid(t *testing.T) {
	for name, c := range map[string]struct {
		player, banker string
		want           map[baccarat.Spot]int64
	}{
		"player":          {"9S KH", "5D 3C", map[baccarat.Spot]int64{baccarat.Player: 200}},
		"banker":          {"AS 6H", "5D 3C", map[baccarat.Spot]int64{baccarat.Banker: 195}},
		"tie":             {"9S KH", "6D 3C", map[baccarat.Spot]int64{baccarat.Player: 100, baccarat.Banker: 100, baccarat.Tie: 900}},
		"pair of player":  {"4S 4H", "5D 4C", map[baccarat.Spot]int64{baccarat.Banker: 195, baccarat.PlayerPair: 1200}},
		"pairs":           {"QS QH 7D", "KD KC 7C", map[baccarat.Spot]int64{baccarat.Player: 100, baccarat.Banker: 100, baccarat.Tie: 900, baccarat.PlayerPair: 1200, baccarat.BankerPair: 1200}},
		"ten and king":    {"TS KH 9D", "TD KC 3C", map[baccarat.Spot]int64{baccarat.Player: 200}},
		"third card pair": {"2S 3H 3D", "9D 7C", map[baccarat.Spot]int64{baccarat.Player: 200}},
	} {
		r := baccarat.ResultOf(7, hand(c.player), hand(c.banker))
		for _, on := range baccarat.Spots {
			if got := r.Paid(on, 100); got != c.want[on] {
				t.Errorf("%s: 100 on %s bring %d, want %d", name, on, got, c.want[on])
			}
		}
	}
}

func hand(text string) (cards []baccarat.Card) {
	for s := range strings.FieldsSeq(text) {
		cards = append(cards, card(s))
	}
	return cards
}

// TestCards: each of 52 reads as it is written, and nothing else is a card.
func TestCards(t *testing.T) {
	seen := map[string]bool{}
	for c := range baccarat.Card(52) {
		back, err := baccarat.ParseCard(c.String())
		if err != nil || back != c {
			t.Errorf("%s reads as %s: %v", c, back, err)
		}
		seen[c.String()] = true
	}
	if len(seen) != 52 {
		t.Errorf("%d different cards", len(seen))
	}
	for _, s := range []string{"", "8", "8h", "1S", "10S", "8X", "T D", "XX"} {
		if c, err := baccarat.ParseCard(s); err == nil {
			t.Errorf("%q reads as %s", s, c)
		}
	}
}
