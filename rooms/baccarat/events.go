package baccarat

// The payloads of what happens at a table: rooms/wire/README.md.

type shoeStarted struct {
	Shoe   int    `json:"shoe"`
	Decks  int    `json:"decks"`
	Cut    int    `json:"cut"`              // cards behind the cut card
	Commit string `json:"commit,omitempty"` // absent for cards that a dealer draws
	First  *Card  `json:"first,omitempty"`  // turned up; absent where the dealer's program does not say
	Burned int    `json:"burned,omitempty"` // cards that were burned after it
}

// shoeSeeded is sealed until the shoe ends.
type shoeSeeded struct {
	Shoe int  `json:"shoe"`
	Seed Seed `json:"seed"`
}

type shoeEnded struct {
	Shoe int   `json:"shoe"`
	Seed *Seed `json:"seed,omitempty"`
}

type roundOpened struct {
	Round    int   `json:"round"`
	Shoe     int   `json:"shoe"`
	ClosesAt int64 `json:"closes_at"`
	Last     bool  `json:"last,omitempty"` // of the shoe
}

type bettingExtended struct {
	Round    int   `json:"round"`
	ClosesAt int64 `json:"closes_at"`
}

type betPlaced struct {
	Round  int    `json:"round"`
	UID    string `json:"uid"`
	On     Spot   `json:"on"`
	Amount int64  `json:"amount"` // of this bet; it is added to what stood there
	Stack  int64  `json:"stack"`
}

type betsCleared struct {
	Round int    `json:"round"`
	UID   string `json:"uid"`
	Bets  Stakes `json:"bets"` // that were taken back
	Stack int64  `json:"stack"`
}

type bettingClosed struct {
	Round  int            `json:"round"`
	Totals map[Spot]int64 `json:"totals"`
	NextAt int64          `json:"next_at,omitempty"` // when the first card is dealt; absent where a dealer deals
}

type cardDealt struct {
	Round  int   `json:"round"`
	To     Spot  `json:"to"`
	Index  int   `json:"index"` // in the hand, from 0
	Card   Card  `json:"card"`
	NextAt int64 `json:"next_at,omitempty"` // when the next one is dealt, or the round is settled
}

type payment struct {
	UID    string `json:"uid"`
	On     Spot   `json:"on"`
	Amount int64  `json:"amount"`
	Paid   int64  `json:"paid"`
	Stack  int64  `json:"stack"` // after this payment
}

type roundSettled struct {
	Result
	Player []Card    `json:"player"`
	Banker []Card    `json:"banker"`
	Paid   []payment `json:"paid"`
	NextAt int64     `json:"next_at"` // when the next round may be opened
}

type returned struct {
	UID    string `json:"uid"`
	Amount int64  `json:"amount"`
	Stack  int64  `json:"stack"`
}

type roundVoided struct {
	Round    int        `json:"round"`
	Reason   string     `json:"reason"`
	Returned []returned `json:"returned"`
	NextAt   int64      `json:"next_at"`
}

type refilled struct {
	UID   string `json:"uid"`
	Stack int64  `json:"stack"`
}

type paused struct {
	Reason string `json:"reason"`
}

type rested struct {
	Reason string `json:"reason,omitempty"` // "": nobody is there
}

// someone is a guest with a stack who has come back. It is told to nobody.
type someone struct {
	UID string `json:"uid"`
}

// gotUp is a guest with a stack who has gone. It is told to nobody.
type gotUp struct {
	UID string `json:"uid"`
	At  int64  `json:"at"`
}

// forgotten are guests who were gone for the longest when the table was full. It
// is told, as who keeps accounts by the log must know.
type forgotten struct {
	UIDs []string `json:"uids"`
}

// Types of events.
const (
	typeShoeStarted     = "shoe_started"
	typeShoeSeeded      = "shoe_seeded"
	typeShoeEnded       = "shoe_ended"
	typeRoundOpened     = "round_opened"
	typeBettingExtended = "betting_extended"
	typeBetPlaced       = "bet_placed"
	typeBetsCleared     = "bets_cleared"
	typeBettingClosed   = "betting_closed"
	typeCardDealt       = "card_dealt"
	typeRoundSettled    = "round_settled"
	typeRoundVoided     = "round_voided"
	typeRefilled        = "refilled"
	typePaused          = "paused"
	typeResumed         = "resumed"
	typeRested          = "rested"
	typeSatDown         = "sat_down"
	typeGotUp           = "got_up"
	typeForgotten       = "forgotten"
)
