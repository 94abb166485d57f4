//go:build linux

package bench

import (
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quick is a small run of each mode.
func quick(mode string) *Command {
	return &Command{Mode: mode, Members: 20, Settle: 300 * time.Millisecond, Warmup: 50 * time.Millisecond, Duration: time.Second, JSON: true}
}

// built is a server that is built once for all tests.
func built(t *testing.T, name string) *program {
	t.Helper()
	if p := programs[name]; p != nil {
		return p
	}
	if shop == nil {
		var err error
		if shop, err = newWorkshop(); err != nil {
			t.Fatal(err)
		}
	}
	var p *program
	var err error
	if name == roomdName {
		p, err = shop.roomd(t.Context(), "", nil, 1, 0)
	} else {
		p, err = shop.peer(t.Context(), name, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	programs[name] = p
	return p
}

type rowsLine struct {
	Rows []row `json:"rows"`
}

// runJSON runs a command and decodes what it printed.
func runJSON(t *testing.T, c *Command) (results []map[string]any, rows []row) {
	t.Helper()
	servers := []*program{{name: roomdName, dialect: roomdDialect}}
	if c.URL == "" {
		servers[0] = built(t, roomdName)
		for _, name := range c.Against {
			servers = append(servers, built(t, name))
		}
	}
	return runJSONOn(t, c, servers...)
}

func runJSONOn(t *testing.T, c *Command, servers ...*program) (results []map[string]any, rows []row) {
	t.Helper()
	var out, progress strings.Builder
	cases, err := c.cases()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{command: c, progress: newProgress(&progress), out: &out, servers: servers}
	if err := b.run(t.Context(), cases); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), progress.String())
	}
	if !strings.Contains(progress.String(), c.Mode) {
		t.Errorf("no progress was shown: %q", progress.String())
	}
	for line := range strings.Lines(out.String()) {
		var summary rowsLine
		if err := json.Unmarshal([]byte(line), &summary); err != nil {
			t.Fatal(err)
		}
		if summary.Rows != nil {
			rows = summary.Rows
			continue
		}
		res := map[string]any{}
		if err := json.Unmarshal([]byte(line), &res); err != nil {
			t.Fatal(err)
		}
		results = append(results, res)
	}
	return results, rows
}

// positive are the fields that a mode must have measured.
func positive(t *testing.T, res map[string]any, fields ...string) {
	t.Helper()
	for _, f := range fields {
		if v, ok := res[f].(float64); !ok || v <= 0 {
			t.Errorf("%v of %v is %v", f, res["server"], res[f])
		}
	}
	for _, f := range []string{"missing", "misordered", "unacked", "closed"} {
		if res[f] != 0.0 {
			t.Errorf("%v of %v is %v", f, res["server"], res[f])
		}
	}
}

func TestEveryMode(t *testing.T) {
	traffic := []string{"messages", "deliveries", "messages_per_s", "deliveries_per_s", "cpu_us_per_delivery", "load_cpu_us_per_delivery", "deliveries_per_read", "bytes_per_delivery", "p50_ms", "p99_ms", "max_ms", "connections_per_s"}
	for _, tc := range []struct {
		mode   string
		change func(*Command)
		fields []string
	}{
		{mode: Fanout, fields: traffic},
		{mode: Rooms, change: func(c *Command) { c.Rooms, c.Members, c.Publishers, c.Readers = 5, 4, 12, 2 }, fields: traffic},
		{mode: Latency, fields: traffic},
		{mode: Idle, change: func(c *Command) { c.Rooms = 4 }, fields: []string{"connections_per_s", "kb_per_connection"}},
		{mode: Join, change: func(c *Command) { c.Settle = 1500 * time.Millisecond }, fields: []string{"connections_per_s", "cpu_us_per_join"}},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			c := quick(tc.mode)
			c.Against = []string{peerEcho, peerHub, peerMelody}
			if tc.change != nil {
				tc.change(c)
			}
			results, rows := runJSON(t, c)
			if len(results) != 4 || len(rows) == 0 || len(rows[0].Cells) != 4 {
				t.Fatalf("%d results, rows %v", len(results), rows)
			}
			for i, name := range []string{roomdName, peerEcho, peerHub, peerMelody} {
				if results[i]["server"] != name {
					t.Errorf("server %d is %v, want %s", i, results[i]["server"], name)
				}
				positive(t, results[i], tc.fields...)
			}
			if tc.mode == Join {
				positive(t, results[0], "cpu_us_per_rejoin", "presence_bytes_per_client", "presence_frames_per_client")
			}
		})
	}
}

func TestOpenRooms(t *testing.T) {
	c := quick(Rooms)
	c.Rooms, c.Members, c.Open = 2, 3, 64
	results, _ := runJSON(t, c)
	positive(t, results[0], "kb_per_room", "deliveries", "cpu_us_per_delivery", "cpu_us_per_delivery_without_open")
}

