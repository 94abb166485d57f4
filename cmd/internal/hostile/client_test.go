//go:build linux

package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// honest is a client of session/client and what came to it.
type honest struct {
	*client.Client
	mu      sync.Mutex
	seqs    map[string][]uint64 // of each room's messages
	refused []string            // why connects and connections failed for good
	gaps    []client.Gap
	repeats int
	errors  []string
	asleep  chan struct{} // not nil: events wait until it is closed
}

// join lets an honest client in.
func (a *attack) join(url, room string, token tokens) *honest {
	a.t.Helper()
	h := &honest{seqs: make(map[string][]uint64)}
	c, err := client.Dial(context.Background(), client.Config{URL: url, Room: room, Token: token, Username: "honest", MinBackoff: 50 * time.Millisecond, MaxBackoff: time.Second,
		OnEvent: h.hear,
		OnGap: func(g client.Gap) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.gaps = append(h.gaps, g)
		},
		OnRepeat: func(wire.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.repeats++
		},
		OnStatus: func(s client.Status) {
			h.mu.Lock()
			defer h.mu.Unlock()
			var refused *client.RefusedError
			var closed *client.ClosedError
			if errors.As(s.Err, &refused) || errors.As(s.Err, &closed) && !closed.Code.Reconnect() {
				h.refused = append(h.refused, s.Err.Error())
			}
		}})
	if err != nil {
		a.t.Fatalf("an honest client: %v", err)
	}
	h.Client = c
	a.t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	if _, err := c.Request(ctx, wire.Event{Type: wire.TypeHeartbeat}); err != nil { // its answer comes after the first rooms
		a.t.Fatalf("an honest client's first rooms: %v", err)
	}
	return h
}

func (h *honest) hear(ev wire.Event) {
	h.mu.Lock()
	asleep := h.asleep
	h.mu.Unlock()
	if asleep != nil {
		<-asleep
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ev.Type == wire.TypeError:
		h.errors = append(h.errors, string(ev.Payload))
	case ev.Seq > 0 && ev.Type != wire.TypeAck:
		h.seqs[ev.Room] = append(h.seqs[ev.Room], ev.Seq)
	}
}

// heard is what came of a room, which must be in order.
func (h *honest) heard(room string) (seqs []uint64, inOrder bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seqs = append(seqs, h.seqs[room]...)
	for i := 1; i < len(seqs); i++ {
		if seqs[i] <= seqs[i-1] {
			return seqs, false
		}
	}
	return seqs, true
}

// felt is wrong when the client was told anything that only attackers should
// be.
func (a *attack) feltNothing(who string, h *honest) {
	a.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	a.holds(len(h.refused) == 0, "%s was refused: %q", who, h.refused)
	a.holds(len(h.errors) == 0, "%s was told %d errors: %.200q", who, len(h.errors), h.errors)
	a.holds(len(h.gaps) == 0 && h.repeats == 0, "%s had gaps %v and %d repeats", who, h.gaps, h.repeats)
}

// hears waits until a client has heard n messages of a room, once and in order.
func (a *attack) hears(who string, h *honest, room string, n int) {
	a.t.Helper()
	err := within(a.t.Context(), 2*patience, a.told(func() bool {
		seqs, _ := h.heard(room)
		return len(seqs) >= n
	}))
	seqs, inOrder := h.heard(room)
	a.holds(err == nil && len(seqs) == n && inOrder, "%s heard %d of %d messages of %s, in order: %t", who, len(seqs), n, room, inOrder)
}

// pages reads a room's whole history as a page does, at the rate of its client,
// and returns how many events that are.
func (a *attack) pages(h *honest, room string) int {
	a.t.Helper()
	return len(a.history(h, room))
}

// history is what pages reads.
func (a *attack) history(h *honest, room string) (events []json.RawMessage) {
	a.t.Helper()
	before := ""
	for {
		ctx, cancel := context.WithTimeout(a.t.Context(), 30*time.Second)
		answer, err := h.Request(ctx, wire.Event{Type: wire.TypeGetHistory, Room: room, Payload: fmt.Appendf(nil, `{"limit":100%s}`, before)})
		cancel()
		var page wire.History
		if err != nil || json.Unmarshal(answer.Payload, &page) != nil {
			a.wrong("a page of history: %v", err)
			return events
		}
		events = append(events, page.Events...)
		if !page.More || len(page.Events) == 0 {
			return events
		}
		var oldest wire.Event
		if err := json.Unmarshal(page.Events[0], &oldest); err != nil {
			a.t.Fatal(err)
		}
		before = fmt.Sprintf(`,"before":%d`, oldest.Seq)
	}
}
