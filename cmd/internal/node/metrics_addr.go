package node

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

// startMetrics serves /metrics on the listener of --metrics-addr, if set.
// Whoever can connect to it may read them; on a loopback address web pages may
// not, not even by DNS rebinding.
func (n *Node) startMetrics(context.Context) error {
	if n.cfg.MetricsAddr == "" {
		return nil
	}
	listener, err := net.Listen("tcp", n.cfg.MetricsAddr)
	if err != nil {
		return hint(fmt.Errorf("cannot serve metrics on %s: %w", n.cfg.MetricsAddr, err), "metrics-addr", "write a free port of this machine, such as localhost:9100")
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", n.metricsHandler())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httpapi.WriteError(w, r, n.log, wire.Errorf(wire.NotFound, "here is only /metrics"))
	})
	handler := http.Handler(mux)
	if isLoopback(n.cfg.MetricsAddr) {
		handler = n.local(mux)
	}
	n.metrics = serveAside(n.newServer(handler), listener)
	n.log.Info().Str("url", "http://"+listener.Addr().String()+"/metrics").Msg("serving metrics")
	return nil
}

// local protects a loopback listener from web pages: those of other origins,
// and those whose name resolves to this machine (DNS rebinding). Local programs
// are let in.
func (n *Node) local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !httpapi.SentToLoopback(r):
			httpapi.WriteError(w, r, n.log, wire.Errorf(wire.Forbidden, "the request was sent to %q; this address answers only to localhost", r.Host))
		case httpapi.FromAnotherSite(r):
			httpapi.WriteError(w, r, n.log, wire.Errorf(wire.Forbidden, "a page of another origin may not ask here"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// aside is an HTTP server besides that of the clients. Fixed after start.
type aside struct {
	server *http.Server
	addr   net.Addr
	ended  chan error // takes what Serve returns
}

func serveAside(server *http.Server, listener net.Listener) *aside {
	a := &aside{server, listener.Addr(), make(chan error, 1)}
	go func() { a.ended <- server.Serve(listener) }()
	return a
}

// stop closes the server and its connections. A nil aside was not started.
func (a *aside) stop() error {
	if a == nil {
		return nil
	}
	err := a.server.Close()
	<-a.ended // http.ErrServerClosed, as it was just closed
	return err
}
