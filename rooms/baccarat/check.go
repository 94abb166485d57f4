package baccarat

import (
	"encoding/json"
	"fmt"
	"slices"
)

// ShoeReport is what came of checking a shoe.
type ShoeReport struct {
	Shoe  int
	Whole bool // it was seen from shoe_started to shoe_ended
	Ended bool // shoe_ended was seen
	// FromRound is the first round that was seen of a shoe of which shoe_started was
	// not: neither the rounds before are checked, nor what was told at its beginning.
	FromRound int  // 0: shoe_started was seen
	Live      bool // a dealer drew the cards: there is no seed to check them by
	Seed      *Seed
	Rounds    int // settled
	Voided    int
	Cards     int // dealt
	Bets      int // settled
	Results   Results
	// Early says that it ended before its last round was opened: a service sent
	// new_shoe. OtherDealer: or --dealer was changed, as another kind follows.
	Early, OtherDealer bool
	// Forgotten is how many stacks of guests were. The log tells nobody who had gone,
	// and since when; FromFirst: that the table was full was checked, as the log has it
	// from its first shoe on.
	Forgotten int
	FromFirst bool
	// Late is in how many rounds bets were stored after betting was to end, in one step:
	// it was decided before if the log took nothing meanwhile.
	Late   int
	Faults []string // with the sequence of the event; MaxFaults at most
}

// MaxFaults is how many faults a report names; what follows one is often another.
const MaxFaults = 20

// Checker checks a table by its log alone, as any client sees it, and by the rules
// of the game: by none of what State and Rules do with events. It takes the events
// in their order, from any one on; what comes before the first shoe_started or
// round_opened it passes over.
type Checker struct {
	shoes []*ShoeReport
	shoe  *ShoeReport // nil: none has started yet
	guest func(uid string) bool
	step  stored

	dealer bool // who deals the present shoe is known
	commit string
	first  *Card
	burned int
	dealt  []Card
	last   bool // the last round of the shoe has been opened
	opened []opened

	round          int // 0: none was seen
	phase          Phase
	closesAt       int64
	extended       int // how often that was made later in this round
	lateRound      int // the last one with a bet that was stored late
	player, banker []Card
	bets           map[string]Stakes
	stacks         map[string]int64 // those that are known
	forgets        bool             // guests were forgotten in favour of who bets next
}

// opened is a round, and how many cards had been seen of its shoe before.
type opened struct {
	round, dealt int
	last         bool // it was said to be the last
}

// NewChecker is a Checker that has seen nothing. guest reports which users may be
// forgotten.
func NewChecker(guest func(uid string) bool) *Checker {
	return &Checker{guest: guest, bets: map[string]Stakes{}, stacks: map[string]int64{}, phase: Resting}
}

// Reports are those of the shoes that were seen, in order.
func (c *Checker) Reports() []*ShoeReport { return c.shoes }

// Take checks the next event of the log, of the step with that sequence, which was
// stored at that time (ms since 1970; 0: times are not checked). Types that are not
// of the game are passed over.
func (c *Checker) Take(seq uint64, at int64, typ string, payload json.RawMessage) {
	c.step.next(seq, at)
	check, ok := checks[typ]
	if !ok || c.shoe == nil && typ != typeShoeStarted && typ != typeRoundOpened {
		return
	}
	if c.forgets && typ != typeBetPlaced {
		c.fault("guests were forgotten for nobody new: %s follows", typ)
		c.forgets = false
	}
	if err := check(c, payload); err != nil {
		c.fault("%s cannot be read: %v", typ, err)
	}
}

func (c *Checker) fault(format string, args ...any) {
	if len(c.shoe.Faults) < MaxFaults {
		c.shoe.Faults = append(c.shoe.Faults, fmt.Sprintf("event %d: ", c.step.seq)+fmt.Sprintf(format, args...))
	}
}

// must is a fault unless ok.
func (c *Checker) must(ok bool, format string, args ...any) {
	if !ok {
		c.fault(format, args...)
	}
}

var checks = map[string]func(*Checker, json.RawMessage) error{
	typeShoeStarted:     reading((*Checker).shoeStarted),
	typeShoeEnded:       reading((*Checker).shoeEnded),
	typeRoundOpened:     reading((*Checker).roundOpened),
	typeBettingExtended: reading((*Checker).bettingExtended),
	typeBetPlaced:       reading((*Checker).betPlaced),
	typeBetsCleared:     reading((*Checker).betsCleared),
	typeBettingClosed:   reading((*Checker).bettingClosed),
	typeCardDealt:       reading((*Checker).cardDealt),
	typeRoundSettled:    reading((*Checker).roundSettled),
	typeRoundVoided:     reading((*Checker).roundVoided),
	typeRefilled:        reading((*Checker).refilled),
	typeForgotten:       reading((*Checker).forgotten),
}

