package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Origins says which web pages may connect. The zero value allows a page of the server's own host only. Immutable.
type Origins struct {
	any   bool
	exact map[origin]bool
	below []origin // host is a suffix that begins with a dot
}

// origin is a scheme, host and port in one spelling: lower case, "" for the scheme's default port.
type origin struct{ scheme, host, port string }

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// ParseOrigins reads the origins that are allowed besides the server's own: "https://example.com", with a port if it is not the
// scheme's own; "https://*.example.com" for every host below example.com, at any depth, but not itself; or "*" for every page.
func ParseOrigins(patterns []string) (Origins, error) {
	o := Origins{exact: make(map[origin]bool)}
	for _, pattern := range patterns {
		if pattern == "*" {
			o.any = true
			continue
		}
		scheme, rest, _ := strings.Cut(strings.TrimSuffix(pattern, "/"), "://")
		host, wild := strings.CutPrefix(rest, "*.")
		parsed, ok := parseOrigin(scheme + "://" + host)
		if !ok || strings.Contains(host, "*") {
			return Origins{}, fmt.Errorf("auth: the origin %q is not one; expected https://example.com, https://*.example.com or *", pattern)
		}
		if wild {
			parsed.host = "." + parsed.host
			o.below = append(o.below, parsed)
		} else {
			o.exact[parsed] = true
		}
	}
	return o, nil
}

// Allowed reports whether the page that made the request may connect. A request without an Origin header comes from no browser
// and is allowed. Without a pattern that fits, the origin's host and port must be those the request was sent to (its Host; the
// scheme is not compared, as a proxy may end TLS). "null", a page without an origin, is allowed by the pattern "*" only.
func (o Origins) Allowed(r *http.Request) bool {
	values := r.Header["Origin"]
	if len(values) == 0 || o.any {
		return true
	}
	if len(values) > 1 {
		return false
	}
	from, ok := parseOrigin(values[0])
	if !ok {
		return false
	}
	if o.exact[from] || sameHost(from, r.Host) {
		return true
	}
	for _, b := range o.below {
		if from.scheme == b.scheme && from.port == b.port && strings.HasSuffix(from.host, b.host) && len(from.host) > len(b.host) {
			return true
		}
	}
	return false
}

// Names reports whether one of the patterns names the host of a Host header, whatever its port.
func (o Origins) Names(host string) bool {
	to, ok := parseOrigin("https://" + host)
	if o.any || !ok {
		return o.any
	}
	for from := range o.exact {
		if from.host == to.host {
			return true
		}
	}
	for _, b := range o.below {
		if strings.HasSuffix(to.host, b.host) && len(to.host) > len(b.host) {
			return true
		}
	}
	return false
}

// sameHost compares an origin with a Host header, which may or may not name the default port.
func sameHost(from origin, host string) bool {
	if defaultPorts[from.scheme] == "" {
		return false
	}
	to, ok := parseOrigin(from.scheme + "://" + host)
	return ok && to == from
}

// parseOrigin reads what a browser sends: scheme://host or scheme://host:port and nothing else.
func parseOrigin(s string) (origin, bool) {
	s = strings.ToLower(s)
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.Scheme+"://"+u.Host != s {
		return origin{}, false
	}
	host, port := u.Hostname(), u.Port()
	for _, c := range []byte(host) {
		if c <= ' ' || c >= 0x7f { // a browser writes such a name in punycode
			return origin{}, false
		}
	}
	if strings.HasSuffix(u.Host, ":") {
		return origin{}, false
	}
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String() // an IPv6 address has many spellings
	}
	if port == defaultPorts[u.Scheme] {
		port = ""
	}
	return origin{u.Scheme, host, port}, true
}

// Any reports whether pages of every origin may connect.
func (o Origins) Any() bool { return o.any }
