package book

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Ledger compares what the players were answered with what the log has: each
// acknowledged command once, in the step that the ack named, each refused one not
// at all, and one without an answer at most once.
type Ledger struct {
	acked   map[atStep]int
	unknown map[string]int
	players map[string]bool
}

type atStep struct {
	seq  uint64
	fact string
}

// NewLedger is one without commands.
func NewLedger() *Ledger {
	return &Ledger{acked: make(map[atStep]int), unknown: make(map[string]int), players: make(map[string]bool)}
}

// Player says that all commands of a user will be told.
func (l *Ledger) Player(uid string) { l.players[uid] = true }

// Acked is a command that was acknowledged with the sequence seq. fact is what
// must be in the log for it: a Fact.
func (l *Ledger) Acked(seq uint64, fact string) { l.acked[atStep{seq, fact}]++ }

// Unknown is a command that got no answer: it may be in the log.
func (l *Ledger) Unknown(fact string) { l.unknown[fact]++ }

// factOf is the fact that an event tells, and of whom; "" for what is nobody's
// command.
func factOf(ev Event) (uid, fact string, err error) {
	var p struct {
		UID     string
		Round   int
		On      string
		Amount  int64
		Message string
	}
	switch ev.Type {
	case "bet_placed", "bets_cleared", "refilled", "new_message":
		err = json.Unmarshal(ev.Payload, &p)
	}
	switch ev.Type {
	case "bet_placed":
		return p.UID, BetFact(p.UID, p.Round, p.On, p.Amount), err
	case "bets_cleared":
		return p.UID, ClearFact(p.UID, p.Round), err
	case "refilled":
		return p.UID, RefillFact(p.UID), err
	case "new_message":
		return p.UID, SayFact(p.UID, p.Message), err
	}
	return "", "", err
}

// BetFact is that of a place_bet.
func BetFact(uid string, round int, on string, amount int64) string {
	return fmt.Sprintf("%s bets %d on %s in round %d", uid, amount, on, round)
}

// ClearFact is that of a clear_bets.
func ClearFact(uid string, round int) string {
	return fmt.Sprintf("%s takes back the bets of round %d", uid, round)
}

// RefillFact is that of a refill.
func RefillFact(uid string) string { return uid + " is refilled" }

// SayFact is that of a send_message.
func SayFact(uid, message string) string { return fmt.Sprintf("%s says %q", uid, message) }

// Take compares the next step of the log, and returns what is in it for no
// command.
func (l *Ledger) Take(seq uint64, events []Event) (faults []Fault) {
	for _, ev := range events {
		uid, fact, err := factOf(ev)
		if err != nil {
			faults = append(faults, Fault{Malformed, fmt.Sprintf("step %d: %s: %v", seq, ev.Type, err)})
		}
		if !l.players[uid] {
			continue // somebody else's, or nobody's
		}
		switch at := (atStep{seq, fact}); {
		case l.acked[at] > 0:
			l.acked[at]--
		case l.unknown[fact] > 0:
			l.unknown[fact]--
		default:
			faults = append(faults, Fault{Doubled, fmt.Sprintf("step %d: %s, and no command was answered so", seq, fact)})
		}
	}
	return faults
}

// Rest is what was acknowledged and has not come.
func (l *Ledger) Rest() (faults []Fault) {
	for at, n := range l.acked {
		if n > 0 {
			faults = append(faults, Fault{Lost, fmt.Sprintf("step %d: %s was acknowledged %d times more than the log has it there", at.seq, at.fact, n)})
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Text, b.Text) })
	return faults
}
