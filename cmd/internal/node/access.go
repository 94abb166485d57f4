package node

import (
	"net/http"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

const needKey = "set an API key (ROOMD_API_KEY or --api-key-file) and send it as Authorization: Bearer"

// apiGuard decides who may use the API: who has the key, or without a key who is certainly on this machine. Where users log in
// with tokens nobody is, without a key: what asks from this machine may be a proxy that does not say so.
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

// onlyOurNames keeps requests that were sent to a foreign name from a server on a loopback address. Any page can have its own
// name point at this machine (DNS rebinding): for the visitor's browser our answers are then the page's own.
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
