package session

import (
	"cmp"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Bounds without a flag, each with what happens when it is hit.
const (
	// MaxRooms is how many rooms a client may be in, its inbox not counted;
	// one more is refused with too_many_rooms.
	MaxRooms = 32
	// maxBadFrames in a row of bad_json or bad_type close with 4505.
	maxBadFrames = 10
	// floodEvents over the rate within a time of at least floodTime, without
	// a floodPause in which none was, close with 4504.
	floodEvents = 100
	floodTime   = 3 * time.Second
	floodPause  = time.Second
	// publishWindow is how many events of a client may wait for their ack;
	// the connection is not read while the window is full.
	publishWindow = 64
	// requestTimeout bounds what a handler waits for; then it is answered
	// unavailable.
	requestTimeout = 5 * time.Second
	// lingerTimeout is how long a closed connection is read for the peer's
	// close frame.
	lingerTimeout = time.Second
	// drainAtOnce is how many connections are closed without spreading them.
	drainAtOnce = 50
)

// Config says how sessions run. The zero value of a field takes the default of
// DefaultConfig, unless it says that zero has a meaning.
type Config struct {
	DefaultRoom string // joined when the client names none

	MaxMessage   int64         // bytes of one message, inflated; a larger one closes with 1009
	Compress     bool          // agree on permessage-deflate with clients that offer it
	Rate         float64       // events per second and client, pings included; negative: no limit
	Burst        int           // events that may come at once
	Ping         time.Duration // a silent client is pinged after this
	Pong         time.Duration // a client silent for this long after a ping is closed with 4002
	WriteTimeout time.Duration // a write that takes longer ends the connection
	Handshake    time.Duration // for the upgrade's answer

	QueueMessages int // waiting for one client; beyond it the client is closed with 4001
	QueueBytes    int // the same in bytes

	MaxConnections           int     // of this node; one more is refused with 503; 0: no limit
	ConnectRate              float64 // new connections per second of this node; more are refused with 429; 0: no limit
	MaxConnectionsPerAddress int     // more are refused with 429; 0: no limit
	MaxConnectionsPerUser    int     // one more closes the user's oldest with 4502; negative: no limit

	Origins auth.Origins   // pages that may connect
	Log     zerolog.Logger // zero: nothing is logged
}

// DefaultConfig returns the defaults of DESIGN.md.
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
		MaxConnectionsPerUser: 20,
	}
}

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	c.DefaultRoom = cmp.Or(c.DefaultRoom, d.DefaultRoom)
	c.MaxMessage = cmp.Or(c.MaxMessage, d.MaxMessage)
	c.Rate = cmp.Or(c.Rate, d.Rate)
	c.Burst = cmp.Or(c.Burst, d.Burst)
	c.Ping = cmp.Or(c.Ping, d.Ping)
	c.Pong = cmp.Or(c.Pong, d.Pong)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, d.WriteTimeout)
	c.Handshake = cmp.Or(c.Handshake, d.Handshake)
	c.QueueMessages = cmp.Or(c.QueueMessages, d.QueueMessages)
	c.QueueBytes = cmp.Or(c.QueueBytes, d.QueueBytes)
	c.MaxConnectionsPerUser = cmp.Or(c.MaxConnectionsPerUser, d.MaxConnectionsPerUser)
	return c
}

// Validate reports the first field that cannot work.
func (c Config) Validate() error {
	switch {
	case c.MaxMessage < 64:
		return fmt.Errorf("session: the largest message is %d bytes; it must be at least 64", c.MaxMessage)
	case c.Burst < 1:
		return fmt.Errorf("session: burst is %d events; it must be at least 1", c.Burst)
	case c.Ping < time.Second || c.Pong < time.Second:
		return fmt.Errorf("session: ping is %s and pong %s; both must be at least 1s", c.Ping, c.Pong)
	case c.WriteTimeout < 100*time.Millisecond || c.Handshake < 100*time.Millisecond:
		return fmt.Errorf("session: write timeout is %s and handshake %s; both must be at least 100ms", c.WriteTimeout, c.Handshake)
	case c.QueueMessages < 8 || c.QueueBytes < 1<<10:
		return fmt.Errorf("session: a client's queue is %d messages and %d bytes; it must be at least 8 and 1024", c.QueueMessages, c.QueueBytes)
	}
	return nil
}
