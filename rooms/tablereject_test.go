package rooms_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestRejectedAtTable: what is injected at a table and is no command, or is refused by
// its rules, is told once, whether a node ran when it came or not, and whichever node
// looks at it later.
func TestRejectedAtTable(t *testing.T) {
	for name, hearAll := range map[string]bool{"by turns": false, "by nodes that hear all": true} {
		t.Run(name, func(t *testing.T) { testRejectedAtTable(t, hearAll) })
	}
}

func testRejectedAtTable(t *testing.T, hearAll bool) {
	const room = "tally-1"
	srv := startServer(t)
	nc := outsider(t, srv)
	rejected, err := nc.SubscribeSync(wire.RejectedSubject(room))
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	node := func(name string) *rooms.Engine {
		return startEngine(t, srv, func(c *rooms.Config) { watchful(name)(c); c.HearAll = hearAll })
	}
	type injection struct{ body, reason string }
	inject := func(list ...injection) (seqs []uint64) {
		for _, tc := range list {
			ack, err := js.Publish(within(t), wire.EventSubject(room), []byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, ack.Sequence)
		}
		return seqs
	}
	wantTold := func(seqs []uint64, list ...injection) {
		t.Helper()
		for i, tc := range list {
			if tc.reason == "" {
				continue
			}
			msg, err := rejected.NextMsgWithContext(within(t))
			if err != nil {
				t.Fatal(err)
			}
			reason, seq := msg.Header.Get(rooms.HeaderReason), msg.Header.Get(rooms.HeaderSeq)
			if string(msg.Data) != tc.body || !strings.HasPrefix(reason, tc.reason) || seq != strconv.FormatUint(seqs[i], 10) {
				t.Errorf("told is %q at %s because %q, want %q at %d because %s", msg.Data, seq, reason, tc.body, seqs[i], tc.reason)
			}
		}
	}
	all := []injection{
		{`hello`, "bad_json"},
		{`{"payload":1}`, "bad_type"},
		{`{"type":"add","payload":1}`, ""},
		{`{"type":"welcome"}`, "bad_type"},
		{`{"type":"new_message","payload":"hi"}`, "bad_payload"},
		{`{"type":"nonsense"}`, "refused: no such command"},
	}
	one := node("one")
	wantTold(inject(all...), all...)
	closeEngine(t, one)
	seqs := inject(all...)
	two := node("two")
	wantTold(seqs, all...)
	awaitSum(t, two, room, 2)
	three := node("three")
	two.Kill()
	last := []injection{{`{"type":"add","payload":1}`, ""}, {`the last`, "bad_json"}}
	wantTold(inject(last...), last...) // and nothing before it
	awaitSum(t, three, room, 3)
}
