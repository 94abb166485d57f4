package baccarat

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Phase is what a table is doing.
type Phase string

// The phases.
const (
	Resting Phase = "resting" // nobody is there, or it is paused
	Betting Phase = "betting"
	Dealing Phase = "dealing"
	Settled Phase = "settled"
)

// Bounds of a table.
const (
	// StartStack is what somebody has who has never bet here, and again after a
	// refill, which is for those below RefillBelow.
	StartStack  = 10_000
	RefillBelow = 100
	// Unit is what every bet is a multiple of, so that the commission of 5% is
	// exact.
	Unit = 20
	// MaxBettors is how many users may have bets in a round.
	MaxBettors = 500
	// MaxStacks is of how many users a table keeps the stack. When it is full, the
	// guests who have been gone for the longest are forgotten, and where none are
	// gone newcomers are refused.
	MaxStacks = 10_000
	// MaxRoundBytes is about how many bytes of JSON the end of a round may take, with
	// all bets that its bettors might place: it must fit into a step. 500 users fit
	// with uids of 63 letters; of those with longer ones fewer may bet.
	MaxRoundBytes = 352 << 10
	// MaxReason is how long a reason of void and pause may be, in bytes.
	MaxReason = 256

	forgetAtOnce = 100
)

// Stakes are the chips of one user in one round, by spot.
type Stakes map[Spot]int64

func (s Stakes) sum() (sum int64) {
	for _, amount := range s {
		sum += amount
	}
	return sum
}

// State is a table: what its events have made of it.
type State struct {
	Shoe   int    `json:"shoe"`             // its number from 1; 0 before the first
	Seed   *Seed  `json:"seed,omitempty"`   // secret until the shoe ends; nil for cards that a dealer draws
	Commit string `json:"commit,omitempty"` // of the seed
	Drawn  int    `json:"drawn"`            // cards that have left the shoe, the burned ones included as far as they are known
	Seen   []Card `json:"seen,omitempty"`   // of a shoe without a seed: the cards that were seen
	Last   bool   `json:"last,omitempty"`   // the round is the last one of the shoe
	Cut    bool   `json:"cut,omitempty"`    // the cut card has shown: the next round is the last one

	Round    int     `json:"round"` // its number from 1, over all shoes; 0 before the first
	Phase    Phase   `json:"phase"`
	ClosesAt int64   `json:"closes_at,omitempty"` // when betting ends, ms since 1970
	Extended int     `json:"extended,omitempty"`  // how often that was made later in this round
	NextAt   int64   `json:"next_at,omitempty"`   // when it goes on in any other phase; 0: not by itself
	Player   []Card  `json:"player,omitempty"`
	Banker   []Card  `json:"banker,omitempty"`
	Paused   string  `json:"paused,omitempty"` // why no new round is opened
	Results  Results `json:"results,omitempty"`

	Bets   map[string]Stakes `json:"bets,omitempty"` // of this round, by uid
	Stacks map[string]int64  `json:"stacks,omitempty"`
	Gone   map[string]int64  `json:"gone,omitempty"` // since when guests are gone who have a stack, ms since 1970

	cards *[ShoeCards]Card // in the shoe of Seed; made when it is wanted
}

// Results are those of the present shoe.
type Results []Result

func newState() *State {
	return &State{Phase: Resting, Bets: map[string]Stakes{}, Stacks: map[string]int64{}, Gone: map[string]int64{}}
}

func encode(s *State) ([]byte, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("baccarat: encode the state of round %d: %w", s.Round, err)
	}
	return data, nil
}

func decodeState(data []byte) (*State, error) {
	s := newState()
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("baccarat: decode a state: %w", err)
	}
	return s, nil
}

// next is the card on top of a shoe that has a seed.
func (s *State) next() Card {
	if s.cards == nil {
		cards := Shuffle(*s.Seed)
		s.cards = &cards
	}
	return s.cards[s.Drawn]
}

// stack is what a user has besides the bets of this round.
func (s *State) stack(uid string) int64 {
	if stack, ok := s.Stacks[uid]; ok {
		return stack
	}
	return StartStack
}

// totals are the chips on each spot.
func (s *State) totals() map[Spot]int64 {
	totals := make(map[Spot]int64)
	for _, stakes := range s.Bets {
		for on, amount := range stakes {
			totals[on] += amount
		}
	}
	return totals
}

// bets calls fn for each bet of the round, in one order.
func (s *State) bets(fn func(uid string, on Spot, amount int64)) {
	for _, uid := range slices.Sorted(maps.Keys(s.Bets)) {
		for _, on := range Spots {
			if amount := s.Bets[uid][on]; amount > 0 {
				fn(uid, on, amount)
			}
		}
	}
}

// live reports whether the cards of the present shoe come from a dealer.
func (s *State) live() bool { return s.Shoe > 0 && s.Seed == nil }

// inPlay reports whether the round is neither settled nor voided.
func (s *State) inPlay() bool { return s.Phase == Betting || s.Phase == Dealing }
