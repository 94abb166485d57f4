package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// issuer is a program's own login.
type issuer func(r *http.Request, profile auth.Profile) (auth.LoginResult, error)

func (f issuer) Login(r *http.Request, profile auth.Profile) (auth.LoginResult, error) {
	return f(r, profile)
}

// What a program's own issuer says is answered as an Authenticator's; an error
// of no known kind is logged, and not shown.
func TestLoginOfOnesOwn(t *testing.T) {
	s := newStack(t)
	var asked auth.Profile
	var fails error
	h := NewLogin(issuer(func(_ *http.Request, profile auth.Profile) (auth.LoginResult, error) {
		asked = profile
		return auth.LoginResult{OTP: "ticket", ExpiresIn: 30}, fails
	}), s.sessions, LoginOptions{Log: s.logger()})
	if w := ask(h, http.MethodPost, "/login", `{"username":"percy","avatar_id":"7"}`); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"otp":"ticket","expires_in":30}` {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if want := (auth.Profile{Username: "percy", AvatarID: "7"}); asked != want {
		t.Errorf("asked for %+v, want %+v", asked, want)
	}
	refused(t, ask(h, http.MethodGet, "/login", ""), 405, MethodNotAllowed)
	refused(t, ask(h, http.MethodPost, "/login", `[`), 400, wire.BadJSON)
	refused(t, ask(h, http.MethodPost, "/login", `"`+strings.Repeat("x", maxLogin)+`"`), 413, codeBig)
	fails = wire.Errorf(wire.Forbidden, "not on Sundays")
	if says := refused(t, ask(h, http.MethodPost, "/login", ""), 403, wire.Forbidden); says != "not on Sundays" {
		t.Errorf("says %q", says)
	}
	if s.log.Len() != 0 {
		t.Errorf("a refusal was logged as a failure: %s", s.log)
	}
	fails = errors.New("dial tcp 192.0.2.1: refused")
	if says := refused(t, ask(h, http.MethodPost, "/login", ""), 500, wire.Internal); strings.Contains(says, "192.0.2.1") {
		t.Errorf("says %q", says)
	}
	if !strings.Contains(s.log.String(), "192.0.2.1") {
		t.Errorf("the log is %s", s.log)
	}
}

// Pages of other origins log in where they are allowed to, and are told so.
func TestLoginFromAPage(t *testing.T) {
	s := newStack(t)
	origins, err := auth.ParseOrigins([]string{"https://game.example"})
	must(t, err)
	h := NewLogin(s.who, s.sessions, LoginOptions{Origins: origins, OriginHint: "ask the operator"})
	from := func(origin string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Origin", origin) }
	}
	if says := refused(t, ask(h, http.MethodPost, "/login", "", from("https://evil.example")), 403, wire.Forbidden); !strings.HasSuffix(says, "https://evil.example may not log in; ask the operator") {
		t.Errorf("says %q", says)
	}
	for method, status := range map[string]int{http.MethodOptions: 204, http.MethodPost: 200} {
		w := ask(h, method, "/login", "", from("https://game.example"))
		if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != "https://game.example" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	if w := ask(h, http.MethodOptions, "/login", "", from("https://evil.example")); w.Code == 204 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign page's preflight: %d %v", w.Code, w.Header())
	}
}

// An address that has logged in too often is told when to come again.
func TestLoginsAreLimited(t *testing.T) {
	s := newStack(t)
	limited, err := session.NewManager(s.engine, s.who, session.Config{AddressLoginRate: 1e-6}) // one, and no more
	must(t, err)
	t.Cleanup(limited.Close)
	h := NewLogin(s.who, limited, LoginOptions{})
	far := func(r *http.Request) { r.RemoteAddr = "192.0.2.1:5" }
	if w := ask(h, http.MethodPost, "/login", "", far); w.Code != 200 {
		t.Fatalf("answered %d %s", w.Code, w.Body)
	}
	w := ask(h, http.MethodPost, "/login", "", far)
	if refused(t, w, 429, wire.RateLimited); w.Header().Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
}
