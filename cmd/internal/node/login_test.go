package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

func sign(t *testing.T, c auth.Claims) string {
	t.Helper()
	token, err := auth.SignToken([]byte(secret), c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestGuestLogin(t *testing.T) {
	s := serve(t, testConfig())
	var first, again auth.LoginResult
	a := s.want(t, 200, "POST", "/login", `{"username":"percy","avatar_id":"7"}`)
	a.json(t, &first)
	if first.OTP == "" || first.Token == "" || first.ExpiresIn != 30 || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %s %v", a.body, a.header)
	}
	s.want(t, 200, "POST", "/login", "", "Authorization", "Bearer "+first.Token).json(t, &again)
	one, two := s.dial(t, "", first.Token), s.dial(t, "", again.Token)
	if uid := one.Welcome().UID; uid != two.Welcome().UID || !strings.HasPrefix(uid, "guest-") {
		t.Errorf("the uids are %q and %q", uid, two.Welcome().UID)
	}
	if w := one.Welcome(); w.Username != "percy" || w.AvatarID != "7" {
		t.Errorf("welcome %+v", w)
	}
	// A ticket opens a connection once; the second time it does not even get to the upgrade.
	s.want(t, 400, "GET", "/ws?otp="+first.OTP, "")
	s.want(t, 401, "GET", "/ws?otp="+first.OTP, "")
	s.want(t, 200, "POST", "/login", "{}")
	s.want(t, 200, "POST", "/login", "")
}

func TestTokenLogin(t *testing.T) {
	cfg := testConfig()
	cfg.JWTKey = secret
	no := false
	cfg.AllowGuests = &no
	s := serve(t, cfg)
	good := sign(t, auth.Claims{UID: "u1", Name: "Percy", Expires: time.Now().Add(time.Hour)})
	var result auth.LoginResult
	s.want(t, 200, "POST", "/login", "", "Authorization", "Bearer "+good).json(t, &result)
	if result.OTP == "" || result.Token != "" {
		t.Errorf("answered %+v", result)
	}
	if w := s.dial(t, "", good).Welcome(); w.UID != "u1" || w.Username != "Percy" {
		t.Errorf("welcome %+v", w)
	}
	for name, header := range map[string]string{
		"no token":       "",
		"garbage":        "Bearer x.y.z",
		"expired":        "Bearer " + sign(t, auth.Claims{UID: "u1", Expires: time.Now().Add(-time.Hour)}),
		"empty":          "Bearer ",
		"the key itself": "Bearer " + secret,
	} {
		a := s.do(t, "POST", "/login", "{}", "Authorization", header)
		if a.status != 401 || a.code() != "unauthorized" || strings.Contains(a.body, secret) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// With a JWT key guests come in only when they are asked for, and then into the room that everybody begins in.
func TestGuestsBesideAKey(t *testing.T) {
	cfg := testConfig()
	cfg.JWTKey = secret
	s := serve(t, cfg)
	s.want(t, 401, "POST", "/login", `{"username":"percy"}`)
	s.want(t, 401, "GET", "/ws?username=percy", "")

	yes := true
	cfg.AllowGuests = &yes
	s = serve(t, cfg)
	guest := s.dial(t, "percy", "")
	if _, err := guest.Join(t.Context(), "vip", client.JoinOptions{}); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("a guest in a room of users: %v", err)
	}
	if _, err := guest.Publish(t.Context(), "general", wire.TypeSendMessage, map[string]string{"message": "hello"}); err != nil {
		t.Errorf("a guest in the general room: %v", err)
	}
}

func TestTokenRules(t *testing.T) {
	cfg := testConfig()
	cfg.JWTKey, cfg.JWTIssuer, cfg.JWTAudience = secret, "i", []string{"a", "b"}
	s := serve(t, cfg)
	good := auth.Claims{UID: "u1", Expires: time.Now().Add(time.Hour), Issuer: "i", Audience: []string{"b"}}
	without := func(change func(*auth.Claims)) auth.Claims {
		c := good
		change(&c)
		return c
	}
	for _, tc := range []struct {
		claims auth.Claims
		status int
		says   string
	}{
		{good, 200, "otp"},
		{without(func(c *auth.Claims) { c.Expires = time.Time{} }), 401, "no exp claim"},
		{without(func(c *auth.Claims) { c.Issuer = "" }), 401, "no iss claim"},
		{without(func(c *auth.Claims) { c.Audience = nil }), 401, "no aud claim"},
		{without(func(c *auth.Claims) { c.Audience = []string{"c"} }), 401, "another audience"},
	} {
		a := s.want(t, tc.status, "POST", "/login", "", "Authorization", "Bearer "+sign(t, tc.claims))
		if !strings.Contains(a.body, tc.says) {
			t.Errorf("answered %s, want %q in it", a.body, tc.says)
		}
	}
	cfg = testConfig()
	cfg.JWTKey, cfg.JWTRequireExp = secret, false
	serve(t, cfg).want(t, 200, "POST", "/login", "", "Authorization", "Bearer "+sign(t, auth.Claims{UID: "u1"}))
}

func TestLoginRefusals(t *testing.T) {
	cfg := testConfig()
	cfg.AllowOrigin = []string{"https://game.example"}
	s := serve(t, cfg)
	tests := []struct {
		name, method, body string
		headers            []string
		status             int
		code               string
	}{
		{"method", "GET", "", nil, 405, "method_not_allowed"},
		{"a form", "POST", "username=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		{"plain text", "POST", "{}", []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type"},
		{"too big", "POST", `{"username":"` + strings.Repeat("x", 4<<10) + `"}`, nil, 413, "too_big"},
		{"no JSON", "POST", "x", nil, 400, "bad_json"},
		{"no text", "POST", `{"username":7}`, nil, 400, "bad_json"},
		{"a foreign page", "POST", "{}", []string{"Origin", "https://evil.example"}, 403, "forbidden"},
		{"bad token", "POST", "{}", []string{"Authorization", "Bearer x"}, 401, "unauthorized"},
	}
	for _, tt := range tests {
		a := s.do(t, tt.method, "/login", tt.body, tt.headers...)
		if a.status != tt.status || a.code() != tt.code {
			t.Errorf("%s: %d %s, want %d %s: %s", tt.name, a.status, a.code(), tt.status, tt.code, a.body)
		}
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: a page may read the answer: %v", tt.name, a.header)
		}
	}
	a := s.want(t, 204, "OPTIONS", "/login", "", "Origin", "https://game.example", "Access-Control-Request-Method", "POST")
	if a.header.Get("Access-Control-Allow-Origin") != "https://game.example" || a.header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type" {
		t.Errorf("an allowed page's preflight got %v", a.header)
	}
	a = s.want(t, 200, "POST", "/login", "{}", "Origin", "https://game.example")
	if a.header.Get("Access-Control-Allow-Origin") != "https://game.example" {
		t.Errorf("an allowed page's login got %v", a.header)
	}
	if a := s.do(t, "OPTIONS", "/login", "", "Origin", "https://evil.example"); a.status != 403 {
		t.Errorf("a foreign page's preflight got %d", a.status)
	}
}

