//go:build unix

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// isAck reports whether a message is the log's word that an event is stored.
func isAck(f frame) bool {
	return f.subject != "" && bytes.Contains(f.bytes, []byte(`"stream":"ROOMS"`)) && bytes.Contains(f.bytes, []byte(`"seq":`)) &&
		!bytes.Contains(f.bytes, []byte(`"type":"io.nats`))
}

// An event is stored, and its ack is lost: on the way to the node, which tries
// again; or with the node, and the client sends it again to another one.
// Either way it is stored once.
func TestALostAckStoresOnce(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	c := startNATS(t)
	nodes := startNodes(t, c, 2)
	for _, tt := range []struct {
		name     string
		lost     func(nth int64) bool
		nodeDies bool
	}{
		{"one ack", func(nth int64) bool { return nth == 1 }, false},
		{"the node and its acks", func(int64) bool { return true }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			room := "acks-" + fmt.Sprint(tt.nodeDies)
			hearer := join(t, nodes[1], "hearer", room, nil)
			sender := join(t, nodes[0], "sender", room, func(cfg *client.Config) { cfg.Others = []string{nodes[1].ws()} })
			var acks atomic.Int64
			nodes[0].links.dropIf(func(f frame) bool { return isAck(f) && tt.lost(acks.Add(1)) })
			type outcome struct {
				ack client.Ack
				err error
			}
			sent := make(chan outcome, 1)
			go func() {
				ack, err := sender.Publish(t.Context(), wire.Room(room), wire.TypeSendMessage, wire.SendMessage{Message: "once"})
				sent <- outcome{ack, err}
			}()
			hearer.until(t, "the event is stored", time.Minute, func() bool { return len(hearer.seqs) > 0 })
			eventually(t, "the ack is lost", time.Minute, func(context.Context) error {
				if acks.Load() == 0 {
					return fmt.Errorf("none was seen")
				}
				return nil
			})
			if tt.nodeDies {
				nodes[0].kill()
			}
			got := <-sent
			if got.err != nil || !got.ack.Duplicate || got.ack.Seq != hearer.seqs[0] {
				t.Errorf("the ack in the end: %+v, %v; stored at %d", got.ack, got.err, hearer.seqs)
			}
			last, err := sender.Publish(t.Context(), wire.Room(room), wire.TypeSendMessage, wire.SendMessage{Message: "last"})
			if err != nil {
				t.Fatal(err)
			}
			for name, m := range map[string]*listener{"hearer": hearer, "sender": sender} {
				want := []uint64{got.ack.Seq, last.Seq}
				m.until(t, name+" hears the last event", time.Minute, func() bool { return slices.Contains(m.seqs, last.Seq) })
				if !slices.Equal(m.seqs, want) || m.faults != nil {
					t.Errorf("the %s heard %d, want %d; faults %q", name, m.seqs, want, m.faults)
				}
			}
		})
	}
}
