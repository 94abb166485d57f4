package session

import (
	"runtime/debug"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// route handles one message from the client: spend what it costs, decode, find the
// handler, answer. The second station, on the same goroutine, as the third is:
// the handler.
func (c *Client) route(text bool, body []byte, now time.Duration) {
	c.m.stats.Received.Add(1)
	c.traffic.events++
	c.traffic.received += int64(len(body))
	limited := c.spend(now, len(body))
	ev, err := wire.Decode(body)
	if !text && err == nil {
		err = wire.Errorf(wire.BadJSON, "the message is binary; send JSON as text")
	}
	req := &Request{client: c, Event: ev}
	switch {
	case limited != nil:
		err = limited
	case err == nil:
		err = c.call(req)
	}
	if err != nil {
		c.logRefused(&ev, err)
	}
	req.finish(err)
	c.strike(err, now)
}

// strike counts messages in a row that were no events.
func (c *Client) strike(err error, now time.Duration) {
	if err == nil {
		c.bad = 0
		return
	}
	switch wire.AsError(err).Code {
	case wire.BadJSON, wire.BadType:
		if c.bad++; c.bad >= maxBadFrames {
			c.Close(wire.CloseProtocolErrors)
		}
	case wire.RateLimited: // says nothing of the event
		c.flooded(now)
	default:
		c.bad = 0
	}
}

// call runs the handler of the event's type. It is the one boundary at which a
// handler's panic is caught.
func (c *Client) call(req *Request) (err error) {
	fn := c.m.handler(req.Event.Type)
	if fn == nil {
		return wire.Errorf(wire.UnknownType, "this server has no event of type %q", req.Event.Type)
	}
	defer func() {
		if v := recover(); v != nil {
			c.m.stats.Panics.Add(1)
			c.m.cfg.Log.Error().Interface("panic", v).Str("type", req.Event.Type).Str("uid", c.who.UID).
				Bytes("stack", debug.Stack()).Msg("a handler panicked; its event was answered with internal")
			err = wire.Errorf(wire.Internal, "the server failed to handle this event; try again")
		}
	}()
	return fn(req)
}
