package client

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// State is the state of a Client.
type State int

// States of a Client. Connecting comes once, first; Ended once, last.
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
	Delay time.Duration // Reconnecting: the time until the next connect
}

// Gap is a gap in the events of a room: the Client had read up to From and
// continues from To, without the events that may be between. To can be lower
// than From, or in another epoch: then events that were delivered may not be in
// the log any more.
type Gap struct {
	Room     string
	From, To wire.Position
}
