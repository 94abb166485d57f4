package socket

import (
	"bytes"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// smallFragment is the least size of a part of a message, the last one
// excepted, that a Handler is not told of.
const smallFragment = 128

// Handler is told what comes beside messages, on the goroutine that reads. An
// error ends reading.
type Handler interface {
	// Control takes a ping or a pong; the payload is valid until it returns.
	Control(op wire.Opcode, payload []byte) error
	// Fragment is called for each part of a message of less than 128 bytes, the
	// last one excepted: many of them come with little.
	Fragment() error
	// Incomplete is called when the rest of a message has to be waited for, with
	// how many bytes are held of it, spare ones included.
	Incomplete(held int)
}

// Source is where a peer's messages come from. One goroutine may use it.
type Source interface {
	// Next waits for the next frame: OpText or OpBinary begins a message, which
	// must be taken with Read; OpPing and OpPong were handled. An error ends the
	// connection: see CloseCode.
	Next() (wire.Opcode, error)
	// Read appends the message to buf. One of more than limit bytes, inflated,
	// is an error that ends the connection with 1009.
	Read(buf *bytes.Buffer, limit int64) error
}

// Upgraded reads from a connection that the program upgraded itself: it may
// compress, and gorilla may have read ahead.
type Upgraded struct {
	ws      *websocket.Conn
	to      Handler
	message io.Reader
}

// NewUpgraded takes over the reading of ws, whose own limit, deadline and
// handlers no longer count.
func NewUpgraded(ws *websocket.Conn, to Handler) *Upgraded {
	handle := func(op wire.Opcode) func(string) error {
		return func(data string) error { return to.Control(op, []byte(data)) }
	}
	ws.SetReadLimit(0)                  // gorilla's; ours is given to Read
	_ = ws.SetReadDeadline(time.Time{}) // fails only on a closed connection
	ws.SetPingHandler(handle(wire.OpPing))
	ws.SetPongHandler(handle(wire.OpPong))
	ws.SetCloseHandler(func(int, string) error { return nil }) // answered when reading ends with it
	return &Upgraded{ws: ws, to: to}
}

// Next implements Source.
func (u *Upgraded) Next() (op wire.Opcode, err error) {
	kind, r, err := u.ws.NextReader()
	u.message = r
	return wire.Opcode(kind), err // gorilla's kinds are the opcodes
}

// Read implements Source.
func (u *Upgraded) Read(buf *bytes.Buffer, limit int64) error {
	u.to.Incomplete(int(limit)) // it cannot be known whether gorilla has the message; nor how it is fragmented
	n, err := buf.ReadFrom(io.LimitReader(u.message, limit+1))
	if err == nil && n > limit {
		return websocket.ErrReadLimit
	}
	return err
}
