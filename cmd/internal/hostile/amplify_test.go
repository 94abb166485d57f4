//go:build linux

package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// envelope is what the server may add to what was sent: who and when, and in
// the log the subject and headers.
const envelope = 1 << 10

// What JSON libraries like to write in more bytes than it came in.
var grows = []struct{ name, fill string }{
	{"<", "<"}, {"&", "&"}, {"U+2028", "\u2028"}, {"an escape", `\u003c`}, {"a slash", `\/`}, {"DEL", "\x7f"}, {"an emoji", "😀"},
}

// What is stored and told is what was sent, and a bounded envelope.
func TestNoAmplification(t *testing.T) {
	a := begin(t, setup{name: "16 KiB of < and what else grows in JSON"})
	nc := a.server.connect()
	var most atomic.Int64 // of the frames of one message
	var uid atomic.Value
	hears := func(frame []byte) {
		var ev wire.Event
		if json.Unmarshal(frame, &ev) != nil {
			return
		}
		switch ev.Type {
		case wire.TypeWelcome:
			var w wire.Welcome
			if json.Unmarshal(ev.Payload, &w) == nil {
				uid.Store(w.UID)
			}
		case wire.TypeNewMessage, wire.TypePrivateMessage, wire.TypeSignal:
			most.Store(max(most.Load(), int64(len(frame))))
		}
	}
	if _, err := a.knock(visit{query: "room=grow&username=%3C%3C%3C"}, hears); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the one who listens is welcomed", patience, a.told(func() bool { return uid.Load() != nil }))
	for n, g := range grows {
		p, err := a.knock(visit{query: "room=grow", from: documentation(n)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(g.fill, 8000/len(g.fill))
		for _, way := range []struct{ kind, event string }{
			{"a message", fmt.Sprintf(`{"type":"send_message","id":"a%d","room":"grow","payload":{"message":"%s"}}`, n, text)},
			{"a private message", fmt.Sprintf(`{"type":"private_message","id":"b%d","payload":{"to_uid":%q,"message":"%s"}}`, n, uid.Load(), text)},
			{"a signal", fmt.Sprintf(`{"type":"signal","id":"c%d","room":"grow","payload":{"x":"%s"}}`, n, text)},
		} {
			before := a.inLog(nc)
			acks := read(a.tally, func(t *tally) int64 { return t.acks })
			most.Store(0)
			p.say(way.event)
			eventually(t, way.kind+" of "+g.name+" is heard", patience, a.told(func() bool {
				return most.Load() > 0 && read(a.tally, func(t *tally) int64 { return t.acks }) > acks
			}))
			a.holds(most.Load() <= int64(len(way.event)+envelope), "%s of %s: %d bytes were sent, a member got %d", way.kind, g.name, len(way.event), most.Load())
			grown := a.inLog(nc) - before
			copies := 1
			if way.kind == "a private message" {
				copies = 2 // in both inboxes
			}
			a.holds(grown <= copies*(len(way.event)+envelope)+bystanderNoise, "%s of %s: %d bytes were sent, the log grew by %d", way.kind, g.name, len(way.event), grown)
		}
		p.leave()
	}
	a.end()
}

// bystanderNoise is what the bystanders may store while one message goes
// through.
const bystanderNoise = 16 << 10

// told makes a condition one to wait for.
func (a *attack) told(ok func() bool) func(context.Context) error {
	return func(context.Context) error {
		if !ok() {
			return fmt.Errorf("not yet: %s", a.got())
		}
		return nil
	}
}
