package node

import (
	"errors"
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// health answers /healthz: the process lives.
func (n *Node) health(*http.Request) (any, error) {
	return map[string]string{"status": "ok"}, nil
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// ready answers /readyz from memory: whether new clients should be sent here.
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

// unreadyReason is why new clients should not be sent here, as a label of a metric; "" if they should.
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
