package session

import (
	"context"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// engine is what a manager needs of *rooms.Engine. Tests of timers, which
// cannot run with a NATS server, have another one.
type engine interface {
	Node() string
	RoomHere(room wire.Room) (rooms.RoomInfo, bool)
	QueuedBytes() *rooms.QueuedBytes
	Join(ctx context.Context, room wire.Room, m rooms.Member, id string, since rooms.Since) error
	Connected(m rooms.Member)
	Disconnected(m rooms.Member, code wire.CloseCode)
	Leave(room wire.Room, m rooms.Member, why rooms.LeaveReason)
	LeaveAsked(ctx context.Context, room wire.Room, m rooms.Member, id string) error
	PublishAsync(room wire.Room, body wire.Body, opts rooms.PublishOptions, done func(rooms.PubAck, error))
	IsTable(room wire.Room) bool
	FirstTables() []wire.Room
	Command(room wire.Room, ev wire.Event, opts rooms.CommandOptions, done func(rooms.Decision, error))
	Signal(room wire.Room, ev wire.Event, opts rooms.SignalOptions) error
	MessageID(room wire.Room, uid, id string, n int) string
	Online(ctx context.Context, room wire.Room, after string, limit int) (wire.OnlineUsers, error)
	MarkUserSeen(uid string)
	UserKnownHere(uid string) bool
	LookupUser(ctx context.Context, uid string) error
	Lobby(ctx context.Context, q lobby.Query) (wire.Rooms, error)
	History(ctx context.Context, room wire.Room, before uint64, limit int) (wire.History, error)
	HistoryFor(ctx context.Context, room wire.Room, uid string, before uint64, limit int) (wire.History, error)
}

var (
	_ engine       = (*rooms.Engine)(nil)
	_ rooms.Member = (*member)(nil)

	_ interface{ Guest() bool } = (*member)(nil) // for the feed
)
