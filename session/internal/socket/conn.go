package socket

import (
	"net"
	"syscall"
)

// Conn is the connection of a WebSocket. If raw is nil it is read and written
// in blocking mode only.
type Conn struct {
	net.Conn
	raw syscall.RawConn // of Conn; nil if there is no nonblocking I/O
}

// NewConn returns a Conn, with nonblocking I/O if conn and the system support
// it.
func NewConn(conn net.Conn) Conn { return Conn{Conn: conn, raw: rawOf(conn)} }

// Nonblocking reports whether there is nonblocking I/O: on a TCP or Unix
// connection without TLS, on most systems.
func (c Conn) Nonblocking() bool { return c.raw != nil }

// CloseWrite shuts down the writing side of the connection, if that is
// possible. It fails if the peer has closed the connection.
func (c Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
