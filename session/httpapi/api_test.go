package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
)

// Who says nothing of a Guard has an API that other machines cannot use.
func TestAPIIsClosedByDefault(t *testing.T) {
	s := newStack(t)
	h := NewAPI(s.engine, APIOptions{})
	event := `{"type":"round_result","payload":{"winner":"banker"}}`
	if w := ask(h, http.MethodPost, "/api/rooms/general/events", event); w.Code != 200 {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	far := func(r *http.Request) { r.RemoteAddr = "192.0.2.1:5" }
	for _, path := range []string{"/api/rooms/general/events", "/api/rooms", "/api/nothing"} {
		refused(t, ask(h, http.MethodGet, path, "", far), 403, wire.Forbidden)
	}
	refused(t, ask(h, http.MethodGet, "/api/nothing", ""), 404, wire.NotFound)
	if w := ask(h, http.MethodGet, "/api/rooms/general/events", ""); w.Code != 200 || strings.Count(w.Body.String(), "round_result") != 1 {
		t.Errorf("the log is %d %s", w.Code, w.Body)
	}
}

// An inbox is its user's: the API writes into it, and shows nothing of it.
func TestAPIDoesNotReadInboxes(t *testing.T) {
	s := newStack(t)
	h := NewAPI(s.engine, APIOptions{})
	if w := ask(h, http.MethodPost, "/api/users/alice/events", `{"type":"private_message","payload":{"message":"psst"}}`); w.Code != 200 {
		t.Fatalf("answered %d %s", w.Code, w.Body)
	}
	for _, room := range []string{"@alice", "%40alice", "@me", "@nobody"} {
		for _, path := range []string{"", "/events", "/members"} {
			w := ask(h, http.MethodGet, "/api/rooms/"+room+path, "")
			if said := refused(t, w, 403, wire.Forbidden); !strings.Contains(said, "by its user only") {
				t.Errorf("%s%s is refused with %q", room, path, said)
			}
		}
	}
}

// A publish ends with its request.
func TestAPIEndsWithTheRequest(t *testing.T) {
	s := newStack(t)
	h := NewAPI(s.engine, APIOptions{})
	gone := func(r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		*r = *r.WithContext(ctx)
	}
	w := ask(h, http.MethodPost, "/api/rooms/general/events", `{"type":"late"}`, gone)
	if refused(t, w, 503, wire.Unavailable); w.Header().Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
}

// Sessions are ended for a time where the program can do that; where it cannot,
// that is said.
func TestEndOfSessions(t *testing.T) {
	s := newStack(t)
	plain := NewAPI(s.engine, APIOptions{})
	if w := ask(plain, http.MethodDelete, "/api/users/ann/sessions", ""); w.Code != 200 {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	refused(t, ask(plain, http.MethodDelete, "/api/users/ann/sessions?for=1h", ""), 400, wire.BadPayload)

	list, err := store.NewRevocations(t.Context(), s.logins, nil, s.logger())
	must(t, err)
	t.Cleanup(list.Close)
	end := EndUser(list, s.logger())
	h := NewAPI(s.engine, APIOptions{EndUser: end})
	ann, err := auth.NewIdentity(auth.Claims{UID: "ann"})
	must(t, err)
	if w := ask(h, http.MethodDelete, "/api/users/ann/sessions?for=1h", ""); w.Code != 200 || !list.Revoked(ann) {
		t.Errorf("answered %d %s; what ann has is refused: %v", w.Code, w.Body, list.Revoked(ann))
	}
	refused(t, ask(h, http.MethodDelete, "/api/users/ann/sessions?for=9999h", ""), 400, wire.BadPayload)
	for uid, lasts := range map[string]time.Duration{"": time.Hour, "\n": time.Hour, "ann": store.MaxRevocation + 1} {
		if err := end(t.Context(), uid, lasts); wire.AsError(err).Code != wire.BadPayload {
			t.Errorf("%q for %s: %v", uid, lasts, err)
		}
	}
	s.logins.Close()
	if err := end(t.Context(), "ann", time.Hour); wire.AsError(err).Code != wire.Unavailable {
		t.Errorf("without NATS: %v", err)
	}
}

// TestWhatIsLogged: an answer internal whose reason only the log knows is logged,
// one that says its reason, as of a table that stands still, is not: who sends
// command after command there would fill the log.
func TestWhatIsLogged(t *testing.T) {
	s := newStack(t)
	for err, logged := range map[error]int{
		wire.Errorf(wire.Internal, "the rules of this table have failed"): 0,
		errors.New("the disk is gone"):                                    1,
	} {
		s.log.Reset()
		act := Endpoint(s.logger(), nil, Methods{http.MethodPost: func(*http.Request) (any, error) { return nil, err }})
		refused(t, ask(act, http.MethodPost, "/", ""), 500, wire.Internal)
		if lines := strings.Count(s.log.String(), "\n"); lines != logged {
			t.Errorf("%v: %d lines, want %d: %s", err, lines, logged, s.log)
		}
	}
}
