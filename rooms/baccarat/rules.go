package baccarat

import (
	"cmp"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// Config is what tables differ in. The zero value deals by itself, with the
// times and limits that are named here.
type Config struct {
	// Live says that a dealer's program sends the cards (deal); else the table
	// draws them from a shoe that it has shuffled. Changed, it counts from the next
	// shoe on.
	Live bool
	// BetTime is how long bets are taken; 0: 15 s.
	BetTime time.Duration
	// DealTime passes between two cards, and before the first and after the last;
	// 0: 1 s.
	DealTime time.Duration
	// ShowTime passes between the end of a round and the next; 0: five times
	// DealTime.
	ShowTime time.Duration
	// Limits are the least and the most that a user may have on a spot; for what is
	// not named: 20 to 10,000 on player and banker, 20 to 1,000 elsewhere.
	Limits map[Spot]Limit
}

// Limit is the least and the most that a user may have on a spot.
type Limit struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

const (
	// ExtendedBetTime is how long bets are still taken at least after another node
	// has taken over.
	ExtendedBetTime = 5 * time.Second
	// MaxExtensions is how often that happens in one round: nodes that are lost again
	// and again do not keep it from its cards.
	MaxExtensions = 6
)

// Rules are those of one table of punto banco: a table.Rules.
type Rules struct{ cfg Config }

var _ table.Rules[*State] = Rules{}

// New returns the rules; it copies cfg.
func New(cfg Config) Rules {
	limits := map[Spot]Limit{
		Player: {Unit, 10_000}, Banker: {Unit, 10_000},
		Tie: {Unit, 1_000}, PlayerPair: {Unit, 1_000}, BankerPair: {Unit, 1_000},
	}
	for on, limit := range cfg.Limits {
		limits[on] = limit
	}
	cfg.Limits = limits
	cfg.BetTime = cmp.Or(cfg.BetTime, 15*time.Second)
	cfg.DealTime = cmp.Or(cfg.DealTime, time.Second)
	cfg.ShowTime = cmp.Or(cfg.ShowTime, 5*cfg.DealTime)
	return Rules{cfg}
}

// Version implements table.Rules.
func (Rules) Version() int { return 1 }

// New implements table.Rules.
func (Rules) New() *State { return newState() }

// Encode implements table.Rules.
func (Rules) Encode(s *State) ([]byte, error) { return encode(s) }

// Decode implements table.Rules.
func (Rules) Decode(_ int, data []byte) (*State, error) { return decodeState(data) }

// Admit implements table.Rules: everybody may watch.
func (Rules) Admit(*State, table.User) error { return nil }

// Busy implements table.Rules: a round that has been opened is played to its end.
func (Rules) Busy(s *State) bool { return s.inPlay() }

// Timer implements table.Rules.
func (Rules) Timer(s *State) int64 {
	if s.Phase == Betting {
		return s.ClosesAt
	}
	return s.NextAt
}

// after is a time so much later.
func after(now int64, d time.Duration) int64 { return now + d.Milliseconds() }

// game is what a client knows by that it sees this game.
const game = "baccarat"

// view is what one user sees of a table.
type view struct {
	Game     string         `json:"game"`
	Shoe     int            `json:"shoe"`
	Commit   string         `json:"commit,omitempty"`
	Round    int            `json:"round"`
	Phase    Phase          `json:"phase"`
	ClosesAt int64          `json:"closes_at,omitempty"`
	NextAt   int64          `json:"next_at,omitempty"`
	Paused   string         `json:"paused,omitempty"`
	Last     bool           `json:"last,omitempty"` // the round is the last one of the shoe
	Player   []Card         `json:"player"`
	Banker   []Card         `json:"banker"`
	Totals   map[Spot]int64 `json:"totals"`
	Me       own            `json:"me"`
	Limits   map[Spot]Limit `json:"limits"`
	Results  Results        `json:"results"`
}

// own is what one user has.
type own struct {
	Stack int64  `json:"stack"`
	Bets  Stakes `json:"bets"`
}

// View implements table.Rules.
func (r Rules) View(s *State, uid string) any {
	v := view{
		Game: game,
		Shoe: s.Shoe, Commit: s.Commit, Round: s.Round, Phase: s.Phase, ClosesAt: s.ClosesAt, NextAt: s.NextAt, Paused: s.Paused, Last: s.Last,
		Player: append([]Card{}, s.Player...), Banker: append([]Card{}, s.Banker...), Totals: s.totals(),
		Me: own{s.stack(uid), Stakes{}}, Limits: r.cfg.Limits, Results: append(Results{}, s.Results...),
	}
	for on, amount := range s.Bets[uid] {
		v.Me.Bets[on] = amount
	}
	return v
}

// label is what a lobby shows of a table.
type label struct {
	Game    string `json:"game"`
	Phase   Phase  `json:"phase"`
	Shoe    int    `json:"shoe"`
	Round   int    `json:"round"`
	Results string `json:"results"` // the last ones of the shoe: P, B and T
}

// labelResults is how many results a label shows.
const labelResults = 60

// Label implements table.Rules.
func (Rules) Label(s *State) any {
	last := s.Results[max(0, len(s.Results)-labelResults):]
	text := make([]byte, len(last))
	for i, result := range last {
		text[i] = result.Winner[0] &^ ' ' // its initial, a capital
	}
	return label{Game: game, Phase: s.Phase, Shoe: s.Shoe, Round: s.Round, Results: string(text)}
}
