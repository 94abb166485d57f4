package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// storeDir is where the tests' nodes have what they keep without being asked to: the password of NATS.
var storeDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "roomd-node-test-")
	if err != nil {
		panic(err)
	}
	storeDir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir) // what it cannot remove is the system's to clean up
		os.Exit(code)
	}))
}

// deadline is how long a test waits for what must happen before it says that it did not.
const deadline = time.Minute

// server is a whole node on free ports of the loopback.
type server struct {
	*Node
	url string
	// client asks over TLS; nil: over a new connection each time, without.
	client http.RoundTripper
	stop   func() error // ends it as Ctrl-C does and returns what Run returned
}

// testConfig is a node on free ports that keeps nothing.
func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Addr, cfg.NATSAddr, cfg.Store, cfg.Log = "127.0.0.1:0", "127.0.0.1:0", storeMemory, logJSON
	cfg.StoreDir = storeDir
	cfg.Drain = deadline // nobody waits for it: clients go when they are told
	cfg.DrainDelay = new(time.Duration)
	return cfg
}

// serve runs a node for one test.
func serve(t *testing.T, cfg Config) *server {
	t.Helper()
	n, err := New(t.Context(), cfg, zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, n)
}

// run lets a node that was made serve until the test ends.
func run(t *testing.T, n *Node) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	stopped := false
	s := &server{Node: n, url: "http://" + n.Addr().String()}
	s.stop = func() error {
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		cancel()
		if !stopped {
			if err := <-ended; err != nil {
				t.Errorf("stopping: %v", err)
			}
		}
	})
	return s
}

// answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// json reads the body into v.
func (a answer) json(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("the answer %q is no JSON: %v", a.body, err)
	}
}

// code is the code of an error's body; "" when it is none.
func (a answer) code() string {
	var e struct {
		Error wire.ErrorInfo `json:"error"`
	}
	if json.Unmarshal([]byte(a.body), &e) != nil || e.Error.Message == "" {
		return ""
	}
	return string(e.Error.Code)
}

// do sends a request; headers are pairs of name and value. A body is sent as JSON unless the headers say otherwise.
func (s *server) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	transport := s.client
	if transport == nil {
		transport = &http.Transport{DisableKeepAlives: true}
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

// want does a request and asks for a status.
func (s *server) want(t *testing.T, status int, method, path, body string, headers ...string) answer {
	t.Helper()
	a := s.do(t, method, path, body, headers...)
	if a.status != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
	}
	return a
}

// member is a client over WebSocket whose events can be waited for.
type member struct {
	*client.Client
	events chan wire.Event
}

func (s *server) dial(t *testing.T, name string, token string) *member {
	t.Helper()
	m := &member{events: make(chan wire.Event, 1000)}
	cfg := client.Config{
		URL: strings.Replace(s.url, "http", "ws", 1) + "/ws", Username: name,
		OnEvent: func(ev wire.Event) { m.events <- ev },
	}
	if token != "" {
		cfg.Token = func(context.Context) (string, error) { return token, nil }
	}
	c, err := client.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.Client = c
	t.Cleanup(c.Close)
	for m.next(t, wire.TypeRoomJoined).Room != "general" { // the inbox comes first
	}
	return m
}

// next waits for an event of a type and passes over others.
func (m *member) next(t *testing.T, typ string) wire.Event {
	t.Helper()
	timeout := time.After(deadline)
	for {
		select {
		case ev := <-m.events:
			if ev.Type == typ {
				return ev
			}
		case <-timeout:
			t.Fatalf("no %s came", typ)
		}
	}
}

// natsTo connects to the node over TCP, as `nats pub` does.
func natsTo(t *testing.T, s *server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.NATSURL(), natsLogin(t, s), nats.Timeout(deadline))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// natsLogin is what `cat .roomd/nats-password` gives, where NATS asks for it.
func natsLogin(t *testing.T, s *server) nats.Option {
	t.Helper()
	file := s.cfg.NATSPasswordFile()
	if file == "" {
		return nats.Name("test")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return nats.UserInfo(embedded.UserName, strings.TrimSpace(string(data)))
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustFail asserts that an error names everything in parts.
func mustFail(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

// eventually waits for what must come about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(deadline)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("it did not come about: %s", what)
		}
	}
}

func pretty(v any) string {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "%+v", v)
	return buf.String()
}