// With compression all arrives too, in fewer bytes.
func TestCompress(t *testing.T) {
	bytes := map[bool][]float64{}
	for _, compress := range []bool{false, true} {
		c := quick(Fanout).withServer(built(t, roomdName).path)
		c.Against, c.Compress, c.Size = []string{peerEcho, peerHub}, compress, 1000
		var out strings.Builder
		if err := c.Run(t.Context(), &out, io.Discard); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			var res struct {
				Server           string
				Deliveries       int
				BytesPerDelivery float64 `json:"bytes_per_delivery"`
			}
			if err := json.Unmarshal([]byte(line), &res); err != nil || res.Server == "" {
				continue // the table
			}
			if res.Deliveries == 0 {
				t.Errorf("%s delivered nothing", res.Server)
			}
			bytes[compress] = append(bytes[compress], res.BytesPerDelivery)
		}
	}
	if len(bytes[false]) != 3 || len(bytes[true]) != 3 {
		t.Fatalf("bytes per delivery plain %v, compressed %v; want three of each", bytes[false], bytes[true])
	}
	for i := range bytes[true] {
		if bytes[true][i] > bytes[false][i]/2 {
			t.Errorf("bytes per delivery %v compressed, %v plain", bytes[true], bytes[false])
		}
	}
	running := quick(Fanout)
	running.Compress, running.Against = true, []string{peerMelody}
	if err := running.Run(t.Context(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--compress") {
		t.Errorf("melody was asked to compress: %v", err)
	}
}

func TestUnlogged(t *testing.T) {
	c := quick(Rooms).withServer(built(t, roomdName).path)
	c.Unlogged = true
	var out strings.Builder
	if err := c.Run(t.Context(), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var res struct{ Members, Messages, Deliveries int }
	if err := json.Unmarshal([]byte(out.String()), &res); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if others := res.Members - 1; res.Messages == 0 || res.Deliveries != res.Messages*others {
		t.Errorf("%d deliveries of %d messages to %d others each", res.Deliveries, res.Messages, others)
	}
	c.Against = []string{peerHub}
	if err := c.Run(t.Context(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--unlogged") {
		t.Errorf("the hub was asked for signals: %v", err)
	}
}

// Where there is no Node.js, or no way to install the package, the table says so.
func TestSocketIO(t *testing.T) {
	c := quick(Fanout)
	c.Against, c.JSON = []string{peerSocketIO}, false
	var out, progress strings.Builder
	if err := c.Run(t.Context(), &out, &progress); err != nil {
		t.Fatal(err)
	}
	p := built(t, peerSocketIO)
	if p.absent != "" {
		if !strings.Contains(out.String(), "not measured: "+p.absent) {
			t.Errorf("it is absent (%s), but the table is\n%s", p.absent, out.String())
		}
		return
	}
	if !strings.Contains(out.String(), "fanout socketio:") || strings.Contains(out.String(), "lost") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestNoNode(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if p := socketIO(t.Context(), filepath.Join(mustRoot(t), "testdata", "peers", peerSocketIO)); p.absent != "no node" {
		t.Errorf("absent because of %q", p.absent)
	}
}

func mustRoot(t *testing.T) string {
	t.Helper()
	root, err := sourceRoot()
	if err != nil || root == "" {
		t.Fatalf("the source tree is at %q: %v", root, err)
	}
	return root
}

// A server that runs already is measured by its address and process.
func TestRunningServer(t *testing.T) {
	srv, err := built(t, roomdName).start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.stop()
	c := quick(Fanout)
	c.URL, c.PID = srv.urls[0], srv.processes[0].pid
	results, _ := runJSON(t, c)
	positive(t, results[0], "deliveries", "cpu_us_per_delivery")
	c.PID = 0
	results, _ = runJSON(t, c)
	positive(t, results[0], "deliveries")
	if _, ok := results[0]["cpu_us_per_delivery"]; ok {
		t.Error("the CPU of an unknown process was measured")
	}
	c = quick(Idle)
	c.URL = srv.urls[0]
	results, _ = runJSON(t, c)
	if _, ok := results[0]["kb_per_connection"]; ok {
		t.Error("the memory of an unknown process was measured")
	}
	c = quick(Rooms)
	c.Rooms, c.Members, c.Open, c.URL, c.PID = 2, 3, 64, srv.urls[0], srv.processes[0].pid
	results, _ = runJSON(t, c)
	positive(t, results[0], "deliveries")
	if _, ok := results[0]["cpu_us_per_delivery_without_open"]; ok {
		t.Error("a running server was measured twice, the second time with what the first had left")
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	if err := quick(Fanout).withServer("/no/such/roomd").Run(t.Context(), &strings.Builder{}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "/no/such/roomd") {
		t.Errorf("a server that is not there: %v", err)
	}
	c := quick(Fanout).withServer(built(t, roomdName).path)
	c.ServerFlag = []string{"--queue=none"}
	if err := c.Run(t.Context(), &strings.Builder{}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "--queue") {
		t.Errorf("a server with a wrong flag: %v", err)
	}
}

func (c *Command) withServer(path string) *Command {
	c.Server = path
	return c
}

func TestWithoutSourceTree(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tc := range []struct {
		c    *Command
		want string
	}{{quick(Fanout), "--server"}, {&Command{Mode: Fanout, Server: "x", Against: []string{peerHub}}, "--against"}} {
		if err := tc.c.Run(t.Context(), &strings.Builder{}, &strings.Builder{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("the error is %v, want %s in it", err, tc.want)
		}
	}
}

// The peers are a module of their own, which go vet ./... of ours passes by.
func TestPeersBuild(t *testing.T) {
	cmd := exec.Command("go", "vet", "./...")
	cmd.Dir = filepath.Join(mustRoot(t), "testdata", "peers")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
