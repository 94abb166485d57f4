package table

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Rules are what a table does, for a state S that they alone understand. They
// are pure: what they return depends on nothing but their arguments, so they
// have no clock, no randomness, no I/O, and the order of a map shows in nothing
// that they return. The time and a seed come with each command.
//
// A state that is given to Apply is given away: Apply may change it in place and
// return it. All other methods only read theirs.
//
// One table's rules are called by one goroutine at a time, those of several
// tables by several at once.
//
// Defaults has most of these methods for a small game, and package tabletest
// finds what in rules is not pure.
type Rules[S any] interface {
	// Version of the rules, stored with each step. A node whose rules are older
	// than a table's last step does not decide for it.
	Version() int
	// New is the state of a table that has no steps.
	New() S
	// Decide says what happens because of a command: events, which are stored
	// and told in this order, or an error, which its sender is told (Refuse).
	// No events and no error: nothing happens, and that is acknowledged.
	Decide(state S, c Command) ([]Event, error)
	// Apply is the state after an event. An error means that the log holds what
	// these rules cannot understand: the table stops.
	Apply(state S, ev Event) (S, error)
	// Timer is the time, in ms since 1970, at which the table wants to be called
	// with a command of type TypeTimer from FromEngine; 0: never. It may come
	// late, never early.
	Timer(state S) int64
	// Busy reports whether the table has something to do although nobody is
	// there: such a table is looked after again when its node is lost.
	Busy(state S) bool
	// View is what a user sees of the state: room_joined carries it, as JSON.
	View(state S, uid string) any
	// Admit refuses a user who wants to join with an error, nil lets him in.
	Admit(state S, u User) error
	// Label is what a lobby shows of the table, as JSON of MaxLabel bytes at
	// most; nil: nothing. While it is larger, the one before is shown.
	Label(state S) any
	// Encode and Decode write a state down and read it again. What Decode reads
	// may be written by an earlier Version.
	Encode(state S) ([]byte, error)
	Decode(version int, data []byte) (S, error)
}

// MaxLabel bounds what Label returns, in bytes of JSON.
const MaxLabel = 512

// From says what kind of sender a command has.
type From uint8

// Kinds of senders.
const (
	FromEngine  From = iota // the engine itself: TypeTimer, TypeJoined, TypeLeft, TypeTookOver
	FromService             // somebody with access to NATS
	FromUser                // a user
)

// Commands of the engine.
const (
	TypeTimer    = "timer"     // the time that Timer named has come
	TypeJoined   = "joined"    // the user has entered: his first session at any node
	TypeLeft     = "left"      // he is gone: his last session, after its grace; of his User the UID and Guest are sure
	TypeTookOver = "took_over" // another node decides from now on
)

// ofEngine reports whether only the engine says this: from anybody else it is
// refused before the rules see it.
func ofEngine(typ string) bool {
	switch typ {
	case TypeTimer, TypeJoined, TypeLeft, TypeTookOver:
		return true
	}
	return false
}

// User is who sends a command or wants to join.
type User struct {
	From   From
	UID    string // "" of the engine, and of a service that has none
	Name   string
	Avatar string
	Guest  bool // a user without a token
}

// Command is what somebody wants of a table.
type Command struct {
	Type    string
	Payload json.RawMessage // nil when absent; of the engine's, always
	User    User            // who sends it; of TypeJoined and TypeLeft, of whom it tells
	Now     int64           // the time of the decision: ms since 1970, never before that of an earlier step
	Present int             // how many users have joined and not left, as far as the rules were told
	Seed    [32]byte        // random, for this decision alone
}

// Event is a fact: what has happened at a table, as its log keeps it.
type Event struct {
	Type    string
	Payload json.RawMessage
	// To are the users who may see it; all others get the step without it. nil is
	// everybody, an empty list nobody.
	To []string
	// Sealed says that nobody may see it yet, whatever To says: only the rules
	// get it, now and from the log.
	Sealed bool
}

// Happened makes an event whose payload is v as JSON. It panics when v cannot be
// written as JSON, which stops the table and no other.
func Happened(typ string, v any) Event {
	payload, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("table: the payload of %s: %v", typ, err))
	}
	return Event{Type: typ, Payload: payload}
}

// Only returns the event for the eyes of those users; of none, for nobody's but
// the rules'.
func (ev Event) Only(uids ...string) Event {
	ev.To = append([]string{}, uids...)
	return ev
}

// Refusal is why rules do not do what a command asks; its sender gets an error
// with code refused and this text.
type Refusal struct {
	Reason string
	Bound  string // of these rules that is reached, see RefuseAt; "": it is for another reason
}

func (r *Refusal) Error() string { return r.Reason }

// MaxRefusal bounds the text of a refusal, in bytes; a longer one is cut. It is
// kept with the command, and may quote what somebody sent.
const MaxRefusal = 512

// RefuseAt is Refuse because a bound of the rules is reached: so many players, so
// many bets. The bound is one of a few short names, by which a node counts such
// refusals (roomd_table_at_bound_total).
func RefuseAt(bound, format string, args ...any) error {
	return &Refusal{Reason: reason(format, args), Bound: bound}
}

// Refuse makes a *Refusal. The text is shown to the sender.
func Refuse(format string, args ...any) error {
	return &Refusal{Reason: reason(format, args)}
}

func reason(format string, args []any) string {
	text := fmt.Sprintf(format, args...)
	if len(text) > MaxRefusal {
		text = strings.ToValidUTF8(text[:MaxRefusal-len("…")], "") + "…"
	}
	return text
}
