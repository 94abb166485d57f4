package auth

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Origins are the origins whose web pages may connect. The zero value allows
// that of the server's own host only. It is immutable.
type Origins struct {
	any   bool
	exact map[origin]bool
	below []origin // host is a suffix beginning with a dot
}

// origin is a normalized scheme, host and port: lower case, "" for the scheme's
// default port.
type origin struct{ scheme, host, port string }

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// ParseOrigins parses the origins that are allowed besides the server's own:
// "https://example.com", with a port if it is not the scheme's default;
// "https://*.example.com" for every host below example.com, at any depth, but
// not itself; or "*" for every page.
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

// Allowed reports whether the page that made the request may connect. A request
// without an Origin header is not from a browser and is allowed. If no pattern
// matches, the origin's host and port must be those of the Host header (the
// scheme is not compared, as a proxy may terminate TLS). "null", a page without
// an origin, is allowed by the pattern "*" only.
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

// AllowsHost reports whether one of the patterns matches the host of a Host
// header, on any port.
func (o Origins) AllowsHost(host string) bool {
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

// sameHost compares an origin with a Host header, which may contain the default
// port.
func sameHost(from origin, host string) bool {
	if defaultPorts[from.scheme] == "" {
		return false
	}
	to, ok := parseOrigin(from.scheme + "://" + host)
	return ok && to == from
}

// parseOrigin parses an Origin header: scheme://host or scheme://host:port and
// nothing else.
func parseOrigin(s string) (origin, bool) {
	s = strings.ToLower(s)
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.Scheme+"://"+u.Host != s {
		return origin{}, false
	}
	host, port := u.Hostname(), u.Port()
	for _, c := range []byte(host) {
		if c <= ' ' || c >= 0x7f { // browsers send such a name in punycode
			return origin{}, false
		}
	}
	if strings.HasSuffix(u.Host, ":") {
		return origin{}, false
	}
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String() // IPv6 addresses have several notations
	}
	if port == defaultPorts[u.Scheme] {
		port = ""
	}
	return origin{u.Scheme, host, port}, true
}

// Any reports whether pages of every origin may connect.
func (o Origins) Any() bool { return o.any }
