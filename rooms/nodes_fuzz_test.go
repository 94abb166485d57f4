package rooms_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// FuzzNodeMessages: whatever comes on the subjects by which nodes speak with
// each other, and services with them, no room panics and the node goes on; a
// request is answered.
func FuzzNodeMessages(f *testing.F) {
	configured := func(c *rooms.Config) { c.Node, c.IdleAfter, c.HistoryBytes = "a", 24*time.Hour, 8<<20 }
	eng, srv := start(f, configured)
	asked, askedSrv := start(f, configured) // which no invented nodes keep waiting
	subjects := []string{
		"room.x.presence", "roomd.to.a.x", "roomd.node", "room.x.signal", "room.x.log", "roomd.control",
		"rooms.list", "rooms.members", "rooms.history", "rooms.publish", "rooms.kick", "room.x.label",
	}
	const requests = 5 // the subjects from here on are answered
	for _, seed := range []string{
		`{"v":1,"diff":{"n":"b","b":"AAAA","i":1,"v":1,"full":true,"j":[{"u":{"uid":"u","username":"n","avatar_id":""},"s":1}]}}`, `{"v":1,"beat":{"n":"b","i":1,"v":9}}`, `{"ask":"b"}`,
		`{"v":1,"node":"b","boot":"x","started":1,"hello":true,"hear_all":true}`, `{"type":"signal","payload":{}}`, `{"type":"note"}`,
		`{"op":"rooms"}`, `{"v":2,"op":"rooms","lobby":{"node":"b","fresh":true,"known":{"a":{"boot":"AAAA","version":18446744073709551615}}}}`,
		`{"title":"open"}`, `{"op":"remove","room":"x","uid":"u"}`, `{"op":"close","uid":"u","code":4503}`, `{"room":"x","limit":-1,"before":18446744073709551615}`,
		`{"room":"x","event":{"type":"note","payload":1},"id":"\u0000"}`, `{"uid":"u","room":"@u"}`, ``, `null`, `[]`, `{"room":1}`,
	} {
		for j := range subjects {
			f.Add(uint8(j), []byte(seed))
		}
	}
	nc, toAsked := outsider(f, srv), outsider(f, askedSrv)
	if _, err := eng.History(within(f), "x", 0, 1); err != nil { // opens the room
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		at := int(which) % len(subjects)
		signals := eng.Stats().Signals.Load()
		if at >= requests {
			answer, err := toAsked.Request(subjects[at], body, patience)
			if err != nil || len(answer.Data) == 0 && len(answer.Header) == 0 {
				t.Fatalf("%s, %q: %v, %v", subjects[at], body, answer, err)
			}
		} else if err := nc.Publish(subjects[at], body); err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishMsg(&nats.Msg{Subject: wire.SignalSubject("x"), Data: []byte(`{"type":"signal"}`)}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the room goes on", func() bool { return eng.Stats().Signals.Load() > signals })
		if n := eng.Stats().Panics.Load() + asked.Stats().Panics.Load(); n != 0 {
			t.Fatalf("%s, %q: %d rooms panicked", subjects[at], body, n)
		}
	})
}
