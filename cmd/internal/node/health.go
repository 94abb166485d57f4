package node

import (
	"context"
	"net/http"
	"time"
)

// readyTimeout is how long /readyz waits for the log to answer.
const readyTimeout = 2 * time.Second

// health answers /healthz: the process lives.
func (n *Node) health(*http.Request) (any, error) {
	return map[string]string{"status": "ok"}, nil
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
}

// ready answers /readyz: whether new clients should be sent here.
func (n *Node) ready(w http.ResponseWriter, r *http.Request) {
	if n.draining.Load() {
		respond(w, http.StatusServiceUnavailable, readiness{Reason: "this node is stopping"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := n.engine.Ping(ctx); err != nil {
		if !n.unready.Swap(true) { // who asks, asks often
			n.log.Warn().Err(err).Msg("not ready: the log does not answer")
		}
		respond(w, http.StatusServiceUnavailable, readiness{Reason: "NATS or the log on it does not answer"})
		return
	}
	if n.unready.Swap(false) {
		n.log.Info().Msg("ready again: the log answers")
	}
	respond(w, http.StatusOK, readiness{Ready: true})
}