// Logins of one address have a rate; those of this machine have none.
func TestLoginRate(t *testing.T) {
	cfg := testConfig()
	cfg.LoginRate, cfg.TrustedProxy = 1e-6, []string{"127.0.0.1"} // one, and no more
	s := serve(t, cfg)
	for range 3 {
		s.want(t, 200, "POST", "/login", "{}")
	}
	s.want(t, 200, "POST", "/login", "{}", "X-Forwarded-For", "192.0.2.1")
	a := s.want(t, 429, "POST", "/login", "{}", "X-Forwarded-For", "198.51.100.1, 192.0.2.1")
	if a.code() != "rate_limited" || a.header.Get("Retry-After") != "1000000" {
		t.Errorf("answered %s %v", a.body, a.header)
	}
	s.want(t, 200, "POST", "/login", "{}", "X-Forwarded-For", "192.0.2.2")
	s.want(t, 405, "GET", "/login", "", "X-Forwarded-For", "192.0.2.1") // no login
}

// An issuer that is away does not keep the node from starting; tokens are then answered 503 and not 401, until it is there.
func TestKeysByURL(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	var there atomic.Bool
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !there.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	}))
	t.Cleanup(issuer.Close)
	cfg := testConfig()
	cfg.JWKSURL = issuer.URL
	s := serve(t, cfg)
	token, err := auth.SignToken(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), auth.Claims{UID: "ann", KeyID: "k1", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	a := s.want(t, 503, "POST", "/login", "", "Authorization", "Bearer "+token)
	if a.code() != "unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("answered %s %v", a.body, a.header)
	}
	s.want(t, 503, "GET", "/ws", "", "Authorization", "Bearer "+token)
	s.want(t, 401, "POST", "/login", `{"username":"percy"}`)          // no guests
	s.want(t, 403, "GET", "/api/rooms", "")                           // and no API without its key
	s.want(t, 401, "POST", "/login", "", "Authorization", "Bearer x") // what is no token is none
	there.Store(true)
	eventually(t, "the issuer is there", func() bool {
		return s.do(t, "POST", "/login", "", "Authorization", "Bearer "+token).status == 200
	})
	if w := s.dial(t, "", token).Welcome(); w.UID != "ann" {
		t.Errorf("welcome %+v", w)
	}
}
