//go:build linux

package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// shut is how a handshake is refused.
func (a *attack) shut(what string, v visit, want int) {
	a.t.Helper()
	p, err := a.knock(v, nil)
	var refused *refusal
	switch {
	case err == nil:
		p.leave()
		a.wrong("%s gets in", what)
	case !errors.As(err, &refused):
		a.wrong("%s: %v", what, err)
	case refused.status != want:
		a.wrong("%s: %v, want %d", what, refused, want)
	}
}

// opens is a handshake that must succeed.
func (a *attack) opens(what string, v visit) *listener {
	a.t.Helper()
	p, err := a.knock(v, nil)
	if err != nil {
		a.wrong("%s: %v", what, err)
		return nil
	}
	return &listener{peer: p}
}

// A page whose name was pointed at this machine asks for everything that a
// browser here may ask for.
func TestAnotherHostName(t *testing.T) {
	a := begin(t, setup{name: "DNS rebinding: a loopback server, another Host"})
	page := map[string]string{"Host": "evil.example:3000", "Origin": "http://evil.example:3000"}
	a.shut("/ws for evil.example", visit{header: page}, http.StatusForbidden)
	a.shut("/ws for evil.example without an Origin", visit{header: map[string]string{"Host": "evil.example"}}, http.StatusForbidden)
	json := map[string]string{"Host": page["Host"], "Origin": page["Origin"], "Content-Type": "application/json"}
	a.asks(http.MethodPost, "/login", `{"username":"x"}`, json, http.StatusForbidden)
	a.asks(http.MethodGet, "/api/rooms", "", page, http.StatusForbidden)
	a.asks(http.MethodPost, "/api/rooms/general/events", `{"type":"x"}`, json, http.StatusForbidden)
	a.asks(http.MethodGet, "/metrics", "", page, http.StatusForbidden, http.StatusNotFound)
	a.end()
}

// Behind a proxy on the same machine a server with a JWT key seems to be on
// loopback.
func TestGuestsBesideAJWTKey(t *testing.T) {
	a := prepare(t, setup{name: "a guest, and the API without a key, where a JWT key is set", env: keys[:1]})
	a.watch(asUser(t, "bystander"))
	a.shut("a guest", visit{from: documentation(1)}, http.StatusUnauthorized)
	a.shut("a guest without a proxy", visit{}, http.StatusUnauthorized)
	a.asks(http.MethodPost, "/login", `{"username":"x"}`, map[string]string{"Content-Type": "application/json"}, http.StatusUnauthorized)
	a.asks(http.MethodGet, "/api/rooms", "", nil, http.StatusUnauthorized, http.StatusForbidden)
	a.asks(http.MethodPost, "/api/rooms/general/events", `{"type":"x"}`, map[string]string{"Content-Type": "application/json"}, http.StatusUnauthorized, http.StatusForbidden)
	a.end()
}

