package node

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// Beside the page the metrics are for whom the API is: with a key for who has it, without one for this machine.
func TestMetricsAreGuarded(t *testing.T) {
	open := serve(t, testConfig())
	open.want(t, 200, "GET", "/metrics", "")
	open.want(t, 403, "GET", "/metrics", "", "Host", "evil.example")
	open.want(t, 403, "GET", "/metrics", "", "Sec-Fetch-Site", "cross-site")
	open.want(t, 403, "GET", "/metrics", "", "X-Forwarded-For", "192.0.2.1")
	open.want(t, 405, "POST", "/metrics", "")

	cfg := testConfig()
	cfg.APIKey = "k3y"
	keyed := serve(t, cfg)
	keyed.want(t, 401, "GET", "/metrics", "")
	keyed.want(t, 401, "GET", "/metrics", "", "Authorization", "Bearer wrong")
	if got := keyed.want(t, 200, "GET", "/metrics", "", "Authorization", "Bearer k3y"); !strings.Contains(got.body, "\nroomd_connections 0\n") {
		t.Errorf("the metrics are %.200s", got.body)
	}
}

// Where other machines can connect, nobody gets metrics without a key: not this machine either, as a proxy may be on it.
func TestNoMetricsForEverybody(t *testing.T) {
	cfg := testConfig()
	cfg.Addr, cfg.AllowGuests = "0.0.0.0:0", new(bool)
	*cfg.AllowGuests = true
	s := serve(t, cfg)
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + net.JoinHostPort("127.0.0.1", port)
	if got := s.want(t, 404, "GET", "/metrics", ""); got.code() != "not_found" || !strings.Contains(got.body, "--metrics-addr") || !strings.Contains(got.body, "ROOMD_API_KEY") {
		t.Errorf("the answer is %s", got.body)
	}
	s.want(t, 200, "GET", "/healthz", "")
	s.want(t, 200, "GET", "/readyz", "")
}

// On an address of their own they are for who can connect, and no longer beside the page.
func TestMetricsAddr(t *testing.T) {
	cfg := testConfig()
	cfg.APIKey, cfg.MetricsAddr = "k3y", "127.0.0.1:0"
	main := serve(t, cfg)
	addr := main.metrics.addr.String()
	aside := &server{url: "http://" + addr}
	got := aside.want(t, 200, "GET", "/metrics", "")
	if !strings.Contains(got.body, "\nroomd_connections 0\n") {
		t.Errorf("the metrics are %.200s", got.body)
	}
	checkHeaders(t, "metrics", got.header)
	checkHeaders(t, "beside the metrics", aside.want(t, 404, "GET", "/healthz", "").header)
	aside.want(t, 405, "DELETE", "/metrics", "")
	aside.want(t, 403, "GET", "/metrics", "", "Host", "evil.example")
	aside.want(t, 403, "GET", "/metrics", "", "Sec-Fetch-Site", "cross-site")
	main.want(t, 404, "GET", "/metrics", "", "Authorization", "Bearer k3y")

	cfg.MetricsAddr = addr // taken now
	_, err := New(t.Context(), cfg, zerolog.Nop(), io.Discard)
	mustFail(t, err, "--metrics-addr", "ROOMD_METRICS_ADDR")
	if err := main.stop(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("the metrics are served after the end")
	}
}
