package socket

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Upgrader makes WebSockets of requests. Any goroutine may use it.
type Upgrader struct{ gorilla websocket.Upgrader }

// Accepted is a connection after its handshake.
type Accepted struct {
	Conn Conn
	// Answer to the handshake is not written yet: the one that writes to the
	// connection sends it in one system call with what comes first.
	Answer []byte
	// Deflate says that messages may be compressed in both directions, as by
	// permessage-deflate without context takeover.
	Deflate bool
}

// NewUpgrader returns an Upgrader whose handshakes take at most timeout. refuse
// answers a request that is no WebSocket handshake. Origins are the caller's to
// check.
func NewUpgrader(timeout time.Duration, refuse func(w http.ResponseWriter, r *http.Request, status int, reason error)) *Upgrader {
	return &Upgrader{websocket.Upgrader{
		HandshakeTimeout: timeout,
		ReadBufferSize:   16,           // Reader reads past gorilla's buffer
		WriteBufferPool:  &sync.Pool{}, // WriteBuffer writes past it
		CheckOrigin:      func(*http.Request) bool { return true },
		Error:            refuse,
	}}
}

// Upgrade takes the connection of a request; compress says whether it may be
// agreed on. After an error the request has been answered.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request, compress bool) (Accepted, error) {
	upgrader := u.gorilla
	upgrader.EnableCompression = compress && offersDeflate(r.Header)
	ws, err := upgrader.Upgrade(holdingWriter{w}, r, nil)
	if err != nil {
		return Accepted{}, err
	}
	held := ws.NetConn().(*heldConn) // gorilla has done its part
	return Accepted{Conn: NewConn(held.Conn), Answer: held.answer, Deflate: upgrader.EnableCompression}, nil
}

// holdingWriter hands out a connection on which the answer is held back.
type holdingWriter struct{ http.ResponseWriter }

func (w holdingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &heldConn{Conn: conn}, buffers, nil
}

// heldConn keeps what is written to it.
type heldConn struct {
	net.Conn
	answer []byte
}

func (c *heldConn) Write(b []byte) (int, error) {
	c.answer = append(c.answer, b...)
	return len(b), nil
}
