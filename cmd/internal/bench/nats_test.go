//go:build linux

package bench

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Two nodes on three NATS servers deliver everything in every mode with
// publishers; each room has members at both, and all processes are measured.
func TestNodesOnNATS(t *testing.T) {
	for _, tc := range []struct {
		mode   string
		change func(*Command)
	}{
		{Fanout, func(c *Command) { c.Members = 21 }},
		{Rooms, func(c *Command) { c.Rooms, c.Members, c.Publishers = 4, 4, 8 }},
		{Latency, func(*Command) {}},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			c := quick(tc.mode)
			c.Nodes, c.NATS = 2, 3
			tc.change(c)
			p, err := clusterRoomd(t, c)
			if err != nil {
				t.Fatal(err)
			}
			results, _ := runJSONOn(t, c, p)
			positive(t, results[0], "deliveries", "cpu_us_per_delivery", "p50_ms")
			if results[0]["nodes"] != 2.0 || results[0]["nats"] != 3.0 {
				t.Errorf("measured were %v nodes, %v NATS servers", results[0]["nodes"], results[0]["nats"])
			}
		})
	}
}

func TestClusterIsSpreadAndCounted(t *testing.T) {
	c := quick(Idle)
	c.Nodes, c.NATS = 2, 3
	p, err := clusterRoomd(t, c)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := p.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop()
	if len(srv.urls) != 2 || len(srv.processes) != 5 {
		t.Fatalf("%d nodes, %d processes; want 2 and 5", len(srv.urls), len(srv.processes))
	}
	l := load{Mode: Idle, Rooms: 3, Members: 4, Settle: time.Millisecond, Duration: time.Millisecond}
	l.defaults()
	s, err := newSwarm(srv, &l, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.connectAll(t.Context(), func(int) {}); err != nil {
		t.Fatal(err)
	}
	for _, url := range srv.urls {
		if got := sessions(t, url); got != "6" {
			t.Errorf("%s has %s of 12 connections, want half", url, got)
		}
	}
	at := map[[2]int32]int{}
	for _, conn := range s.conns {
		at[[2]int32{conn.room, conn.node}]++
	}
	for seat, n := range at {
		if n != 2 {
			t.Errorf("room %d has %d of 4 members at node %d", seat[0], n, seat[1])
		}
	}
}

// clusterRoomd is roomd as c's flags say.
func clusterRoomd(t *testing.T, c *Command) (*program, error) {
	t.Helper()
	one := built(t, roomdName)
	return shop.roomd(t.Context(), one.path, nil, c.Nodes, c.NATS)
}

// sessions is what a node says of how many connections it has.
func sessions(t *testing.T, url string) string {
	t.Helper()
	url = "http" + strings.TrimSuffix(strings.TrimPrefix(url, "ws"), "/ws") + "/metrics"
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "roomd_connections "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("there is no roomd_connections in\n%s", text)
	return ""
}
