package bench

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Modes.
const (
	Fanout  = "fanout"
	Rooms   = "rooms"
	Idle    = "idle"
	Join    = "join"
	Latency = "latency"
	Table   = "table"

	Standard = "standard"
)

// load is what one run does to a server.
type load struct {
	Mode       string        `json:"mode"`
	Rooms      int           `json:"rooms"`
	Members    int           `json:"members"` // of each room
	Publishers int           `json:"publishers"`
	Ahead      int           `json:"ahead,omitempty"`  // of each publisher; 0: at Rate
	Rate       float64       `json:"rate,omitempty"`   // messages per second of each publisher
	Size       int           `json:"size,omitempty"`   // bytes of a message's text
	Shape      string        `json:"shape,omitempty"`  // what messages are made of
	Play       string        `json:"play,omitempty"`   // at tables: what their members do
	Sender     string        `json:"sender,omitempty"` // at tables: whether who speaks is on the node that decides; "": as it falls
	NoIDs      bool          `json:"no_ids,omitempty"` // nothing is acknowledged
	Open       int           `json:"open,omitempty"`   // rooms that are open besides
	Compress   bool          `json:"compress,omitempty"`
	Unlogged   bool          `json:"unlogged,omitempty"`  // signals instead of messages
	Resume     bool          `json:"resume,omitempty"`    // who joined is cut off and comes back
	Spread     time.Duration `json:"spread_ns,omitempty"` // over which they come; 0: at once
	Settle     time.Duration `json:"-"`                   // between connecting and what follows
	Warmup     time.Duration `json:"-"`                   // publishing before it is measured
	Duration   time.Duration `json:"-"`                   // what is measured
}

// perOpener is how many of the rooms of Open one connection is in; roomd lets
// a client into 32.
const perOpener = 32

