package client

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// State is where a Client is in its life.
type State int

// Connecting comes once, first; Ended once, last.
const (
	Connecting State = iota
	Connected
	Reconnecting
	Ended
)

func (s State) String() string {
	return [...]string{"connecting", "connected", "reconnecting", "ended"}[s]
}

// Status is one change of state.
type Status struct {
	State State
	Err   error         // why, for Reconnecting and Ended
	Delay time.Duration // Reconnecting: the wait before the next connect
}

// Gap is a break in what a Client was told of a room: it had read up to From
// and goes on from To, without what may be between. To can be lower than From,
// or in another epoch: then what was shown may not be in the log any more.
type Gap struct {
	Room     string
	From, To wire.Position
}
