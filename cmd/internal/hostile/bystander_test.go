//go:build linux

package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// tokens makes a client's JWT; nil makes it a guest.
type tokens func(context.Context) (string, error)

// bystander is honest and in another room: some talk there, one listens, and
// one comes, reads the history and goes, again and again.
type bystander struct {
	url    string
	room   string
	token  tokens
	stay   bool               // nobody comes: the server is full
	stop   context.CancelFunc // of talking
	work   sync.WaitGroup
	talk   []*client.Client
	listen *client.Client

	mu      sync.Mutex
	acks    []time.Duration // from publish to ack
	visits  []time.Duration // a connect, its joins and a page of history
	stored  []uint64        // acknowledged
	heard   map[uint64]int  // by who listens
	trouble []string        // what should not happen to anybody
}

const (
	quietRoom   = "bystanders"
	talkers     = 3
	talkEvery   = 60 * time.Millisecond // below --rate
	visitEvery  = 150 * time.Millisecond
	askPatience = 20 * time.Second // for one request
)

// watch lets the bystanders in; they talk until leave.
func watch(ctx context.Context, url, room string, token tokens, stay bool) (*bystander, error) {
	talking, stop := context.WithCancel(ctx)
	b := &bystander{url: url, room: room, token: token, stay: stay, stop: stop, heard: make(map[uint64]int)}
	var err error
	if b.listen, err = b.dial(ctx, b.hear); err != nil {
		stop()
		return nil, fmt.Errorf("the bystander who listens: %w", err)
	}
	for range talkers {
		c, err := b.dial(ctx, nil)
		if err != nil {
			b.leave()
			return nil, fmt.Errorf("a bystander who talks: %w", err)
		}
		b.talk = append(b.talk, c)
	}
	for _, c := range b.talk {
		b.work.Go(func() { b.talking(talking, c) })
	}
	if !stay {
		b.work.Go(func() { b.coming(talking) })
	}
	return b, nil
}

func (b *bystander) dial(ctx context.Context, hears func(wire.Event)) (*client.Client, error) {
	return client.Dial(ctx, client.Config{URL: b.url, Room: b.room, Token: b.token, Username: "bystander", OnEvent: hears,
		MinBackoff: 50 * time.Millisecond,
		OnGap:      func(g client.Gap) { b.worry("a gap: %+v", g) },
		OnRepeat:   func(ev wire.Event) { b.worry("event %d of %s came twice", ev.Seq, ev.Room) },
		OnStatus: func(s client.Status) {
			if s.State == client.Reconnecting {
				b.worry("a connection was lost: %v", s.Err)
			}
		}})
}

func (b *bystander) worry(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = append(b.trouble, fmt.Sprintf(format, args...))
}

func (b *bystander) hear(ev wire.Event) {
	if ev.Type != wire.TypeNewMessage {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard[ev.Seq]++
}

// talking publishes and measures until ctx ends; what is under way then is
// still waited for.
func (b *bystander) talking(ctx context.Context, c *client.Client) {
	tick := time.NewTicker(talkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
		start := time.Now()
		ack, err := c.Publish(asked, wire.Room(b.room), wire.TypeSendMessage, map[string]string{"message": "hello"})
		took := time.Since(start)
		cancel()
		if err != nil {
			b.worry("a message was not stored: %v", err)
			continue
		}
		b.mu.Lock()
		b.acks = append(b.acks, took)
		b.stored = append(b.stored, ack.Seq)
		b.mu.Unlock()
	}
}

// coming connects, joins, reads the history and leaves until ctx ends.
func (b *bystander) coming(ctx context.Context) {
	tick := time.NewTicker(visitEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		start := time.Now()
		if err := b.visit(context.WithoutCancel(ctx)); err != nil {
			b.worry("a visit failed: %v", err)
			continue
		}
		b.mu.Lock()
		b.visits = append(b.visits, time.Since(start))
		b.mu.Unlock()
	}
}

func (b *bystander) visit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	c, err := b.dial(ctx, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := c.Request(ctx, wire.Event{Type: wire.TypeGetHistory, Room: b.room, Payload: json.RawMessage(`{"limit":20}`)})
	if err == nil && answer.Type != wire.TypeHistory {
		err = fmt.Errorf("get_history was answered %q", answer.Type)
	}
	return err
}

// seen is nil when enough was measured to say something.
func (b *bystander) seen(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.acks) < 10 || len(b.visits) == 0 && !b.stay {
		return fmt.Errorf("the bystanders got %d messages through and came %d times", len(b.acks), len(b.visits))
	}
	return nil
}

// leave ends the bystanders once who listens has heard what was acknowledged.
func (b *bystander) leave() {
	b.stop()
	b.work.Wait()
	_ = within(context.Background(), patience, func(context.Context) error { // lost counts what is missing
		if n := b.lost(); n > 0 {
			return fmt.Errorf("%d events are not heard", n)
		}
		return nil
	})
	for _, c := range append(b.talk, b.listen) {
		c.Close()
	}
}

// lost counts what was acknowledged and not heard exactly once.
func (b *bystander) lost() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, seq := range b.stored {
		if b.heard[seq] != 1 {
			n++
		}
	}
	return n
}

// felt is what the bystanders felt.
type felt struct {
	acks, visits       int // how many were measured
	p50, p99, longest  time.Duration
	visitP50, visitP99 time.Duration
	lost               int
	trouble            []string
}

func (b *bystander) felt() felt {
	lost := b.lost()
	b.mu.Lock()
	defer b.mu.Unlock()
	return felt{len(b.acks), len(b.visits), quantile(b.acks, 0.5), quantile(b.acks, 0.99), quantile(b.acks, 1),
		quantile(b.visits, 0.5), quantile(b.visits, 0.99), lost, slices.Clone(b.trouble)}
}

// quantile is 0 for none.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
