package baccarat

import (
	"encoding/json"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// Apply implements table.Rules.
func (Rules) Apply(s *State, ev table.Event) (*State, error) {
	apply, ok := applies[ev.Type]
	if !ok {
		return s, fmt.Errorf("baccarat: apply %q: these rules do not know it; they may be older than the log", ev.Type)
	}
	if err := apply(s, ev.Payload); err != nil {
		return s, fmt.Errorf("baccarat: apply %s to round %d: %w", ev.Type, s.Round, err)
	}
	return s, nil
}

// applies says by type what an event changes.
var applies = map[string]func(*State, json.RawMessage) error{
	typeShoeEnded:        with(func(*State, shoeEnded) {}),
	typeShoeSeeded:       with(func(s *State, p shoeSeeded) { s.Seed = &p.Seed }),
	typeShoeStarted:      with((*State).startShoe),
	typeRoundOpened:      with((*State).openRound),
	typeBettingExtended:  with((*State).extendBetting),
	typeBetPlaced:        with((*State).placeBet),
	typeBetsCleared:      with((*State).clearBets),
	typeBettingClosed:    with((*State).closeBetting),
	typeCardDealt:        with((*State).deal),
	typeRoundSettled:     with((*State).settle),
	typeRoundVoided:      with((*State).void),
	typeRefilled:         with(func(s *State, p refilled) { s.Stacks[p.UID] = p.Stack }),
	typePaused:           with(func(s *State, p paused) { s.Paused = p.Reason }),
	typeResumed:          with(func(s *State, _ struct{}) { s.Paused = "" }),
	typeRested:           with(func(s *State, _ rested) { s.Phase, s.NextAt = Resting, 0 }),
	typeGotUp:            with(func(s *State, p gotUp) { s.Gone[p.UID] = p.At }),
	typeForgotten:        with((*State).forget),
	typeSatDown:          with(func(s *State, p someone) { delete(s.Gone, p.UID) }),
	table.TypeNewMessage: func(*State, json.RawMessage) error { return nil },
}

// with reads the payload of an event.
func with[P any](apply func(*State, P)) func(*State, json.RawMessage) error {
	return func(s *State, payload json.RawMessage) error {
		var p P
		if err := json.Unmarshal(payload, &p); err != nil {
			return err
		}
		apply(s, p)
		return nil
	}
}

func (s *State) startShoe(p shoeStarted) {
	s.Shoe, s.Commit, s.Seen, s.Last, s.Cut, s.Results = p.Shoe, p.Commit, nil, false, false, nil
	s.cards, s.Drawn = nil, 0
	if p.First != nil {
		s.Drawn = 1 + p.Burned
	}
	if p.Commit == "" { // a dealer's
		s.Seed = nil
		if p.First != nil {
			s.Seen = []Card{*p.First}
		}
	}
}

func (s *State) openRound(p roundOpened) {
	s.Round, s.Phase, s.ClosesAt, s.NextAt = p.Round, Betting, p.ClosesAt, 0
	s.Player, s.Banker, s.Extended = nil, nil, 0
	s.Last = s.Cut || s.cutShows()
}

func (s *State) extendBetting(p bettingExtended) {
	s.ClosesAt = p.ClosesAt
	s.Extended++
}

// cutShows reports whether the cut card lies on top of the shoe, or has been
// passed.
func (s *State) cutShows() bool { return s.Drawn >= ShoeCards-CutCards }

func (s *State) placeBet(p betPlaced) {
	if s.Bets[p.UID] == nil {
		s.Bets[p.UID] = Stakes{}
	}
	s.Bets[p.UID][p.On] += p.Amount
	s.Stacks[p.UID] = p.Stack
}

func (s *State) clearBets(p betsCleared) {
	delete(s.Bets, p.UID)
	s.Stacks[p.UID] = p.Stack
}

func (s *State) closeBetting(p bettingClosed) { s.Phase, s.ClosesAt, s.NextAt = Dealing, 0, p.NextAt }

// hand is the hand that a card is dealt to.
func (s *State) hand(to Spot) *[]Card {
	if to == Player {
		return &s.Player
	}
	return &s.Banker
}

func (s *State) deal(p cardDealt) {
	hand := s.hand(p.To)
	*hand = append(*hand, p.Card)
	s.NextAt = p.NextAt
	if s.Seed == nil {
		s.Seen = append(s.Seen, p.Card)
	}
	s.Cut = s.Cut || s.cutShows() // the cut card came before this one
	s.Drawn++
}

func (s *State) settle(p roundSettled) {
	for _, payment := range p.Paid {
		s.Stacks[payment.UID] = payment.Stack
	}
	s.Results = append(s.Results, p.Result)
	s.endRound(p.NextAt)
}

func (s *State) void(p roundVoided) {
	for _, back := range p.Returned {
		s.Stacks[back.UID] = back.Stack
	}
	s.endRound(p.NextAt)
}

func (s *State) endRound(next int64) {
	s.Phase, s.ClosesAt, s.NextAt = Settled, 0, next
	s.Bets = map[string]Stakes{}
}

// forget makes room for others.
func (s *State) forget(p forgotten) {
	for _, uid := range p.UIDs {
		delete(s.Stacks, uid)
		delete(s.Gone, uid)
	}
}
