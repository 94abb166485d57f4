package session

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth/store"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(idlePeersEnv); spec != "" {
		if err := idlePeers(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// patience bounds what a test waits for; no test passes or fails by it.
const patience = time.Minute

var secret = []byte("0123456789abcdef0123456789abcdef")

// stack is a whole node: NATS, rooms, manager, HTTP server.
type stack struct {
	t    testing.TB
	nats *embedded.Server
	eng  *rooms.Engine
	m    *Manager
	http *httptest.Server
	log  *logLines
}

// setup is what a test changes of a stack before it starts.
type setup struct {
	nats    embedded.Config
	overTCP bool // the engine's connections survive a restart of NATS
	rooms   rooms.Config
	cfg     Config
	who     Authenticator // nil: that of stack
	listen  func(net.Listener) net.Listener
}

// newStack starts a node for one test. By default events have no rate limit
// and presence is told ten times faster.
func newStack(t testing.TB, change ...func(*setup)) *stack {
	t.Helper()
	s := &stack{t: t, log: &logLines{}}
	engine := rooms.DefaultConfig()
	engine.Node, engine.Memory, engine.PresenceInterval = "n1", true, 100*time.Millisecond
	set := setup{
		nats:   embedded.Config{Addr: "127.0.0.1:0", Memory: true},
		cfg:    Config{Log: zerolog.New(s.log).Level(zerolog.InfoLevel)},
		rooms:  engine,
		listen: func(l net.Listener) net.Listener { return l },
	}
	for _, c := range change {
		c(&set)
	}
	var err error
	s.nats, err = embedded.Start(set.nats)
	must(t, err)
	t.Cleanup(func() { must(t, s.nats.Close()) })
	var connect rooms.Connector = s.nats
	if set.overTCP {
		connect = embedded.Remote{URL: s.nats.URL()}
	}
	s.eng, err = rooms.New(t.Context(), connect, set.rooms)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(t, s.eng.Close(ctx))
	})
	if set.who == nil {
		set.who = s.authenticator()
	}
	s.m, err = NewManager(s.eng, set.who, set.cfg)
	must(t, err)
	t.Cleanup(s.m.Close)
	s.http = httptest.NewUnstartedServer(s.m)
	s.http.Listener = set.listen(s.http.Listener)
	s.http.Start()
	t.Cleanup(s.http.Close)
	return s
}

// fromService publishes an event into a room past all sessions.
func (s *stack) fromService(room string, ev wire.Event) (rooms.PubAck, error) {
	s.t.Helper()
	body, err := wire.NewBody(ev)
	must(s.t, err)
	return s.eng.Publish(s.t.Context(), wire.Room(room), body, rooms.PublishOptions{})
}

// authenticator takes JWTs, tickets and guests.
func (s *stack) authenticator() *auth.Authenticator {
	s.t.Helper()
	nc, err := s.nats.Connect("login")
	must(s.t, err)
	guests, err := store.NewGuests(s.t.Context(), nc, nil)
	must(s.t, err)
	tickets, err := store.NewTickets(s.t.Context(), nc, nil)
	must(s.t, err)
	key, err := auth.ParseKey(secret)
	must(s.t, err)
	return &auth.Authenticator{Verifier: auth.NewVerifier(key), Guests: guests, Tickets: tickets}
}

func (s *stack) addr() string { return s.http.Listener.Addr().String() }

// token is a JWT for a user whose name is the uid in capitals.
func (s *stack) token(uid string, change ...func(*auth.Claims)) string {
	s.t.Helper()
	c := auth.Claims{UID: uid, Name: strings.ToUpper(uid), AvatarID: "a-" + uid}
	for _, f := range change {
		f(&c)
	}
	token, err := auth.SignToken(secret, c)
	must(s.t, err)
	return token
}

// refusalsOf ends a connection, and says what was held against the client: its
// reading goroutine looks at that even after it has answered.
func (s *stack) refusalsOf(p *peer) float64 {
	s.t.Helper()
	c := s.client(p)
	c.Close(0)
	<-c.Done()
	return c.refusals.Level(s.m.now(), s.m.budgets.floods)
}

// client finds the server's side of a peer.
func (s *stack) client(p *peer) *Client {
	s.t.Helper()
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	c := s.m.clients[p.welcome.ClientID]
	if c == nil {
		s.t.Fatalf("the manager has no client %s", p.welcome.ClientID)
	}
	return c
}

// closed is the counter of a close code.
func (s *stack) closed(code wire.CloseCode) (count int64) {
	s.m.Stats().Closed.Each(func(c wire.CloseCode, n int64) {
		if c == code {
			count = n
		}
	})
	return count
}

// held is how many addresses and users with connections the manager knows, and
// how many connections are being opened.
func (s *stack) held() int {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return len(s.m.byAddress) + len(s.m.byUser) + s.m.opening
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what other goroutines do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen within %s: %s", patience, what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// logLines is a log that can be read while it is written.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func decode[T any](t testing.TB, raw []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

func list[T any](from, to int, item func(i int) T) (l []T) {
	for i := from; i < to; i++ {
		l = append(l, item(i))
	}
	return l
}

func text(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func farAway() time.Time { return time.Now().Add(patience) }

func tick(ms int) <-chan time.Time { return time.After(time.Duration(ms) * time.Millisecond) }
