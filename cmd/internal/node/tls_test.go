package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/testcert"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// trust is a client's configuration that believes these certificates and no others.
func trust(pairs ...testcert.Pair) *tls.Config {
	roots := x509.NewCertPool()
	for _, p := range pairs {
		roots.AppendCertsFromPEM(p.Cert)
	}
	return &tls.Config{RootCAs: roots}
}

// files are where a node finds its pair.
type files struct{ cert, key string }

func newFiles(t *testing.T, p testcert.Pair) files {
	t.Helper()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	f.write(t, p)
	return f
}

func (f files) write(t *testing.T, p testcert.Pair) {
	t.Helper()
	for path, content := range map[string][]byte{f.cert: p.Cert, f.key: p.Key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (f files) config() Config {
	cfg := testConfig()
	cfg.TLSCert, cfg.TLSKey = f.cert, f.key
	return cfg
}

// serial is that of the certificate that a new connection is shown.
func serial(t *testing.T, s *server, cfg *tls.Config) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addr().String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestTLS(t *testing.T) {
	p := testcert.New(t, 1, time.Now().Add(time.Hour))
	s := serve(t, newFiles(t, p).config())
	if want := "https://" + s.Addr().String(); s.pageURL() != want {
		t.Errorf("people are told %s, want %s", s.pageURL(), want)
	}
	transport := &http.Transport{TLSClientConfig: trust(p), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	get := func(host, path string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.pageURL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp
	}
	page := get("", "/")
	if page.StatusCode != 200 || page.ProtoMajor != 1 || page.TLS == nil || page.TLS.NegotiatedProtocol == "h2" {
		t.Errorf("the page came as %s %s", page.Proto, page.Status)
	}
	if got := page.Header.Get("Content-Security-Policy"); !strings.Contains(got, "connect-src 'self' wss://"+s.Addr().String()+";") {
		t.Errorf("the page's policy is %q", got)
	}
	for host, want := range map[string]string{
		"": "", "localhost": "", "rooms.example:8443": "", "rooms.example": strictTransport, "rooms.example:443": strictTransport,
	} {
		if got := get(host, "/").Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("asked at %q, Strict-Transport-Security is %q, want %q", host, got, want)
		}
	}
	s.client = transport
	s.url = s.pageURL()
	if got := s.want(t, 200, "GET", "/metrics", "").body; !strings.Contains(got, "\nroomd_tls_not_after_seconds ") {
		t.Error("the metrics do not say when the certificate expires")
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		cfg := trust(p)
		cfg.MinVersion, cfg.MaxVersion = version, version
		conn, err := tls.Dial("tcp", s.Addr().String(), cfg)
		if (err == nil) != (version >= tls.VersionTLS12) {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// Who speaks no TLS is told so, and gets nothing else.
func TestPlainHTTPWhereTLSIs(t *testing.T) {
	s := serve(t, newFiles(t, testcert.New(t, 1, time.Now().Add(time.Hour))).config())
	resp, body := s.raw(t, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if resp.StatusCode != 400 || !strings.Contains(body, "HTTPS") {
		t.Errorf("plain HTTP got %s %q", resp.Status, body)
	}
}

// A message goes to a server with TLS and comes back, also one of many frames at once; what waits for a client that
// leaves is written before the close frame.
func TestWebSocketOverTLS(t *testing.T) {
	p := testcert.New(t, 1, time.Now().Add(time.Hour))
	s := serve(t, newFiles(t, p).config())
	events := make(chan wire.Event, 1000)
	c, err := client.Dial(context.Background(), client.Config{
		URL: "wss://" + s.Addr().String() + "/ws", Username: "percy", Dialer: &websocket.Dialer{TLSClientConfig: trust(p)},
		OnEvent: func(ev wire.Event) { events <- ev },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := &member{Client: c, events: events}
	for m.next(t, wire.TypeRoomJoined).Room != "general" { // the inbox comes first
	}
	body := []byte(`{"type":"round_result","payload":{"cards":"` + strings.Repeat("x", 100_000) + `"}}`)
	nc := natsTo(t, s)
	const count = 20
	for range count {
		if err := nc.Publish("room.general.event", body); err != nil {
			t.Fatal(err)
		}
	}
	for range count {
		if ev := m.next(t, "round_result"); len(ev.Payload) < 100_000 {
			t.Fatalf("an event came with %d bytes of payload", len(ev.Payload))
		}
	}
	if _, err := c.Request(t.Context(), wire.Event{Type: wire.TypeSendMessage, Payload: []byte(`{"message":"hi"}`)}); err != nil {
		t.Fatal(err)
	}
	m.next(t, wire.TypeNewMessage)
	if n := s.Sessions().CloseUserHere(c.Welcome().UID, wire.CloseRemoved); n != 1 {
		t.Fatalf("%d connections were closed", n)
	}
	<-c.Done()
	if c.Err() == nil || !strings.Contains(c.Err().Error(), "4503") {
		t.Errorf("the client ended with %v, want the close code 4503", c.Err())
	}
}

// journal is a log to look into.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// take returns what was logged since the last time.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// A new pair is used from the next connection on; one that does not fit, cannot be read or has expired changes nothing.
func TestCertificateIsReadAgain(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	one, two, expired := testcert.New(t, 1, hour), testcert.New(t, 2, hour), testcert.New(t, 3, time.Now().Add(-time.Hour))
	f := newFiles(t, one)
	said := &journal{}
	n, err := New(t.Context(), f.config(), zerolog.New(said), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, n)
	all := trust(one, two)
	step := func(what string, p testcert.Pair, want int64, says ...string) {
		t.Helper()
		f.write(t, p)
		said.take()
		s.rereadCertificate()
		said := said.take()
		if got := serial(t, s, all); got != want {
			t.Errorf("%s: new connections get certificate %d, want %d", what, got, want)
		}
		for _, part := range says {
			if !strings.Contains(said, part) {
				t.Errorf("%s: the log does not say %q: %s", what, part, said)
			}
		}
	}
	if got := serial(t, s, all); got != 1 {
		t.Fatalf("the certificate is %d", got)
	}
	step("a key of another one", testcert.Pair{Cert: two.Cert, Key: one.Key}, 1, `"error"`, "does not match", f.cert, f.key, "SIGHUP")
	step("no PEM", testcert.Pair{Cert: []byte("x"), Key: two.Key}, 1, `"error"`, f.cert)
	step("half a file", testcert.Pair{Cert: two.Cert[:len(two.Cert)/2], Key: two.Key}, 1, `"error"`, f.cert)
	step("an expired one", expired, 1, `"error"`, "expired", f.cert)
	step("a good one", two, 2, `"info"`, `"serial":"2"`, "read again", "rooms.example", "127.0.0.1")
	if err := os.Remove(f.key); err != nil {
		t.Fatal(err)
	}
	s.rereadCertificate()
	if got := serial(t, s, all); got != 2 {
		t.Errorf("without a key file new connections get certificate %d", got)
	}
}

func TestTLSThatCannotStart(t *testing.T) {
	one, two := testcert.New(t, 1, time.Now().Add(time.Hour)), testcert.New(t, 2, time.Now().Add(time.Hour))
	for name, p := range map[string]testcert.Pair{"another key": {Cert: one.Cert, Key: two.Key}, "no PEM": {Cert: []byte("x"), Key: one.Key}, "no key": {Cert: one.Cert, Key: nil}} {
		t.Run(name, func(t *testing.T) {
			_, err := New(t.Context(), newFiles(t, p).config(), zerolog.Nop(), io.Discard)
			mustFail(t, err, "--tls-cert", "ROOMD_TLS_CERT", "--tls-key", "ROOMD_TLS_KEY")
		})
	}
	// An expired one serves all the same: what clients think of it is theirs, and a server that does not start helps nobody.
	expired := testcert.New(t, 3, time.Now().Add(-time.Hour))
	var said bytes.Buffer
	n := &Node{cfg: newFiles(t, expired).config(), log: zerolog.New(&said)}
	if err := n.startTLS(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), `"warn"`) || !strings.Contains(said.String(), "expired") {
		t.Errorf("the log does not warn of it: %s", &said)
	}
}

// A client that begins a handshake and says no more is cut, as one that begins a request is.
func TestTLSHandshakeIsBounded(t *testing.T) {
	n, err := New(t.Context(), newFiles(t, testcert.New(t, 1, time.Now().Add(time.Hour))).config(), zerolog.Nop(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	n.server.ReadHeaderTimeout = 10 * time.Millisecond // nobody waits for the real one
	s := run(t, n)
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte{0x16, 0x03, 0x01, 0x02, 0x00}); err != nil { // the head of a record that does not come
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadByte(); err != io.EOF {
		t.Errorf("the connection ended with %v, want it closed", err)
	}
}
