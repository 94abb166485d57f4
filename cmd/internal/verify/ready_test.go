package verify

import (
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A node that is not there yet, and one that is but has no leader, are waited for.
func TestVerifyWaitsForItsTargets(t *testing.T) {
	m := startServer(t)
	m.unready.Store(true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()

	cfg := load(m.url(), "ws://"+address+"/ws")
	cfg.Duration = 500 * time.Millisecond
	r := start(t, cfg)
	r.out.wait(t, `"phase":"waiting".*503 Service Unavailable: no leader yet`)
	r.out.wait(t, `"phase":"waiting".*refused`)
	late := httptest.NewUnstartedServer(m.web.Config.Handler)
	late.Listener.Close()
	if late.Listener, err = net.Listen("tcp", address); err != nil {
		t.Fatalf("take %s again: %v", address, err)
	}
	late.Start()
	defer late.Close()
	m.unready.Store(false)
	if err := <-r.result; err != nil {
		t.Errorf("%v\n%s", err, r.out)
	}
}

// The waiting has an end, which says who was not ready and why.
func TestVerifyWaitsNoLonger(t *testing.T) {
	m := startServer(t)
	m.unready.Store(true)
	cfg := load(m.url())
	cfg.Wait = 2 * time.Second // in which it has answered once, on a busy machine too
	out, err := run(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "--wait 2s") || !strings.Contains(err.Error(), "no leader yet") || strings.Contains(out, "joining") {
		t.Errorf("%v\n%s", err, out)
	}

	// Who does not want to wait does not ask either: another server, as a question to the one before may be on its way.
	m = startServer(t)
	m.unready.Store(true)
	cfg = load(m.url())
	cfg.Wait, cfg.Duration = 0, 200*time.Millisecond
	if out, err := run(t, cfg); err != nil {
		t.Errorf("without waiting: %v\n%s", err, out)
	}
	if m.asked.Load() != 0 {
		t.Error("/readyz was asked with --wait 0s")
	}
}

// What waiting does not mend ends it at once; so does Ctrl-C.
func TestVerifyWaitsForNothing(t *testing.T) {
	m := startServer(t)
	web := httptest.NewTLSServer(m)
	defer web.Close()
	for url, want := range map[string]string{
		"wss" + strings.TrimPrefix(web.URL, "https") + "/ws": "certificate",
		"nowhere": "--url nowhere",
	} {
		cfg := load(url)
		cfg.Wait = time.Hour
		if out, err := run(t, cfg); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "--wait") {
			t.Errorf("%s: %v\n%s", url, err, out)
		}
	}
	m.unready.Store(true)
	cfg := load(m.url())
	cfg.Wait = time.Hour
	r := start(t, cfg)
	r.out.wait(t, `"phase":"waiting"`)
	r.interrupt()
	if err := <-r.result; err == nil || !strings.Contains(err.Error(), "nothing was verified") {
		t.Errorf("Ctrl-C: %v", err)
	}
}
