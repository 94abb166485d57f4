package socket

import (
	"bytes"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// smallFragment is the size in bytes below which a Handler is told of a
// fragment of a message, except the last one.
const smallFragment = 128

// Handler handles what comes besides messages, on the goroutine that reads. An
// error ends reading.
type Handler interface {
	// Control handles a ping or a pong; the payload is valid until it returns.
	Control(op wire.Opcode, payload []byte) error
	// Fragment is called for each fragment of less than 128 bytes, except the
	// last one of a message: a peer can send many of them in few bytes.
	Fragment() error
	// Incomplete is called before waiting for the rest of a message, with the
	// capacity in bytes of the buffer that holds the beginning.
	Incomplete(held int)
}

// Source reads a peer's messages. Only one goroutine may use it.
type Source interface {
	// Next waits for the next frame: OpText or OpBinary begins a message, which
	// must be read with Read; OpPing and OpPong have been handled. An error
	// ends the connection: see CloseCode.
	Next() (wire.Opcode, error)
	// Read appends the message to buf. If it has more than limit bytes,
	// inflated, the error is that of CloseCode 1009.
	Read(buf *bytes.Buffer, limit int64) error
}

// Upgraded is a Source for a connection that the program upgraded itself: it
// may be compressed, and gorilla may have read ahead.
type Upgraded struct {
	ws      *websocket.Conn
	to      Handler
	message io.Reader
}

// NewUpgraded takes over reading ws, and resets its limit, deadline and
// handlers.
func NewUpgraded(ws *websocket.Conn, to Handler) *Upgraded {
	handle := func(op wire.Opcode) func(string) error {
		return func(data string) error { return to.Control(op, []byte(data)) }
	}
	ws.SetReadLimit(0)                  // gorilla's; Read has its own
	_ = ws.SetReadDeadline(time.Time{}) // fails only if the connection is closed
	ws.SetPingHandler(handle(wire.OpPing))
	ws.SetPongHandler(handle(wire.OpPong))
	ws.SetCloseHandler(func(int, string) error { return nil }) // the close frame is answered when reading has ended
	return &Upgraded{ws: ws, to: to}
}

// Next implements Source.
func (u *Upgraded) Next() (op wire.Opcode, err error) {
	kind, r, err := u.ws.NextReader()
	u.message = r
	return wire.Opcode(kind), err // gorilla's message types are the opcodes
}

// Read implements Source.
func (u *Upgraded) Read(buf *bytes.Buffer, limit int64) error {
	u.to.Incomplete(int(limit)) // whether gorilla has all of the message is unknown, as are its fragments
	n, err := buf.ReadFrom(io.LimitReader(u.message, limit+1))
	if err == nil && n > limit {
		return websocket.ErrReadLimit
	}
	return err
}
