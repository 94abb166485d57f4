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

// Guard decides whether a request is let in. It returns nil, or a *wire.Error
// that says why not. It is called on the request's goroutine, before the body
// is read.
type Guard func(r *http.Request) error

// Limiter limits the failed attempts of an address. *session.Manager is one;
// with it a wrong key counts as a failed login.
type Limiter interface {
	AdmitLogin(*http.Request) (wait time.Duration, refusal *wire.Error)
	ForgiveLogin(*http.Request)
}

// WithKey returns a Guard that lets in requests with "Authorization: Bearer"
// and the key, from anywhere. A wrong key uses up one of the address's
// attempts; an address that has none left is refused even with the right key,
// as the response would otherwise tell it from wrong ones. It panics if key is
// empty.
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

// LocalOnly returns a Guard that lets in programs on this machine and the
// server's own page in a browser on it, but no page of another origin, and none
// whose name resolves to this machine (DNS rebinding). A request through a
// proxy is let in only if the proxy is trusted and forwards for a client on
// this machine. hint, if not "", is appended to a refusal: what an operator may
// do.
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

// SentToLoopback reports whether the request's Host is a loopback name or
// address.
func SentToLoopback(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return LoopbackHost(host)
}

// FromAnotherSite reports whether the request is from a page of another origin,
// by the browser's Sec-Fetch-Site.
func FromAnotherSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// LoopbackHost reports whether a name or an address, without a port, is
// certainly this machine. Any name other than localhost may resolve to another.
func LoopbackHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