// reading reads the payload of an event.
func reading[P any](check func(*Checker, P)) func(*Checker, json.RawMessage) error {
	return func(c *Checker, payload json.RawMessage) error {
		var p P
		if err := json.Unmarshal(payload, &p); err != nil {
			return err
		}
		check(c, p)
		return nil
	}
}

func (c *Checker) shoeStarted(p shoeStarted) {
	before := c.shoe
	c.shoe = &ShoeReport{Shoe: p.Shoe, Live: p.Commit == ""}
	c.shoes, c.dealer = append(c.shoes, c.shoe), true
	if before != nil {
		before.OtherDealer = before.Early && before.Live != c.shoe.Live
	}
	c.must(before == nil || before.Ended, "the shoe before has not ended")
	c.must(before == nil || p.Shoe == before.Shoe+1, "shoe %d follows %d", p.Shoe, shoeOf(before))
	c.must(c.phase != Betting && c.phase != Dealing, "a shoe starts in the middle of round %d", c.round)
	c.must(p.Decks == Decks && p.Cut == CutCards, "it has %d decks and %d cards behind the cut card, want %d and %d", p.Decks, p.Cut, Decks, CutCards)
	c.commit, c.first, c.burned = p.Commit, p.First, p.Burned
	c.dealt, c.last, c.opened = nil, false, nil
	if p.First != nil {
		c.must(p.Burned == p.First.burned(), "%d cards are burned after %s, want %d", p.Burned, p.First, p.First.burned())
	} else {
		c.must(c.shoe.Live, "the first card is not shown")
	}
}

func shoeOf(r *ShoeReport) int {
	if r == nil {
		return 0
	}
	return r.Shoe
}

// shoeEnded compares all cards with those of the seed.
func (c *Checker) shoeEnded(p shoeEnded) {
	c.must(p.Shoe == c.shoe.Shoe && !c.shoe.Ended, "shoe %d ends, and %d is the present one, or has ended", p.Shoe, c.shoe.Shoe)
	c.shoe.Ended, c.shoe.Whole, c.shoe.Seed = true, c.shoe.FromRound == 0, p.Seed
	c.shoe.Early = !c.last
	if !c.dealer {
		c.shoe.Live, c.dealer = p.Seed == nil, true
	}
	switch {
	case c.shoe.Live && p.Seed == nil:
		return
	case c.shoe.Live:
		c.fault("a dealer's shoe ends with the seed %s", p.Seed)
		return
	case p.Seed == nil:
		c.fault("the seed is not told")
		return
	case c.shoe.FromRound != 0:
		c.lateOrder(Shuffle(*p.Seed))
		return
	case p.Seed.Commit() != c.commit:
		c.fault("the seed %s has the sum %s, and %s was told before the first card", p.Seed, p.Seed.Commit(), c.commit)
		return
	}
	order := Shuffle(*p.Seed)
	if c.first != nil && order[0] != *c.first {
		c.fault("the first card is %s by the seed, and %s was shown", order[0], c.first)
	}
	for i, card := range c.dealt {
		if at := 1 + c.burned + i; at >= ShoeCards || order[at] != card {
			c.fault("card %d of the shoe is %s by the seed, and %s was dealt", at+1, order[min(at, ShoeCards-1)], card)
			return
		}
	}
}

// lateOrder compares the cards of a shoe whose beginning was not seen with those of
// its seed: they must be there in a row, so that the last round was called in time.
func (c *Checker) lateOrder(order [ShoeCards]Card) {
	for at := 1 + order[0].burned(); at+len(c.dealt) <= ShoeCards; at++ {
		if !slices.Equal(order[at:at+len(c.dealt)], c.dealt) {
			continue
		}
		for _, r := range c.opened {
			last := at+r.dealt >= ShoeCards-CutCards
			c.must(r.last == last, "round %d is said to be the last: %v, after %d cards of the shoe", r.round, r.last, at+r.dealt)
		}
		return
	}
	c.fault("the %d cards that were dealt from round %d on are not in a row in the shoe of the seed %s", len(c.dealt), c.shoe.FromRound, c.shoe.Seed)
}

