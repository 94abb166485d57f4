package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections() // of the example
		os.Exit(code)
	}))
}

// stack is what the handlers stand on.
type stack struct {
	nats     *embedded.Server
	logins   *nats.Conn
	engine   *rooms.Engine
	who      *auth.Authenticator
	sessions *session.Manager
	log      *bytes.Buffer // of the handlers; read it when they have answered
	out      io.Writer     // into log, for several goroutines
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{log: new(bytes.Buffer)}
	s.out = zerolog.SyncWriter(s.log)
	var err error
	s.nats, err = embedded.Start(embedded.Config{Addr: "127.0.0.1:0", Memory: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.nats.Close()) })
	s.engine, err = rooms.New(t.Context(), s.nats, rooms.Config{Memory: true})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, s.engine.Close(ctx))
	})
	s.logins, err = s.nats.Connect("login")
	must(t, err)
	t.Cleanup(s.logins.Close)
	s.who = &auth.Authenticator{}
	s.who.Guests, err = store.NewGuests(t.Context(), s.logins, nil)
	must(t, err)
	s.who.Tickets, err = store.NewTickets(t.Context(), s.logins, nil)
	must(t, err)
	s.sessions, err = session.NewManager(s.engine, s.who, session.Config{})
	must(t, err)
	t.Cleanup(s.sessions.Close)
	return s
}

func (s *stack) logger() zerolog.Logger { return zerolog.New(s.out) }

// ask is a request from this machine, unless change says otherwise.
func ask(h http.Handler, method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost:3000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// refused asserts status and code of an answer, and returns its sentence.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, code wire.Code) string {
	t.Helper()
	var body struct{ Error wire.ErrorInfo }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != status || body.Error.Code != code || body.Error.Message == "" {
		t.Errorf("answered %d %s (%v), want %d %s", w.Code, w.Body, err, status, code)
	}
	return body.Error.Message
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
