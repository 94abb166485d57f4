package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Guard decides whether a request is answered: nil, or why it is not, which is a
// *wire.Error. It is called from any goroutine, before anything is read.
type Guard func(r *http.Request) error

// Limiter limits how often an address may be wrong: *session.Manager, where a
// wrong key counts as a failed login.
type Limiter interface {
	AdmitLogin(*http.Request) (wait time.Duration, refusal *wire.Error)
	ForgiveLogin(*http.Request)
}

// WithKey lets in who sends "Authorization: Bearer" and the key, from anywhere.
// A wrong key spends one of the address's guesses, and of an address that has
// none left the right key is not looked at either: else the answer would tell it
// from the others. It panics without a key, which everybody could send.
func WithKey(key string, limit Limiter) Guard {
	if key == "" {
		panic("httpapi: WithKey was given no key; for programs of this machine there is LocalOnly")
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

// LocalOnly lets in programs of this machine and our own page in a browser on it, and nothing else that such a browser
// could be made to send: not a page of another origin, nor one whose name was pointed at this machine (DNS rebinding). What
// came through a proxy counts as from there only if the proxy is trusted and says so: else who is behind it may be anywhere.
// hint, if not "", says at the end of a refusal what an operator may do.
func LocalOnly(proxies auth.Proxies, hint string) Guard {
	if hint != "" {
		hint = "; " + hint
	}
	return func(r *http.Request) error { return localOnly(r, proxies, hint) }
}

func localOnly(r *http.Request, proxies auth.Proxies, hint string) error {
	peer := proxies.Peer(r)
	switch {
	case peer.Hidden:
		return wire.Errorf(wire.Forbidden, "the request came through a proxy (it has a %s header), and without an API key the API answers only on the server's own machine%s", auth.ProxyHeader(r), hint)
	case !peer.Addr.IsLoopback():
		return wire.Errorf(wire.Forbidden, "without an API key the API answers only on the server's own machine%s", hint)
	}
	if !SentToLoopback(r) {
		return wire.Errorf(wire.Forbidden, "the request was sent to %q; without an API key the API answers only to localhost%s", r.Host, hint)
	}
	if !(auth.Origins{}).Allowed(r) || FromAnotherSite(r) {
		return wire.Errorf(wire.Forbidden, "a page of another origin may not use the API%s", hint)
	}
	return nil
}

// SentToLoopback reports whether the request names this machine as where it was sent to.
func SentToLoopback(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return LoopbackHost(host)
}

// FromAnotherSite reports whether a browser says that a page of another origin asks.
func FromAnotherSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// LoopbackHost reports whether a name or an address, without a port, is certainly
// this machine. A name other than localhost could be anywhere.
func LoopbackHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
