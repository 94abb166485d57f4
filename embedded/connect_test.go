package embedded

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

func TestRemoteConnects(t *testing.T) {
	s := start(t, Config{Addr: "127.0.0.1:0", Memory: true})
	a, err := Remote{URL: s.URL()}.Connect("a")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Remote{URL: "nats://127.0.0.1:1, " + s.URL()}.Connect("b") // the first of the list is down
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	echo(t, a, b)
}

func TestRemoteErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	junk := write(t, "junk", []byte("junk"))
	for _, tc := range []struct {
		name   string
		remote Remote
		want   string
	}{
		{"nobody listens", Remote{URL: "nats://" + closed}, "is it running"},
		{"empty", Remote{}, "nats://host:4222"},
		{"empty in the list", Remote{URL: "nats://" + closed + ","}, "empty"},
		{"no URL", Remote{URL: "nats://"}, "malformed"},
		{"bad port keeps the secret", Remote{URL: "nats://percy:hidden@host:port"}, "malformed"},
		{"comma keeps the secret", Remote{URL: "nats://percy:hidden,hidden@host:1"}, "malformed"},
		{"scheme", Remote{URL: "http://" + closed}, `scheme "http"`},
		{"creds", Remote{URL: "nats://" + closed, Creds: "/nowhere.creds"}, "/nowhere.creds"},
		{"nkey", Remote{URL: "nats://" + closed, NKey: junk}, junk},
		{"cert without key", Remote{URL: "nats://" + closed, TLSCert: junk}, "both"},
		{"cert", Remote{URL: "nats://" + closed, TLSCert: junk, TLSKey: junk}, junk},
		{"missing ca", Remote{URL: "nats://" + closed, TLSCA: "/nowhere.pem"}, "/nowhere.pem"},
		{"ca", Remote{URL: "nats://" + closed, TLSCA: junk}, "no PEM certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc, err := tc.remote.Connect("test")
			if err == nil {
				nc.Close()
				t.Fatal("connected")
			}
			var failed *ConnectError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want a ConnectError with %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("%q shows the secret", err)
			}
		})
	}
}

// TestReconnect restarts a server under a connection and checks that the loss
// and the recovery are logged once each.
func TestReconnect(t *testing.T) {
	dir := t.TempDir()
	first := start(t, Config{Addr: "127.0.0.1:0", StoreDir: dir})
	addr := strings.TrimPrefix(first.URL(), "nats://")
	log := &syncBuffer{}
	nc, err := Remote{URL: first.URL(), Log: zerolog.New(log)}.Connect("engine", nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	status := nc.StatusChanged(nats.CONNECTED)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, Config{Addr: addr, StoreDir: dir})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case <-status:
	case <-ctx.Done():
		t.Fatal("did not reconnect")
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	barrier(t, nc)
	for _, want := range []string{"NATS connection lost", "NATS connection is back"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%q is logged %d times:\n%s", want, n, log.String())
		}
	}
	if !strings.Contains(log.String(), `"connection":"engine"`) {
		t.Errorf("the log does not name the connection:\n%s", log.String())
	}
}

// barrier returns when the callbacks nc had queued were run: they run in order,
// and the last one is caused here.
func barrier(t *testing.T, nc *nats.Conn) {
	t.Helper()
	done := make(chan struct{})
	old := nc.ErrorHandler()
	nc.SetErrorHandler(func(*nats.Conn, *nats.Subscription, error) { close(done) })
	defer nc.SetErrorHandler(old)
	sub, err := nc.SubscribeSync("barrier")
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(1, -1); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is one too many
		if err := nc.Publish("barrier", nil); err != nil {
			t.Fatal(err)
		}
	}
	<-done
}

func TestAsyncErrorIsLogged(t *testing.T) {
	log := &syncBuffer{}
	s := start(t, Config{Addr: InProcessOnly, Memory: true, Log: zerolog.New(log).Level(zerolog.WarnLevel)})
	nc, err := s.Connect("engine")
	if err != nil {
		t.Fatal(err)
	}
	handler := nc.ErrorHandler()
	handler(nc, &nats.Subscription{Subject: "room.x.log"}, nats.ErrSlowConsumer)
	handler(nc, nil, nats.ErrSlowConsumer)
	if got := log.String(); strings.Count(got, "slow consumer") != 2 || !strings.Contains(got, "room.x.log") {
		t.Errorf("logged: %s", got)
	}
}

func TestCallerOptionsComeLast(t *testing.T) {
	s := start(t, Config{Addr: InProcessOnly, Memory: true})
	nc, err := s.Connect("engine", nats.PingInterval(time.Hour), nats.Name("other"))
	if err != nil {
		t.Fatal(err)
	}
	if nc.Opts.PingInterval != time.Hour || nc.Opts.Name != "other" {
		t.Errorf("options are %v, %q", nc.Opts.PingInterval, nc.Opts.Name)
	}
	if nc.Opts.MaxReconnect != -1 || nc.Opts.MaxPingsOut != PingsMissed {
		t.Errorf("rules are %d, %d", nc.Opts.MaxReconnect, nc.Opts.MaxPingsOut)
	}
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// syncBuffer is a bytes.Buffer that the connection's goroutines and the test
// share.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
