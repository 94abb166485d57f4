package session

import (
	"errors"
	"io"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// run is the life of a connection after the upgrade: it joins the first rooms,
// and leaves a goroutine of its own that reads until the end and takes
// everything down. Joining is done by who calls it: what that needs of stack
// would otherwise stay with the one that reads, for as long as the connection
// lives; and that of an HTTP handler has grown already.
func (c *Client) run(first []firstRoom) {
	defer func() { go c.listen() }() // also when joining panics: it takes everything down
	c.enter(first)
}

// listen reads until the end of the connection: the first station of a message
// (see package rooms), on the goroutine of its connection. A goroutine whose stack has
// grown while it handled messages hands the reading of a client that fell
// silent, and answers pings only, to a new one: stacks do not shrink to what a
// waiting goroutine needs.
func (c *Client) listen() {
	over := true // also when a handler ends the goroutine
	defer func() {
		if over {
			c.cleanup()
		}
	}()
	for handled := false; ; {
		op, err := c.in.Next()
		switch {
		case err != nil:
		case c.closeCode() == wire.CloseRateLimit, c.closeCode() == wire.CloseProtocolErrors: // what it sends on is of no interest
			return
		case op >= wire.OpClose && handled:
			over = false
			go c.listen()
			return
		case op < wire.OpClose:
			handled = true
			err = c.take(op == wire.OpText)
		}
		if err != nil {
			how := endOf(err)
			c.answered = how&byPeer != 0
			c.end(how)
			return
		}
	}
}

// take reads the rest of a message and handles it. An error ends the
// connection.
func (c *Client) take(text bool) error {
	c.hear()
	buf := socket.GetMessage()
	defer socket.PutMessage(buf)
	err := c.in.Read(buf, c.m.cfg.MaxMessage)
	if c.hurried {
		c.unhurry()
	}
	if err != nil {
		return err
	}
	now := c.hear()
	if c.closeCode() != 0 {
		return nil // reading on for the peer's close frame only
	}
	c.route(text, buf.Bytes(), now)
	return nil
}

// frameHandler is a Client as its Source sees it.
type frameHandler Client

func (h *frameHandler) Control(op wire.Opcode, payload []byte) error {
	return (*Client)(h).control(op, payload)
}
func (h *frameHandler) Fragment() error     { return (*Client)(h).fragment() }
func (h *frameHandler) Incomplete(held int) { (*Client)(h).hurry(held) }

// hurry is called when a message, of which so many bytes are held, is not
// complete and the rest of it has to be waited for: that ends at some time, or
// when all clients together hold too much. It runs on the reading goroutine.
func (c *Client) hurry(held int) {
	if c.closeCode() != 0 {
		return // the deadline is that of lingering
	}
	if !c.hurried {
		c.hurried = true
		c.late = c.m.now() + messageTimeout
		c.readUntil(time.Now().Add(messageTimeout))
	}
	for _, slowest := range c.m.unfinished.hold(c, held) {
		slowest.cutUnfinished()
	}
}

// readUntil sets the deadline of reading, unless the actor, which ends the
// connection, has set the one for that, or is about to.
func (c *Client) readUntil(deadline time.Time) {
	_ = c.conn.SetReadDeadline(deadline) // fails only on a closed connection
	if c.closeCode() != 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	}
}

// unhurry undoes it; a message that was not complete in time ends the
// connection.
func (c *Client) unhurry() {
	c.hurried = false
	c.m.unfinished.done(c)
	if c.m.now() >= c.late && c.closeCode() == 0 {
		c.m.stats.SlowMessages.Add(1)
		c.Close(wire.CloseTooSlow)
	}
	c.readUntil(time.Time{})
}

// errFlooded ends reading: the connection is closed with what is said there.
var errFlooded = errors.New("the client does not stop to send too much")

// fragment is called for each part of a message, the last one excepted, that is
// so small that many of them come with little: it costs what an event does.
func (c *Client) fragment() error {
	if now := c.m.now(); !c.spendFrame(now) && c.flooded(now) {
		return errFlooded
	}
	return nil
}

// endOf is how the connection ends after the error that ended reading.
func endOf(err error) uint32 {
	code, theirs := socket.CloseCode(err)
	if theirs {
		return uint32(code) | byPeer
	}
	return uint32(code)
}

// control takes a ping or a pong: both are signs of life, cost what an event
// does, and the actor answers the pings. It runs on the reading goroutine.
func (c *Client) control(op wire.Opcode, payload []byte) error {
	now := c.hear()
	switch {
	case !c.spendFrame(now):
		if c.flooded(now) {
			return errFlooded
		}
		return nil
	case op != wire.OpPing:
		return nil
	}
	frame := wire.AppendFrame(nil, wire.OpPong, payload)
	_ = c.deliver(&rooms.Burst{Frames: [][]byte{frame}, Count: 1, Bytes: len(frame)}) // an error has closed the connection
	return nil
}

// cleanup runs last, on the reading goroutine.
func (c *Client) cleanup() {
	c.Close(wire.CloseAbnormal) // stands only if a handler ended the goroutine
	c.drainPeer()
	c.conn.Close()
	<-c.self.Done()
	why := rooms.LeaveClosed
	if c.comesBack() {
		why = rooms.LeaveLost
	}
	in, _ := c.Rooms()
	c.m.eng.Disconnected(c.member(), c.closeCode())
	for _, room := range in {
		c.m.eng.Leave(room, c.member(), why)
	}
	c.m.eng.Leave(c.inbox(), c.member(), why)
	c.disconnect()
	c.m.stats.Closed.add(c.closeCode(), c.closedByPeer())
	c.logEnd(in)
	c.m.remove(c)
	c.closeAccounts()
	c.ended()
	c.m.running.Done()
}

// drainPeer reads on until the peer has closed its side, after we closed ours:
// closing with something unread could tear our close frame away. The actor has
// set the deadline. A peer that broke off, or has closed, has nothing to say.
func (c *Client) drainPeer() {
	select {
	case <-c.self.Done():
	case <-time.After(c.m.cfg.WriteTimeout):
		return // the actor hangs in a write that its deadline ends
	}
	if c.answered || c.closeCode() == wire.CloseAbnormal {
		return
	}
	// It ends with the peer's side, the deadline, or when the peer has sent so much
	// on that it will not.
	_, _ = io.CopyN(io.Discard, c.conn.Conn, lingerBytes)
}
