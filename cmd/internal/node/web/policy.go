package web

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// AnyImageHost is the pattern that allows pictures of every host.
const AnyImageHost = "*"

// imageHost matches a host source of a Content-Security-Policy, and nothing
// else: a semicolon or comma would end the directive and begin another one.
var imageHost = regexp.MustCompile(`^(https?://(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([0-9]{1,5}))?/?$`)

// ParseImageHosts checks the hosts whose pictures load at once:
// "https://cdn.example.com", with a port if it is not the scheme's own;
// "https://*.example.com" for every host below example.com, at any depth, but
// not itself; or "*" for every host. It returns them in one spelling. An IPv6
// address cannot be named: a policy has no way to write one.
func ParseImageHosts(patterns []string) ([]string, error) {
	hosts := make([]string, 0, len(patterns))
	for _, pattern := range patterns {
		if pattern == AnyImageHost {
			hosts = append(hosts, pattern)
			continue
		}
		parts := imageHost.FindStringSubmatch(strings.ToLower(pattern))
		if parts == nil {
			return nil, fmt.Errorf("the host %q is not one; expected https://cdn.example.com, https://*.example.com or *", pattern)
		}
		host, port := parts[1], parts[2]
		if port != "" {
			if _, err := strconv.ParseUint(port, 10, 16); err != nil {
				return nil, fmt.Errorf("the host %q has no port from 0 to 65535", pattern)
			}
			if port != defaultPort(host) {
				host += ":" + port
			}
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

func defaultPort(host string) string {
	if strings.HasPrefix(host, "https:") {
		return "443"
	}
	return "80"
}

// policy is the Content-Security-Policy of the page: its own scripts and
// styles, its own server, its own pictures and those of the given hosts;
// nothing inline, nobody's frame, and no text that becomes markup. Fixed after
// start.
type policy struct{ images string }

func newPolicy(hosts []string) policy {
	images := "'self'"
	for _, host := range hosts {
		if host == AnyImageHost {
			host = "http: https:"
		}
		images += " " + host
	}
	return policy{images}
}

// plainHost matches a Host header that may be written into the policy, which
// cannot contain an IPv6 address.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?$`)

// header is the policy for a page that was asked for at host. The addresses of
// its WebSocket stand beside 'self' because older browsers do not count a
// WebSocket as 'self'; where the host cannot be written, newer ones still
// connect.
func (p policy) header(host string, secure bool) string {
	connect := "'self'"
	if plainHost.MatchString(host) {
		connect += " wss://" + host
		if !secure {
			connect += " ws://" + host
		}
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src " + connect + "; img-src " + p.images +
		"; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
		"; require-trusted-types-for 'script'; trusted-types 'none'"
}
