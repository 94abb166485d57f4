package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
)

// What `nats pub` sends from another process reaches members and the log; what is invalid goes to .rejected only.
func TestEventsFromOutside(t *testing.T) {
	s := serve(t, testConfig())
	m := s.dial(t, "percy", "")
	nc := natsTo(t, s)
	rejected, err := nc.SubscribeSync("room.general.rejected")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"type":"round_result",`, `{"type":"welcome"}`} {
		if err := nc.Publish("room.general.event", []byte(body)); err != nil {
			t.Fatal(err)
		}
		msg, err := rejected.NextMsg(deadline)
		if err != nil {
			t.Fatalf("%s was not reported: %v", body, err)
		}
		if string(msg.Data) != body || msg.Header.Get(rooms.HeaderReason) == "" {
			t.Errorf("rejected %q with %v", msg.Data, msg.Header)
		}
	}
	if err := nc.Publish("room.general.event", []byte(`{"type":"round_result","payload":{"winner":"banker"}}`)); err != nil {
		t.Fatal(err)
	}
	timeout := time.After(deadline)
	for ev := (wire.Event{}); ev.Type != "round_result"; {
		select {
		case ev = <-m.events:
			if ev.Type == "error" || ev.Type == wire.TypeWelcome {
				t.Errorf("an invalid event reached the client: %+v", ev)
			}
		case <-timeout:
			t.Fatal("the event did not reach the member")
		}
	}
	var page wire.History
	s.want(t, 200, "GET", "/api/rooms/general/events", "").json(t, &page)
	if len(page.Events) != 1 || !strings.Contains(string(page.Events[0]), `"winner":"banker"`) || !strings.Contains(string(page.Events[0]), `"seq":`) {
		t.Errorf("the log shows %s", page.Events)
	}
}

func TestLogSurvivesRestart(t *testing.T) {
	cfg := testConfig()
	cfg.Store, cfg.StoreDir = storeFile, t.TempDir()
	first := serve(t, cfg)
	var before, after stored
	first.want(t, 200, "POST", "/api/rooms/general/events", hello, "Idempotency-Key", "k").json(t, &before)
	token := guestToken(t, first)
	uid := first.dial(t, "", token).Welcome().UID
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}

	second := serve(t, cfg)
	var page wire.History
	second.want(t, 200, "GET", "/api/rooms/general/events", "").json(t, &page)
	if len(page.Events) != 1 || !strings.Contains(string(page.Events[0]), `"message":"hello"`) {
		t.Errorf("after the restart the log shows %s", page.Events)
	}
	second.want(t, 200, "POST", "/api/rooms/general/events", hello, "Idempotency-Key", "k").json(t, &after)
	if !after.Duplicate || after.Seq != before.Seq {
		t.Errorf("sent again under the same key: %+v, was %+v", after, before)
	}
	if again := second.dial(t, "", token).Welcome().UID; again != uid {
		t.Errorf("the guest was %s and is %s", uid, again)
	}
}

func guestToken(t *testing.T, s *server) string {
	t.Helper()
	var result struct{ Token string }
	s.want(t, 200, "POST", "/login", `{"username":"percy"}`).json(t, &result)
	return result.Token
}

func TestMemoryKeepsNothing(t *testing.T) {
	cfg := testConfig()
	cfg.StoreDir = t.TempDir()
	first := serve(t, cfg)
	first.want(t, 200, "POST", "/api/rooms/general/events", hello)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	var page wire.History
	serve(t, cfg).want(t, 200, "GET", "/api/rooms/general/events", "").json(t, &page)
	if len(page.Events) != 0 {
		t.Errorf("after the restart the log shows %s", page.Events)
	}
}

func TestExternalNATS(t *testing.T) {
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	cfg := testConfig()
	cfg.NATSURL = srv.URL()
	one, two := serve(t, cfg), serve(t, cfg)
	m := one.dial(t, "percy", guestToken(t, two)) // the guests' key is shared as well
	two.want(t, 200, "POST", "/api/rooms/general/events", hello)
	m.next(t, wire.TypeNewMessage)
	if one.NATSURL() != "" {
		t.Errorf("something is embedded at %s", one.NATSURL())
	}
	for _, s := range []*server{one, two} {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}
}

// While clients are sent away the node answers, but says that it is not ready and takes no new ones.
func TestDrain(t *testing.T) {
	s := serve(t, testConfig())
	m := s.dial(t, "percy", "")
	busy, release := make(chan struct{}), make(chan struct{})
	s.Sessions().Handle("slow", func(*session.Request) error { // a connection is not gone before its handler returns
		close(busy)
		<-release
		return nil
	})
	go m.Send(context.Background(), wire.Event{Type: "slow", ID: "s"}) // its answer is lost with the connection
	<-busy
	if a := s.want(t, 200, "GET", "/readyz", ""); a.body != "{\"ready\":true}\n" {
		t.Errorf("ready says %s", a.body)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	if ev := m.next(t, wire.TypeReconnect); !strings.Contains(string(ev.Payload), "after_ms") {
		t.Errorf("the client was told %s", ev.Payload)
	}
	if a := s.want(t, 503, "GET", "/readyz", ""); !strings.Contains(a.body, `"ready":false,"reason":"this node is stopping"`) {
		t.Errorf("not ready says %s", a.body)
	}
	s.want(t, 200, "GET", "/healthz", "")
	s.want(t, 503, "GET", "/ws", "")
	s.want(t, 200, "POST", "/api/rooms/general/events", hello) // what is on its way is still taken
	m.Close()
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("something listens after the stop: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

// Before clients are sent away, the node goes on with /readyz false for as long as a load balancer needs to see it, however
// few they are; Close cuts that short.
func TestDrainDelay(t *testing.T) {
	cfg := testConfig()
	cfg.Drain, *cfg.DrainDelay = time.Hour, 25*time.Minute
	s := serve(t, cfg)
	m := s.dial(t, "percy", "")
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	for s.do(t, "GET", "/readyz", "").status != 503 {
		if t.Context().Err() != nil {
			t.Fatal("the node stays ready")
		}
	}
	late := s.dial(t, "late", "") // a load balancer that has not looked yet
	for _, c := range []*member{m, late} {
		if _, err := c.Send(t.Context(), wire.Event{Type: wire.TypeSendMessage, Room: "general", Payload: []byte(`{"message":"still here"}`)}); err != nil {
			t.Errorf("during the delay: %v", err)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("it did not stay: %v", err)
	default:
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}

	*cfg.DrainDelay = time.Millisecond // which ends by itself
	s = serve(t, cfg)
	m = s.dial(t, "percy", "")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	m.next(t, wire.TypeReconnect)
}

func TestReadinessNeedsTheLog(t *testing.T) {
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.NATSURL, cfg.Drain = srv.URL(), 0
	s := serve(t, cfg)
	s.want(t, 200, "GET", "/readyz", "")
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not ready", func() bool { return s.do(t, "GET", "/readyz", "").status == 503 })
	if a := s.want(t, 503, "GET", "/readyz", ""); !strings.Contains(a.body, `"ready":false,"reason":"NATS`) {
		t.Errorf("without NATS it says %s", a.body)
	}
	s.metricsWith(t, map[string]float64{ // a look that was under way saw it otherwise
		"roomd_ready": 0, `roomd_unready{reason="disconnected"}`: 1, `roomd_unready{reason="store"}`: 0, "roomd_room_unready_total": 1,
	})
	s.want(t, 200, "GET", "/healthz", "")
}

func TestStartErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	tests := []struct {
		name   string
		change func(*Config)
		says   []string
	}{
		{"HTTP port", func(c *Config) { c.Addr = port }, []string{port, "in use", "--addr", "ROOMD_ADDR", "localhost:3001"}},
		{"NATS port", func(c *Config) { c.NATSAddr = port }, []string{port, "in use", "--nats-addr", "ROOMD_NATS_ADDR"}},
		{"HTTP address", func(c *Config) { c.Addr, c.AllowGuests = "198.51.100.7:0", new(bool); *c.AllowGuests = true }, []string{"198.51.100.7", "--addr", "ROOMD_ADDR"}},
		{"store is a file", func(c *Config) { c.Store, c.StoreDir = storeFile, writeFile(t, "x") }, []string{"--store-dir", "ROOMD_STORE_DIR"}},
		{"no NATS there", func(c *Config) { c.NATSURL = "nats://user:" + secret + "@" + port }, []string{"NATS", "--nats-url", "ROOMD_NATS_URL"}},
		{"not valid", func(c *Config) { c.History = 0 }, []string{"--history", "ROOMD_HISTORY"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			tt.change(&cfg)
			n, err := New(t.Context(), cfg, zerolog.Nop(), io.Discard)
			if err == nil {
				n.Close()
			}
			mustFail(t, err, tt.says...)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestStoreIsLocked(t *testing.T) {
	cfg := testConfig()
	cfg.Store, cfg.StoreDir = storeFile, t.TempDir()
	first := serve(t, cfg)
	_, err := New(t.Context(), cfg, zerolog.Nop(), io.Discard)
	mustFail(t, err, cfg.StoreDir, "--store-dir", "ROOMD_STORE_DIR", "--store memory")
	var locked *embedded.StoreLockedError
	if !errors.As(err, &locked) {
		t.Errorf("the cause is gone: %#v", err)
	}
	first.want(t, 200, "GET", "/readyz", "") // unharmed
}

func TestStartIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(ctx, testConfig(), zerolog.Nop(), io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCloseWithoutRun(t *testing.T) {
	n, err := New(t.Context(), testConfig(), zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", n.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("something listens after Close: %v", err)
	}
}

// A listener that breaks ends the node with an error instead of leaving it deaf.
func TestListenerBreaks(t *testing.T) {
	n, err := New(t.Context(), testConfig(), zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.listener.Close(); err != nil {
		t.Fatal(err)
	}
	mustFail(t, n.Run(t.Context()), "serving HTTP", n.Addr().String())
}

func TestPanicIsAnswered(t *testing.T) {
	var log bytes.Buffer
	n := &Node{log: zerolog.New(&log)}
	h := n.recovering(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	for _, part := range []string{"boom", "node_test.go", `"path":"/x"`} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log does not hold %q: %s", part, &log)
		}
	}
}

func TestPage(t *testing.T) {
	s := serve(t, testConfig())
	if a := s.want(t, 200, "GET", "/", ""); !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("the page is %v", a.header)
	}
	s.want(t, 404, "GET", "/nothing", "")
}

func TestGreeting(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		says   []string
	}{
		{"local", func(*Config) {}, []string{"http://127.0.0.1:", "nats pub -s nats://127.0.0.1:", "room.general.event", "open to every program on this machine", "only this machine", "in memory"}},
		{"key", func(c *Config) { c.JWTKey = secret }, []string{"JWT key", "people with a token", "asks for the password in ", `--user roomd --password "$(cat `, "nats-password"}},
		{"key and guests", func(c *Config) { c.JWTKey, c.AllowGuests = secret, new(bool); *c.AllowGuests = true }, []string{"JWT key", "and guests", "general"}},
		{"key and no NATS port", func(c *Config) { c.JWTKey, c.NATSAddr = secret, "-" }, []string{"ROOMD_API_KEY"}},
		{"guests by flag", func(c *Config) { c.AllowGuests = new(bool); *c.AllowGuests = true }, []string{"--allow-guests"}},
		{"no NATS port", func(c *Config) { c.NATSAddr = "-" }, []string{"curl", "/api/rooms/general/events", "inside this process only"}},
		{"store", func(c *Config) { c.Store, c.StoreDir = storeFile, t.TempDir() }, []string{"kept over restarts"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Log = logConsole
			tt.change(&cfg)
			var out, log bytes.Buffer
			n, err := New(t.Context(), cfg, zerolog.New(&log), &out)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			n.greet()
			if lines := strings.Count(out.String(), "\n"); lines > 5 {
				t.Errorf("%d lines", lines)
			}
			for _, part := range tt.says {
				if !strings.Contains(out.String(), part) {
					t.Errorf("the greeting does not say %q:\n%s", part, &out)
				}
			}
			if strings.Contains(out.String(), secret) {
				t.Errorf("the greeting shows the key:\n%s", &out)
			}
			if data, err := os.ReadFile(n.cfg.NATSPasswordFile()); err == nil && strings.Contains(out.String(), strings.TrimSpace(string(data))) {
				t.Errorf("the greeting shows the password of NATS:\n%s", &out)
			}
			out.Reset()
			n.cfg.Log = logJSON
			n.greet()
			if out.Len() > 0 || !strings.Contains(log.String(), n.pageURL()) {
				t.Errorf("with --log json stdout got %q and the log %s", &out, &log)
			}
		})
	}
}

// The line about events from outside works as it stands.
func TestGreetingsExampleIsValid(t *testing.T) {
	s := serve(t, testConfig())
	m := s.dial(t, "percy", "")
	if err := natsTo(t, s).PublishMsg(&nats.Msg{Subject: "room.general.event", Data: []byte(strings.Trim(example, "'"))}); err != nil {
		t.Fatal(err)
	}
	if ev := m.next(t, wire.TypeNewMessage); !strings.Contains(string(ev.Payload), `"from":"dealer"`) {
		t.Errorf("the member got %s", ev.Payload)
	}
}

func TestIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"localhost:1": true, "LOCALHOST:1": true, "localhost.:1": true, "app.localhost:1": true, "127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.7:1": false, "example.com:1": false, "localhost.example.com:1": false, "127.0.0.1": false, "": false,
	} {
		if got := isLoopback(addr); got != want {
			t.Errorf("%q is loopback: %v, want %v", addr, got, want)
		}
	}
}

