package rooms_test

import (
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// tally is a member that only counts the bytes it is given.
type tally struct {
	id    string
	bytes atomic.Int64
}

func (m *tally) ID() string { return m.id }
func (m *tally) User() wire.User {
	return wire.User{UID: "u-" + m.id, Username: "a name of usual length", AvatarID: "7"}
}

func (m *tally) Deliver(b *rooms.Burst) error {
	for _, f := range b.Frames {
		m.bytes.Add(int64(len(f)))
	}
	return nil
}

func (m *tally) Left(wire.Room)       {}
func (m *tally) Close(wire.CloseCode) {}
