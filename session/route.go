package session

import (
	"runtime/debug"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// route handles one message from the client: decode, spend a token, find the
// handler, answer. The second station, on the same goroutine, as the third is:
// the handler.
func (c *Client) route(text bool, body []byte) {
	c.m.stats.Received.Add(1)
	ev, err := wire.Decode(body)
	if !text && err == nil {
		err = wire.Errorf(wire.BadJSON, "the message is binary; send JSON as text")
	}
	req := &Request{client: c, Event: ev}
	switch {
	case !c.allow():
		err = wire.Errorf(wire.RateLimited, "too many events; at most %g a second are taken", c.m.cfg.Rate)
	case err == nil:
		err = c.call(req)
	}
	req.finish(err)
	c.strike(err)
}

// allow spends a token of the client's rate.
func (c *Client) allow() bool {
	if c.limiter == nil || c.limiter.Allow() {
		return true
	}
	c.flood.refused(time.Now())
	c.m.stats.RateLimited.Add(1)
	return false
}

// flooded ends a client that does not stop to send too much. It comes after
// the answer, so that the client hears why.
func (c *Client) flooded() {
	if c.flood.lasts() {
		c.Close(wire.CloseRateLimit)
	}
}

// flood tells a client that keeps sending too much from one whose events came
// all at once, because the network or this node stood still for a while: a
// flood lasts. It is over when nothing was refused for floodPause.
type flood struct {
	since, last time.Time // of the first and the newest refusal of this flood
	count       int
}

func (f *flood) refused(now time.Time) {
	if now.Sub(f.last) > floodPause {
		*f = flood{since: now}
	}
	f.last = now
	f.count++
}

func (f *flood) lasts() bool { return f.count >= floodEvents && f.last.Sub(f.since) >= floodTime }

// strike counts messages in a row that were no events.
func (c *Client) strike(err error) {
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
		c.flooded()
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