// cutShows reports whether the cut card lies on top, or was passed, as far as the
// log says which cards have left the shoe.
func (c *Checker) cutShows(dealt int) bool {
	gone := dealt
	if c.first != nil {
		gone += 1 + c.burned
	}
	return gone >= ShoeCards-CutCards
}

func (c *Checker) roundOpened(p roundOpened) {
	if c.shoe == nil {
		c.shoe = &ShoeReport{Shoe: p.Shoe, FromRound: p.Round}
		c.shoes = append(c.shoes, c.shoe)
	}
	c.must(c.round == 0 || p.Round == c.round+1, "round %d follows %d", p.Round, c.round)
	c.must(p.Shoe == c.shoe.Shoe, "round %d is said to be of shoe %d", p.Round, p.Shoe)
	c.must(c.phase != Betting && c.phase != Dealing, "round %d is opened and %d has not ended", p.Round, c.round)
	c.must(!c.last, "round %d is opened after the last of the shoe", p.Round)
	c.opened = append(c.opened, opened{p.Round, len(c.dealt), p.Last})
	// Passed in a round that is over, or on top.
	if c.last = c.cutShows(len(c.dealt)); c.shoe.FromRound != 0 {
		c.last = p.Last // until the seed is told
	}
	c.must(p.Last == c.last, "round %d is said to be the last: %v, after %d cards", p.Round, p.Last, len(c.dealt))
	c.round, c.phase, c.closesAt, c.extended = p.Round, Betting, p.ClosesAt, 0
	c.player, c.banker, c.bets = nil, nil, map[string]Stakes{}
}

// inRound reports whether an event belongs to the round and its phase.
func (c *Checker) inRound(round int, what string, phases ...Phase) bool {
	for _, phase := range phases {
		if round == c.round && c.phase == phase {
			return true
		}
	}
	c.fault("%s in round %d, and round %d is %s", what, round, c.round, c.phase)
	return false
}

func (c *Checker) bettingExtended(p bettingExtended) {
	if c.inRound(p.Round, "betting is extended", Betting) {
		c.must(p.ClosesAt > c.closesAt, "betting is extended from %d to %d", c.closesAt, p.ClosesAt)
		c.extendedInTime(p.ClosesAt)
		c.closesAt = p.ClosesAt
	}
}

func (c *Checker) bettingClosed(p bettingClosed) {
	if !c.inRound(p.Round, "betting is closed", Betting) {
		return
	}
	if !c.dealer {
		c.shoe.Live, c.dealer = p.NextAt == 0, true
	}
	c.goesOn(p.NextAt, c.shoe.Live)
	c.closedInTime()
	totals := Stakes{}
	for _, stakes := range c.bets {
		for on, amount := range stakes {
			totals[on] += amount
		}
	}
	c.must(sameStakes(totals, p.Totals), "the totals are %v by the bets, and are said to be %v", totals, p.Totals)
	c.phase = Dealing
}

// goesOn checks that the next card, or the end, has a time, unless a dealer is waited
// for.
func (c *Checker) goesOn(nextAt int64, waits bool) {
	switch {
	case nextAt != 0 && waits:
		c.fault("the table deals by itself, and its shoe is a dealer's: it has no commit")
	case nextAt == 0 && !waits:
		c.fault("the table waits for a dealer, where it should go on by itself")
	}
}

func sameStakes(a, b map[Spot]int64) bool {
	for _, on := range Spots {
		if a[on] != b[on] {
			return false
		}
	}
	return true
}

func (c *Checker) cardDealt(p cardDealt) {
	if !c.inRound(p.Round, "a card is dealt", Dealing) {
		return
	}
	to := NextCard(c.player, c.banker)
	hand := &c.player
	if p.To == Banker {
		hand = &c.banker
	}
	c.must(p.To == to && p.Index == len(*hand), "the card goes to %s as number %d, by the tableau to %q; player %v, banker %v", p.To, p.Index, to, c.player, c.banker)
	*hand = append(*hand, p.Card)
	c.dealt = append(c.dealt, p.Card)
	c.shoe.Cards++
	copies := count(c.dealt, p.Card)
	if c.first != nil && *c.first == p.Card {
		copies++
	}
	c.must(copies <= Decks, "%s is dealt, and %d copies of it were", p.Card, Decks)
	c.goesOn(p.NextAt, c.shoe.Live && NextCard(c.player, c.banker) != "")
}
