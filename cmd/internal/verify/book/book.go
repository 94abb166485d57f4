// Package book keeps the books of a baccarat table from what its log tells, and
// finds every event that does not follow from those before. It knows the game by
// its contract only and shares no code with the rules, so that a mistake there is
// not made here as well. It has no clock and no goroutine.
package book

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Kind says what is wrong.
type Kind string

// Kinds of faults.
const (
	Lost      Kind = "lost"      // an acknowledged command is not in the log
	Doubled   Kind = "doubled"   // the log has what no command asked for, or more often than it was asked for
	Round     Kind = "round"     // a round is settled twice, never, or out of its turn
	Money     Kind = "money"     // a stack or a payment is not what it must be
	Malformed Kind = "malformed" // an event cannot be read
)

// Fault is one thing that is wrong with a table.
type Fault struct {
	Kind Kind
	Text string
}

// Event is one of a step, as clients see it.
type Event struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// What the contract says of money.
const (
	startStack  = 10_000
	refillBelow = 100
)

// Book is one table. It is not safe for concurrent use.
type Book struct {
	Faults  []Fault
	Settled int // rounds
	Voided  int

	forgets func(uid string) bool
	seq     uint64 // of the step that is being taken
	round   int
	phase   string
	player  []string
	banker  []string
	bets    map[string]map[string]int64 // of the round, by uid and spot
	stacks  map[string]int64
}

// Phases of a round, as room_joined names them.
const (
	resting = "resting"
	betting = "betting"
	dealing = "dealing"
	settled = "settled"
)

// New is the book of a table that nobody has played at. forgets says whose stack
// the table may forget between two rounds: that of a guest who is gone.
func New(forgets func(uid string) bool) *Book {
	return &Book{forgets: forgets, phase: resting, bets: make(map[string]map[string]int64), stacks: make(map[string]int64)}
}

// fault notes what is wrong at the present step.
func (b *Book) fault(kind Kind, format string, args ...any) {
	b.Faults = append(b.Faults, Fault{kind, fmt.Sprintf("step %d, round %d: ", b.seq, b.round) + fmt.Sprintf(format, args...)})
}

// Take enters the next step.
func (b *Book) Take(seq uint64, events []Event) {
	b.seq = seq
	for _, ev := range events {
		if enter, ok := entries[ev.Type]; ok {
			if err := enter(b, ev.Payload); err != nil {
				b.fault(Malformed, "%s: %v", ev.Type, err)
			}
		}
	}
}

// Open is the round that is neither settled nor voided; 0: there is none.
func (b *Book) Open() int {
	if b.phase == betting || b.phase == dealing {
		return b.round
	}
	return 0
}

// Staked reports whether anybody has a bet in the present round.
func (b *Book) Staked() bool { return b.Open() != 0 && len(b.bets) > 0 }

// Stack is what a user has besides the bets of the round.
func (b *Book) Stack(uid string) int64 {
	if stack, ok := b.stacks[uid]; ok {
		return stack
	}
	return startStack
}

// View is the part of room_joined's state that is checked.
type View struct {
	Round  int
	Phase  string
	Totals map[string]int64
	Me     struct {
		Stack int64
		Bets  map[string]int64
	}
}

// Compare notes where a user was shown something else after the present step.
// Where the table rests or has settled is not compared: a table goes to rest
// without telling anybody.
func (b *Book) Compare(uid string, v View) {
	if v.Me.Stack != b.Stack(uid) && !(b.forgets(uid) && v.Me.Stack == startStack && len(b.bets[uid]) == 0) {
		b.fault(Money, "%s is shown a stack of %d, and has %d", uid, v.Me.Stack, b.Stack(uid))
	}
	if !maps.Equal(standing(v.Me.Bets), b.bets[uid]) {
		b.fault(Money, "%s is shown the bets %v, and has %v", uid, v.Me.Bets, b.bets[uid])
	}
	if !maps.Equal(standing(v.Totals), b.totals()) {
		b.fault(Money, "%s is shown the totals %v, and they are %v", uid, v.Totals, b.totals())
	}
	open := b.Open() != 0
	if v.Round != b.round || (open || v.Phase == betting || v.Phase == dealing) && v.Phase != b.phase {
		b.fault(Round, "%s is shown round %d, %s; it is %d, %s", uid, v.Round, v.Phase, b.round, b.phase)
	}
}

// standing is what is not 0.
func standing(bets map[string]int64) map[string]int64 {
	bets = maps.Clone(bets)
	maps.DeleteFunc(bets, func(_ string, amount int64) bool { return amount == 0 })
	return bets
}

func (b *Book) totals() map[string]int64 {
	totals := make(map[string]int64)
	for _, stakes := range b.bets {
		for on, amount := range stakes {
			totals[on] += amount
		}
	}
	return totals
}

// staked is what a user has on the table.
func (b *Book) staked(uid string) (sum int64) {
	for _, amount := range b.bets[uid] {
		sum += amount
	}
	return sum
}

// users are those with bets, sorted.
func (b *Book) users() []string { return slices.Sorted(maps.Keys(b.bets)) }