// defaults fills in what is 0.
func (l *load) defaults() {
	d := map[string]load{
		Fanout:  {Rooms: 1, Members: 1000, Publishers: 1, Ahead: 64, Settle: 3 * time.Second, Warmup: time.Second, Duration: 5 * time.Second},
		Rooms:   {Rooms: 100, Members: 10, Publishers: 100, Ahead: 16, Settle: 3 * time.Second, Warmup: time.Second, Duration: 5 * time.Second},
		Latency: {Rooms: 1, Members: 10, Publishers: 1, Rate: 100, Settle: 3 * time.Second, Warmup: time.Second, Duration: 10 * time.Second},
		Table:   {Rooms: 1, Members: 8, Publishers: 8, Ahead: 16, Play: Chat, Settle: 3 * time.Second, Warmup: time.Second, Duration: 5 * time.Second},
		Idle:    {Rooms: 1, Members: 10_000, Settle: 3 * time.Second, Duration: 30 * time.Second},
		Join:    {Rooms: 1, Members: 1000, Settle: 4 * time.Second},
	}[l.Mode]
	if l.Resume {
		d.Publishers = 1 // says what the others miss
	}
	fill(&l.Shape, Plain)
	fill(&l.Size, textSize(l.Shape))
	if l.Rate > 0 {
		d.Ahead = 0
	}
	if l.Ahead > 0 {
		d.Rate = 0
	}
	fill(&l.Play, d.Play)
	fill(&l.Rooms, d.Rooms)
	fill(&l.Members, d.Members)
	if l.Publishers == 0 {
		l.Publishers = min(d.Publishers, l.Rooms*l.Members)
	}
	if l.Rooms > 0 {
		d.Ahead = min(d.Ahead, int(l.behind(0)))
	}
	fill(&l.Ahead, d.Ahead)
	fill(&l.Rate, d.Rate)
	fill(&l.Settle, d.Settle)
	fill(&l.Warmup, d.Warmup)
	fill(&l.Duration, d.Duration)
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check names the flag of the first mistake.
func (l *load) check() error {
	for _, c := range []struct {
		wrong bool
		text  string
	}{
		{l.Members < 1, "--members must be at least 1"},
		{l.Rooms < 1, "--rooms must be at least 1"},
		{l.Mode != Rooms && l.Mode != Table && l.Rooms != 1 && l.Mode != Idle, "--rooms is for the modes rooms, table and idle"},
		{l.Play != "" && l.Mode != Table, "--play is for the mode table"},
		{l.Play != "" && l.Play != Chat && l.Play != Bets, "--play must be chat or bets"},
		{l.Sender != "" && (l.Mode != Table || l.Sender != Owner && l.Sender != Other), "--sender must be owner or other, and is for the mode table"},
		{l.NoIDs && (l.Mode != Table || l.Play == Bets), "--no-ids is for the mode table, and not for bets"},
		{l.Play == Bets && l.Publishers > l.Rooms*maxBettors, fmt.Sprintf("--publishers must be at most %d at each table: so many may have bets in a round", maxBettors)},
		{l.Publishers < 0 || l.Publishers > l.Rooms*l.Members, fmt.Sprintf("--publishers must be at most the %d connections", l.Rooms*l.Members)},
		{l.Ahead < 0 || l.Rate < 0, "--ahead and --rate must not be negative"},
		{l.Rooms > 0 && l.Ahead*l.sendersIn(0) > l.mostBehind(), fmt.Sprintf("--ahead, times the publishers of a room, must be at most %d: servers close a client for whom 256 messages or 1 MiB wait", l.mostBehind())},
		{l.Ahead > 0 && l.Rate > 0, "choose --ahead or --rate"},
		{!knownShape(l.Shape), fmt.Sprintf("--shape must be one of %s", strings.Join(shapeNames, ", "))},
		{sized(l.Shape) && l.Size != textSize(l.Shape), fmt.Sprintf("--shape %s says the size: leave --size out", l.Shape)},
		{l.Size < stampChars || l.Size > maxText, fmt.Sprintf("--size must be from %d, which the bench writes into each message, to %d", stampChars, maxText)},
		{l.Unlogged && (l.Publishers == 0 || l.Members < 2), "--unlogged is for modes with publishers and rooms of two or more"},
		{l.Open < 0 || l.Open > 0 && l.Mode != Rooms, "--open must not be negative, and is for the mode rooms"},
		{l.Resume && l.Mode != Join, "--resume is for the mode join"},
		{l.Resume && l.Members < 2, "--members must be at least 2 for --resume: one speaks, the others have missed it"},
		{l.Spread < 0 || l.Spread > 0 && !l.Resume, "--spread must not be negative, and is for --resume"},
		{l.Settle < 0 || l.Warmup < 0 || l.Duration < 0, "--settle, --warmup and --duration must not be negative"},
	} {
		if c.wrong {
			return errors.New(c.text)
		}
	}
	return nil
}

// mostBehind is how many messages the slowest member may be behind.
func (l *load) mostBehind() int { return min(maxBehind, maxBehindBytes/(l.Size+frameExtra)) }

// behind is a publisher's share of that.
func (l *load) behind(room int) uint32 { return uint32(l.mostBehind() / max(1, l.sendersIn(room))) }

// receivers is how many get a message.
func (l *load) receivers() int {
	if l.Unlogged {
		return l.Members - 1
	}
	return l.Members
}

// spoken returns dialect d as this load uses it.
func (l *load) spoken(d dialect) dialect {
	d.signals = l.Unlogged
	d.ids = d.ids && !l.NoIDs
	d.bets = d.table && l.Play == Bets
	return d
}

// connections is how many there are, without those of Open.
func (l *load) connections() int { return l.Rooms * l.Members }

// sendersIn is how many of a room's members publish: publishers take their
// seats in turn.
func (l *load) sendersIn(room int) int {
	return (l.Publishers + l.Rooms - 1 - room) / l.Rooms
}
