//go:build unix

package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// cable is the latest connection of a client, which can be broken without a
// word.
type cable struct {
	mu   sync.Mutex
	conn *net.TCPConn
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn.(*net.TCPConn)
	return conn, nil
}

func (c *cable) cut(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
}

// A node dies and connections break at another: exactly those who do not come
// back are gone, in time, and nobody sees the others leaving.
func TestPresenceAfterLosses(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "losses"
	nodes := startNodes(t, startNATS(t), 3)
	at := time.Now()
	watchers := []*roster{watch(t, nodes[1], "w2", room), watch(t, nodes[2], "w3", room)}
	others := func(x *node, cut *cable) func(*client.Config) {
		return func(cfg *client.Config) {
			cfg.MaxBackoff = time.Second
			if x != nil {
				cfg.Others = []string{x.ws()}
			}
			cfg.Dialer.NetDialContext = cut.dial
		}
	}
	cut := &cable{}
	join(t, nodes[0], "gone1", room, others(nil, &cable{}))
	join(t, nodes[0], "gone2", room, others(nil, &cable{}))
	mover := join(t, nodes[0], "mover", room, others(nodes[1], &cable{}))
	join(t, nodes[0], "twin", room, others(nil, &cable{}))
	join(t, nodes[1], "twin", room, nil)
	broken := join(t, nodes[1], "broken", room, others(nodes[2], cut))
	lost := dialRaw(t, nodes[1], "lost", room)
	c := &crew{t: t, room: room, nodes: nodes, watchers: watchers}
	stay := []string{"w2", "w3", "mover", "twin", "broken"}
	c.right("everybody has joined", at, reachWithin, append(stay[:5:5], "gone1", "gone2", "lost")...)

	at = time.Now()
	nodes[0].kill()
	cut.cut(t)
	lost.cut(t)
	c.nodes = nodes[1:]
	eventually(t, "both have come back elsewhere", time.Minute, func(context.Context) error {
		if a, b := mover.Welcome().Node, broken.Welcome().Node; a != "n2" || b != "n3" {
			return fmt.Errorf("they are on %s and %s", a, b)
		}
		return nil
	})
	t.Logf("both have come back on other nodes after %.2fs", time.Since(at).Seconds())
	for _, w := range watchers {
		if err := w.sees(sorted(append(stay[:5:5], "gone1", "gone2", "lost"))); err != nil && time.Since(at) < 5*time.Second {
			t.Errorf("within the grace period: %v", err)
		}
	}
	c.right("a node has died, and one connection of another", at, goneWithin, stay...)
	for _, w := range watchers {
		if got, want := w.sawLeaving(), []string{"gone1", "gone2", "lost"}; !slices.Equal(got, want) {
			t.Errorf("%s saw leaving %q, want %q", w.Welcome().UID, got, want)
		}
	}

	// The node comes back under its name, and its clients with it.
	nodes[0].start()
	nodes[0].ready()
	c.nodes = nodes
	c.right("the node is back", time.Now(), reachWithin, append(stay[:5:5], "gone1", "gone2")...)
	for _, w := range watchers {
		if got, want := w.sawLeaving(), []string{"gone1", "gone2", "lost"}; !slices.Equal(got, want) {
			t.Errorf("after the node came back %s saw leaving %q, want %q", w.Welcome().UID, got, want)
		}
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// dialRaw joins with a client that does not come back.
func dialRaw(t *testing.T, x *node, uid, room string) *cable {
	t.Helper()
	c := &cable{}
	text, err := token(uid)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ws, res, err := (&websocket.Dialer{NetDialContext: c.dial}).DialContext(t.Context(), x.ws()+"?room="+room, http.Header{"Authorization": {"Bearer " + text}})
	if err != nil {
		t.Fatalf("%v: %v", res, err)
	}
	t.Cleanup(func() { ws.Close() })
	return c
}