// Tokens of the right key that are not for us, or for ever.
func TestTokensThatDoNotCount(t *testing.T) {
	a := prepare(t, setup{name: "tokens without exp, for others, of others", env: keys,
		flags: []string{"--jwt-audience=roomd", "--jwt-issuer=https://login.example"}})
	now := time.Now()
	whole := claims{"sub": "alice", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "aud": "roomd", "iss": "https://login.example"}
	good := jwt(t, whole)
	a.watch(func(context.Context) (string, error) { return good, nil })
	for what, change := range map[string]claims{
		"a token without exp":     {"exp": nil},
		"a token of yesterday":    {"exp": now.Add(-24 * time.Hour).Unix()},
		"a token for another":     {"aud": "bank"},
		"a token for nobody":      {"aud": nil},
		"a token of another":      {"iss": "https://evil.example"},
		"a token of nobody":       {"iss": nil},
		"a token of tomorrow":     {"nbf": now.Add(24 * time.Hour).Unix()},
		"a token without subject": {"sub": nil},
	} {
		c := claims{}
		for name, value := range whole {
			c[name] = value
		}
		for name, value := range change {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
		token := jwt(t, c)
		a.shut(what, visit{header: bearer(token)}, http.StatusUnauthorized)
		a.asks(http.MethodPost, "/login", "", bearer(token), http.StatusUnauthorized)
	}
	a.opens("a token that counts", visit{header: bearer(good)})
	a.opens("one for several", visit{header: bearer(jwt(t, claims{"sub": "alice", "exp": now.Add(time.Hour).Unix(), "aud": []string{"bank", "roomd"}, "iss": "https://login.example"}))})
	a.end()
}

// An operator ends a user's sessions: the user comes back with what it had, at
// every node.
func TestComeBackAtAnotherNode(t *testing.T) {
	a := prepare(t, setup{name: "a user whose sessions were ended comes back at another node", env: keys})
	a.watch(asUser(t, "bystander"))
	other := a.another(setup{env: keys})
	token := userToken(t, "mallory")
	in := a.opens("a user before", visit{header: bearer(token)})
	ticket := other.ticket(token)
	a.asks(http.MethodDelete, "/api/users/mallory/sessions?for=1h", "", a.server.own(), http.StatusOK, http.StatusNoContent)
	if in != nil {
		a.holds(in.awaitEnd(t.Context(), patience), "the session goes on")
		a.holds(read(a.tally, func(t *tally) int64 { return t.closed[4503] }) == 1, "it was not closed with 4503: %s", a.got())
	}
	a.shut("the token at the same node", visit{header: bearer(token)}, http.StatusUnauthorized)
	there := beginAlone(t, setup{}, other)
	there.tally = a.tally
	eventually(t, "the other node has heard of it", patience, func(context.Context) error {
		p, err := there.knock(visit{header: bearer(token)}, nil)
		if err == nil {
			p.leave()
			return errors.New("the token is let in at the other node")
		}
		return nil
	})
	there.shut("a ticket from before, at the other node", visit{query: "otp=" + url.QueryEscape(ticket)}, http.StatusUnauthorized)
	got, err := other.call(t.Context(), http.MethodPost, "/login", "", bearer(token))
	a.holds(err == nil && got.status == http.StatusUnauthorized, "a new ticket for the old token: %d %s, %v", got.status, got.body, err)
	later := jwt(t, claims{"sub": "mallory", "iat": time.Now().Add(2 * time.Second).Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	there.opens("a token from after", visit{header: bearer(later)})

	// Also when nobody was connected.
	a.asks(http.MethodDelete, "/api/users/absent/sessions?for=1h", "", a.server.own(), http.StatusOK, http.StatusNoContent)
	a.shut("who was not there", visit{header: bearer(userToken(t, "absent"))}, http.StatusUnauthorized)
	a.end()
}

// ticket is one of POST /login.
func (s *server) ticket(token string) string {
	s.t.Helper()
	got, err := s.call(s.t.Context(), http.MethodPost, "/login", "", bearer(token))
	var answer struct{ OTP string }
	if err != nil || got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &answer) != nil || answer.OTP == "" {
		s.t.Fatalf("log in: %d %s, %v", got.status, strings.TrimSpace(got.body), err)
	}
	return answer.OTP
}

// A guest's token is good for 30 days: it is in no URL.
func TestNoLongTokenInAURL(t *testing.T) {
	a := begin(t, setup{name: "a guest's 30-day token in a URL"})
	got := a.asks(http.MethodPost, "/login", `{"username":"x"}`, map[string]string{"Content-Type": "application/json"}, http.StatusOK)
	var answer struct{ OTP, Token string }
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || answer.Token == "" {
		t.Fatalf("log in: %s, %v", got.body, err)
	}
	a.shut("a guest's token in ?token=", visit{query: "token=" + url.QueryEscape(answer.Token)}, http.StatusUnauthorized)
	renewed := a.asks(http.MethodPost, "/login", "", bearer(answer.Token), http.StatusOK)
	var ticket struct{ OTP string }
	if err := json.Unmarshal([]byte(renewed.body), &ticket); err != nil {
		t.Fatal(err)
	}
	a.opens("a ticket for it", visit{query: "otp=" + url.QueryEscape(ticket.OTP)})
	a.shut("the same ticket", visit{query: "otp=" + url.QueryEscape(ticket.OTP)}, http.StatusUnauthorized)
	a.end()
}
