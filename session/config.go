package session

import (
	"cmp"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Limits without a flag, and what happens when they are reached.
const (
	// MaxRooms is how many rooms a client may be in, its inbox not counted;
	// one more is refused with too_many_rooms.
	MaxRooms = 32
	// maxBadFrames is how many messages in a row may be bad_json or bad_type;
	// then the connection is closed with 4505.
	maxBadFrames = 10
	// floodEvents is how many events beyond its limits a client may send at once,
	// as with a backlog after a pause, and floodLeak how many per second; a
	// client that exceeds that is closed with 4504.
	floodEvents = 1000
	floodLeak   = 5
	// messageTimeout is how long a message may take from its first frame to its
	// last byte; then the connection is closed with 4001.
	messageTimeout = 15 * time.Second
	// leastUnfinished is how many incomplete messages of the largest size are
	// always possible.
	leastUnfinished = 4
	// publishWindow is how many events of a client may be without an ack; the
	// connection is not read while the window is full.
	publishWindow = 64
	// historyAtOnce is how many pages of history the node answers at a time;
	// further ones wait, and are answered busy after requestTimeout.
	historyAtOnce = 16
	// requestTimeout bounds what a handler waits for; then the event is answered
	// unavailable.
	requestTimeout = 5 * time.Second
	// lingerTimeout is how long a closed connection is read for the peer's
	// close frame.
	lingerTimeout = time.Second
	// lingerBytes is how many bytes of it are read for that.
	lingerBytes = 4 << 20
	// drainAtOnce is up to how many connections Drain closes at once.
	drainAtOnce = 50
)

// Config is the configuration of a Manager. Zero is no limit in every field
// that limits how much, how many or how often, as in roomd's flags; a negative
// one is refused. In all other fields, the sizes and times that a session
// cannot do without, zero takes the default. DefaultConfig has the limits that
// a server on the internet needs: start from it.
type Config struct {
	DefaultRoom wire.Room // joined when the client names none

	MaxMessage   int64         // bytes of one message, inflated; a larger one closes with 1009
	Compress     bool          // agree on permessage-deflate with clients that offer it
	Rate         float64       // events per second and client, pings included; 0: no limit
	Burst        int           // events that may come at once
	RateBytes    int           // bytes per second of one client, 4 s worth of them at once; a user has twice, an address 32 times as much; 0: no limit
	RoomBytes    int           // bytes per second that clients send into one room; 0: no limit
	InboxRate    float64       // private messages per second that clients of this node send into one inbox, 200 at once, of which guests may use half; 0: no limit
	Ping         time.Duration // a silent client is pinged after this
	Pong         time.Duration // a client silent for this long after a ping is closed with 4002
	WriteTimeout time.Duration // a write that takes longer ends the connection
	Handshake    time.Duration // for the upgrade's answer

	QueueMessages int // waiting for one client; beyond it the client is closed with 4001
	QueueBytes    int // the same in bytes

	// UnfinishedBytes is how much may be held of the messages of all clients
	// that are begun and whose end has to be waited for; beyond it those who
	// have waited for the longest are closed with 4001. It is four times
	// MaxMessage at least.
	UnfinishedBytes int64

	MaxConnections           int     // of this node; one more is refused with 503; 0: no limit
	ConnectRate              float64 // new connections per second of this node; more are refused with 429; 0: no limit
	AddressConnectRate       float64 // new connections per second of one address, ten times as many at once; more are refused with 429; 0: no limit
	AddressLoginRate         float64 // the same of logins: see Manager.AdmitLogin
	MaxConnectionsPerAddress int     // more are refused with 429; 0: no limit
	MaxGuestRooms            int     // rooms of this node that only guests have entered; one more is refused with busy; 0: no limit
	MaxConnectionsPerUser    int     // one more closes the user's oldest with 4502; 0: no limit

	// Revocations are asked about every identity, whatever Authenticator it is
	// from: one that they refuse is answered 401. store.Revocations are those
	// that kicks end sessions in. Nil: those of the Authenticator, if it has
	// the method itself, as *auth.Authenticator; else a kick closes
	// connections, and keeps nobody out.
	Revocations auth.Revocations

	Hooks   Hooks          // functions of the program; zero: none
	Origins auth.Origins   // origins of web pages that may connect
	Proxies auth.Proxies   // trusted proxies, whose X-Forwarded-For is used
	Log     zerolog.Logger // zero: nothing is logged
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		DefaultRoom:           "general",
		MaxMessage:            16 << 10,
		Rate:                  20,
		Burst:                 40,
		Ping:                  25 * time.Second,
		Pong:                  10 * time.Second,
		WriteTimeout:          5 * time.Second,
		Handshake:             10 * time.Second,
		QueueMessages:         256,
		QueueBytes:            1 << 20,
		UnfinishedBytes:       32 << 20,
		MaxConnectionsPerUser: 20,
		MaxGuestRooms:         10_000,
		RateBytes:             32 << 10,
		RoomBytes:             256 << 10,
		InboxRate:             1,
		AddressConnectRate:    20,
		AddressLoginRate:      5,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	c.DefaultRoom = cmp.Or(c.DefaultRoom, d.DefaultRoom)
	c.MaxMessage = cmp.Or(c.MaxMessage, d.MaxMessage)
	c.Burst = cmp.Or(c.Burst, d.Burst)
	c.Ping = cmp.Or(c.Ping, d.Ping)
	c.Pong = cmp.Or(c.Pong, d.Pong)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, d.WriteTimeout)
	c.Handshake = cmp.Or(c.Handshake, d.Handshake)
	c.QueueMessages = cmp.Or(c.QueueMessages, d.QueueMessages)
	c.QueueBytes = cmp.Or(c.QueueBytes, d.QueueBytes)
	c.UnfinishedBytes = cmp.Or(c.UnfinishedBytes, d.UnfinishedBytes)
	return c
}

