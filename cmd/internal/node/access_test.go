package node

import (
	"io"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// With a key nothing under /api/ answers without it, on this machine either; without one the local page may ask.
func TestAPIKeyIsAskedEverywhere(t *testing.T) {
	cfg := testConfig()
	cfg.APIKey = "k3y"
	s := serve(t, cfg)
	for _, r := range [][2]string{
		{"GET", "/api/rooms"}, {"GET", "/api/rooms/a"}, {"GET", "/api/rooms/a/events"}, {"POST", "/api/rooms/a/events"}, {"GET", "/api/rooms/a/members"},
		{"DELETE", "/api/rooms/a/members/u"}, {"POST", "/api/users/u/events"}, {"DELETE", "/api/users/u/sessions"}, {"GET", "/api/nothing"}, {"PUT", "/api/rooms"},
	} {
		a := s.do(t, r[0], r[1], "")
		if a.status != 401 || a.code() != "unauthorized" || a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s without the key: %d %s %v", r[0], r[1], a.status, a.body, a.header)
		}
	}
	s.want(t, 200, "GET", "/api/rooms", "", "Authorization", "Bearer k3y")
	s.want(t, 200, "POST", "/api/rooms/a/events", hello, "Authorization", "Bearer k3y")

	// Where users log in with tokens, nobody may do without: what comes from this machine may be a proxy that does not say so.
	cfg = testConfig()
	cfg.JWTKey = secret
	closed := serve(t, cfg)
	for _, headers := range [][]string{nil, {"Authorization", "Bearer "}, {"Authorization", "Bearer " + secret}} {
		a := closed.want(t, 403, "GET", "/api/rooms", "", headers...)
		if !strings.Contains(a.body, "ROOMD_API_KEY") || strings.Contains(a.body, secret) {
			t.Errorf("answered %s", a.body)
		}
	}
	closed.want(t, 403, "DELETE", "/api/users/u/sessions", "")

	open := serve(t, testConfig())
	open.want(t, 200, "GET", "/api/rooms", "", "Origin", open.url, "Sec-Fetch-Site", "same-origin")
	open.want(t, 403, "POST", "/api/rooms/a/events", hello, "Origin", "https://evil.example")
	open.want(t, 403, "GET", "/api/rooms", "", "Host", "evil.example")
}

// A page whose name points at this machine gets nothing from a server on a loopback address.
func TestForeignNames(t *testing.T) {
	cfg := testConfig()
	cfg.AllowOrigin = []string{"https://game.example", "https://*.tables.example"}
	s := serve(t, cfg)
	port := s.url[strings.LastIndexByte(s.url, ':'):]
	for _, r := range []struct {
		method, path string
		ok           int
	}{{"GET", "/", 200}, {"GET", "/assets/main.js", 200}, {"POST", "/login", 200}, {"GET", "/ws", 400}} {
		for _, host := range []string{"evil.example", "evil.example" + port, "localhost.evil.example", "127.0.0.1.evil.example" + port, "192.0.2.1", "game.example.evil.example"} {
			a := s.do(t, r.method, r.path, "", "Host", host, "Origin", "http://"+host)
			if a.status != 403 || a.code() != "forbidden" || !strings.Contains(a.body, "DNS rebinding") || !strings.Contains(a.body, "--allow-origin") {
				t.Errorf("%s %s sent to %s: %d %s", r.method, r.path, host, a.status, a.body)
			}
		}
		for _, host := range []string{"localhost" + port, "localhost", "LOCALHOST.", "127.0.0.1" + port, "127.1.2.3", "[::1]" + port, "a.localhost", "game.example", "game.example:443", "one.tables.example"} {
			if a := s.do(t, r.method, r.path, "", "Host", host); a.status != r.ok {
				t.Errorf("%s %s sent to %s: %d %s", r.method, r.path, host, a.status, a.body)
			}
		}
	}
	s.want(t, 200, "GET", "/healthz", "", "Host", "evil.example") // says nothing
	cfg.Addr, cfg.JWTKey, cfg.AllowOrigin = "0.0.0.0:0", secret, nil
	public := serve(t, cfg)
	public.url = "http://127.0.0.1" + public.url[strings.LastIndexByte(public.url, ':'):]
	public.want(t, 200, "GET", "/", "", "Host", "game.example")
}

// Who guesses the API key has as many guesses as logins: then the right one is not looked at either. Who has it, or comes from
// elsewhere, feels nothing.
func TestGuessesOfTheKey(t *testing.T) {
	cfg := testConfig()
	cfg.APIKey, cfg.TrustedProxy, cfg.LoginRate = "k3y", []string{"127.0.0.1"}, 1e-6 // one, and no more
	n, err := New(t.Context(), cfg, zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, n)
	ask := func(status int, from, key string) answer {
		t.Helper()
		return s.want(t, status, "GET", "/api/rooms", "", "X-Forwarded-For", from, "Authorization", "Bearer "+key)
	}
	for range 10 {
		ask(200, "192.0.2.1", "k3y")
	}
	ask(401, "192.0.2.1", "guess")
	ask(429, "192.0.2.1", "guess")
	if a := ask(429, "192.0.2.1", "k3y"); a.header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	s.want(t, 429, "GET", "/metrics", "", "X-Forwarded-For", "192.0.2.1", "Authorization", "Bearer k3y")
	s.want(t, 429, "POST", "/login", "", "X-Forwarded-For", "192.0.2.1")
	ask(200, "192.0.2.2", "k3y")
	if got := s.sessions.Stats().LimitedLogins.Load(); got != 4 {
		t.Errorf("%d logins were counted as refused, want 4", got)
	}
}
