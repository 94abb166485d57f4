package session

import (
	"runtime/debug"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// route handles one message from the client: charge it, decode it, find the
// handler, answer. It is the second station, and the handler the third, on the
// same goroutine.
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
	c.countBadFrame(err, now)
}

// countBadFrame counts messages in a row that were no events, and closes the
// connection when there are too many.
func (c *Client) countBadFrame(err error, now time.Duration) {
	if err == nil {
		c.badFrames = 0
		return
	}
	switch wire.AsError(err).Code {
	case wire.BadJSON, wire.BadType:
		if c.badFrames++; c.badFrames >= maxBadFrames {
			c.Close(wire.CloseProtocolErrors)
		}
	case wire.RateLimited: // says nothing of the event
		c.closeIfFlooding(now)
	default:
		c.badFrames = 0
	}
}

// call runs the handler of the event's type. It is the one boundary at which a
// handler's panic is recovered.
func (c *Client) call(req *Request) (err error) {
	fn := c.m.handler(req.Event.Type)
	if fn == nil {
		fn = otherType
	}
	defer func() {
		if v := recover(); v != nil {
			c.m.stats.Panics.Add(1)
			c.m.cfg.Log.Error().Interface("panic", v).Str("type", req.Event.Type).Str("uid", c.who.UID).
				Bytes("stack", debug.Stack()).Msg("a handler panicked; its event was answered with internal")
			err = wire.Errorf(wire.Internal, "the server failed to handle this event; try again")
		}
	}()
	return wire.ErrorOrNil(fn(req))
}
