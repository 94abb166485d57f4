package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const secret = "only for these tests, 32 bytes.."

// server is the real one: NATS, the engine, sessions, HTTP on loopback. Its
// session manager can be replaced while it runs, as by a restart.
type server struct {
	t       *testing.T
	nats    *embedded.Server
	eng     *rooms.Engine
	who     *auth.Authenticator
	manager atomic.Pointer[session.Manager]
	url     string
}

func newServer(t *testing.T, tables ...rooms.Hosting) *server {
	t.Helper()
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	nats, err := embedded.Start(embedded.Config{Addr: embedded.InProcessOnly, StoreDir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nats.Close() })
	cfg := rooms.DefaultConfig()
	cfg.Log, cfg.Tables = log, tables
	eng, err := rooms.New(t.Context(), nats, cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.ParseKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, nats: nats, eng: eng, who: &auth.Authenticator{Verifier: auth.NewVerifier(key)}}
	s.restart()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.manager.Load().ServeHTTP(w, r) }))
	s.url = "ws" + strings.TrimPrefix(web.URL, "http") + "/ws"
	t.Cleanup(func() {
		s.manager.Load().Close()
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := eng.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// restart ends all connections with 1001 and goes on with a new manager.
func (s *server) restart() {
	s.t.Helper()
	m, err := session.NewManager(s.eng, s.who, session.Config{})
	if err != nil {
		s.t.Fatal(err)
	}
	if old := s.manager.Swap(m); old != nil {
		old.Close()
	}
}

func (s *server) dial(uid string, cfg client.Config) *client.Client {
	s.t.Helper()
	cfg.URL = s.url
	cfg.Unpaced = true
	cfg.HandshakeTimeout = time.Minute // for a busy machine: the first connect is not tried again
	cfg.MinBackoff, cfg.MaxBackoff = time.Millisecond, 20*time.Millisecond
	cfg.Token = func(context.Context) (string, error) {
		return auth.SignToken([]byte(secret), auth.Claims{UID: uid, Name: uid, Expires: time.Now().Add(time.Hour)})
	}
	c, err := client.Dial(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	// The server answers after it has joined the first rooms.
	if _, err := c.Send(s.t.Context(), wire.Event{Type: wire.TypeHeartbeat}); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// log is the texts of a room, in the order in which a client got them.
type log struct {
	mu    sync.Mutex
	texts []string
	more  chan struct{}
}

func newLog() *log { return &log{more: make(chan struct{}, 1)} }

func (l *log) event(ev wire.Event) {
	if ev.Type != wire.TypeNewMessage && ev.Type != wire.TypePrivateMessage {
		return
	}
	var m wire.Message
	if err := json.Unmarshal(ev.Payload, &m); err != nil {
		m.Message = err.Error()
	}
	l.mu.Lock()
	l.texts = append(l.texts, m.Message)
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// wait returns when there are n texts.
func (l *log) wait(t *testing.T, n int) []string {
	t.Helper()
	return l.until(t, fmt.Sprint(n, " messages"), func(texts []string) bool { return len(texts) >= n })
}

// waitFor returns when text has come.
func (l *log) waitFor(t *testing.T, text string) []string {
	t.Helper()
	return l.until(t, text, func(texts []string) bool { return slices.Contains(texts, text) })
}

func (l *log) until(t *testing.T, what string, enough func([]string) bool) []string {
	t.Helper()
	// As long as the test may run, and a moment to say what it waits for.
	var patience <-chan time.Time
	if deadline, ok := t.Deadline(); ok {
		patience = time.After(time.Until(deadline) - 5*time.Second)
	}
	for {
		l.mu.Lock()
		texts := slices.Clone(l.texts)
		l.mu.Unlock()
		if enough(texts) {
			return texts
		}
		select {
		case <-l.more:
		case <-patience:
			t.Fatalf("waited for %s, got %d: %q", what, len(texts), texts)
		}
	}
}

// Connections are cut for every reason that resume mends, under a stream of
// messages, on both ends: each is stored once and seen once, in order.
func TestNothingIsMissedAndNothingComesTwice(t *testing.T) {
	s := newServer(t)
	seen, private := newLog(), newLog()
	listener := s.dial("listener", client.Config{Room: "百 家.樂", OnEvent: seen.event,
		OnGap: func(g client.Gap) { t.Errorf("gap %+v", g) }})
	s.dial("receiver", client.Config{OnEvent: private.event})
	talker := s.dial("talker", client.Config{Room: "百 家.樂"})

	const messages = 300
	codes := []wire.CloseCode{wire.CloseTooSlow, wire.CloseDraining, wire.CloseRestart, wire.CloseGoing, wire.ClosePositionLost}
	var want []string
	for i := range messages {
		text := fmt.Sprint(i)
		want = append(want, text)
		if i%10 == 5 {
			code := codes[i/10%len(codes)]
			s.manager.Load().CloseUserHere([]string{"talker", "listener", "receiver"}[i/10%3], code)
		}
		if i%100 == 50 {
			s.restart()
		}
		ack, err := talker.Publish(t.Context(), "", wire.TypeSendMessage, wire.SendMessage{Message: text})
		if err != nil || ack.Seq == 0 {
			t.Fatalf("message %d: %+v, %v", i, ack, err)
		}
		if i%10 == 0 {
			if _, err := talker.Publish(t.Context(), "", wire.TypePrivateMessage, wire.SendMessage{Message: text, ToUID: "receiver"}); err != nil {
				t.Fatalf("private message %d: %v", i, err)
			}
		}
	}
	if got := seen.wait(t, messages); !slices.Equal(got, want) {
		t.Errorf("the room heard %q", got)
	}
	if got := private.wait(t, messages/10); len(got) != messages/10 || !slices.IsSortedFunc(got, byNumber) {
		t.Errorf("the inbox got %q", got)
	}
	position, ok := listener.Position("百 家.樂")
	if !ok || position.Epoch != s.eng.Epoch() {
		t.Errorf("position %+v, %v", position, ok)
	}
}

func byNumber(a, b string) int { return len(a)*10 - len(b)*10 + strings.Compare(a, b) }

func TestRoomsOfTheRealServer(t *testing.T) {
	s := newServer(t)
	heard := newLog()
	c := s.dial("percy", client.Config{OnEvent: heard.event})
	for _, text := range []string{"one", "two", "three"} {
		if _, err := c.Publish(t.Context(), "general", wire.TypeSendMessage, wire.SendMessage{Message: text}); err != nil {
			t.Fatal(err)
		}
	}
	heard.wait(t, 3) // an ack may come before the room has them
	late := newLog()
	other := s.dial("other", client.Config{Room: "elsewhere", OnEvent: late.event})
	joined, err := other.Join(t.Context(), "general", client.JoinOptions{Last: 2})
	if err != nil || joined.RoomID != "general" || joined.Replayed != 2 {
		t.Errorf("Join = %+v, %v", joined, err)
	}
	if got := late.wait(t, 2); !slices.Equal(got, []string{"two", "three"}) {
		t.Errorf("replayed %q", got)
	}
	if err := other.Signal(t.Context(), "general", map[string]bool{"typing": true}); err != nil {
		t.Error(err)
	}
	if joined, err = other.ChangeRoom(t.Context(), "x"); err != nil || joined.RoomID != "x" {
		t.Errorf("ChangeRoom = %+v, %v", joined, err)
	}
	if err := other.Leave(t.Context(), "general"); err != nil {
		t.Errorf("Leave: %v", err)
	}
	if err := other.Leave(t.Context(), "general"); err != nil {
		t.Errorf("Leave again: %v", err)
	}
	if _, joined := other.Position("elsewhere"); joined {
		t.Error("change_room did not leave the current room")
	}
	answer, err := c.Request(t.Context(), wire.Event{Type: wire.TypeGetHistory, Payload: []byte(`{"name":"general"}`)})
	var page wire.History
	if err != nil || json.Unmarshal(answer.Payload, &page) != nil || len(page.Events) != 3 {
		t.Errorf("get_history = %+v, %v", answer, err)
	}
}

// A client whose token has ended asks for a fresh one and misses nothing.
func TestExpiredTokenIsRenewed(t *testing.T) {
	s := newServer(t)
	l := newLog()
	c := s.dial("percy", client.Config{OnEvent: l.event})
	other := s.dial("bob", client.Config{})
	for i := range 3 { // each time, not only the first
		s.manager.Load().CloseUserHere("percy", wire.CloseTokenExpired)
		text := fmt.Sprint("missed ", i)
		if _, err := other.Publish(t.Context(), "general", wire.TypeSendMessage, map[string]string{"message": text}); err != nil {
			t.Fatal(err)
		}
		l.waitFor(t, text)
	}
	if err := c.Err(); err != nil {
		t.Errorf("Err = %v", err)
	}
}

// One who is given the same token again is asked no third time.
func TestTokenThatIsNotRenewedEndsTheClient(t *testing.T) {
	s := newServer(t)
	token, err := auth.SignToken([]byte(secret), auth.Claims{UID: "percy", Expires: time.Now().Add(2 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0 // by Dial, then by the client's goroutine
	c, err := client.Dial(t.Context(), client.Config{
		URL: s.url, HandshakeTimeout: time.Minute, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		Token: func(context.Context) (string, error) { calls++; return token, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	<-c.Done()
	var closed *client.ClosedError
	var refused *client.RefusedError // where it took longer than tokens are taken beyond their time
	if !errors.As(c.Err(), &closed) && !errors.As(c.Err(), &refused) || closed != nil && closed.Code != wire.CloseTokenExpired {
		t.Errorf("Err = %v", c.Err())
	}
	if calls != 2 {
		t.Errorf("it was asked for a token %d times", calls)
	}
}
