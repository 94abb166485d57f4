package node

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

const needKey = "set an API key (ROOMD_API_KEY or --api-key-file) and send it as Authorization: Bearer"

// apiGuard is that of this node's configuration.
func (n *Node) apiGuard() func(*http.Request) error {
	return apiGuard(n.cfg.APIKey, n.cfg.takesTokens(), n.cfg.proxies(), n.sessions)
}

// guesses limits how often an address may be wrong. It is the session.Manager.
type guesses interface {
	AdmitLogin(*http.Request) (wait time.Duration, refusal *wire.Error)
	ForgiveLogin(*http.Request)
}

// apiGuard decides who may use the API: who has the key, or without a key who is certainly on this machine. Where users log in
// with tokens (secured) nobody is, without a key: what asks from this machine may be a proxy that does not say so. A wrong key
// is a failed login of its address, and of one that has no more of these (--login-rate) the right key is not looked at either:
// else the answer would tell it from the others.
func apiGuard(key string, secured bool, proxies auth.Proxies, limit guesses) func(*http.Request) error {
	switch {
	case key == "" && secured:
		return nobody
	case key == "":
		return func(r *http.Request) error { return localOnly(r, proxies) }
	}
	want := sha256.Sum256([]byte(key))
	return func(r *http.Request) error {
		scheme, sent, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return wire.Errorf(wire.Unauthorized, "the API needs its key: send Authorization: Bearer and the key")
		}
		if _, refusal := limit.AdmitLogin(r); refusal != nil {
			return refusal
		}
		got := sha256.Sum256([]byte(strings.TrimSpace(sent)))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return wire.Errorf(wire.Unauthorized, "the API key is wrong")
		}
		limit.ForgiveLogin(r)
		return nil
	}
}

func nobody(*http.Request) error {
	return wire.Errorf(wire.Forbidden, "users log in here (by token or hook), and there is no API key: so the API answers nobody; %s", needKey)
}

// localOnly lets in programs of this machine and our own page in a browser on it, and nothing else that such a browser
// could be made to send: not a page of another origin, nor one whose name was pointed at this machine (DNS rebinding). What
// came through a proxy counts as from there only if the proxy is trusted and says so: else who is behind it may be anywhere.
func localOnly(r *http.Request, proxies auth.Proxies) error {
	peer := proxies.Peer(r)
	switch {
	case peer.Hidden:
		return wire.Errorf(wire.Forbidden, "the request came through a proxy (it has a %s header), and without an API key the API answers only on the server's own machine; %s", auth.ProxyHeader(r), needKey)
	case !peer.Addr.IsLoopback():
		return wire.Errorf(wire.Forbidden, "without an API key the API answers only on the server's own machine; %s", needKey)
	}
	if !sentToLoopback(r) {
		return wire.Errorf(wire.Forbidden, "the request was sent to %q; without an API key the API answers only to localhost; %s", r.Host, needKey)
	}
	if !(auth.Origins{}).Allowed(r) || fromAnotherSite(r) {
		return wire.Errorf(wire.Forbidden, "a page of another origin may not use the API; %s", needKey)
	}
	return nil
}

// sentToLoopback reports whether the request names this machine as where it was sent to.
func sentToLoopback(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return loopbackHost(host)
}

// fromAnotherSite reports whether a browser says that a page of another origin asks.
func fromAnotherSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
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
		if !sentToLoopback(r) && !origins.Names(r.Host) {
			fail(w, r, n.log, wire.Errorf(wire.Forbidden, "the request was sent to %q, and a server on a loopback address answers to localhost only, as any web page could point a name at it (DNS rebinding); if a proxy serves that name, allow it: --allow-origin https://%[1]s", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}
