package rooms_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestInject is `nats pub room.x.event '…'`.
func TestInject(t *testing.T) {
	eng, srv := start(t, nil)
	nc := outsider(t, srv)
	m := join(t, eng, "x", "m", rooms.Since{})
	inject(t, nc, "room.x.event", `{"type":"round_result","payload":{"winner":"banker"},"room":"y","seq":9,"id":"z"}`)
	ev := m.awaitEvents(t, 1, "round_result")[0]
	if ev.Seq == 0 || ev.Seq == 9 || ev.Room != "x" || ev.ID != "" || string(ev.Payload) != `{"winner":"banker"}` {
		t.Errorf("%+v", ev)
	}
	page, err := eng.History(within(t), "x", 0, 10)
	if err != nil || len(page.Events) != 1 || !strings.Contains(string(page.Events[0]), `"seq":`+strconv.FormatUint(ev.Seq, 10)) {
		t.Errorf("history: %s, %v", page.Events, err)
	}
}

// TestInjectedMessageIsCompleted: what an injected message leaves out comes
// from the log; what it says stays.
func TestInjectedMessageIsCompleted(t *testing.T) {
	eng, srv := start(t, nil)
	nc := outsider(t, srv)
	m := join(t, eng, "x", "m", rooms.Since{})
	begin := time.Now().Add(-time.Second)
	for i, tc := range []struct {
		payload string
		logTime bool
		text    string
	}{
		{`{"message":"hi","from":"dealer"}`, true, "hi"},
		{`{"message":"hi <&> \"sent\":\"x\",\"time\":,\"room_id\":\"","from":"a"}`, true, `hi <&> "sent":"x","time":,"room_id":"`},
		{`{"x":{"sent":"no","time":1,"room_id":"no"},"message":"nested"}`, true, "nested"},
		{`{"message":"dated","sent":"2023-12-04T01:35:59.83419+08:00","time":1701624959834,"room_id":"x"}`, false, "dated"},
		{` {"message":"dated","sent":"2023-12-04T01:35:59.83419+08:00"}`, false, "dated"},
	} {
		inject(t, nc, "room.x.event", `{"type":"new_message","payload":`+tc.payload+`}`)
		got := decode[wire.Message](t, m.awaitEvents(t, i+1, wire.TypeNewMessage)[i].Payload)
		sent, err := time.Parse(time.RFC3339Nano, got.Sent)
		if err != nil || got.Message != tc.text || got.RoomID != "x" || got.Time == 0 {
			t.Errorf("%s became %+v, %v", tc.payload, got, err)
		}
		if sent.After(begin) != tc.logTime {
			t.Errorf("%s was sent %s", tc.payload, got.Sent)
		}
		if tc.logTime && sent.UnixMilli() != got.Time {
			t.Errorf("%s: sent %s is not the time %d", tc.payload, got.Sent, got.Time)
		}
	}
}

// TestRejected has two nodes, of which one reports each event, whether or not
// one of them hears all rooms, and whether or not somebody has the room open.
func TestRejected(t *testing.T) {
	for name, hearAll := range map[string]bool{"by turns": false, "by the node that hears all": true} {
		t.Run(name, func(t *testing.T) { testRejected(t, hearAll) })
	}
}

func testRejected(t *testing.T, hearAll bool) {
	srv := startServer(t)
	one := startNode(t, srv, "one", func(c *rooms.Config) { immortal(c); c.HearAll = hearAll }) // or on a busy machine both report
	two := startNode(t, srv, "two", immortal)
	awaitInspection(t, two, !hearAll)
	a, b := join(t, one, "x", "a", rooms.Since{}), join(t, two, "x", "b", rooms.Since{})
	nc := outsider(t, srv)
	rejected := make(chan *nats.Msg, 100)
	if _, err := nc.ChanSubscribe("room.*.rejected", rejected); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, room, body, reason string }{
		{"not JSON", "x", `hello`, "bad_json"},
		{"nothing", "x", ``, "bad_json"},
		{"array", "x", `[{"type":"note"}]`, "bad_json"},
		{"two events", "x", `{"type":"note"}{"type":"note"}`, "bad_json"},
		{"bad UTF-8", "x", "{\"type\":\"note\",\"payload\":\"\xff\"}", "bad_json"},
		{"no type", "x", `{"payload":1}`, "bad_type"},
		{"bad type", "x", `{"type":"No Such Type"}`, "bad_type"},
		{"reserved type", "x", `{"type":"room_joined","payload":{"room_id":"x"}}`, "bad_type"},
		{"a signal", "x", `{"type":"signal"}`, "bad_type"},
		{"message without an object", "x", `{"type":"new_message","payload":"hi"}`, "bad_payload"},
		{"private message without a payload", "x", `{"type":"private_message"}`, "bad_payload"},
		{"not JSON, where nobody is", "empty", `hello`, "bad_json"},
		{"another spelling of a room", "=78", `{"type":"note"}`, "bad_room"},
		{"lower case hex", "a=2eb", `{"type":"note"}`, "bad_room"},
	}
	for _, tc := range cases {
		inject(t, nc, "room."+tc.room+".event", tc.body)
		select {
		case msg := <-rejected:
			reason := msg.Header.Get(rooms.HeaderReason)
			if msg.Subject != "room."+tc.room+".rejected" || string(msg.Data) != tc.body || !strings.HasPrefix(reason, tc.reason) {
				t.Errorf("%s: %s with %q because %q", tc.name, msg.Subject, msg.Data, reason)
			}
			if seq, err := strconv.ParseUint(msg.Header.Get(rooms.HeaderSeq), 10, 64); err != nil || seq == 0 {
				t.Errorf("%s: sequence %q", tc.name, msg.Header.Get(rooms.HeaderSeq))
			}
		case <-time.After(patience):
			t.Fatalf("%s was not rejected", tc.name)
		}
	}
	end := publish(t, one, "x", 0, 1)
	for _, m := range []*member{a, b} {
		m.awaitSeq(t, end[0])
		wantSeqs(t, m, end)
	}
	if n := one.Stats().Rejected.Load() + two.Stats().Rejected.Load(); n != int64(len(cases)) || len(rejected) != 0 {
		t.Errorf("%d rejected, %d reported twice", n, len(rejected))
	}
}

