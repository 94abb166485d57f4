package node

import (
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

const needKey = "set an API key (ROOMD_API_KEY or --api-key-file) and send it as Authorization: Bearer"

// apiGuard returns the guard of the API: with a key, callers that have it;
// without, callers that are certainly on this machine. Where users log in with
// tokens nobody is let in without a key: a local caller may be a proxy that
// does not say so.
func (n *Node) apiGuard() httpapi.Guard {
	switch {
	case n.cfg.APIKey != "":
		return httpapi.WithKey(n.cfg.APIKey, n.sessions)
	case n.cfg.takesTokens():
		return nobody
	}
	return httpapi.LocalOnly(n.cfg.proxies(), needKey)
}

func nobody(*http.Request) error {
	return wire.Errorf(wire.Forbidden, "users log in here (by token or hook), and there is no API key: so the API answers nobody; %s", needKey)
}

// onlyOurNames refuses requests for other host names on a server that listens
// on a loopback address. Any page can have its name resolve to this machine
// (DNS rebinding): for the visitor's browser our responses are then of the
// page's origin.
func (n *Node) onlyOurNames(next http.Handler) http.Handler {
	origins, err := auth.ParseOrigins(n.cfg.AllowOrigin)
	if err != nil {
		panic("node: --allow-origin was not validated: " + err.Error())
	}
	if !isLoopback(n.cfg.Addr) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !httpapi.SentToLoopback(r) && !origins.AllowsHost(r.Host) {
			httpapi.WriteError(w, r, n.log, wire.Errorf(wire.Forbidden, "the request was sent to %q, and a server on a loopback address answers to localhost only, as any web page could point a name at it (DNS rebinding); if a proxy serves that name, allow it: --allow-origin https://%[1]s", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}