func TestInterruptibleEndsWithItsStop(t *testing.T) {
	var out bytes.Buffer
	ctx, stop := Interruptible(t.Context(), &out, func(status int) { t.Errorf("exit(%d)", status) })
	if ctx.Err() != nil {
		t.Fatal("ended without a signal")
	}
	stop()
	if ctx.Err() == nil || out.Len() > 0 {
		t.Errorf("after stop: %v, printed %q", ctx.Err(), &out)
	}
}

func TestLoggerFormats(t *testing.T) {
	for format, want := range map[string]string{"json": `"message":"hi"`, "console": "INF hi", "": `"message":"hi"`} {
		cfg := testConfig()
		cfg.Log = format
		var out bytes.Buffer
		log := NewLogger(cfg, &out)
		log.Info().Msg("hi")
		log.Debug().Msg("hidden")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "hidden") {
			t.Errorf("%q logs %q", format, &out)
		}
	}
}

// TestWaitsForNATS: servers that are started together with the node are waited for.
func TestWaitsForNATS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close() // free again: nobody listens there yet
	cfg := testConfig()
	cfg.NATSURL = "nats://" + addr
	var late *embedded.Server
	log := zerolog.New(writerFunc(func(line []byte) {
		if late == nil && strings.Contains(string(line), "waiting for one") {
			late, err = embedded.Start(embedded.Config{Addr: addr, StoreDir: t.TempDir()})
		}
	}))
	n, startErr := New(t.Context(), cfg, log, io.Discard)
	if startErr != nil || err != nil {
		t.Fatalf("the node: %v; NATS: %v", startErr, err)
	}
	if late == nil {
		t.Fatal("the node did not say that it waits")
	}
	if err := errors.Join(n.Close(), late.Close()); err != nil {
		t.Error(err)
	}
}

type writerFunc func(line []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
