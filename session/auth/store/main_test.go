package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("0123456789abcdef0123456789abcdef")

// nodes starts a server and connects to it n times, as that many nodes of a
// cluster do.
func nodes(t *testing.T, n int) (*embedded.Server, []*nats.Conn) {
	t.Helper()
	s, err := embedded.Start(embedded.Config{Addr: embedded.InProcessOnly, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	conns := make([]*nats.Conn, n)
	for i := range conns {
		if conns[i], err = s.Connect("node"); err != nil {
			t.Fatal(err)
		}
	}
	return s, conns
}

func mustKey(t *testing.T, data []byte) auth.Key {
	t.Helper()
	key, err := auth.ParseKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustSign(t *testing.T, key []byte, c auth.Claims) string {
	t.Helper()
	token, err := auth.SignToken(key, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// wantRefused checks that err is an *auth.Error with status 401 whose message
// has want and none of the secrets.
func wantRefused(t *testing.T, err error, want string, secrets ...string) {
	t.Helper()
	var refused *auth.Error
	if !errors.As(err, &refused) || !errors.Is(err, auth.ErrBadCredential) || refused.Status() != 401 {
		t.Fatalf("got %v, want an *auth.Error of auth.ErrBadCredential with status 401", err)
	}
	if !strings.Contains(refused.Message, want) {
		t.Errorf("got %q, want %q in it", refused.Message, want)
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%q repeats the credential", err)
		}
	}
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	var failed *auth.Error
	if !errors.As(err, &failed) || !errors.Is(err, auth.ErrUnavailable) || errors.Is(err, auth.ErrBadCredential) || failed.Status() != 503 {
		t.Fatalf("got %v, want an *auth.Error of auth.ErrUnavailable with status 503", err)
	}
}
