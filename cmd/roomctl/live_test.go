package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/node"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const apiKey = "only-for-these-tests"

// startNode runs the real server with more flags, and returns it and where its
// WebSocket is.
func startNode(t *testing.T, scheme string, flags ...string) (*node.Node, string) {
	t.Helper()
	flags = append([]string{"--addr", "127.0.0.1:0", "--nats-addr", "-", "--store-dir", t.TempDir(), "--rate", "0", "--rate-bytes", "0", "--room-bytes", "0",
		"--presence-interval", "10ms", "--drain", "0s"}, flags...)
	cfg, err := node.Load(flags, []string{"ROOMD_JWT_KEY=" + secret, "ROOMD_API_KEY=" + apiKey}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	n, err := node.New(t.Context(), cfg, log, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return n, scheme + "://" + n.Addr().String() + "/ws"
}

// startServer runs the real server and returns its manager and the
// environment that points roomctl at it.
func startServer(t *testing.T) (*session.Manager, []string) {
	t.Helper()
	n, url := startNode(t, "ws")
	return n.Sessions(), []string{"ROOMCTL_URL=" + url, apiKeyVariable + "=" + apiKey}
}

// as adds a user's token to the environment.
func as(t *testing.T, env []string, uid string) []string {
	t.Helper()
	return append(slices.Clone(env), "ROOMCTL_TOKEN="+tokenOf(t, uid))
}

func tokenOf(t *testing.T, uid string) string {
	t.Helper()
	token, err := call(t, []string{keyVariable + "=" + secret}, "token", "--sub", uid)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(token)
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
	b := startCommand(t, as(t, env, "bob"), "join", "general", "--last", "3", "--json")
	b.out.wait(t, `"message":"old 2"`) // so the room has it, which an ack does not say
	a := startCommand(t, as(t, env, "anna"), "join", "general", "--last", "2")
	a.out.wait(t, "before: old 2")
	if strings.Contains(a.out.String(), "old 0") {
		t.Errorf("--last 2 shows three:\n%s", a.out)
	}

	fmt.Fprintln(a.stdin, "hello from a terminal")
	a.out.wait(t, "anna: hello from a terminal")
	b.out.wait(t, `"message":"hello from a terminal"`)

	// The connection is cut; nothing that is said meanwhile is missed.
	m.CloseUserHere("anna", wire.CloseTooSlow)
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
	m.CloseUserHere("bob", wire.CloseRemoved)
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
	if err != nil || !regexp.MustCompile(`(?s)^\S+ \S+ 百 家  anna: two\n\S+ \S+ 百 家  anna: three\n\S+ \S+ 百 家  anna: four\n$`).MatchString(out) {
		t.Errorf("history: %v\n%s", err, out)
	}
	first, _, _ := strings.Cut(seqs.String(), "\n")
	out, err = call(t, env, "history", "百 家", "--before", first, "--json")
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, `"message":"one"`) {
		t.Errorf("history --before: %v\n%s", err, out)
	}

}

// Who looks into a room does not enter it: the people there see nobody come.
func TestLookingEntersNothing(t *testing.T) {
	m, env := startServer(t)
	b := startCommand(t, as(t, env, "bob"), "join", "百 家", "--json")
	b.out.wait(t, `"type":"room_joined","room":"百 家"`)
	look := env[:2] // the API key, and no token
	if out, err := call(t, look, "members", "百 家"); err != nil || out != "bob\tbob\n" {
		t.Errorf("members: %v\n%s", err, out)
	}
	if out, err := call(t, look, "members", "百 家", "--json"); err != nil || out != `{"uid":"bob","username":"bob","avatar_id":""}`+"\n" {
		t.Errorf("members --json: %v\n%s", err, out)
	}
	if out, err := call(t, look, "history", "百 家"); err != nil || out != "" {
		t.Errorf("history: %v\n%s", err, out)
	}
	if n := m.Count(); n != 1 {
		t.Errorf("%d connections", n)
	}
	// Whoever had come before carol would have been told by now.
	startCommand(t, as(t, env, "carol"), "join", "百 家")
	b.out.wait(t, `"uid":"carol"`)
	b.interrupt()
	if err := <-b.result; err != nil {
		t.Error(err)
	}
	for _, who := range regexp.MustCompile(`"uid":"([^"]*)"`).FindAllStringSubmatch(b.out.String(), -1) {
		if who[1] != "bob" && who[1] != "carol" {
			t.Errorf("bob saw %q:\n%s", who[1], b.out)
		}
	}
}

func TestMembersComeInPages(t *testing.T) {
	m, env := startServer(t)
	const n = 130
	joined := make(chan struct{}, n)
	for i := range n {
		c, err := client.Dial(t.Context(), client.Config{URL: strings.TrimPrefix(env[0], "ROOMCTL_URL="), Room: "x",
			OnEvent: func(ev wire.Event) {
				if ev.Type == wire.TypeRoomJoined && ev.Room == "x" {
					joined <- struct{}{}
				}
			},
			Token: func(context.Context) (string, error) { return tokenOf(t, fmt.Sprintf("u%03d", i)), nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Send(t.Context(), wire.Event{Type: wire.TypeHeartbeat}); err != nil { // answered when it is in its room
			t.Fatal(err)
		}
	}
	if got := m.Count(); got != n {
		t.Fatalf("%d connections", got)
	}
	for range n { // Dial returns before
		select {
		case <-joined:
		case <-time.After(time.Minute):
			t.Fatal("not all have joined")
		}
	}
	out, err := call(t, env, "members", "x")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); err != nil || len(lines) != n || lines[0] != "u000\tu000" || !slices.IsSorted(lines) {
		t.Errorf("%d members, %v:\n%s", len(lines), err, out)
	}
}

func TestRoomsComeInPages(t *testing.T) {
	n, address := startNode(t, "ws")
	env := []string{"ROOMCTL_URL=" + address, apiKeyVariable + "=" + apiKey}
	var want []string
	for i := range 130 {
		room := fmt.Sprintf("table-%03d", i)
		setLabel(t, n, room, `{"title":"T"}`)
		want = append(want, room+"\t0\t"+`{"title":"T"}`)
	}
	b := startCommand(t, as(t, env, "bob"), "join", "hall", "--json")
	b.out.wait(t, `"type":"room_joined","room":"hall"`)
	want = append(want, "hall\t1")

	out, err := call(t, env, "rooms")
	if got := strings.Split(strings.TrimSuffix(out, "\n"), "\n"); err != nil || !slices.Equal(got, want) {
		t.Errorf("the rooms are %v\n%s", err, out)
	}
	if out, err = call(t, env, "rooms", "--prefix", "ha", "--json"); err != nil || !strings.HasPrefix(out, `{"name":"hall","count":1,"sessions":1,`) || strings.Count(out, "\n") != 1 {
		t.Errorf("rooms --prefix ha --json: %v\n%s", err, out)
	}
	if out, err = call(t, env, "rooms", "--prefix", "nothing"); err != nil || out != "" {
		t.Errorf("rooms --prefix nothing: %v\n%s", err, out)
	}
	if _, err = call(t, env[:1], "rooms"); err == nil || !strings.Contains(err.Error(), "--api-key-file") {
		t.Errorf("rooms without the key: %v", err)
	}
	b.interrupt()
	if err := <-b.result; err != nil {
		t.Error(err)
	}
}

// setLabel labels a room, as a service does.
func setLabel(t *testing.T, n *node.Node, room, label string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+n.Addr().String()+"/api/rooms/"+room+"/label", strings.NewReader(label))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("labelling %s is answered %s", room, res.Status)
	}
}

// What the API refuses is told with what to do.
func TestLookingIsRefused(t *testing.T) {
	_, env := startServer(t)
	other := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	defer other.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }))
	defer page.Close()
	for _, tt := range []struct {
		env  []string
		want []string
	}{
		{env[:1], []string{"401", "--api-key-file", apiKeyVariable}},
		{append(env[:1:1], apiKeyVariable+"=wrong"), []string{"401", "wrong", "--api-key-file"}},
		{[]string{"ROOMCTL_URL=ws://127.0.0.1:1/ws"}, []string{"--url", "http://127.0.0.1:1/api/rooms/x/"}},
		{[]string{"ROOMCTL_URL=nowhere"}, []string{"--url", `"nowhere"`}},
		{[]string{"ROOMCTL_URL=" + other.URL}, []string{"302", "--url"}}, // not followed
		{[]string{"ROOMCTL_URL=" + page.URL}, []string{"<html>", "--url"}},
	} {
		for _, command := range []string{"members", "history"} {
			out, err := call(t, tt.env, command, "x")
			if err == nil || out != "" {
				t.Errorf("%s with %q: %q, %v", command, tt.env, out, err)
				continue
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s with %q: %v does not say %q", command, tt.env, err, want)
				}
			}
		}
	}
}

// An inbox is its user's: not even the API key reads it.
func TestInboxIsNotShown(t *testing.T) {
	_, env := startServer(t)
	for _, command := range []string{"members", "history"} {
		if out, err := call(t, env, command, "@alice"); err == nil || out != "" || !strings.Contains(err.Error(), "by its user only") {
			t.Errorf("%s: %q, %v", command, out, err)
		}
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
	c, err := client.Dial(t.Context(), client.Config{URL: vars["ROOMCTL_URL"], Room: room, Unpaced: true,
		Token: func(context.Context) (string, error) { return strings.TrimSpace(vars["ROOMCTL_TOKEN"]), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		if _, err := c.Publish(t.Context(), wire.Room(room), wire.TypeSendMessage, wire.SendMessage{Message: fmt.Sprintf("m%03d", i)}); err != nil {
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
