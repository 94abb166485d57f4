package session

import (
	"bytes"
	"io"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// hearer is told what else comes, on the reading goroutine. An error ends
// reading. It is the Client.
type hearer interface {
	// control takes a ping or a pong; the payload is valid until it returns.
	control(op wire.Opcode, payload []byte) error
	// fragment is called for each part of a message of less than smallFragment,
	// the last one excepted.
	fragment() error
	// hurry is called when the rest of a message has to be waited for, with how
	// many bytes are held of it, spare ones included.
	hurry(held int)
}

// source is where a client's messages come from. Owned by the reading
// goroutine.
type source interface {
	// next waits for the next frame: OpText or OpBinary begins a message, which
	// must be taken with read; OpPing and OpPong were handled. An error ends
	// the connection: a *websocket.CloseError is the peer's close frame.
	next() (wire.Opcode, error)
	// read appends the message to buf. One of more than limit bytes is
	// websocket.ErrReadLimit.
	read(buf *bytes.Buffer, limit int64) error
}

// upgraded reads from a connection that the program upgraded itself: it may
// compress, and gorilla may have read ahead.
type upgraded struct {
	ws      *websocket.Conn
	to      hearer
	message io.Reader
}

func newUpgraded(ws *websocket.Conn, to hearer) *upgraded {
	handle := func(op wire.Opcode) func(string) error {
		return func(data string) error { return to.control(op, []byte(data)) }
	}
	ws.SetPingHandler(handle(wire.OpPing))
	ws.SetPongHandler(handle(wire.OpPong))
	ws.SetCloseHandler(func(int, string) error { return nil }) // answered when reading ends with it
	return &upgraded{ws: ws, to: to}
}

func (u *upgraded) next() (op wire.Opcode, err error) {
	kind, r, err := u.ws.NextReader()
	u.message = r
	return wire.Opcode(kind), err // gorilla's kinds are the opcodes
}

func (u *upgraded) read(buf *bytes.Buffer, limit int64) error {
	u.to.hurry(int(limit)) // it cannot be known whether gorilla has the message; nor how it is fragmented
	n, err := buf.ReadFrom(io.LimitReader(u.message, limit+1))
	if err == nil && n > limit {
		return websocket.ErrReadLimit
	}
	return err
}