// Validate returns the error that NewManager would for this configuration: for
// the first field whose value, zero ones filled in, is invalid.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case !isRoom(c.DefaultRoom):
		return fmt.Errorf("session: the default room is %q; it must be a room, no inbox, in the spelling of wire.ParseRoom", c.DefaultRoom)
	case c.MaxMessage < 64:
		return fmt.Errorf("session: the largest message is %d bytes; it must be at least 64", c.MaxMessage)
	case c.RateBytes < 0 || c.RoomBytes < 0:
		return fmt.Errorf("session: bytes per second are %d of a client and %d of a room; they must not be negative", c.RateBytes, c.RoomBytes)
	case !(c.Rate >= 0):
		return fmt.Errorf("session: events per second of a client are %v; they must not be negative", c.Rate)
	case c.MaxConnections < 0 || c.MaxConnectionsPerAddress < 0 || c.MaxConnectionsPerUser < 0 || c.MaxGuestRooms < 0 || !(c.ConnectRate >= 0):
		return fmt.Errorf("session: connections are limited to %d in all, %d of an address, %d of a user and %v a second, and guests' rooms to %d; 0 is no limit, and none may be negative",
			c.MaxConnections, c.MaxConnectionsPerAddress, c.MaxConnectionsPerUser, c.ConnectRate, c.MaxGuestRooms)
	case !(c.InboxRate >= 0):
		return fmt.Errorf("session: private messages per second into one inbox are %v; they must not be negative", c.InboxRate)
	case !(c.AddressConnectRate >= 0) || !(c.AddressLoginRate >= 0):
		return fmt.Errorf("session: connections per second of an address are %v and logins %v; they must not be negative", c.AddressConnectRate, c.AddressLoginRate)
	case c.Burst < 1:
		return fmt.Errorf("session: burst is %d events; it must be at least 1", c.Burst)
	case c.Ping < time.Second || c.Pong < time.Second:
		return fmt.Errorf("session: ping is %s and pong %s; both must be at least 1s", c.Ping, c.Pong)
	case c.WriteTimeout < 100*time.Millisecond || c.Handshake < 100*time.Millisecond:
		return fmt.Errorf("session: write timeout is %s and handshake %s; both must be at least 100ms", c.WriteTimeout, c.Handshake)
	case c.QueueMessages < 8 || c.QueueBytes < 1<<10:
		return fmt.Errorf("session: a client's queue is %d messages and %d bytes; it must be at least 8 and 1024", c.QueueMessages, c.QueueBytes)
	case c.UnfinishedBytes < 0:
		return fmt.Errorf("session: messages that are not complete may hold %d bytes; it must not be negative", c.UnfinishedBytes)
	}
	return nil
}

func isRoom(room wire.Room) bool {
	parsed, err := wire.ParseRoom(string(room))
	return err == nil && parsed == room && wire.SpaceOf(room) == wire.SpaceRooms
}
