package node

import (
	"errors"
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// health handles /healthz: the process is alive.
func (n *Node) health(*http.Request) (any, error) {
	return map[string]string{"status": "ok"}, nil
}

// readiness is the response of /readyz.
type readiness struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// ready handles /readyz, from memory: whether new clients should be routed to
// this node.
func (n *Node) ready(w http.ResponseWriter, _ *http.Request) {
	if n.draining.Load() {
		httpapi.WriteJSON(w, http.StatusServiceUnavailable, readiness{Reason: "this node is stopping"})
		return
	}
	if err := n.engine.Ready(); err != nil {
		httpapi.WriteJSON(w, http.StatusServiceUnavailable, readiness{Reason: err.Error()})
		return
	}
	httpapi.WriteJSON(w, http.StatusOK, readiness{Ready: true})
}

// unreadyReason returns why new clients should not be routed to this node, as a
// label of a metric; "" if they should.
func (n *Node) unreadyReason() string {
	if n.draining.Load() {
		return string(rooms.ReasonStopped)
	}
	var unready *rooms.UnreadyError
	if errors.As(n.engine.Ready(), &unready) {
		return string(unready.Reason)
	}
	return ""
}
