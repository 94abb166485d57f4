//go:build unix

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// logConfig is what the stream of the rooms is set to.
func logConfig(t *testing.T, nc *nats.Conn) jetstream.StreamConfig {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "ROOMS")
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().Config
}

// natsPassword is what the embedded NATS in this directory asks for.
func natsPassword(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "nats-password"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// One roomd has the NATS, others use it: they are one server. It is restarted,
// and they go on.
func TestAnEmbeddedServerAndOthers(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "embedded"
	port := freePort(t)
	url := "nats://" + address(port)
	dir := t.TempDir()
	first := newNode(t, "n1", "", "--nats-addr", address(port), "--store-dir", dir)
	first.start()
	first.ready()
	url = strings.Replace(url, "://", "://roomd:"+natsPassword(t, dir)+"@", 1) // nodes have a JWT key
	nodes := []*node{first, newNode(t, "n2", url), newNode(t, "n3", url)}
	for _, x := range nodes[1:] {
		x.start()
	}
	for _, x := range nodes[1:] {
		x.ready()
	}
	c := &natsCluster{t: t}
	service := c.connect(url, nil)
	if got := logConfig(t, service); got.Replicas != 1 {
		t.Errorf("one server keeps %d replicas", got.Replicas)
	}
	oneOrder(t, nodes, service)

	at := time.Now()
	watchers := []*roster{watch(t, nodes[1], "w2", room), watch(t, nodes[2], "w3", room)}
	all := &crew{t: t, room: room, nodes: nodes, watchers: watchers}
	all.right("two have joined", at, rightWithin, "w2", "w3")
	at = time.Now()
	guest := join(t, first, "guest", room, nil)
	all.right("a join at the node with the server", at, rightWithin, "w2", "w3", "guest")
	at = time.Now()
	guest.Close()
	all.right("a leave there", at, rightWithin, "w2", "w3")

	if err := post(t.Context(), first, room, "before"); err != nil {
		t.Fatal(err)
	}
	first.signal(syscall.SIGTERM)
	if err := first.wait(time.Minute); err != nil {
		t.Errorf("n1 ended with %v", err)
	}
	at = time.Now()
	first.start()
	for _, x := range nodes {
		x.ready()
	}
	if err := post(t.Context(), nodes[1], room, "after"); err != nil {
		t.Fatal(err)
	}
	for _, w := range watchers {
		w.until(t, "both events", reachWithin, func() bool { return len(w.seqs) == 2 })
		if w.faults != nil {
			t.Errorf("faults: %q", w.faults)
		}
	}
	all.right("the server was restarted", at, goneWithin, "w2", "w3")
}

// A log that exists is brought to what the flags say where that loses nothing;
// where it does, roomd says what differs and ends.
func TestALogThatExists(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room, events = "old", 5
	c := startNATS(t)
	nc := c.connect(c.url("node"), nil)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// As an older roomd on one server could have left it.
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ROOMS", Subjects: []string{wire.SpaceRooms.AllEvents()}, Replicas: 1,
		MaxMsgsPerSubject: 10, MaxAge: time.Hour, MaxBytes: 1 << 20, DenyDelete: true, DenyPurge: true}); err != nil {
		t.Fatal(err)
	}
	// Another server than the stream's hears of the stream later than its creator.
	patient := []jetstream.PublishOpt{jetstream.WithRetryAttempts(100), jetstream.WithRetryWait(50 * time.Millisecond)}
	for n := range events {
		if _, err := js.Publish(t.Context(), wire.EventSubject(room), fmt.Appendf(nil, `{"type":"new_message","payload":{"message":"old %d"}}`, n), patient...); err != nil {
			t.Fatal(err)
		}
	}
	nodes := startNodes(t, c, 2, "--history", "100", "--history-age", "2h", "--history-bytes", "8MiB")
	got := logConfig(t, nc)
	if got.Replicas != 3 || got.MaxMsgsPerSubject != 100 || got.MaxAge != 2*time.Hour || got.MaxBytes != 8<<20 || !got.AllowDirect || got.RePublish == nil {
		t.Errorf("the log was brought to %+v", got)
	}
	m := join(t, nodes[0], "reader", room, nil)
	if err := post(t.Context(), nodes[1], room, "new"); err != nil {
		t.Fatal(err)
	}
	m.until(t, "the new event", reachWithin, func() bool { return len(m.seqs) == 1 })
	for _, x := range nodes {
		var page wire.History
		if err := x.ask(t.Context(), http.MethodGet, roomPath(room)+"/events", nil, &page); err != nil || len(page.Events) != events+1 {
			t.Errorf("%s has %d events, %v; want %d", x.name, len(page.Events), err, events+1)
		}
	}

	same := []string{"--history", "100", "--history-age", "2h", "--history-bytes", "8MiB"}
	for _, tt := range []struct{ flag, value, have, want string }{
		{"--history", "50", "100", "50"},
		{"--history-age", "1h", "2h0m0s", "1h0m0s"},
		{"--history-bytes", "4MiB", "", ""},
		{"--replicas", "1", "3", "1"},
		{"--store", "memory", "", ""},
	} {
		t.Run(tt.flag, func(t *testing.T) {
			text := mustRefuse(t, newNode(t, "n9", c.url("node"), slices.Concat(same, []string{tt.flag, tt.value})...))
			line := tt.flag + " (ROOMD_" + strings.ToUpper(strings.ReplaceAll(tt.flag[2:], "-", "_")) + "): the log has " + tt.have
			if !strings.Contains(text, line) || !strings.Contains(text, "wanted is "+tt.want) || strings.Count(text, "the log has ") != 1 {
				t.Errorf("it does not say %q, or says more:\n%s", line, text)
			}
			t.Logf("%s", text)
		})
	}
	if after := logConfig(t, nc); after.MaxMsgsPerSubject != 100 || after.MaxAge != 2*time.Hour || after.MaxBytes != 8<<20 || after.Replicas != 3 {
		t.Errorf("who was refused has changed the log to %+v", after)
	}
}

