package session

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// upgrade switches the request to WebSocket. conn is what the client actor
// writes to, past ws: after the handshake ws writes nothing any more.
func (m *Manager) upgrade(w http.ResponseWriter, r *http.Request) (ws *websocket.Conn, conn net.Conn, err error) {
	h := &hijacker{ResponseWriter: w}
	if ws, err = m.upgrader.Upgrade(h, r, nil); err != nil {
		m.stats.RefusedUpgrade.Add(1)
		return nil, nil, err // refuseUpgrade has answered
	}
	h.conn.mute.Store(true)
	return ws, h.conn.Conn, nil
}

// refuseUpgrade answers a request that is no WebSocket handshake.
func refuseUpgrade(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	w.Header().Set("Sec-WebSocket-Version", "13")
	writeError(w, status, wire.Errorf(wire.BadPayload, "this address takes WebSocket connections only: %s", reason))
}

// hijacker gives gorilla a connection that can be muted.
type hijacker struct {
	http.ResponseWriter
	conn *mutable
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &mutable{Conn: conn}
	return h.conn, buf, nil
}

// mutable is a connection as gorilla sees it. Gorilla answers some protocol
// errors with a close frame of its own, from the reading goroutine; when muted
// these go nowhere, and the client actor, which alone writes, says goodbye.
type mutable struct {
	net.Conn
	mute atomic.Bool
}

// SetWriteDeadline is gorilla's for what it would write; the actor sets its own.
func (m *mutable) SetWriteDeadline(t time.Time) error {
	if m.mute.Load() {
		return nil
	}
	return m.Conn.SetWriteDeadline(t)
}

func (m *mutable) Write(p []byte) (int, error) {
	if m.mute.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}
