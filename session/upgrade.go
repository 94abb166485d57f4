package session

import (
	"bufio"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// upgrade makes a WebSocket of the request. The answer to the handshake is not
// written yet but returned: the writer sends it in one system call with the
// welcome.
func upgrade(u websocket.Upgrader, w http.ResponseWriter, r *http.Request) (conn net.Conn, answer []byte, err error) {
	ws, err := u.Upgrade(holdingWriter{w}, r, nil)
	if err != nil {
		return nil, nil, err // refuseUpgrade has answered
	}
	held := ws.NetConn().(*heldConn) // gorilla has done its part
	return held.Conn, held.answer, nil
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
