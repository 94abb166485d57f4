package cli

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHTTPURL(t *testing.T) {
	for ws, want := range map[string]string{
		"ws://localhost:3000/ws":            "http://localhost:3000/readyz",
		"wss://rooms.example.com/ws":        "https://rooms.example.com/readyz",
		"wss://example.com/chat/ws?x=1":     "https://example.com/chat/readyz",
		"ws://[::1]:3000":                   "http://[::1]:3000/readyz",
		"http://localhost:3000/":            "http://localhost:3000/readyz",
		"https://example.com/a/ws/":         "https://example.com/a/readyz",
		"ws://user:password@localhost/ws#x": "http://localhost/readyz",
	} {
		if got, err := HTTPURL(ws, "/readyz"); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", ws, got, err, want)
		}
	}
	for _, ws := range []string{"", "nowhere", "localhost:3000", "ftp://localhost/ws", "ws:///ws", "ws://a b/ws"} {
		if got, err := HTTPURL(ws, "/readyz"); err == nil {
			t.Errorf("%q is taken for %s", ws, got)
		}
	}
}
