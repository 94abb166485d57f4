package baccarat

import (
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// Decide implements table.Rules.
func (r Rules) Decide(s *State, c table.Command) ([]table.Event, error) {
	switch c.User.From {
	case table.FromEngine:
		return r.byEngine(s, c)
	case table.FromService:
		return r.byService(s, c)
	}
	return r.byUser(s, c)
}

func (r Rules) byUser(s *State, c table.Command) ([]table.Event, error) {
	switch c.Type {
	case "place_bet":
		return r.placeBet(s, c)
	case "clear_bets":
		return clearBets(s, c)
	case "refill":
		return refill(s, c)
	case "send_message":
		return table.Chat(c)
	case "deal", "void", "new_shoe", "pause", "resume":
		return nil, table.Refuse("%s is for the dealer's program, which sends it over NATS", c.Type)
	}
	return nil, unknown(c)
}

func (r Rules) byService(s *State, c table.Command) ([]table.Event, error) {
	switch c.Type {
	case "deal":
		return r.deal(s, c)
	case "void":
		return r.void(s, c)
	case "new_shoe":
		return r.newShoe(s, c)
	case "pause":
		return pause(s, c)
	case "resume":
		return r.resume(s, c)
	case "send_message":
		return table.Chat(c)
	case "place_bet", "clear_bets", "refill":
		return nil, table.Refuse("%s is for players: a service has no stack", c.Type)
	}
	return nil, unknown(c)
}

func unknown(c table.Command) error { return table.Refuse("a baccarat table does not know %q", c.Type) }

func (r Rules) byEngine(s *State, c table.Command) ([]table.Event, error) {
	switch c.Type {
	case table.TypeTimer:
		return r.timer(s, c)
	case table.TypeTookOver:
		return r.tookOver(s, c), nil
	case table.TypeJoined:
		return r.joined(s, c)
	case table.TypeLeft:
		if _, ok := s.Stacks[c.User.UID]; ok && c.User.Guest {
			return []table.Event{table.Happened(typeGotUp, gotUp{c.User.UID, c.Now}).Only()}, nil
		}
	}
	return nil, nil
}

func (r Rules) joined(s *State, c table.Command) (events []table.Event, err error) {
	if _, gone := s.Gone[c.User.UID]; gone {
		events = append(events, table.Happened(typeSatDown, someone{c.User.UID}).Only())
	}
	if s.Phase == Resting && r.why(s) == "" {
		events = append(events, r.openRound(s, c)...)
	}
	return events, nil
}

// timer goes on with what is due. A round is opened and closed, and dealt by a
// table that deals itself.
func (r Rules) timer(s *State, c table.Command) ([]table.Event, error) {
	if due := r.Timer(s); due == 0 || c.Now < due {
		return nil, nil
	}
	switch s.Phase {
	case Betting:
		closed := bettingClosed{Round: s.Round, Totals: s.totals()}
		if !s.live() {
			closed.NextAt = after(c.Now, r.cfg.DealTime)
		}
		return []table.Event{table.Happened(typeBettingClosed, closed)}, nil
	case Dealing:
		if to := NextCard(s.Player, s.Banker); to != "" {
			return r.dealt(s, c, to, s.next()), nil
		}
		return r.settle(s, c), nil
	}
	if why := r.why(s); c.Present == 0 || why != "" {
		return []table.Event{table.Happened(typeRested, rested{why})}, nil
	}
	return r.openRound(s, c), nil
}

// tookOver gives who bets the time that the change of nodes has cost.
func (r Rules) tookOver(s *State, c table.Command) []table.Event {
	switch least := after(c.Now, ExtendedBetTime); {
	case s.Phase == Betting && s.ClosesAt < least && s.Extended < MaxExtensions:
		return []table.Event{table.Happened(typeBettingExtended, bettingExtended{s.Round, least})}
	case s.Phase == Resting && r.why(s) == "" && c.Present > 0:
		return r.openRound(s, c)
	}
	return nil
}

// openRound opens the next round, with a new shoe where one is wanted.
func (r Rules) openRound(s *State, c table.Command) (events []table.Event) {
	if s.Shoe == 0 || s.Last || s.live() != r.cfg.Live {
		return append(r.changeShoe(s, c, nil), r.roundOf(s, c, s.Shoe+1, false))
	}
	return append(events, r.roundOf(s, c, s.Shoe, s.Cut || s.cutShows()))
}

func (r Rules) roundOf(s *State, c table.Command, shoe int, last bool) table.Event {
	return table.Happened(typeRoundOpened, roundOpened{s.Round + 1, shoe, after(c.Now, r.cfg.BetTime), last})
}

// why says why no round is opened although somebody is there; "": one is. A
// dealer's shoe is followed by another when the dealer says so.
func (r Rules) why(s *State) string {
	if s.Paused == "" && r.waitsForShoe(s) {
		return "the shoe is over; the dealer brings the next one"
	}
	return s.Paused
}

func (r Rules) waitsForShoe(s *State) bool { return s.Last && s.live() && r.cfg.Live }

// changeShoe ends the present shoe and starts the next one, whose first card is
// said by the dealer's program, if at all.
func (r Rules) changeShoe(s *State, c table.Command, first *Card) (events []table.Event) {
	if s.Shoe > 0 {
		events = append(events, table.Happened(typeShoeEnded, shoeEnded{s.Shoe, s.Seed}))
	}
	started := shoeStarted{Shoe: s.Shoe + 1, Decks: Decks, Cut: CutCards}
	if !r.cfg.Live {
		seed := Seed(c.Seed)
		order := Shuffle(seed)
		started.Commit, first = seed.Commit(), &order[0]
		secret := table.Happened(typeShoeSeeded, shoeSeeded{started.Shoe, seed}).Only()
		secret.Sealed = true
		events = append(events, secret)
	}
	if first != nil {
		started.First, started.Burned = first, first.burned()
	}
	return append(events, table.Happened(typeShoeStarted, started))
}

// dealt tells of a card, and when it goes on.
func (r Rules) dealt(s *State, c table.Command, to Spot, card Card) []table.Event {
	ev := cardDealt{Round: s.Round, To: to, Index: len(*s.hand(to)), Card: card}
	player, banker := s.Player, s.Banker
	if to == Player {
		player = append(slices.Clone(player), card)
	} else {
		banker = append(slices.Clone(banker), card)
	}
	if !s.live() || NextCard(player, banker) == "" {
		ev.NextAt = after(c.Now, r.cfg.DealTime)
	}
	return []table.Event{table.Happened(typeCardDealt, ev)}
}

func (r Rules) settle(s *State, c table.Command) []table.Event {
	settled := roundSettled{
		Result: resultOf(s.Round, s.Player, s.Banker), Player: s.Player, Banker: s.Banker,
		Paid: []payment{}, NextAt: after(c.Now, r.cfg.ShowTime),
	}
	stacks := make(map[string]int64)
	s.bets(func(uid string, on Spot, amount int64) {
		if _, ok := stacks[uid]; !ok {
			stacks[uid] = s.stack(uid)
		}
		paid := settled.Result.Paid(on, amount)
		stacks[uid] += paid
		settled.Paid = append(settled.Paid, payment{uid, on, amount, paid, stacks[uid]})
	})
	return []table.Event{table.Happened(typeRoundSettled, settled)}
}

// deal is a card from the dealer's program. A card of which all copies are dealt,
// or for which it is not the time, is a mistake there.
func (r Rules) deal(s *State, c table.Command) ([]table.Event, error) {
	p, err := table.Read[struct{ Card *Card }](c)
	if err != nil {
		return nil, err
	}
	to := NextCard(s.Player, s.Banker)
	switch {
	case p.Card == nil:
		return nil, table.Refuse(`deal needs a card: {"card":"8H"}`)
	case s.Shoe > 0 && !s.live() || s.Shoe == 0 && !r.cfg.Live:
		return nil, table.Refuse("this table deals its cards itself")
	case s.Phase == Betting:
		return nil, table.Refuse("bets are taken for round %d; deal when betting_closed has come", s.Round)
	case s.Phase != Dealing:
		return nil, table.Refuse("no round is open; the next one opens by itself while somebody is there")
	case to == "":
		return nil, table.Refuse("round %d has all its cards", s.Round)
	case count(s.Seen, *p.Card) == Decks:
		return nil, table.Refuse("all %d copies of %s were dealt from this shoe; send new_shoe after the round, or void the round", Decks, *p.Card)
	}
	return r.dealt(s, c, to, *p.Card), nil
}

func count(cards []Card, card Card) (n int) {
	for _, c := range cards {
		if c == card {
			n++
		}
	}
	return n
}

// void ends a round without a result: every bet goes back.
func (r Rules) void(s *State, c table.Command) ([]table.Event, error) {
	p, err := table.Read[struct {
		Round  int
		Reason string
	}](c)
	if err != nil {
		return nil, err
	}
	if err := theRound(s, p.Round); err != nil {
		return nil, err
	}
	switch {
	case !s.inPlay():
		return nil, table.Refuse("round %d is over", s.Round)
	case len(p.Reason) > MaxReason:
		return nil, table.Refuse("a reason has %d bytes at most", MaxReason)
	}
	ev := roundVoided{Round: s.Round, Reason: p.Reason, Returned: []returned{}, NextAt: after(c.Now, r.cfg.ShowTime)}
	s.bets(func(uid string, _ Spot, amount int64) {
		if n := len(ev.Returned); n == 0 || ev.Returned[n-1].UID != uid {
			ev.Returned = append(ev.Returned, returned{UID: uid, Stack: s.stack(uid)})
		}
		last := &ev.Returned[len(ev.Returned)-1]
		last.Amount += amount
		last.Stack += amount
	})
	return []table.Event{table.Happened(typeRoundVoided, ev)}, nil
}

// newShoe has the next round dealt from a new shoe.
func (r Rules) newShoe(s *State, c table.Command) ([]table.Event, error) {
	p, err := table.Read[struct{ First *Card }](c)
	switch {
	case err != nil:
		return nil, err
	case s.inPlay():
		return nil, table.Refuse("round %d is being played; a shoe is changed between two rounds", s.Round)
	case p.First != nil && !r.cfg.Live:
		return nil, table.Refuse("this table shuffles its shoes itself; send new_shoe without a first card")
	}
	events := r.changeShoe(s, c, p.First)
	if s.Phase == Resting && s.Paused == "" && c.Present > 0 {
		events = append(events, r.roundOf(s, c, s.Shoe+1, false))
	}
	return events, nil
}

func pause(s *State, c table.Command) ([]table.Event, error) {
	p, err := table.Read[paused](c)
	switch {
	case err != nil:
		return nil, err
	case p.Reason == "":
		return nil, table.Refuse("pause needs a reason, which players are shown")
	case len(p.Reason) > MaxReason:
		return nil, table.Refuse("a reason has %d bytes at most", MaxReason)
	case s.Paused == p.Reason:
		return nil, nil
	}
	return []table.Event{table.Happened(typePaused, p)}, nil
}

func (r Rules) resume(s *State, c table.Command) ([]table.Event, error) {
	if s.Paused == "" {
		return nil, nil
	}
	events := []table.Event{table.Happened(typeResumed, struct{}{})}
	if s.Phase == Resting && c.Present > 0 && !r.waitsForShoe(s) {
		events = append(events, r.openRound(s, c)...)
	}
	return events, nil
}

// theRound refuses what is meant for another round than the present one.
func theRound(s *State, round int) error {
	if round != s.Round {
		return table.Refuse("the round is %d, not %d", s.Round, round)
	}
	return nil
}
