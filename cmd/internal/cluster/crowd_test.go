//go:build unix

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// extra is one of a crowd: it reads, counts and keeps nothing.
type extra struct {
	ws    *websocket.Conn
	count atomic.Int64 // of the latest presence or room_joined
	heard atomic.Int64 // new_message events

	done     chan struct{} // closed when its connection has ended; then its reader's fields may be read
	err      error         // why
	joined   int           // bytes of room_joined
	presence int           // bytes of presence
	batches  int           // presence events
}

// crowd are many members of one room over some nodes.
type crowd struct {
	t      *testing.T
	room   string
	extras []*extra
}

// crowdDialers is how many join at the same time.
const crowdDialers = 64

// gather lets n users in, and returns when the last one's handshake is done.
func gather(t *testing.T, nodes []*node, room string, n int) *crowd {
	t.Helper()
	c := &crowd{t: t, room: room, extras: make([]*extra, n)}
	dialer := &websocket.Dialer{HandshakeTimeout: 30 * time.Second, ReadBufferSize: 1 << 10, WriteBufferSize: 256}
	var next atomic.Int64
	var work sync.WaitGroup
	for range crowdDialers {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				x, err := enter(t.Context(), dialer, nodes[i%len(nodes)], fmt.Sprint("extra", i), room)
				if err != nil {
					t.Errorf("number %d of the crowd: %v", i, err)
					return
				}
				c.extras[i] = x
			}
		})
	}
	work.Wait()
	t.Cleanup(c.dismiss)
	if t.Failed() {
		t.FailNow()
	}
	return c
}

func enter(ctx context.Context, dialer *websocket.Dialer, x *node, uid, room string) (*extra, error) {
	text, err := token(uid)(ctx)
	if err != nil {
		return nil, err
	}
	ws, res, err := dialer.DialContext(ctx, x.ws()+"?room="+room, http.Header{"Authorization": {"Bearer " + text}})
	if err != nil {
		return nil, fmt.Errorf("%v: %w", res, err)
	}
	e := &extra{ws: ws, done: make(chan struct{})}
	go e.read()
	return e, nil
}

func (e *extra) read() {
	defer close(e.done)
	var text bytes.Buffer
	for {
		_, r, err := e.ws.NextReader()
		if err == nil {
			text.Reset()
			_, err = text.ReadFrom(r)
		}
		if err == nil {
			err = e.hear(text.Bytes())
		}
		if err != nil {
			e.err = err
			return
		}
	}
}

func (e *extra) hear(text []byte) error {
	var ev struct {
		Type    string
		Payload struct{ Count int64 }
	}
	if err := json.Unmarshal(text, &ev); err != nil {
		return fmt.Errorf("%.200q: %w", text, err)
	}
	switch ev.Type {
	case wire.TypeRoomJoined:
		e.joined += len(text)
		e.count.Store(ev.Payload.Count)
	case wire.TypePresence:
		e.presence += len(text)
		e.batches++
		e.count.Store(ev.Payload.Count)
	case wire.TypeNewMessage:
		e.heard.Add(1)
	}
	return nil
}

// dismiss ends all connections and their readers.
func (c *crowd) dismiss() {
	for _, e := range c.extras {
		if e != nil {
			e.ws.Close()
			<-e.done
		}
	}
}

// all waits until something holds for every one of them, and nobody may be
// lost meanwhile.
func (c *crowd) all(what string, within time.Duration, ok func(*extra) bool) {
	c.t.Helper()
	eventually(c.t, what, within, func(context.Context) error {
		missing := 0
		for i, e := range c.extras {
			select {
			case <-e.done:
				c.t.Fatalf("number %d of the crowd is lost: %v", i, e.err)
			default:
			}
			if !ok(e) {
				missing++
			}
		}
		if missing > 0 {
			return fmt.Errorf("not for %d of %d", missing, len(c.extras))
		}
		return nil
	})
}

// counted waits until every node and every one of the crowd counts so many.
func (c *crowd) counted(what string, nodes []*node, at time.Time, within time.Duration, want int) {
	c.t.Helper()
	for _, x := range nodes {
		eventually(c.t, fmt.Sprintf("%s: %s counts %d", what, x.name, want), time.Until(at.Add(within)), func(ctx context.Context) error {
			if n, err := x.count(ctx, c.room); err != nil || n != want {
				return fmt.Errorf("it counts %d, %v", n, err)
			}
			return nil
		})
	}
	nodesTook := time.Since(at)
	c.all(fmt.Sprintf("%s: everybody counts %d", what, want), time.Until(at.Add(within)), func(e *extra) bool { return e.count.Load() == int64(want) })
	c.t.Logf("%s: every node counts %d after %.2fs, every member after %.2fs", what, want, nodesTook.Seconds(), time.Since(at).Seconds())
}

// Thousands join one room over two nodes within a few seconds: nobody is lost,
// and what each is told of the others is small.
func TestACrowdJoins(t *testing.T) {
	const (
		size          = 5000
		short         = 2000
		presenceBytes = 100 << 10
		within        = 5 * time.Second // above 200 members
	)
	n := int(faults(t, short, size)) // a number, not a time
	nodes := startNodes(t, startNATS(t), 2)
	at := time.Now()
	c := gather(t, nodes, "crowd", n)
	t.Logf("%d have joined within %.2fs", n, time.Since(at).Seconds())
	c.counted("the crowd is in", nodes, time.Now(), within, n)

	// One more and one less, in a room as large as that.
	at = time.Now()
	guest := join(t, nodes[0], "guest", "crowd", nil)
	c.counted("one more", nodes, at, within, n+1)
	at = time.Now()
	guest.Close()
	c.counted("one less", nodes, at, within, n)

	if err := post(t.Context(), nodes[1], "crowd", "hello"); err != nil {
		t.Fatal(err)
	}
	c.all("everybody hears an event", time.Minute, func(e *extra) bool { return e.heard.Load() == 1 })
	c.dismiss()
	var most, mostJoined, batches, sum int
	for _, e := range c.extras {
		most, mostJoined, batches, sum = max(most, e.presence), max(mostJoined, e.joined), max(batches, e.batches), sum+e.presence
	}
	t.Logf("bytes of presence: at most %d and on average %d per client, in at most %d events; room_joined at most %d", most, sum/n, batches, mostJoined)
	if most >= presenceBytes {
		t.Errorf("a client was sent %d bytes of presence; the limit is %d", most, presenceBytes)
	}
	if mostJoined == 0 || batches == 0 {
		t.Error("nobody was told of anybody")
	}
}
