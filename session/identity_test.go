package session

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
)

// always is an Authenticator that knows one user.
type always struct{ who auth.Identity }

func (a always) Identify(*http.Request) (auth.Identity, error) { return a.who, nil }

// lateRevocations are the ended sessions in the NATS of a stack, for its manager.
// They are opened when the stack has started.
type lateRevocations struct{ *store.Revocations }

func (l *lateRevocations) Revoked(id auth.Identity) bool { return l.Revocations.Revoked(id) }

func (l *lateRevocations) open(t *testing.T, s *stack) {
	t.Helper()
	nc, err := s.nats.Connect("revocations")
	must(t, err)
	l.Revocations, err = store.NewRevocations(t.Context(), nc, nil, zerolog.Nop())
	must(t, err)
	t.Cleanup(l.Close)
	l.OnRevoke(func(uid string) { s.m.CloseRevokedHere(uid) })
}

func (s *stack) dialAs(t *testing.T, header http.Header) *peer {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws", header)
	must(t, err)
	resp.Body.Close()
	t.Cleanup(func() { ws.Close() })
	p := &peer{t: t, ws: ws}
	p.welcome = decode[wire.Welcome](t, p.awaitType(wire.TypeWelcome).Payload)
	return p
}

// A cookie does not say when it was issued: while the user's sessions are ended,
// the same cookie is refused, and no longer.
func TestKickRefusesACookie(t *testing.T) {
	ended := &lateRevocations{}
	s := newStack(t, func(set *setup) { set.who, set.cfg.Revocations = cookies{}, ended })
	ended.open(t, s)
	ann, bob := http.Header{"Cookie": {"uid=ann"}}, http.Header{"Cookie": {"uid=bob"}}
	p := s.dialAs(t, ann)
	must(t, ended.Revoke(t.Context(), "ann", time.Hour))
	p.wantEnd(wire.CloseRemoved)
	status, code, message := s.refused("", ann)
	if status != 401 || code != string(wire.Unauthorized) || !strings.Contains(message, "ended by an operator") {
		t.Errorf("the cookie of who was kicked is answered %d %s %s", status, code, message)
	}
	s.dialAs(t, bob)
	must(t, ended.Revoke(t.Context(), "ann", 0))
	s.dialAs(t, ann)
}

// datedCookies are cookies that say when they were issued.
type datedCookies struct{ cookies }

func (d datedCookies) Identify(r *http.Request) (auth.Identity, error) {
	id, err := d.cookies.Identify(r)
	if err != nil {
		return id, err
	}
	id.IssuedAt, err = time.Parse(time.RFC3339, r.Header.Get("X-Issued"))
	return id, err
}

// Who knows when a credential was issued tells a later login from an earlier one.
func TestKickLetsALaterLoginIn(t *testing.T) {
	ended := &lateRevocations{}
	s := newStack(t, func(set *setup) { set.who, set.cfg.Revocations = datedCookies{}, ended })
	ended.open(t, s)
	must(t, ended.Revoke(t.Context(), "eve", time.Hour))
	issued := func(at time.Time) http.Header {
		return http.Header{"Cookie": {"uid=eve"}, "X-Issued": {at.Format(time.RFC3339)}}
	}
	if status, code, _ := s.refused("", issued(time.Now().Add(-time.Minute))); status != 401 || code != string(wire.Unauthorized) {
		t.Errorf("an earlier login is answered %d %s", status, code)
	}
	s.dialAs(t, issued(time.Now().Add(time.Minute)))
}

// A Connect hook that changes the uid passes nobody by the list.
func TestRevocationsAfterConnect(t *testing.T) {
	ended := &lateRevocations{}
	s := newStack(t, func(set *setup) {
		set.who, set.cfg.Revocations = cookies{}, ended
		set.cfg.Hooks.Connect = func(_ context.Context, _ *http.Request, who auth.Identity) (auth.Identity, error) {
			who.UID = "team-" + who.UID
			return who, nil
		}
	})
	ended.open(t, s)
	must(t, ended.Revoke(t.Context(), "team-ann", time.Hour))
	if status, code, _ := s.refused("", http.Header{"Cookie": {"uid=ann"}}); status != 401 || code != string(wire.Unauthorized) {
		t.Errorf("who was kicked is answered %d %s", status, code)
	}
	s.dialAs(t, http.Header{"Cookie": {"uid=bob"}})
}

// An identity that a program made is cleaned, or refused.
func TestIdentityOfAProgram(t *testing.T) {
	for _, tt := range []struct {
		name           string
		who            auth.Identity
		username       string
		avatar         string
		status         int // 0: accepted
		badCredentials bool
	}{
		{name: "no name", who: auth.Identity{UID: "ann"}, username: "ann"},
		{name: "a name that is nothing", who: auth.Identity{UID: "ann", Username: "\u202e\n"}, username: "ann"},
		{name: "a guest without a name", who: auth.Identity{UID: "guest-1", Guest: true}, username: "guest"},
		{name: "marks and newlines", who: auth.Identity{UID: "ann", Username: "An\u202en\nA", AvatarID: "a\u200b\tb"}, username: "AnnA", avatar: "ab"},
		{name: "a long name", who: auth.Identity{UID: "ann", Username: strings.Repeat("百", 1000)}, username: strings.Repeat("百", auth.MaxName)},
		{name: "no uid", who: auth.Identity{}, status: 500},
		{name: "a bad uid", who: auth.Identity{UID: "a\nb"}, status: 500},
		{name: "a guest's uid", who: auth.Identity{UID: "guest-x"}, status: 500},
		{name: "a guest with a user's uid", who: auth.Identity{UID: "ann", Guest: true}, status: 500},
		{name: "expired", who: auth.Identity{UID: "ann", Expires: time.Now().Add(-time.Minute)}, status: 401, badCredentials: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &Manager{who: always{tt.who}}
			got, err := m.identify(nil)
			if tt.status == 0 {
				must(t, err)
				same(t, "the name", got.Username, tt.username)
				same(t, "the avatar", got.AvatarID, tt.avatar)
				return
			}
			if err == nil {
				t.Fatalf("it is taken as %+v", got)
			}
			status, _ := LoginRefusal(err)
			same(t, "the status", status, tt.status)
			same(t, "bad credential", errors.Is(err, auth.ErrBadCredential), tt.badCredentials)
			if !strings.Contains(err.Error(), "Authenticator") {
				t.Errorf("the error does not say whose it is: %v", err)
			}
		})
	}
}

// The same in a whole node: what is logged names the Authenticator, and no hook.
func TestIdentityWithoutAUIDIsLogged(t *testing.T) {
	s := newStack(t, func(set *setup) { set.who = always{} })
	if status, code, _ := s.refused("", nil); status != 500 || code != string(wire.Internal) {
		t.Errorf("answered %d %s", status, code)
	}
	if log := s.log.String(); !strings.Contains(log, "Authenticator") || strings.Contains(log, "a hook failed") {
		t.Errorf("the log says %s", log)
	}
}