// mustRefuse runs a node that must exit with 1, and returns what it said.
func mustRefuse(t *testing.T, x *node) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, x.path, x.args...)
	var said bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = x.env, t.TempDir(), &said, &said
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("it ended with %v, want exit code 1:\n%s", err, &said)
	}
	return said.String()
}

// Nodes that are started before their servers can agree on anything wait for
// them; one server less later does not keep one from starting.
func TestNodesBeforeAQuorum(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	c := newNATS(t)
	c.servers[0].start()
	c.servers[0].listens()
	nodes := []*node{newNode(t, "n1", c.url("node")), newNode(t, "n2", c.url("node"))}
	waits := make(chan string, len(nodes))
	for _, x := range nodes {
		x.said = func(line string) {
			if strings.Contains(line, "waiting for it") {
				waits <- line
			}
		}
		x.start()
	}
	for range nodes {
		select {
		case line := <-waits:
			t.Log(line)
		case <-time.After(goneWithin):
			t.Fatal("a node does not say that it waits")
		}
	}
	for _, x := range nodes {
		if x.ended() {
			t.Fatalf("%s has ended: %v", x.name, x.err)
		}
		if _, err := get(t.Context(), "http://"+address(x.port)+"/readyz"); err == nil {
			t.Errorf("%s is ready without a log", x.name)
		}
	}
	at := time.Now()
	for _, s := range c.servers[1:] {
		s.start()
	}
	for _, x := range nodes {
		x.ready()
	}
	t.Logf("the nodes are ready %.2fs after the other servers were started", time.Since(at).Seconds())
	m := join(t, nodes[0], "reader", "early", nil)
	if err := post(t.Context(), nodes[1], "early", "at last"); err != nil {
		t.Fatal(err)
	}
	m.until(t, "the event", reachWithin, func() bool { return len(m.seqs) == 1 })
	operator, _ := c.client("operator", c.servers[0])
	if got := logConfig(t, operator); got.Replicas != 3 {
		t.Errorf("a cluster of three keeps %d replicas, and nobody asked for that", got.Replicas)
	}

	c.ready()
	c.servers[2].kill()
	late := newNode(t, "n3", c.url("node"))
	late.start()
	late.ready()
	if err := post(t.Context(), late, "early", "with two of three"); err != nil {
		t.Fatal(err)
	}
	m.until(t, "the event with two of three servers", reachWithin, func() bool { return len(m.seqs) == 2 })
}
