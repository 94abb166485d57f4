package node

import (
	"net"
	"sync/atomic"
)

// door is the listener for clients. It closes connections above the rate limit
// before a TLS handshake costs anything, and reports to visitors how much each
// connection sends before its request is complete.
type door struct {
	net.Listener
	visitors *visitors
	admit    func(net.Addr) bool // nil: everybody
}

func (d door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := conn.(*net.TCPConn)
		switch {
		case d.admit != nil && !d.admit(conn.RemoteAddr()):
			conn.Close() // fails only if the peer has closed it
		case ok:
			return &incoming{TCPConn: tcp, visitors: d.visitors}, nil
		default:
			return conn, nil
		}
	}
}

// incoming is a connection that reports what it reads to its visitor. A
// WebSocket without TLS bypasses it: see leaving.
type incoming struct {
	*net.TCPConn
	visitors *visitors
	who      atomic.Pointer[visitor] // nil: nobody counts
}

func (c *incoming) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if who := c.who.Load(); who != nil && n > 0 {
		c.visitors.received(who, n)
	}
	return n, err
}
