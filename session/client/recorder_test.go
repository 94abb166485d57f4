package client

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// recorder keeps what the callbacks were told.
type recorder struct {
	mu       sync.Mutex
	events   []string // "type room seq"
	gaps     []Gap
	statuses []Status
}

func (r *recorder) config(p *peer) Config {
	return Config{
		URL: "ws://peer.invalid/ws", Username: "percy",
		OnEvent: func(ev wire.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, fmt.Sprintf("%s %s %d", ev.Type, ev.Room, ev.Seq))
		},
		OnGap: func(g Gap) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.gaps = append(r.gaps, g)
		},
		OnStatus: func(s Status) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.statuses = append(r.statuses, s)
		},
		Dialer: &websocket.Dialer{NetDialContext: p.dial},
	}
}

// logged are the events with a seq.
func (r *recorder) logged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(s string) bool { return s[len(s)-2:] == " 0" })
}

func (r *recorder) states() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	var states []State
	for _, s := range r.statuses {
		states = append(states, s.State)
	}
	return states
}

func (r *recorder) last() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.statuses[len(r.statuses)-1]
}

func (r *recorder) seenGaps() []Gap {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gaps)
}

// start dials a peer that opens the first connection.
func start(t *testing.T, p *peer, cfg Config) (*Client, *socket) {
	t.Helper()
	opened := make(chan *socket)
	go func() { opened <- p.open() }()
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, <-opened
}

// publish publishes beside the test and gives the outcome.
type outcome struct {
	ack Ack
	err error
}

func publish(ctx context.Context, c *Client, message string) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		ack, err := c.Publish(ctx, "general", wire.TypeSendMessage, wire.SendMessage{Message: message})
		done <- outcome{ack, err}
	}()
	return done
}

// finish ends a client whose peer may still be talking to it.
func finish(t *testing.T, c *Client, s *socket) {
	t.Helper()
	end := s.watch()
	c.Close()
	s.conn.Close()
	<-end
}
