package session

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// traffic counts what went over a connection, for the log line at its end.
type traffic struct {
	// owned by the reading goroutine
	began    time.Duration // after m.born
	events   int64         // from the client
	received int64         // their bytes

	// owned by the actor; read when it has ended
	frames int64 // messages written to the client
	sent   int64 // their bytes, and those of the handshake, of pings and of the close frame

	refused atomic.Int64 // events answered with error
}

// logEnd logs a connection that has ended; in are the rooms it was in then. It
// runs on the reading goroutine, after the actor has ended.
func (c *Client) logEnd(in []wire.Room) {
	e := c.m.cfg.Log.Debug()
	if e == nil {
		return
	}
	names := make([]string, len(in))
	for i, room := range in {
		names[i] = string(room)
	}
	by := "the server"
	switch {
	case c.closedByPeer():
		by = "the client"
	case c.closeCode() == wire.CloseAbnormal:
		by = "nobody"
	}
	c.describe(e).Int64("lasted_ms", (c.m.now()-c.traffic.began).Milliseconds()).Strs("rooms", names).
		Int64("events_in", c.traffic.events).Int64("bytes_in", c.traffic.received).
		Int64("events_out", c.traffic.frames).Int64("bytes_out", c.traffic.sent).Int64("refused", c.traffic.refused.Load()).
		Int("code", int(c.closeCode())).Str("why", c.closeCode().String()).Str("closed_by", by).
		Msg("a connection has ended")
}

// logRefused logs an event that was answered with an error. Events beyond a
// rate limit are not logged one by one, because there may be very many; logEnd
// has their number.
func (c *Client) logRefused(ev *wire.Event, err error) {
	why := wire.AsError(err)
	if why.Code == wire.RateLimited {
		return
	}
	e := c.m.cfg.Log.Debug()
	if e == nil {
		return
	}
	optional(e, "type", ev.Type)
	optional(e, "id", ev.ID)
	optional(e, "room", ev.Room)
	c.describe(e).Str("error", string(why.Code)).Str("why", why.Message).Msg("an event was refused")
}

// logRoomRefused logs one of the first rooms that the client may not enter, or
// not now.
func (c *Client) logRoomRefused(room wire.Room, err error) {
	e := c.m.cfg.Log.Debug()
	if e == nil {
		return
	}
	why := wire.AsError(err)
	c.describe(e).Str("room", string(room)).Str("error", string(why.Code)).Str("why", why.Message).Msg("a room was refused")
}

func optional(e *zerolog.Event, key, value string) {
	if value != "" {
		e.Str(key, value)
	}
}

// describe adds who the client is.
func (c *Client) describe(e *zerolog.Event) *zerolog.Event {
	return describe(e, c.who, c.from).Str("client", c.id)
}

func describe(e *zerolog.Event, who auth.Identity, from address) *zerolog.Event {
	if who.UID != "" {
		e.Str("uid", who.UID).Str("name", who.Username).Bool("guest", who.Guest)
	}
	return e.Str("address", from.key)
}

// logRefusal logs a handshake that was refused: who, as far as is known, from
// where, and why; status 0: gorilla has answered. Credentials are never logged.
func (m *Manager) logRefusal(r *http.Request, who auth.Identity, from address, status int, refusal error) {
	e := m.cfg.Log.Debug()
	if e == nil {
		return
	}
	optional(e, "room", r.URL.Query().Get("room"))
	optional(e, "origin", r.Header.Get("Origin"))
	if status != 0 {
		e.Int("status", status)
	}
	describeRefusal(describe(e, who, from), refusal).Msg("a connection was refused")
}

// LogLoginRefusal logs, at debug level, a refused login that is no handshake:
// from where, and why.
func (m *Manager) LogLoginRefusal(r *http.Request, err error) {
	e := m.cfg.Log.Debug()
	if e == nil {
		return
	}
	describeRefusal(e.Str("address", m.addressOf(r).key), err).Msg("a login was refused")
}

// describeRefusal adds why, and of a bad credential whose it says that it is.
func describeRefusal(e *zerolog.Event, err error) *zerolog.Event {
	if refused := (*auth.Error)(nil); errors.As(err, &refused) && refused != nil {
		optional(e, "claimed_uid", refused.Claimed)
	}
	_, why := LoginRefusal(err)
	return e.Str("error", string(why.Code)).Str("why", why.Message)
}
