package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

func TestLocalOnly(t *testing.T) {
	tests := []struct {
		name    string
		peer    string
		host    string
		headers map[string]string
		ok      bool
	}{
		{"curl", "127.0.0.1:5", "localhost:3000", nil, true},
		{"curl over IPv6", "[::1]:5", "[::1]:3000", nil, true},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:5", "127.0.0.1:3000", nil, true},
		{"host without a port", "127.0.0.1:5", "localhost", nil, true},
		{"our own page", "127.0.0.1:5", "localhost:3000", map[string]string{"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-origin"}, true},
		{"a browser's address line", "127.0.0.1:5", "localhost:3000", map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"another machine", "192.0.2.7:5", "localhost:3000", nil, false},
		{"no peer", "", "localhost:3000", nil, false},
		{"a proxy", "127.0.0.1:5", "localhost:3000", map[string]string{"X-Forwarded-For": "192.0.2.7"}, false},
		{"a proxy for this machine", "127.0.0.1:5", "localhost:3000", map[string]string{"X-Forwarded-For": "127.0.0.1"}, false},
		{"a standard proxy", "127.0.0.1:5", "localhost:3000", map[string]string{"Forwarded": "for=127.0.0.1"}, false},
		{"another proxy", "127.0.0.1:5", "localhost:3000", map[string]string{"X-Real-IP": "192.0.2.7"}, false},
		{"a trusted proxy for another machine", "127.0.0.9:5", "localhost:3000", map[string]string{"X-Forwarded-For": "192.0.2.7"}, false},
		{"a trusted proxy for this machine", "127.0.0.9:5", "localhost:3000", map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}, true},
		{"what another machine told a trusted proxy", "127.0.0.9:5", "localhost:3000", map[string]string{"X-Forwarded-For": "127.0.0.1, 192.0.2.7"}, false},
		{"a trusted proxy that does not say for whom", "127.0.0.9:5", "localhost:3000", map[string]string{"X-Forwarded-Proto": "https"}, false},
		{"a foreign page", "127.0.0.1:5", "localhost:3000", map[string]string{"Origin": "https://evil.example"}, false},
		{"a page of another port", "127.0.0.1:5", "localhost:3000", map[string]string{"Origin": "http://localhost:8080"}, false},
		{"a sandboxed page", "127.0.0.1:5", "localhost:3000", map[string]string{"Origin": "null"}, false},
		{"a foreign picture", "127.0.0.1:5", "localhost:3000", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{"a neighbouring picture", "127.0.0.1:5", "localhost:3000", map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		{"DNS rebinding", "127.0.0.1:5", "evil.example:3000", nil, false},
		{"DNS rebinding with its own origin", "127.0.0.1:5", "evil.example:3000", map[string]string{"Origin": "http://evil.example:3000"}, false},
		{"a name that begins like it", "127.0.0.1:5", "localhost.evil.example", nil, false},
		{"an address that begins like it", "127.0.0.1:5", "127.0.0.1.evil.example:3000", nil, false},
		{"no host", "127.0.0.1:5", "", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/api/rooms", nil)
			r.RemoteAddr, r.Host = tt.peer, tt.host
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			proxies, err := auth.ParseProxies([]string{"127.0.0.9"})
			if err != nil {
				t.Fatal(err)
			}
			err = LocalOnly(proxies, "set a key")(r)
			if (err == nil) != tt.ok {
				t.Fatalf("allowed: %v, want %v (%v)", err == nil, tt.ok, err)
			}
			if err != nil {
				if wire.AsError(err).Code != wire.Forbidden || !strings.HasSuffix(err.Error(), "; set a key") {
					t.Errorf("refused with %v", err)
				}
			}
		})
	}
}

func TestAPIKey(t *testing.T) {
	tests := []struct {
		authorization string
		ok            bool
	}{
		{"Bearer k3y", true},
		{"bearer k3y", true},
		{"Bearer  k3y ", true},
		{"", false},
		{"Bearer", false},
		{"Bearer ", false},
		{"Bearer k3", false},
		{"Bearer k3y2", false},
		{"Bearer K3Y", false},
		{"Basic k3y", false},
		{"k3y", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/api/rooms", nil)
		r.RemoteAddr, r.Host = "192.0.2.7:5", "example.com" // with the key it does not matter from where
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
		}
		if err := WithKey("k3y", anyNumber{})(r); (err == nil) != tt.ok {
			t.Errorf("%q is allowed: %v (%v)", tt.authorization, err == nil, err)
		}
	}
}

// anyNumber limits nothing.
type anyNumber struct{}

func (anyNumber) AdmitLogin(*http.Request) (time.Duration, *wire.Error) { return 0, nil }
func (anyNumber) ForgiveLogin(*http.Request)                            {}

// An empty key would let in everybody who sends an empty one.
func TestNoKeyIsNoGuard(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("WithKey took an empty key")
		}
	}()
	WithKey("", anyNumber{})
}
