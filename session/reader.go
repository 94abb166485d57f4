package session

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// frameBuffers hold one message while it is handled. An idle connection has
// none.
var frameBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepBuffer is the largest buffer that goes back to the pool.
const keepBuffer = 64 << 10

// run is the life of a connection after the upgrade: it joins the first rooms,
// reads until the end, and takes everything down.
func (c *Client) run(first []firstRoom) {
	defer c.cleanup()
	c.enter(first)
	for {
		if err := c.readOne(); err != nil {
			c.Close(c.endOf(err))
			return
		}
	}
}

// readOne reads one message and handles it. An error ends the connection.
func (c *Client) readOne() error {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	c.hear()
	buf := frameBuffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= keepBuffer {
			buf.Reset()
			frameBuffers.Put(buf)
		}
	}()
	n, err := buf.ReadFrom(io.LimitReader(r, c.m.cfg.MaxMessage+1))
	if err != nil {
		return err
	}
	if n > c.m.cfg.MaxMessage {
		return websocket.ErrReadLimit
	}
	c.hear()
	if c.closeCode() != 0 {
		return nil // reading on for the peer's close frame only
	}
	c.route(kind == websocket.TextMessage, buf.Bytes())
	return nil
}

// endOf is the close code for the error that ended reading.
func (c *Client) endOf(err error) wire.CloseCode {
	var closed *websocket.CloseError
	var netErr net.Error
	switch {
	case errors.As(err, &closed):
		return wire.CloseCode(closed.Code)
	case errors.Is(err, websocket.ErrReadLimit):
		return wire.CloseTooBig
	case errors.As(err, &netErr), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, os.ErrDeadlineExceeded):
		return wire.CloseAbnormal
	default:
		return wire.CloseProtocol
	}
}

// control makes the actor answer the peer's pings, and any control frame count
// as a sign of life. The close frame is answered when reading ends with it.
func (c *Client) control() {
	c.ws.SetPingHandler(func(data string) error {
		c.hear()
		frame := wire.AppendFrame(nil, wire.OpPong, []byte(data))
		_ = c.Deliver(&rooms.Burst{Frames: [][]byte{frame}, Count: 1, Bytes: len(frame)}) // an error has closed the connection
		return nil
	})
	c.ws.SetPongHandler(func(string) error {
		c.hear()
		return nil
	})
	c.ws.SetCloseHandler(func(int, string) error { return nil })
}

// cleanup runs last, on the reading goroutine.
func (c *Client) cleanup() {
	c.drainPeer()
	c.conn.Close()
	<-c.self.Done()
	code := c.closeCode()
	why := rooms.LeftGone
	if code.KeepsSeat() {
		why = rooms.LeftLost
	}
	in, _ := c.Rooms()
	for _, room := range append(in, c.inbox()) {
		c.m.eng.Leave(room, c, why)
	}
	c.m.remove(c, code)
	close(c.done)
}

// drainPeer reads on until the peer has closed its side, after we closed ours;
// the actor has set the deadline. A connection that broke has nothing to say.
func (c *Client) drainPeer() {
	select {
	case <-c.self.Done():
	case <-time.After(c.m.cfg.WriteTimeout):
		return // the actor hangs in a write that its deadline ends
	}
	if code := c.closeCode(); code == wire.CloseAbnormal || code == wire.CloseNoStatus {
		return
	}
	_, _ = io.Copy(io.Discard, c.conn) // ends with the peer's side or the deadline
}
