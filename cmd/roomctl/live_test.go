package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
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

// startServer runs the real server and returns its manager and the
// environment that points roomctl at it.
func startServer(t *testing.T) (*session.Manager, []string) {
	t.Helper()
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	nats, err := embedded.Start(embedded.Config{Addr: embedded.InProcessOnly, StoreDir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nats.Close() })
	cfg := rooms.DefaultConfig()
	cfg.Log, cfg.PresenceInterval = log, 10*time.Millisecond
	eng, err := rooms.New(t.Context(), nats, cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, err := auth.ParseKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	m, err := session.NewManager(eng, &auth.Authenticator{Verifier: auth.NewVerifier(key)}, session.Config{Log: log, Rate: -1})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(m)
	t.Cleanup(func() {
		m.Close()
		web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := eng.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return m, []string{"ROOMCTL_URL=ws" + strings.TrimPrefix(web.URL, "http") + "/ws"}
}

// as adds a user's token to the environment.
func as(t *testing.T, env []string, uid string) []string {
	t.Helper()
	token, err := call(t, []string{keyVariable + "=" + secret}, "token", "--sub", uid)
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clone(env), "ROOMCTL_TOKEN="+token)
}

// screen collects what a command prints and lets a test wait for it.
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
	s.waitMatch(t, regexp.QuoteMeta(want))
}

func (s *screen) waitMatch(t *testing.T, want string) {
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

// running is a roomctl that is going on.
type running struct {
	out, errs *screen
	stdin     *io.PipeWriter
	interrupt context.CancelFunc
	result    chan error
}

func startCommand(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, stdin := io.Pipe()
	r := &running{out: newScreen(), errs: newScreen(), stdin: stdin, interrupt: cancel, result: make(chan error, 1)}
	go func() { r.result <- run(ctx, args, env, in, r.out, r.errs) }()
	t.Cleanup(func() { cancel(); stdin.Close() })
	return r
}

func TestJoinShowsAndSends(t *testing.T) {
	m, env := startServer(t)
	for i := range 3 {
		if out, err := call(t, as(t, env, "before"), "send", "general", fmt.Sprintf("old %d", i)); err != nil || strings.TrimSpace(out) == "" {
			t.Fatalf("send: %q, %v", out, err)
		}
	}
	a := startCommand(t, as(t, env, "anna"), "join", "general", "--last", "2")
	a.out.wait(t, "before: old 2")
	if strings.Contains(a.out.String(), "old 0") {
		t.Errorf("--last 2 shows three:\n%s", a.out)
	}
	b := startCommand(t, as(t, env, "bob"), "join", "general", "--json")
	b.out.wait(t, `"type":"room_joined","room":"general"`)

	fmt.Fprintln(a.stdin, "hello from a terminal")
	a.out.wait(t, "anna: hello from a terminal")
	b.out.wait(t, `"message":"hello from a terminal"`)

	// The connection is cut; nothing that is said meanwhile is missed.
	m.CloseUser("anna", wire.CloseTooSlow)
	fmt.Fprintln(b.stdin, "are you there?")
	a.out.wait(t, "bob: are you there?")
	a.errs.wait(t, "connecting again")
	if n := strings.Count(a.out.String(), "are you there?"); n != 1 {
		t.Errorf("shown %d times", n)
	}

	a.interrupt() // Ctrl-C
	if err := <-a.result; err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
	m.CloseUser("bob", wire.CloseRemoved)
	if err := <-b.result; err == nil || !strings.Contains(err.Error(), "4503") {
		t.Errorf("removed by an operator: %v", err)
	}
}

func TestSendMembersHistory(t *testing.T) {
	_, env := startServer(t)
	env = as(t, env, "anna")
	out, err := call(t, env, "send", "百 家", "one", "--id", "same")
	if err != nil || !regexp.MustCompile(`^\d+\n$`).MatchString(out) {
		t.Fatalf("send: %q, %v", out, err)
	}
	if again, err := call(t, env, "send", "百 家", "one", "--id", "same"); err != nil || again != out {
		t.Errorf("sent again under the same id: %q, %v; want %q", again, err, out)
	}
	var seqs, errs bytes.Buffer
	if err := run(t.Context(), []string{"send", "百 家"}, env, strings.NewReader("two\n\nthree\n"), &seqs, &errs); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(seqs.String(), "\n"); n != 2 {
		t.Errorf("two lines gave %d sequences: %q", n, seqs.String())
	}
	if _, err := call(t, env, "send", "百 家", "--type", "send_message", "--payload", `{"message":"four"}`); err != nil {
		t.Errorf("send --payload: %v", err)
	}
	if out, err := call(t, env, "send", "百 家", "--type", "nobody_knows"); err == nil || !strings.Contains(err.Error(), "unknown_type") || out != "" {
		t.Errorf("send of an unknown type: %q, %v", out, err)
	}

	out, err = call(t, env, "history", "百 家", "--limit", "3")
	if err != nil || !regexp.MustCompile(`(?s)^\S+ 百 家  anna: two\n\S+ 百 家  anna: three\n\S+ 百 家  anna: four\n$`).MatchString(out) {
		t.Errorf("history: %v\n%s", err, out)
	}
	first, _, _ := strings.Cut(seqs.String(), "\n")
	out, err = call(t, env, "history", "百 家", "--before", first, "--json")
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, `"message":"one"`) {
		t.Errorf("history --before: %v\n%s", err, out)
	}

	b := startCommand(t, as(t, env[:1], "bob"), "join", "百 家")
	b.out.wait(t, "joined")
	out, err = call(t, env, "members", "百 家")
	if err != nil || !strings.Contains(out, "anna\tanna\n") || !strings.Contains(out, "bob\tbob\n") {
		t.Errorf("members: %v\n%s", err, out)
	}
}

func TestLongHistoryComesInPages(t *testing.T) {
	_, env := startServer(t)
	env = as(t, env, "anna")
	const n = 130
	fill(t, env, "x", n)
	out, err := call(t, env, "history", "x", "--limit", "125")
	if err != nil {
		t.Fatal(err)
	}
	texts := regexp.MustCompile(`m\d{3}`).FindAllString(out, -1)
	if len(texts) != 125 || texts[0] != "m005" || texts[124] != "m129" || !slices.IsSorted(texts) {
		t.Errorf("%d events: %q", len(texts), texts)
	}
}

// fill publishes m000, m001, … faster than roomctl would.
func fill(t *testing.T, env []string, room string, n int) {
	t.Helper()
	vars := environment(env)
	c, err := client.Dial(t.Context(), client.Config{URL: vars["ROOMCTL_URL"], Room: room, Rate: -1,
		Token: func(context.Context) (string, error) { return strings.TrimSpace(vars["ROOMCTL_TOKEN"]), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		if _, err := c.Publish(t.Context(), room, wire.TypeSendMessage, wire.SendMessage{Message: fmt.Sprintf("m%03d", i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNotLoggedIn(t *testing.T) {
	_, env := startServer(t)
	out, err := call(t, env, "send", "general", "hi")
	if err == nil || !strings.Contains(err.Error(), "--token-file") || out != "" {
		t.Errorf("without a token: %q, %v", out, err)
	}
}

// A reader that goes away, as head does, ends the command.
func TestClosedOutputEndsJoin(t *testing.T) {
	_, env := startServer(t)
	in, stdin := io.Pipe()
	defer stdin.Close()
	var errs bytes.Buffer
	err := run(t.Context(), []string{"join", "general"}, as(t, env, "anna"), in, &brokenPipe{}, &errs)
	if err == nil || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("join into a closed pipe: %v", err)
	}
}
