package rooms

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// BenchmarkStep is what a step costs the node that writes it, and each that
// delivers it, without the log and the members' frames.
func BenchmarkStep(b *testing.B) {
	s, err := newSecret(make([]byte, SecretBytes), time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", StoreDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = srv.Close() }() // what it has stored is of no use
	e := &Engine{}
	if e.nc, err = srv.Connect("bench"); err != nil { // it says how large a message may be
		b.Fatal(err)
	}
	defer e.nc.Close()
	e.secret.Store(s)
	for name, events := range map[string]int{"of one event": 1, "of a hundred": 100} {
		step := &table.Step{Rules: 1, Node: "jrnmtJY7", Prev: 123_456, Now: 1_800_000_000_000}
		for i := range events {
			step.Done = append(step.Done, table.Done{Key: table.Key(i)})
			step.Events = append(step.Events, table.StoredEvent{Type: table.TypeNewMessage,
				Payload: json.RawMessage(`{"message":"` + strings.Repeat("x", 128) + `","from":"percy","uid":"guest-aaaaaaaaaaaaaaaa","time":1800000000000,"guest":true}`)})
		}
		body, by, err := e.encodeStep("baccarat-1", step)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("write one "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := e.encodeStep("baccarat-1", step); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("read one "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step, err := e.readStep("baccarat-1", follow.Event{Seq: 123_457, Body: body, By: by})
				if err != nil {
					b.Fatal(err)
				}
				if _, ok := storedFor(step.Events, everybody); !ok {
					b.Fatal("it shows nothing")
				}
			}
		})
	}
}
