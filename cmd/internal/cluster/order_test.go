//go:build unix

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Every member on every node sees the same events in the same order, exactly
// once, from WebSocket, HTTP and a service on NATS alike.
func TestOneOrder(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	c := startNATS(t)
	oneOrder(t, startNodes(t, c, 3), c.connect(c.url("service"), nil))
}

// oneOrder sends from everywhere at once to one member on every node.
func oneOrder(t *testing.T, nodes []*node, service *nats.Conn) {
	t.Helper()
	const room, each = "百 家.樂", 50
	var members []*listener
	for i, x := range nodes {
		members = append(members, join(t, x, fmt.Sprint("member", i), room, nil))
	}
	senders := map[string]func(n int) error{
		"websocket": func(n int) error {
			_, err := members[n%3].Publish(t.Context(), room, "round_result", nil)
			if err == nil {
				return fmt.Errorf("a client may send what only a service may")
			}
			_, err = members[n%3].Publish(t.Context(), room, wire.TypeSendMessage, wire.SendMessage{Message: fmt.Sprint("websocket ", n)})
			return err
		},
		"http": func(n int) error { return post(t.Context(), nodes[n%3], room, fmt.Sprint("http ", n)) },
		"service": func(n int) error {
			body := fmt.Sprintf(`{"type":"round_result","payload":{"message":"service %d"}}`, n)
			ack, err := service.Request(wire.EventSubject(room), []byte(body), time.Minute)
			if err == nil && !strings.Contains(string(ack.Data), `"seq":`) {
				err = fmt.Errorf("the ack is %s", ack.Data)
			}
			return err
		},
	}
	var work sync.WaitGroup
	for name, send := range senders {
		work.Go(func() {
			for n := range each {
				if err := send(n); err != nil {
					t.Errorf("%s %d: %v", name, n, err)
					return
				}
			}
		})
	}
	work.Wait()
	for _, m := range members {
		m.until(t, "every event", time.Minute, func() bool { return len(m.seqs) >= len(senders)*each })
		if !slices.Equal(m.seqs, members[0].seqs) || !slices.Equal(m.bodies, members[0].bodies) || !slices.IsSorted(m.seqs) || m.faults != nil {
			t.Errorf("two members differ: %d and %d; faults %q", m.seqs, members[0].seqs, m.faults)
		}
	}
	all := strings.Join(members[0].bodies, "\n")
	for name := range senders {
		for n := range each {
			want := fmt.Sprintf(`"message":"%s %d"`, name, n)
			if got := strings.Count(all, want); got != 1 {
				t.Errorf("%s came %d times", want, got)
			}
		}
	}
}

// post publishes through the HTTP API.
func post(ctx context.Context, x *node, room, text string) error {
	var answer struct{ Seq uint64 }
	err := x.ask(ctx, http.MethodPost, roomPath(room)+"/events", newMessage(text), &answer)
	if err == nil && answer.Seq == 0 {
		err = fmt.Errorf("the event has no place in the log")
	}
	return err
}

// newMessage is the body of an event as a service sends it.
func newMessage(text string) any {
	return map[string]any{"type": wire.TypeNewMessage, "payload": wire.SendMessage{Message: text, From: "dealer"}}
}
