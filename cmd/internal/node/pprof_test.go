package node

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestPProf: profiles are on their own listener and not on the clients'.
func TestPProf(t *testing.T) {
	cfg := testConfig()
	cfg.PProf = "127.0.0.1:0"
	var said strings.Builder
	n, err := New(t.Context(), cfg, zerolog.New(&said), &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	_, rest, _ := strings.Cut(said.String(), `"url":"`)
	url, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no address in the log %q", said.String())
	}
	resp, err := http.Get(url + "heap")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a heap profile: %s", resp.Status)
	}
	for name, value := range map[string]string{"Host": "evil.example", "Sec-Fetch-Site": "cross-site"} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
		refused, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		refused.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if refused.StatusCode != http.StatusForbidden {
			t.Errorf("a page with %s %s got profiles: %s", name, value, refused.Status)
		}
	}
	cfg.PProf = resp.Request.URL.Host // taken now
	_, err = New(t.Context(), cfg, zerolog.Nop(), &strings.Builder{})
	mustFail(t, err, "--pprof", "ROOMD_PPROF")
}
