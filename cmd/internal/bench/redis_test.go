//go:build linux

package bench

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What socketio-redis delivers is in the stream of its Redis, and Redis is a
// part of what it costs.
func TestSocketIORedis(t *testing.T) {
	p := built(t, peerSocketIORedis)
	if p.absent != "" {
		c := quick(Fanout)
		c.Against, c.JSON = []string{peerSocketIORedis}, false
		var out strings.Builder
		if err := c.Run(t.Context(), &out, io.Discard); err != nil || !strings.Contains(out.String(), "not measured: "+p.absent) {
			t.Errorf("it is absent (%s), but %v and the table is\n%s", p.absent, err, out.String())
		}
		return
	}
	srv, err := p.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop()
	if len(srv.processes) != 2 {
		t.Errorf("%d processes are measured, want Redis and Node.js", len(srv.processes))
	}
	l := load{Mode: Fanout, Members: 5, Rate: 200, Settle: 300 * time.Millisecond, Warmup: time.Millisecond, Duration: time.Second}
	l.defaults()
	res, err := measure(t.Context(), srv, &l, 1, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if res.Messages == 0 || res.Missing+res.Misordered+res.Closed > 0 || res.CPUPerDelivery == nil {
		t.Errorf("got %+v", res)
	}
	answer, err := redisAsk(t.Context(), srv.store, "XLEN socket.io")
	if err != nil {
		t.Fatal(err)
	}
	// The adapter's own heartbeats are in the stream as well.
	stored, err := strconv.ParseUint(strings.TrimPrefix(strings.Split(answer, "\r\n")[0], ":"), 10, 64)
	if err != nil || stored < res.Messages {
		t.Errorf("%d messages were sent, the length of the stream is %q", res.Messages, answer)
	}
	if answer, err = redisAsk(t.Context(), srv.store, "INFO persistence"); err != nil || !strings.Contains(answer, "aof_enabled:1\r\n") {
		t.Errorf("the append-only file: %v, %s", err, answer)
	}
}

func TestNoRedis(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node: that is what is absent")
	}
	dir := filepath.Join(mustRoot(t), "testdata", "peers", peerSocketIO)
	if problem := npmInstall(t.Context(), dir); problem != "" {
		t.Skip(problem)
	}
	bin := t.TempDir()
	if err := os.Symlink(node, filepath.Join(bin, "node")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	if p := socketIORedis(t.Context(), dir); !strings.Contains(p.absent, "apt-get install redis-server") {
		t.Errorf("absent because of %q", p.absent)
	}
}
