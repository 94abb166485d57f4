package rooms

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

var requests = []forwarded{
	{},
	{Type: "place_bet", Payload: json.RawMessage(`{"spot":"banker","amount":100,"round":17}`), ID: "by.0123456789012345678901",
		User: table.User{From: table.FromUser, UID: "guest-aaaaaaaaaaaaaaaa", Name: "percy", Avatar: "7", Guest: true}, After: 1<<64 - 1},
	{Enter: true, Stay: true, Seen: 1 << 40, User: table.User{From: table.FromUser, UID: "百家樂"}, Gone: []string{"a", ""}},
	{Wake: true, Injected: 300, Insist: true, By: "a"}, {Inspect: true}, {Enter: true, Insist: true},
}

// TestForwardedRequests: what is read is what was sent, with what a later version has
// added; of what is cut off nothing is read.
func TestForwardedRequests(t *testing.T) {
	for _, c := range requests {
		body := c.encode()[signedHead:]
		for _, text := range [][]byte{body, append(append([]byte{}, body...), "more"...)} {
			if got, err := decodeForwarded(text); err != nil || !reflect.DeepEqual(got, c) {
				t.Errorf("%+v is read as %+v, %v", c, got, err)
			}
		}
		for n := range body {
			if got, err := decodeForwarded(body[:n]); err == nil {
				t.Errorf("%q is read as %+v", body[:n], got)
			}
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, c := range requests {
		f.Add(c.encode()[signedHead:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeForwarded(body)
		if err != nil {
			return
		}
		if again, err := decodeForwarded(c.encode()[signedHead:]); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%+v is read as %+v, %v", c, again, err)
		}
	})
}

// TestReplays: each request of a process counts once and none behind a later one, and
// of a process that has sent nothing for long nothing is kept.
func TestReplays(t *testing.T) {
	r, now := make(replays), time.Now()
	for _, step := range []struct {
		reply string
		after time.Duration
		want  bool
	}{
		{"_INBOX.a.1", 0, true}, {"_INBOX.a.1", 0, false}, {"_INBOX.a.3", 0, true}, {"_INBOX.a.2", 0, false}, {"_INBOX.b.2", 0, true},
		{"_INBOX.a.3", keepSenders, false}, {"_INBOX.a.x", 0, false}, {"4", 0, false}, {"", 0, false},
		{"_INBOX.a.4", keepSenders, true}, {"_INBOX.c.1", keepSenders + 1, true},
	} {
		if got := r.isNew(step.reply, now.Add(step.after)); got != step.want {
			t.Errorf("%q after %v: %v", step.reply, step.after, got)
		}
	}
	if len(r) != 2 || r["_INBOX.b"] != nil {
		t.Errorf("kept are %v", r)
	}
}

// BenchmarkForwarded is what it costs to have another node decide, without NATS: both
// ways of a command, at both nodes.
func BenchmarkForwarded(b *testing.B) {
	s, err := newSecret(make([]byte, SecretBytes), time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	e := &Engine{}
	e.secret.Store(s)
	const subject, reply = "roomd.table.a.baccarat-1", "_INBOX.abcdefghijklmnopqrstuv.123456"
	b.ReportAllocs()
	for b.Loop() {
		msg := requests[1].encode()
		s.signInPlace(msg, forRequest, subject, reply)
		body, err := s.signedBody(msg, forRequest, subject, reply)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := decodeForwarded(body); err != nil {
			b.Fatal(err)
		}
		answer, err := (&decided{Seq: 123456}).encode(s, reply)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.readAnswer(reply, answer); err != nil {
			b.Fatal(err)
		}
	}
}
