//go:build unix

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// giveAndTake is a node, an example that gives it events, and one that takes them.
type giveAndTake struct {
	t    *testing.T
	node *node
	take *process
	file string // what it has taken

	give *process
	in   *os.File // its input
	out  *lines   // its acks
}

func startGiveAndTake(t *testing.T, room string) *giveAndTake {
	t.Helper()
	store, port := t.TempDir(), freePort(t)
	x := newNode(t, "n1", "", "--nats-addr", address(port), "--store-dir", store)
	x.start()
	x.ready()
	password, err := os.ReadFile(filepath.Join(store, "nats-password"))
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("nats://roomd:%s@%s", strings.TrimSpace(string(password)), address(port))
	return newGiveAndTake(t, x, url, room)
}

// newGiveAndTake makes the examples, at a NATS that is there, without starting
// them.
func newGiveAndTake(t *testing.T, x *node, url, room string) *giveAndTake {
	t.Helper()
	g := &giveAndTake{t: t, node: x, file: filepath.Join(t.TempDir(), "events.txt")}
	g.take, _ = example(t, "take", "-nats", url, "-room", room, "-to", g.file)
	g.give, g.out = example(t, "give", "-nats", url, "-room", room)
	var err error
	if g.give.in, g.in, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.in.Close(); g.give.in.Close() })
	return g
}

func line(n int) string { return fmt.Sprintf(`{"type":"note","id":"give-%d","payload":%d}`, n, n) }

// say gives the events from up to, without to.
func (g *giveAndTake) say(from, to int) {
	g.t.Helper()
	for n := from; n < to; n++ {
		if _, err := fmt.Fprintln(g.in, line(n)); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *giveAndTake) acked(n int) {
	g.t.Helper()
	eventually(g.t, fmt.Sprint(n, " events are acknowledged"), 60*time.Second, func(context.Context) error {
		if g.give.ended() {
			g.t.Fatalf("give has ended: %v", g.give.err)
		}
		if have := len(g.out.all()); have < n {
			return fmt.Errorf("%d are", have)
		}
		return nil
	})
}

// taken are the lines of the file.
func (g *giveAndTake) taken() []string {
	text, err := os.ReadFile(g.file)
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func (g *giveAndTake) has(n int) {
	g.t.Helper()
	eventually(g.t, fmt.Sprint(n, " events are taken"), 120*time.Second, func(context.Context) error {
		if have := len(g.taken()); have < n {
			return fmt.Errorf("%d are", have)
		}
		return nil
	})
}

// TestGiveAndTake: what one example gives the other takes, each event once and in
// order, while each of them, and the node, is killed.
func TestGiveAndTake(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "百 家.樂"
	g := startGiveAndTake(t, room)
	g.give.start()
	g.take.start()

	g.say(0, 100)
	g.has(10)
	g.take.kill()
	g.acked(100)
	g.take.start() // goes on where it stopped
	g.has(100)

	g.say(100, 200)
	g.acked(110)
	g.node.kill() // with everything that runs in it: NATS too
	g.say(200, 300)
	g.node.start()
	g.node.ready()
	g.acked(300)
	g.has(300)

	// Who is killed does not know what was stored, and gives all of it again.
	g.give.kill()
	before := g.out.all()
	g.give.start()
	g.say(200, 310)
	g.acked(300 + 110)
	again := g.out.all()[300:]
	if !slices.Equal(again[:100], before[200:]) {
		t.Errorf("given again, the events are stored as %q, and were as %q", again[:3], before[200:203])
	}
	g.has(310)

	// All of it comes again: nothing is taken twice.
	g.take.kill()
	g.take.args = append(g.take.args, "-name", "anew")
	g.take.start()
	g.say(310, 311)
	g.has(311)

	want := slices.Concat(before, again[100:], g.out.all()[410:])
	got := g.taken()
	for i, text := range got {
		seq, body, _ := strings.Cut(text, " ")
		if i >= len(want) || body != line(i) || want[i] != fmt.Sprintf("give-%d %s", i, seq) {
			t.Fatalf("taken as number %d is %q", i, text)
		}
	}
	if len(got) != 311 {
		t.Errorf("%d events were taken, want 311", len(got))
	}
	var page wire.History
	if err := g.node.ask(t.Context(), "GET", roomPath(room)+"/events?limit=100", nil, &page); err != nil || len(page.Events) != 100 {
		t.Errorf("the node has %d events on its last page, %v", len(page.Events), err)
	}
	g.take.kill()
	g.give.kill()
}

// TestAServiceGivesAndTakes: with the users of testdata/cluster, where a service
// may not make the consumer that it takes from.
func TestAServiceGivesAndTakes(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "百 家.樂"
	c := startNATS(t)
	g := newGiveAndTake(t, startNodes(t, c, 1)[0], c.url("service"), room)
	g.take.args = append(g.take.args, "-js", "rooms.js")
	complaints := make(chan string, 100)
	g.take.said = func(line string) {
		select {
		case complaints <- line:
		default: // enough for the test
		}
	}
	complains := func(parts ...string) {
		t.Helper()
		for end := time.After(60 * time.Second); ; {
			select {
			case line := <-complaints:
				if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
					return
				}
			case <-end:
				t.Fatalf("take does not say %q", parts)
			}
		}
	}
	g.give.start()
	g.say(0, 10)
	g.acked(10)
	g.take.start()
	complains("make the consumer take", "-create")
	maker, _ := example(t, "take", "-nats", c.url("node"), "-room", room, "-create")
	for range 2 { // the second time there is nothing to do
		maker.start()
		if err := maker.wait(60 * time.Second); err != nil {
			t.Fatalf("take -create: %v", err)
		}
	}
	g.has(10) // it has been trying

	said := 10
	for _, s := range c.servers { // the consumer's leader is one of them only
		g.take.kill()
		g.take.args[1] = c.urlAt("service", s.port)
		g.take.start()
		g.say(said, said+50)
		said += 50
		g.acked(said)
		g.has(said)
	}
	g.take.kill()
	g.take.args[1] = c.url("service")
	g.take.start()
	c.servers[0].kill()
	g.say(said, said+50)
	said += 50
	g.acked(said)
	g.has(said)
	for i, text := range g.taken() {
		seq, body, _ := strings.Cut(text, " ")
		if body != line(i) || g.out.all()[i] != fmt.Sprintf("give-%d %s", i, seq) {
			t.Fatalf("taken as number %d is %q", i, text)
		}
	}

	g.take.kill()
	g.take.args[3] = "another"
	g.take.start()
	complains("should be of room.another.event", "another -name")
	g.take.kill()
	g.give.kill()
}