// awaitInspection waits until a node takes turns in looking for what is not
// valid, or does not.
func awaitInspection(t *testing.T, eng *rooms.Engine, want bool) {
	t.Helper()
	eventually(t, fmt.Sprint("that a node takes turns is ", want), func() bool {
		takes, err := eng.InspectsByTurns()
		return err == nil && takes == want
	})
}

// TestInspectionIsTakenOver: when the node that hears all rooms is gone, the
// others look for what is not valid, and when it is back they do not.
func TestInspectionIsTakenOver(t *testing.T) {
	srv := startServer(t)
	one := startNode(t, srv, "one", func(c *rooms.Config) { c.HearAll = true })
	two := startNode(t, srv, "two", nil)
	awaitInspection(t, two, false)
	one.Kill()
	awaitInspection(t, two, true)
	nc := outsider(t, srv)
	rejected := make(chan *nats.Msg, 1)
	if _, err := nc.ChanSubscribe("room.*.rejected", rejected); err != nil {
		t.Fatal(err)
	}
	inject(t, nc, "room.x.event", `hello`)
	select {
	case <-rejected:
	case <-time.After(patience):
		t.Error("an event that is not valid was not rejected")
	}
	startNode(t, srv, "one", func(c *rooms.Config) { c.HearAll = true })
	awaitInspection(t, two, false)
}

// TestSignals: to the others, not logged, and only what is one.
func TestSignals(t *testing.T) {
	srv := startServer(t)
	one, two := startEngine(t, srv, nil), startEngine(t, srv, nil)
	a, b, c := join(t, one, "x", "a", rooms.Since{}), join(t, one, "x", "b", rooms.Since{}), join(t, two, "x", "c", rooms.Since{})
	nc := outsider(t, srv)
	if err := one.Signal("x", wire.Event{Type: wire.TypeSignal, Payload: []byte(`"typing"`)}, rooms.SignalOptions{Except: "a"}); err != nil {
		t.Fatal(err)
	}
	inject(t, nc, "room.x.signal", `not an event`)
	inject(t, nc, "room.x.signal", `{"type":"room_left","payload":{"room_id":"x"}}`)
	inject(t, nc, "room.x.signal", `{"type":"countdown","payload":3,"seq":7}`)
	for _, m := range []*member{a, b, c} {
		ev := m.awaitEvents(t, 1, "countdown")[0]
		if string(ev.Payload) != "3" || ev.Seq != 0 || ev.Room != "x" {
			t.Errorf("%s got %+v", m.id, ev)
		}
	}
	// The first came by another connection, so it may be the last to arrive.
	b.awaitEvents(t, 1, wire.TypeSignal)
	c.awaitEvents(t, 1, wire.TypeSignal)
	if got := pages(t, one, "x", 0, 10); len(got) != 0 {
		t.Errorf("signals were logged: %v", got)
	}
	a.awaitSeq(t, publish(t, one, "x", 0, 1)[0]) // after what its room gave to b
	for m, want := range map[*member]int{a: 0, b: 1, c: 1} {
		if got := m.events(wire.TypeSignal); len(got) != want || want > 0 && string(got[0].Payload) != `{"data":"typing","service":true}` {
			t.Errorf("%s got the signals %v", m.id, got)
		}
		if got := m.events(wire.TypeRoomLeft); len(got) != 0 {
			t.Errorf("%s was told %v", m.id, got)
		}
	}
	if n := one.Stats().Rejected.Load(); n != 2 {
		t.Errorf("%d dropped", n)
	}
}
