//go:build unix

package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// listener is one member whose every event the test sees.
type listener struct {
	*client.Client
	more chan struct{} // something was heard; holds one

	mu     sync.Mutex
	seqs   []uint64
	bodies []string // their payloads
	faults []string // repeats and gaps
	losses []string // why connections ended
}

// join lets a user into a room through a node. change may be nil.
func join(t *testing.T, x *node, uid, room string, change func(*client.Config)) *listener {
	t.Helper()
	m := &listener{more: make(chan struct{}, 1)}
	cfg := client.Config{URL: x.ws(), Room: room, Token: token(uid), Dialer: &websocket.Dialer{}}
	cfg.OnEvent = func(ev wire.Event) {
		if ev.Room == room && ev.Seq > 0 && wire.Logged(ev.Type) {
			m.note(func() { m.seqs, m.bodies = append(m.seqs, ev.Seq), append(m.bodies, string(ev.Payload)) })
		}
	}
	cfg.OnRepeat = func(ev wire.Event) { m.note(func() { m.faults = append(m.faults, fmt.Sprint("repeat of ", ev.Seq)) }) }
	cfg.OnGap = func(g client.Gap) {
		m.note(func() { m.faults = append(m.faults, fmt.Sprint("gap after ", g.From.Seq)) })
	}
	cfg.OnStatus = func(s client.Status) {
		if s.Err != nil {
			m.note(func() { m.losses = append(m.losses, s.Err.Error()) })
		}
	}
	if change != nil {
		change(&cfg)
	}
	c, err := client.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.Client = c
	t.Cleanup(c.Close)
	eventually(t, uid+" is in "+room, time.Minute, func(context.Context) error {
		if _, ok := c.Position(room); !ok {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	return m
}

func (m *listener) note(what func()) {
	m.mu.Lock()
	what()
	m.mu.Unlock()
	select {
	case m.more <- struct{}{}:
	default:
	}
}

// until waits for a condition on what was heard.
func (m *listener) until(t *testing.T, what string, patience time.Duration, ok func() bool) time.Duration {
	t.Helper()
	start, over := time.Now(), time.After(patience)
	for {
		m.mu.Lock()
		done := ok()
		m.mu.Unlock()
		if done {
			return time.Since(start)
		}
		select {
		case <-m.more:
		case <-over:
			m.mu.Lock()
			defer m.mu.Unlock()
			t.Fatalf("%s: not within %v; heard %d, the last %d; faults %q, losses %q", what, patience, len(m.seqs), m.seqs[max(0, len(m.seqs)-1):], m.faults, m.losses)
		}
	}
}

// A live copy is lost on its way to a node, in a room where nothing else
// happens; and one that another follows.
func TestALostCopyInAQuietRoomIsFound(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	c := startNATS(t)
	nodes := startNodes(t, c, 2)
	for i, room := range []string{"quiet", "百 家.樂"} {
		near := join(t, nodes[0], fmt.Sprint("near", i), room, nil)
		far := join(t, nodes[1], fmt.Sprint("far", i), room, nil)
		send := func(text string) uint64 {
			ack, err := far.Publish(t.Context(), wire.Room(room), wire.TypeSendMessage, wire.SendMessage{Message: text})
			if err != nil {
				t.Fatal(err)
			}
			return ack.Seq
		}
		want := []uint64{send("first")}
		for _, m := range []*listener{near, far} {
			m.until(t, "the first event", time.Minute, func() bool { return slices.Equal(m.seqs, want) })
		}
		// A room that was just opened is looked at again; this one is quiet.
		last(t, 5*time.Second)
		dropped := nodes[0].links.dropNth(wire.LogSubject(wire.Room(room)), 1)
		want = append(want, send("lost"))
		far.until(t, "the event at the other node", time.Minute, func() bool { return slices.Equal(far.seqs, want) })
		took := near.until(t, "the lost event", time.Minute, func() bool { return len(near.seqs) > 1 })
		if dropped.Load() == 0 {
			t.Fatal("no copy was dropped on the way to the node")
		}
		t.Logf("a lost copy in a quiet room: the members have it after %.2fs", took.Seconds())

		// Another one is lost, and the next event shows the hole.
		dropped = nodes[0].links.dropNth(wire.LogSubject(wire.Room(room)), 1)
		want = append(want, send("lost too"), send("and on"))
		near.until(t, "the next event", time.Minute, func() bool { return slices.Contains(near.seqs, want[3]) })
		if dropped.Load() == 0 {
			t.Fatal("no copy was dropped on the way to the node")
		}
		if !slices.Equal(near.seqs, want) || near.faults != nil || near.losses != nil {
			t.Errorf("heard %d, want %d; faults %q, losses %q", near.seqs, want, near.faults, near.losses)
		}
	}
}

// tap is a connection that its reader can turn off.
type tap struct {
	net.Conn
	open func() <-chan struct{} // closed while data may be read
}

func (c *tap) Read(p []byte) (int, error) {
	<-c.open()
	return c.Conn.Read(p)
}

// A client stops reading in a busy room: the node lets go of it, nobody else
// notices, and when it reads again it resumes without a loss.
func TestATooSlowClient(t *testing.T) {
	faults(t, 0, 0)
	const room, talkers, size = "slow", 1, 14 << 10 // more would say more than a resume replays
	s := startScene(t)
	var mu sync.Mutex
	open := make(chan struct{})
	close(open)
	current := func() <-chan struct{} { mu.Lock(); defer mu.Unlock(); return open }
	slow := join(t, s.nodes[0], "slow", room, func(cfg *client.Config) {
		cfg.Dialer.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			const window = 128 << 10 // so that not too much fits on the way
			return &tap{conn, current}, conn.(*net.TCPConn).SetReadBuffer(window)
		}
	})
	quick := join(t, s.nodes[0], "quick", room, nil)

	shut := make(chan struct{})
	mu.Lock()
	open = shut
	mu.Unlock()
	at := time.Now()
	var work sync.WaitGroup
	var newest atomic.Uint64 // that was acknowledged
	stop, halt := context.WithCancel(t.Context())
	defer work.Wait()
	defer halt()
	for i := range talkers {
		m := join(t, s.nodes[1], fmt.Sprint("talker", i), room, nil)
		work.Go(func() {
			body := wire.SendMessage{Message: strings.Repeat("x", size)}
			for stop.Err() == nil {
				ack, err := m.Publish(t.Context(), room, wire.TypeSendMessage, body)
				if err != nil {
					t.Errorf("a talker: %v", err)
					return
				}
				for old := newest.Load(); ack.Seq > old && !newest.CompareAndSwap(old, ack.Seq); {
					old = newest.Load()
				}
			}
		})
	}
	eventually(t, "the node lets go of the slow client", 60*time.Second, func(ctx context.Context) error {
		return s.nodes[0].counted(ctx, `roomd_session_closed_total{code="4001"`)
	})
	byTime := s.nodes[0].counted(t.Context(), "roomd_session_write_errors_total") == nil
	t.Logf("the node let go of the slow client after %.2fs, because a write took too long: %v (else its queue was full)", time.Since(at).Seconds(), byTime)
	halt()
	work.Wait()
	close(shut)
	for who, m := range map[string]*listener{"quick": quick, "slow": slow} {
		m.until(t, "the "+who+" client hears everything", time.Minute, func() bool {
			return len(m.seqs) > 0 && m.seqs[len(m.seqs)-1] == newest.Load()
		})
	}
	if !slices.Equal(slow.seqs, quick.seqs) || slow.faults != nil || quick.faults != nil || quick.losses != nil {
		t.Errorf("heard %d and %d events; faults %q and %q, losses of the quick one %q", len(slow.seqs), len(quick.seqs), slow.faults, quick.faults, quick.losses)
	}
	if len(slow.losses) == 0 {
		t.Error("the slow client was not let go of")
	}
	t.Logf("%d events; the slow client was told %q", len(quick.seqs), slow.losses)
	d := s.load.clean()
	d.report(t, "a client was too slow", at)
	if d.Reconnects != 0 {
		t.Errorf("%d other clients lost their connection", d.Reconnects)
	}
}
