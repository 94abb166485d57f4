package socket

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Upgrader upgrades requests to WebSockets. Its methods may be called from any
// goroutine.
type Upgrader struct{ gorilla websocket.Upgrader }

// Accepted is a connection after its handshake.
type Accepted struct {
	Conn Conn
	// Answer is the response to the handshake, which is not written yet: the
	// caller writes it together with the first frames, in one system call.
	Answer []byte
	// Deflate says that permessage-deflate was negotiated, without context
	// takeover in both directions.
	Deflate bool
}

// NewUpgrader returns an Upgrader whose handshakes take at most timeout. refuse
// answers a request that is no WebSocket handshake. The caller must check the
// origin.
func NewUpgrader(timeout time.Duration, refuse func(w http.ResponseWriter, r *http.Request, status int, reason error)) *Upgrader {
	return &Upgrader{websocket.Upgrader{
		HandshakeTimeout: timeout,
		ReadBufferSize:   16,           // Reader does not use gorilla's buffer
		WriteBufferPool:  &sync.Pool{}, // WriteBuffer does not use it
		CheckOrigin:      func(*http.Request) bool { return true },
		Error:            refuse,
	}}
}

// Upgrade hijacks the connection of a request; compress says whether
// permessage-deflate may be negotiated. If it returns an error the request has
// been answered.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request, compress bool) (Accepted, error) {
	upgrader := u.gorilla
	upgrader.EnableCompression = compress && offersDeflate(r.Header)
	ws, err := upgrader.Upgrade(holdingWriter{w}, r, nil)
	if err != nil {
		return Accepted{}, err
	}
	held := ws.NetConn().(*heldConn) // as Hijack returned
	return Accepted{Conn: NewConn(held.Conn), Answer: held.answer, Deflate: upgrader.EnableCompression}, nil
}

// holdingWriter returns a heldConn from Hijack.
type holdingWriter struct{ http.ResponseWriter }

func (w holdingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &heldConn{Conn: conn}, buffers, nil
}

// heldConn buffers what is written to it.
type heldConn struct {
	net.Conn
	answer []byte
}

func (c *heldConn) Write(b []byte) (int, error) {
	c.answer = append(c.answer, b...)
	return len(b), nil
}
