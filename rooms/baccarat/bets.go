package baccarat

import (
	"cmp"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

func (r Rules) placeBet(s *State, c table.Command) ([]table.Event, error) {
	p, err := table.Read[struct {
		Round  int
		On     Spot
		Amount int64
	}](c)
	if err != nil {
		return nil, err
	}
	if err := bettingOpen(s, c, p.Round); err != nil {
		return nil, err
	}
	uid := c.User.UID
	if err := r.allowed(p.On, p.Amount, s.Bets[uid][p.On]); err != nil {
		return nil, err
	}
	stack := s.stack(uid)
	if p.Amount > stack {
		return nil, table.Refuse("you have %d", stack)
	}
	events, err := place(s, uid)
	if err != nil {
		return nil, err
	}
	return append(events, table.Happened(typeBetPlaced, betPlaced{s.Round, uid, p.On, p.Amount, stack - p.Amount})), nil
}

// bettingOpen refuses a bet that comes too late; the clock of the node that
// decides counts.
func bettingOpen(s *State, c table.Command, round int) error {
	if err := theRound(s, round); err != nil {
		return err
	}
	if s.Phase != Betting || c.Now >= s.ClosesAt {
		return table.Refuse("no more bets for round %d", s.Round)
	}
	return nil
}

// allowed refuses an amount that may not be added to what stands on a spot.
func (r Rules) allowed(on Spot, amount, stands int64) error {
	limit := r.cfg.Limits[on]
	switch {
	case !on.known():
		return table.Refuse("bets are on player, banker, tie, player_pair or banker_pair, not on %q", on)
	case amount <= 0 || amount%Unit != 0:
		return table.Refuse("a bet is a multiple of %d", Unit)
	case amount > limit.Max-stands:
		return table.Refuse("at most %d on %s; %d stand there", limit.Max, on, stands)
	case stands+amount < limit.Min:
		return table.Refuse("at least %d on %s", limit.Min, on)
	}
	return nil
}

// place makes a place at the table for who has none yet, or refuses him.
func place(s *State, uid string) ([]table.Event, error) {
	if _, ok := s.Bets[uid]; ok {
		return nil, nil
	}
	if len(s.Bets) >= MaxBettors {
		return nil, table.RefuseAt("bettors", "%d players have bets in this round; wait for the next", MaxBettors)
	}
	if s.roundBytes(uid) > MaxRoundBytes {
		return nil, table.RefuseAt("round_bytes", "%d players with long uids have bets in this round; wait for the next", len(s.Bets))
	}
	if _, ok := s.Stacks[uid]; ok || len(s.Stacks) < MaxStacks {
		return nil, nil
	}
	longest := s.longestGone()
	if len(longest) == 0 {
		return nil, table.RefuseAt("stacks", "this table keeps the stacks of %d players; go to another", MaxStacks)
	}
	return []table.Event{table.Happened(typeForgotten, forgotten{longest})}, nil
}

// paymentBytes is what a payment takes as JSON without the uid, about.
const paymentBytes = 77

// roundBytes is what the end of the round may take with one more bettor.
func (s *State) roundBytes(uid string) int {
	bytes := writtenBytes(uid) + paymentBytes
	for uid := range s.Bets {
		bytes += writtenBytes(uid) + paymentBytes
	}
	return bytes * len(Spots)
}

// writtenBytes is what a uid takes as JSON, at the most.
func writtenBytes(uid string) int {
	bytes := len(`""`)
	for _, r := range uid {
		switch {
		case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
			bytes += len(`\u0000`)
		case r == '"' || r == '\\':
			bytes += 2
		default:
			bytes += utf8.RuneLen(r)
		}
	}
	return bytes
}

// longestGone are some of the guests who are gone and have no bets, those first who
// have been gone for the longest. Several, so that they are not looked for with
// every newcomer.
func (s *State) longestGone() (uids []string) {
	for uid := range s.Gone {
		if _, bets := s.Bets[uid]; !bets {
			uids = append(uids, uid)
		}
	}
	slices.SortFunc(uids, func(a, b string) int { return cmp.Or(cmp.Compare(s.Gone[a], s.Gone[b]), cmp.Compare(a, b)) })
	return uids[:min(len(uids), forgetAtOnce)]
}

func clearBets(s *State, c table.Command) ([]table.Event, error) {
	p, err := table.Read[struct{ Round int }](c)
	if err != nil {
		return nil, err
	}
	if err := bettingOpen(s, c, p.Round); err != nil {
		return nil, err
	}
	uid := c.User.UID
	stakes := s.Bets[uid].sum()
	if stakes == 0 {
		return nil, table.Refuse("you have no bets in round %d", s.Round)
	}
	return []table.Event{table.Happened(typeBetsCleared, betsCleared{s.Round, uid, maps.Clone(s.Bets[uid]), s.stack(uid) + stakes})}, nil
}

// refill is for who has next to nothing, on the table neither.
func refill(s *State, c table.Command) ([]table.Event, error) {
	uid := c.User.UID
	if has := s.stack(uid) + s.Bets[uid].sum(); has >= RefillBelow {
		return nil, table.Refuse("you have %d; a refill is for who has less than %d", has, RefillBelow)
	}
	return []table.Event{table.Happened(typeRefilled, refilled{uid, StartStack})}, nil
}
