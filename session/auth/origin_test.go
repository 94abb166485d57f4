package auth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	request := func(host string, origins ...string) *http.Request {
		return &http.Request{Host: host, Header: http.Header{"Origin": origins}}
	}
	for _, tc := range []struct {
		patterns string // separated by spaces
		host     string
		origin   string
		want     bool
	}{
		{"", "example.com", "https://example.com", true},
		{"", "example.com", "http://example.com", true}, // a proxy may end TLS
		{"", "Example.com", "https://eXample.com", true},
		{"", "example.com:443", "https://example.com", true},
		{"", "example.com", "https://example.com:443", true},
		{"", "example.com:80", "https://example.com", false},
		{"", "example.com:3000", "http://example.com:3000", true},
		{"", "example.com:3000", "http://example.com", false},
		{"", "[::1]:3000", "http://[0:0::1]:3000", true},
		{"", "localhost:3000", "http://127.0.0.1:3000", false},
		{"", "example.com", "https://evil.com", false},
		{"", "example.com", "https://example.com.evil.com", false},
		{"", "example.com", "https://evil.com#example.com", false},
		{"", "example.com", "https://example.com@evil.com", false},
		{"", "example.com", "https://user@example.com", false},
		{"", "example.com", "https://example.com/", false}, // no browser sends that
		{"", "example.com", "ftp://example.com", false},
		{"", "example.com", "null", false},
		{"", "example.com", "", false},
		{"", "example.com", "example.com", false},
		{"", "", "https://", false},
		{"https://other.com", "example.com", "https://other.com", true},
		{"https://other.com", "example.com", "https://OTHER.com:443", true},
		{"https://other.com", "example.com", "http://other.com", false},
		{"https://other.com", "example.com", "https://other.com:8443", false},
		{"https://other.com", "example.com", "https://a.other.com", false},
		{"https://other.com", "example.com", "https://example.com", true}, // the own host stays
		{"https://a.com https://b.com:8443/", "example.com", "https://b.com:8443", true},
		{"https://*.other.com", "example.com", "https://a.other.com", true},
		{"https://*.other.com", "example.com", "https://a.b.other.com", true},
		{"https://*.other.com", "example.com", "https://other.com", false},
		{"https://*.other.com", "example.com", "https://.other.com", false},
		{"https://*.other.com", "example.com", "https://another.com", false},
		{"https://*.other.com", "example.com", "http://a.other.com", false},
		{"https://*.other.com", "example.com", "https://a.other.com:8443", false},
		{"https://*.other.com:8443", "example.com", "https://a.other.com:8443", true},
		{"https://*.other.com", "example.com", "https://a.other.com.evil.com", false},
		{"capacitor://localhost", "example.com", "capacitor://localhost", true},
		{"*", "example.com", "https://evil.com", true},
		{"*", "example.com", "null", true},
		{"https://other.com", "example.com", "null", false},
	} {
		origins, err := ParseOrigins(strings.Fields(tc.patterns))
		if err != nil {
			t.Fatal(err)
		}
		if got := origins.Allowed(request(tc.host, tc.origin)); got != tc.want {
			t.Errorf("patterns %q, host %q, origin %q: %v", tc.patterns, tc.host, tc.origin, got)
		}
	}
	var none Origins
	if !none.Allowed(request("example.com")) {
		t.Error("a request without an Origin is refused")
	}
	if none.Allowed(request("example.com", "https://example.com", "https://evil.com")) {
		t.Error("a request with two Origins is allowed")
	}
}

func TestParseOriginsRefuses(t *testing.T) {
	for _, pattern := range []string{"", "example.com", "https://", "null", "https://*", "https://a.*.com", "https://*.*.com", "*.example.com",
		"https://example.com/path", "https://example.com?x", "https://user@example.com", "https://例え.jp", "https://example.com:", "https://a b.com"} {
		if _, err := ParseOrigins([]string{"https://fine.com", pattern}); err == nil || !strings.Contains(err.Error(), "https://*.example.com") {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// FuzzOrigins compares with what the standard library thinks is the host of the
// origin.
func FuzzOrigins(f *testing.F) {
	origins, err := ParseOrigins([]string{"https://example.com", "https://*.example.org"})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"https://example.com", "https://a.example.org", "https://own.net:3000", "null", "https://example.com@evil.com", "https://[::1]"} {
		f.Add(s, "own.net:3000")
	}
	f.Fuzz(func(t *testing.T, from, host string) {
		if !origins.Allowed(&http.Request{Host: host, Header: http.Header{"Origin": {from}}}) {
			return
		}
		u, err := url.Parse(from)
		if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("allowed %q, which is no origin (%v)", from, err)
		}
		name := strings.ToLower(u.Hostname())
		own, err := url.Parse(u.Scheme + "://" + host)
		if name == "example.com" || strings.HasSuffix(name, ".example.org") || err == nil && sameName(own.Hostname(), name) {
			return
		}
		t.Fatalf("allowed %q to %q", from, host)
	})
}

// sameName lets IPv6 addresses differ in spelling; that they are the same is
// tested above.
func sameName(a, b string) bool {
	return strings.EqualFold(a, b) || strings.Contains(a, ":") && strings.Contains(b, ":")
}

func TestOriginsName(t *testing.T) {
	o, err := ParseOrigins([]string{"https://game.example:8443", "http://*.tables.example"})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"game.example": true, "GAME.example:443": true, "game.example:1": true, "a.tables.example": true, "a.b.tables.example:80": true,
		"": false, "tables.example": false, "xgame.example": false, "game.example.evil.example": false, ".tables.example": false, "game.example/": false, "a b": false,
	} {
		if o.AllowsHost(host) != want {
			t.Errorf("%q is named: %v", host, !want)
		}
	}
	if (Origins{}).AllowsHost("localhost") {
		t.Error("nothing is named by no pattern")
	}
	every, err := ParseOrigins([]string{"*"})
	if err != nil || !every.AllowsHost("anything") || !every.AllowsHost("") {
		t.Errorf("* does not name everything (%v)", err)
	}
}
