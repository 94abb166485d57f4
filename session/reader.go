package session

import (
	"errors"
	"io"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// run joins the first rooms and starts the goroutine that reads until the
// connection ends and then cleans up. It joins on the caller's goroutine: the
// stack that joining needs would otherwise stay with the reading goroutine for
// as long as the connection lives, and that of an HTTP handler has grown
// already.
func (c *Client) run(first []firstRoom, began time.Duration) {
	defer func() { go c.listen() }() // also when joining panics: listen cleans up
	c.joinFirst(first)
	if c.m.endedSince(c.who.UID, began) {
		c.Close(wire.CloseRemoved)
	}
}

// listen reads until the connection ends: the first station of a message (see
// package rooms), on the connection's goroutine. Once a goroutine's stack has
// grown by handling messages, and the client sends only control frames again, a
// new goroutine takes over: stacks do not shrink to what a waiting goroutine
// needs.
func (c *Client) listen() {
	ended := true // also when a handler calls runtime.Goexit
	defer func() {
		if ended {
			c.cleanup()
		}
	}()
	for handled := false; ; {
		op, err := c.in.Next()
		switch {
		case err != nil:
		case c.closeCode() == wire.CloseRateLimit, c.closeCode() == wire.CloseProtocolErrors: // do not read what it still sends
			return
		case op >= wire.OpClose && handled:
			ended = false
			go c.listen()
			return
		case op < wire.OpClose:
			handled = true
			err = c.readMessage(op == wire.OpText)
		}
		if err != nil {
			how := closeCodeOf(err)
			c.answered = how&byPeer != 0
			c.end(how)
			return
		}
	}
}

// readMessage reads the rest of a message and handles it. An error ends the
// connection.
func (c *Client) readMessage(text bool) error {
	c.markAlive()
	buf := socket.GetMessage()
	defer socket.PutMessage(buf)
	err := c.in.Read(buf, c.m.cfg.MaxMessage)
	if c.hasDeadline {
		c.onComplete()
	}
	if err != nil {
		return err
	}
	now := c.markAlive()
	if c.closeCode() != 0 {
		return nil // only the peer's close frame matters now
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
func (h *frameHandler) Incomplete(held int) { (*Client)(h).onIncomplete(held) }

// onIncomplete is called when the rest of a message, of which so many bytes are
// held, has to be waited for. It sets a deadline, and closes the slowest
// clients when all together hold too much. It runs on the reading goroutine.
func (c *Client) onIncomplete(held int) {
	if c.closeCode() != 0 {
		return // the deadline is that of lingering
	}
	if !c.hasDeadline {
		c.hasDeadline = true
		c.messageDeadline = c.m.now() + messageTimeout
		c.readUntil(time.Now().Add(messageTimeout))
	}
	for _, slowest := range c.m.unfinished.hold(c, held) {
		slowest.cutUnfinished()
	}
}

// readUntil sets the read deadline, unless the actor, which is closing the
// connection, has set its own or is about to.
func (c *Client) readUntil(deadline time.Time) {
	_ = c.conn.SetReadDeadline(deadline) // fails only on a closed connection
	if c.closeCode() != 0 {
		_ = c.conn.SetReadDeadline(time.Now().Add(lingerTimeout))
	}
}

// onComplete clears the deadline; a message that was not complete in time
// closes the connection.
func (c *Client) onComplete() {
	c.hasDeadline = false
	c.m.unfinished.done(c)
	if c.m.now() >= c.messageDeadline && c.closeCode() == 0 {
		c.m.stats.SlowMessages.Add(1)
		c.Close(wire.CloseTooSlow)
	}
	c.readUntil(time.Time{})
}

// errFlooded ends reading after closeIfFlooding has closed the connection.
var errFlooded = errors.New("the client does not stop to send too much")

// fragment is called for each fragment of a message but the last that is so
// small that many of them carry little: it costs as much as an event.
func (c *Client) fragment() error {
	if now := c.m.now(); !c.spendFrame(now) && c.closeIfFlooding(now) {
		return errFlooded
	}
	return nil
}

// closeCodeOf returns how the connection ends after an error of reading.
func closeCodeOf(err error) uint32 {
	code, theirs := socket.CloseCode(err)
	if theirs {
		return uint32(code) | byPeer
	}
	return uint32(code)
}

// control handles a ping or a pong: both are signs of life and cost as much as
// an event, and the actor answers pings. It runs on the reading goroutine.
func (c *Client) control(op wire.Opcode, payload []byte) error {
	now := c.markAlive()
	switch {
	case !c.spendFrame(now):
		if c.closeIfFlooding(now) {
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
	c.Close(wire.CloseAbnormal) // counts only if a handler called runtime.Goexit
	c.drainPeer()
	c.conn.Close()
	<-c.self.Done()
	why := rooms.LeaveClosed
	if c.keepsSeat() {
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

// drainPeer reads until the peer has closed its side, after we closed ours:
// closing a socket with unread data could reset the connection before the peer
// has read our close frame. The actor has set the deadline. It returns at once
// if the peer has already closed, or the connection is broken.
func (c *Client) drainPeer() {
	select {
	case <-c.self.Done():
	case <-time.After(c.m.cfg.WriteTimeout):
		return // the actor is blocked in a write until its deadline
	}
	if c.answered || c.closeCode() == wire.CloseAbnormal {
		return
	}
	// It ends when the peer has closed, at the deadline, or when the peer has
	// sent so much that it does not seem to stop.
	_, _ = io.CopyN(io.Discard, c.conn.Conn, lingerBytes)
}
