//go:build unix

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// lines keeps the whole lines that a program has written.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := bytes.LastIndexByte(l.text, '\n')
	if end < 0 {
		return nil
	}
	return strings.Split(string(l.text[:end]), "\n")
}

// example is one of the programs of testdata/examples.
func example(t *testing.T, name string, args ...string) (*process, *lines) {
	t.Helper()
	out := &lines{}
	path := program(t, module+"/testdata/examples/"+name)
	return &process{t: t, name: name, path: path, args: args, env: []string{"PATH=" + os.Getenv("PATH")}, out: out}, out
}

// TestTheFollowerIsRight: the example that follows the feed of two nodes has the
// list that the nodes have, whatever happens to them and to what they tell.
func TestTheFollowerIsRight(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "百 家.樂"
	c := startNATS(t)
	nodes := startNodes(t, c, 2, "--feed", "--presence-grace", "0s")
	watcher, _ := c.client("watcher", c.servers[1])
	lost, err := watcher.SubscribeSync(wire.FeedSubject + string(wire.FeedLost))
	if err != nil {
		t.Fatal(err)
	}
	all, err := watcher.SubscribeSync(wire.FeedSubject + "*")
	if err != nil {
		t.Fatal(err)
	}
	link := startProxy(t, address(c.servers[0].port))
	follower, shown := example(t, "follow", "-nats", c.urlAt("watcher", link.port()), "-room", room)
	follower.start()
	right := func(what string, asked *node, want ...string) {
		t.Helper()
		slices.Sort(want)
		eventually(t, what, 60*time.Second, func(ctx context.Context) error {
			if have, err := asked.present(ctx, room); err != nil || !slices.Equal(have, want) {
				return fmt.Errorf("%s lists %q, %w", asked.name, have, err)
			}
			told := shown.all()
			if text, _ := json.Marshal(want); len(told) == 0 || told[len(told)-1] != string(text) {
				return fmt.Errorf("the follower shows %q", told[max(0, len(told)-1):])
			}
			return nil
		})
	}

	anna, ben := join(t, nodes[0], "anna", room, nil), join(t, nodes[1], "ben", room, nil)
	join(t, nodes[1], "anna", room, nil) // a second time, elsewhere
	right("two are in", nodes[0], "anna", "ben")
	anna.Close()
	join(t, nodes[0], "carl", room, nil)
	right("one came, one session went", nodes[0], "anna", "ben", "carl")

	// Nothing follows in the room: what tells of the gap is that the node lives.
	var dropped atomic.Int64
	link.mu.Lock()
	link.drop = func(f frame) bool {
		gone := f.subject == wire.FeedSubject+"joined" || f.subject == wire.FeedSubject+"left"
		if gone {
			dropped.Add(1)
		}
		return gone
	}
	link.mu.Unlock()
	ben.Close()
	dora := join(t, nodes[1], "dora", room, nil)
	right("events were lost", nodes[0], "anna", "carl", "dora")
	if dropped.Load() < 2 {
		t.Errorf("only %d events were lost: the test shows nothing", dropped.Load())
	}
	link.mu.Lock()
	link.drop = nil
	link.mu.Unlock()

	// NATS is away for the follower, and people come and go.
	link.hangUp(true)
	dora.Close()
	join(t, nodes[0], "emil", room, nil)
	links{link}.heal()
	right("NATS was away", nodes[1], "anna", "carl", "emil")

	// A node dies: the other says so, and nobody is there through it.
	nodes[1].kill()
	right("a node was killed", nodes[0], "carl", "emil")
	msg, err := lost.NextMsg(60 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var ev wire.FeedEvent
	if err := json.Unmarshal(msg.Data, &ev); err != nil || ev.Node != nodes[1].name || ev.Boot == "" || ev.N != 0 {
		t.Errorf("of the node that was killed is told %s, %v", msg.Data, err)
	}
	nodes[1].start()
	nodes[1].ready()
	right("it is back with its clients", nodes[1], "anna", "carl", "emil")

	last := make(map[string]uint64)
	for n, _, _ := all.Pending(); n > 0; n-- {
		msg, err := all.NextMsg(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var ev wire.FeedEvent
		if err := json.Unmarshal(msg.Data, &ev); err != nil {
			t.Fatalf("%s: %v", msg.Data, err)
		}
		if strings.HasPrefix(ev.Room, "@") {
			t.Errorf("the feed tells of an inbox: %s", msg.Data)
		}
		if from := ev.Node + ev.Boot; ev.N != 0 {
			if last[from] != 0 && ev.N != last[from]+1 {
				t.Errorf("after %d comes %s", last[from], msg.Data)
			}
			last[from] = ev.N
		}
	}
	if len(last) != 3 {
		t.Errorf("%d processes told something, want 3", len(last))
	}
	follower.kill()
}
