package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
)

// startPProf serves profiles on a listener of their own, never on that of the
// clients.
func (n *Node) startPProf(context.Context) error {
	if n.cfg.PProf == "" {
		return nil
	}
	listener, err := net.Listen("tcp", n.cfg.PProf)
	if err != nil {
		return hint(fmt.Errorf("cannot serve profiles on %s: %w", n.cfg.PProf, err), "pprof", "write a free port of this machine, such as localhost:6060")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := n.newServer(n.local(mux))
	server.WriteTimeout = 0 // a profile may take any time
	n.profiles = serveAside(server, listener)
	n.log.Info().Str("url", "http://"+listener.Addr().String()+"/debug/pprof/").Msg("serving profiles")
	return nil
}
