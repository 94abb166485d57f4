package hooks

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestMain(m *testing.M) {
	forget, err := trustOne()
	if err != nil {
		log.Fatal(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { forget(); os.Exit(code) }))
}

var key = []byte("0123456789abcdef")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// mustRefuse asserts the code of an error that clients see, and that it has a
// sentence.
func mustRefuse(t testing.TB, what string, err error, code wire.Code) {
	t.Helper()
	if got := wire.AsError(err); err == nil || got.Code != code || got.Message == "" {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// backend is a service on NATS, beside roomd's connection.
type backend struct {
	nats *embedded.Server
	nc   *nats.Conn // roomd's
	own  *nats.Conn
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", Memory: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	b := &backend{nats: s}
	b.nc, err = s.Connect("roomd")
	must(t, err)
	t.Cleanup(b.nc.Close)
	b.own, err = nats.Connect(s.URL(), nats.Timeout(time.Minute)) // as a service does
	must(t, err)
	t.Cleanup(b.own.Close)
	return b
}

// serve answers a subject until the test ends; "" is silence.
func (b *backend) serve(t testing.TB, subject string, answer func(question map[string]any) string) *nats.Subscription {
	t.Helper()
	sub, err := b.own.Subscribe(subject, func(msg *nats.Msg) {
		var question map[string]any
		if err := json.Unmarshal(msg.Data, &question); err != nil {
			t.Errorf("%s was asked %q", subject, msg.Data)
		}
		if text := answer(question); text != "" {
			if err := msg.Respond([]byte(text)); err != nil {
				t.Errorf("answer %s: %v", subject, err)
			}
		}
	})
	must(t, err)
	must(t, b.own.Flush())
	return sub
}

// hooks are hooks of roomd's connection.
func (b *backend) hooks(t testing.TB, cfg Config) *Hooks {
	t.Helper()
	h, err := New(b.nc, cfg)
	must(t, err)
	t.Cleanup(func() { must(t, h.Close()) })
	return h
}

// site is a backend that is asked over HTTP.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // bodies
	heads []http.Header
}

func newSite(t testing.TB, answer http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the question: %v", err)
		}
		s.mu.Lock()
		s.asked, s.heads = append(s.asked, string(body)), append(s.heads, r.Header.Clone())
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// eventually waits for what other goroutines do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

var quiet = zerolog.Nop()
