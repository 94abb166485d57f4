//go:build linux

package hostile

import (
	"net/http"
	"strings"
	"testing"
)

// Every answer says how it may be used, and those for operators are not for
// others.
func TestWhatHTTPGivesAway(t *testing.T) {
	a := prepare(t, setup{name: "/metrics and the API from elsewhere", env: keys})
	a.watch(asUser(t, "bystander"))
	outside := map[string]string{"X-Forwarded-For": documentation(1)}
	for _, path := range []string{"/metrics", "/api/rooms", "/api/rooms/general/events"} {
		a.asks(http.MethodGet, path, "", outside, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
		a.asks(http.MethodGet, path, "", nil, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
		a.asks(http.MethodGet, path, "", bearer("guess"), http.StatusUnauthorized)
		a.asks(http.MethodGet, path, "", bearer(apiKey), http.StatusOK)
	}
	for _, path := range []string{"/", "/login", "/ws", "/metrics", "/api/rooms", "/healthz", "/readyz", "/nothing", "/assets/main.js"} {
		got, err := a.server.call(t.Context(), http.MethodGet, path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		policy := got.header.Get("Content-Security-Policy")
		a.holds(got.header.Get("X-Content-Type-Options") == "nosniff", "%s is answered %d without nosniff", path, got.status)
		a.holds(strings.Contains(policy, "default-src"), "%s is answered %d with the policy %q", path, got.status, policy)
		if path == "/" {
			a.holds(strings.Contains(policy, "connect-src 'self'") || strings.Contains(policy, a.server.addr), "the page may connect: %q", policy)
			for _, any := range []string{" ws: ", " wss: ", " ws:;", " wss:;", " https: ", " http: ", " * ", "'unsafe-"} {
				a.holds(!strings.Contains(policy+" ", any), "the page's policy allows %q: %q", any, policy)
			}
		}
	}
	a.end()
}

// Without any key the API and the counters are for this machine alone.
func TestOperatorsWithoutAKey(t *testing.T) {
	a := begin(t, setup{name: "/metrics and the API through a proxy, without keys"})
	for _, header := range []map[string]string{{"X-Forwarded-For": documentation(1)}, {"Forwarded": "for=192.0.2.1"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}} {
		for _, path := range []string{"/metrics", "/api/rooms", "/api/rooms/general/events"} {
			a.asks(http.MethodGet, path, "", header, http.StatusForbidden, http.StatusNotFound)
		}
	}
	a.end()
}
