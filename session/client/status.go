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

// Gap is a room that came back without all that was missed since From.
type Gap struct {
	Room     string
	From, To wire.Position
}
