package socket

import (
	"net"
	"syscall"
)

// Conn is a connection of a WebSocket. The zero value of raw is legal: it is
// then read and written with deadlines only.
type Conn struct {
	net.Conn
	raw syscall.RawConn // of Conn; nil if it cannot be read and written without waiting
}

// NewConn finds out what the system can do with conn.
func NewConn(conn net.Conn) Conn { return Conn{Conn: conn, raw: rawOf(conn)} }

// Nonblocking reports whether the connection is read and written without
// waiting: one of the system's own, and not one of TLS.
func (c Conn) Nonblocking() bool { return c.raw != nil }

// CloseWrite ends our side of the connection, where it can be ended by itself.
// It fails when the peer was faster.
func (c Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
