package verify

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/httpapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret = "only for these tests, 32 bytes.."
	apiKey = "only-for-these-tests"
)

// sign makes a token that server takes.
func sign(uid string) (string, error) {
	return auth.SignToken([]byte(secret), auth.Claims{UID: uid, Name: uid, Expires: time.Now().Add(time.Hour)})
}

// server is the real one.
type server struct {
	*session.Manager
	web     *httptest.Server
	unready atomic.Bool // what /readyz says
	asked   atomic.Int32
}

func (s *server) url() string { return "ws" + strings.TrimPrefix(s.web.URL, "http") + "/ws" }

func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	s.asked.Add(1)
	if s.unready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte(`{"ready":false,"reason":"no leader yet"}`))
	}
}

func startServer(t *testing.T, hosted ...rooms.Hosting) *server {
	t.Helper()
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	nats, err := embedded.Start(embedded.Config{Addr: embedded.InProcessOnly, StoreDir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nats.Close() })
	cfg := rooms.DefaultConfig()
	cfg.Log, cfg.PresenceInterval, cfg.Tables = log, 10*time.Millisecond, hosted
	eng, err := rooms.New(t.Context(), nats, cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.ParseKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.NewManager(eng, &auth.Authenticator{Verifier: auth.NewVerifier(key)}, session.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Manager: m}
	mux := http.NewServeMux()
	mux.Handle("/ws", m)
	mux.HandleFunc("/readyz", s.readyz)
	mux.Handle("/api/", httpapi.NewAPI(eng, httpapi.APIOptions{Guard: httpapi.WithKey(apiKey, m), Log: log}))
	s.web = httptest.NewServer(mux)
	t.Cleanup(func() {
		m.Close()
		s.web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := eng.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// screen collects what a run prints and lets a test wait for it.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newScreen() *screen { return &screen{more: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) wait(t *testing.T, want string) {
	t.Helper()
	pattern := regexp.MustCompile(want)
	patience := time.After(time.Minute)
	for !pattern.MatchString(s.String()) {
		select {
		case <-s.more:
		case <-patience:
			t.Fatalf("%q did not appear; there is:\n%s", want, s)
		}
	}
}

// running is a run that is going on.
type running struct {
	out       *screen
	interrupt context.CancelFunc
	result    chan error
}

func start(t *testing.T, cfg Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{out: newScreen(), interrupt: cancel, result: make(chan error, 1)}
	go func() { r.result <- Run(ctx, cfg, r.out) }()
	t.Cleanup(cancel)
	return r
}
