package node

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Every answer has the base headers: of the page, the API, a login, a refused handshake, an error of any kind. What has a
// policy or a cache rule of its own is named.
func TestHeadersOfEveryAnswer(t *testing.T) {
	s := serve(t, testConfig())
	asked := []struct {
		method, path, body string
		headers            []string
		status             int
	}{
		{"GET", "/", "", nil, 200},
		{"GET", "/assets/main.js", "", nil, 200},
		{"GET", "/nowhere", "", nil, 404},
		{"POST", "/", "", nil, 405},
		{"GET", "//nowhere", "", nil, 307},
		{"POST", "/login", `{"username":"olga"}`, nil, 200},
		{"GET", "/login", "", nil, 405},
		{"OPTIONS", "/login", "", []string{"Origin", s.url}, 204},
		{"POST", "/login", "{}", []string{"Origin", "https://evil.example"}, 403},
		{"GET", "/api/rooms", "", nil, 200},
		{"GET", "/api/nothing", "", nil, 404},
		{"POST", "/api/rooms", "", nil, 405},
		{"GET", "/api/rooms", "", []string{"X-Forwarded-For", "192.0.2.1"}, 403},
		{"GET", "/healthz", "", nil, 200},
		{"GET", "/readyz", "", nil, 200},
		{"GET", "/metrics", "", nil, 200},
		{"GET", "/ws?otp=wrong", "", nil, 401},
	}
	for _, a := range asked {
		got := s.do(t, a.method, a.path, a.body, a.headers...)
		if got.status != a.status {
			t.Errorf("%s %s: status %d, want %d: %s", a.method, a.path, got.status, a.status, got.body)
		}
		checkHeaders(t, a.method+" "+a.path, got.header)
	}
	if got := s.do(t, "GET", "/", "").header.Get("Content-Security-Policy"); !strings.Contains(got, "script-src 'self'") || !strings.Contains(got, "ws://"+s.Addr().String()) {
		t.Errorf("the page's policy is %q", got)
	}
}

func checkHeaders(t *testing.T, what string, h http.Header) {
	t.Helper()
	for name := range baseHeaders {
		if got, want := h.Values(name), baseHeaders[name]; len(got) != 1 || got[0] != want[0] {
			page := strings.HasSuffix(what, " /") || strings.Contains(what, "/assets/") || strings.Contains(what, "nowhere")
			if page && name == "Content-Security-Policy" && len(got) == 1 && strings.HasPrefix(got[0], "default-src 'none';") && strings.Contains(got[0], "frame-ancestors 'none'") {
				continue
			}
			if page && name == "Cache-Control" && len(got) == 1 && got[0] == "no-cache" {
				continue
			}
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
}

// The same for handshakes that are refused, and for requests to no path.
func TestHeadersOfRefusedHandshakes(t *testing.T) {
	s := serve(t, testConfig())
	upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	for _, a := range []struct {
		line, headers string
		status        int
	}{
		{"GET /ws?otp=wrong HTTP/1.1", upgrade, 401},
		{"GET /ws HTTP/1.1", upgrade + "Origin: https://evil.example\r\n", 403},
		{"GET /ws?room=%07 HTTP/1.1", upgrade, 400},
		{"GET /ws HTTP/1.1", "", 400},
		{"OPTIONS * HTTP/1.1", "", 400},
	} {
		resp, body := s.raw(t, fmt.Sprintf("%s\r\nHost: %s\r\n%s\r\n", a.line, s.Addr(), a.headers))
		if resp.StatusCode != a.status {
			t.Errorf("%s: status %d, want %d: %s", a.line, resp.StatusCode, a.status, body)
		}
		checkHeaders(t, a.line, resp.Header)
	}
}

// raw sends a request as it stands.
func (s *server) raw(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
