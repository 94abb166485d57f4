package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// noError is a check of a program that finds nothing.
func noError() *wire.Error { return nil }

type nilIssuer struct{}

func (nilIssuer) Login(*http.Request, auth.Profile) (auth.LoginResult, error) {
	return auth.LoginResult{OTP: "once"}, noError()
}

// A nil pointer in an error is no error, whichever function of a program
// returns it.
func TestNilPointerIsNoError(t *testing.T) {
	s := newStack(t)
	h := NewAPI(s.engine, APIOptions{
		Guard:   func(*http.Request) error { return noError() },
		EndUser: func(context.Context, string, time.Duration) error { return noError() },
	})
	if w := ask(h, http.MethodGet, "/api/rooms", ""); w.Code != 200 {
		t.Errorf("the guard's answer was %d %s", w.Code, w.Body)
	}
	refused(t, ask(h, http.MethodGet, "/api/nothing", ""), 404, wire.NotFound)
	if w := ask(h, http.MethodDelete, "/api/users/ann/sessions", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"closed":0`) {
		t.Errorf("the end of sessions was answered %d %s", w.Code, w.Body)
	}
	act := Endpoint(s.logger(), nil, Methods{http.MethodGet: func(*http.Request) (any, error) { return "done", noError() }})
	if w := ask(act, http.MethodGet, "/", ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `"done"` {
		t.Errorf("the action was answered %d %s", w.Code, w.Body)
	}
	login := NewLogin(nilIssuer{}, s.sessions, LoginOptions{})
	if w := ask(login, http.MethodPost, "/login", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "once") {
		t.Errorf("the login was answered %d %s", w.Code, w.Body)
	}
}
