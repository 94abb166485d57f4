package web

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestParseImageHosts(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{ // want "": refused
		{"https://cdn.example.com", "https://cdn.example.com"},
		{"https://CDN.example.com/", "https://cdn.example.com"},
		{"https://cdn.example.com:443", "https://cdn.example.com"},
		{"http://cdn.example.com:443", "http://cdn.example.com:443"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"https://*.example.com", "https://*.example.com"},
		{"https://xn--fiqs8s", "https://xn--fiqs8s"},
		{"*", "*"},
		{"", ""},
		{"cdn.example.com", ""},
		{"//cdn.example.com", ""},
		{"ftp://cdn.example.com", ""},
		{"data:", ""},
		{"https:", ""},
		{"https://", ""},
		{"https://*", ""},
		{"https://a.*.example.com", ""},
		{"https://cdn.example.com/pictures", ""},
		{"https://cdn.example.com:99999", ""},
		{"https://user@cdn.example.com", ""},
		{"https://[::1]", ""},
		{"https://例え.jp", ""},
		{"https://a;script-src *", ""},
		{"https://a;script-src", ""},
		{"https://a,b", ""},
		{"https://a b", ""},
		{"https://a\nb", ""},
		{"https://a\n", ""},
		{"'unsafe-inline'", ""},
		{`https://a"`, ""},
	} {
		got, err := ParseImageHosts([]string{tt.pattern})
		if (err == nil) != (tt.want != "") {
			t.Errorf("%q: %v", tt.pattern, err)
		}
		if err == nil && !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%q became %q, want %q", tt.pattern, got, tt.want)
		}
		if err != nil && !strings.Contains(err.Error(), "host") {
			t.Errorf("%q: %v does not say what is wrong", tt.pattern, err)
		}
	}
}

// directives are those of the page's policy, by name.
func directives(t *testing.T, host string, secure bool, imageHosts ...string) map[string]string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	w := httptest.NewRecorder()
	Handler(imageHosts).ServeHTTP(w, r)
	found := map[string]string{}
	for directive := range strings.SplitSeq(w.Header().Get("Content-Security-Policy"), "; ") {
		name, value, _ := strings.Cut(directive, " ")
		found[name] = value
	}
	return found
}

func TestPolicy(t *testing.T) {
	got := directives(t, "rooms.example:3000", false)
	for name, want := range map[string]string{
		"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "object-src": "'none'",
		"connect-src": "'self' wss://rooms.example:3000 ws://rooms.example:3000",
		"base-uri":    "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
		"require-trusted-types-for": "'script'", "trusted-types": "'none'",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 11 {
		t.Errorf("there are other directives: %q", got)
	}
}

// connect-src names our own host and no other, whatever the request says its host is.
func TestPolicyNamesOurHost(t *testing.T) {
	for _, tt := range []struct{ host, want string }{
		{"localhost:3000", "'self' wss://localhost:3000 ws://localhost:3000"},
		{"127.0.0.1", "'self' wss://127.0.0.1 ws://127.0.0.1"},
		{"[::1]:3000", "'self'"},
		{"", "'self'"},
		{"a;script-src *", "'self'"},
		{"a b", "'self'"},
		{"a,b", "'self'"},
		{"*", "'self'"},
		{"*.example.com", "'self'"},
		{"a/b", "'self'"},
		{"a:b", "'self'"},
		{"a\n", "'self'"},
		{"例え.jp", "'self'"},
	} {
		if got := directives(t, tt.host, false)["connect-src"]; got != tt.want {
			t.Errorf("asked at %q, connect-src is %q, want %q", tt.host, got, tt.want)
		}
	}
	if got, want := directives(t, "rooms.example", true)["connect-src"], "'self' wss://rooms.example"; got != want {
		t.Errorf("over TLS, connect-src is %q, want %q", got, want)
	}
}

// The page and its policy are told of the same hosts.
func TestImageHosts(t *testing.T) {
	for _, tt := range []struct {
		hosts          []string
		images, inPage string
	}{
		{nil, "'self'", ""},
		{[]string{"https://cdn.example.com", "https://*.example.org:8443"}, "'self' https://cdn.example.com https://*.example.org:8443", "https://cdn.example.com https://*.example.org:8443"},
		{[]string{"*"}, "'self' http: https:", "*"},
	} {
		if got := directives(t, "localhost", false, tt.hosts...)["img-src"]; got != tt.images {
			t.Errorf("img-src is %q, want %q", got, tt.images)
		}
		w := httptest.NewRecorder()
		Handler(tt.hosts).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if want := `<meta name="image-hosts" content="` + tt.inPage + `">`; !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page does not have %s", want)
		}
	}
}
