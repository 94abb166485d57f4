package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// envelope is the most bytes by which what is stored of an event, or delivered,
// may be longer than what a client has sent: who it is from, when, and where.
const envelope = 512

// growths are values of a payload in JSON, of about n bytes, among them all that
// some writer of JSON makes longer.
func growths(n int) map[string]string {
	fill := func(part string) string { return `"` + strings.Repeat(part, n/len(part)) + `"` }
	return map[string]string{
		"letters": fill("a"), "less than": fill("<"), "ampersands": fill("&<>"), "line separators": fill("\u2028\u2029"),
		"CJK": fill("莊"), "emoji": fill("🎲"), "DEL": fill("\x7f"), "the last character": fill("\U0010ffff"),
		"escaped letters": fill(`\u0061`), "escaped less than": fill(`\u003c`), "line breaks": fill(`\n`), "tabs": fill(`\t\r\b\f`), "control characters": fill(`\u0001`),
		"quotes": fill(`\"`), "backslashes": fill(`\\`), "slashes": fill(`\/`), "pairs": fill(`\ud83c\udfb2`), "halves": fill(`\ud83c`), "halves and letters": fill(`\udc00a`),
		"U+FFFD": fill("\ufffd"), "nothing": `null`, "number": `1e` + strings.Repeat("0", n-4) + `1`,
		"nested": strings.Repeat(`{"<":[`, 20) + `"` + strings.Repeat("<", n-400) + `"` + strings.Repeat(`]}`, 20),
		"list":   `[` + strings.TrimSuffix(strings.Repeat(`"<",`, n/4-2), ",") + `]`,
	}
}

// TestNothingGrows: what is stored of an event, and what each member gets, is as
// long as what was sent and a bounded envelope, whatever is in it and whichever
// way it takes; or it is refused.
func TestNothingGrows(t *testing.T) {
	s := newStack(t, func(s *setup) { s.cfg.RateBytes, s.cfg.RoomBytes = 0, 0 })
	ann, bob, guest := s.user("ann"), s.user("bob"), s.dial("username=G")
	guest.joined("general")
	s.m.Handle("note", func(r *Request) error {
		room, err := r.Room()
		if err != nil {
			return err
		}
		return r.Publish(room, wire.Event{Type: "noted", Payload: r.Event.Payload})
	})
	s.m.Handle("say", func(r *Request) error {
		room, err := r.Room()
		if err != nil {
			return err
		}
		return r.Publish(room, wire.Event{Type: wire.TypeNewMessage, Payload: r.Event.Payload})
	})
	nc, err := s.nats.Connect("test")
	must(t, err)
	t.Cleanup(nc.Close)
	stored := make(chan *nats.Msg, 64)
	for _, subject := range []string{"room.*.log", "inbox.*.log", "room.*.signal"} {
		_, err := nc.ChanSubscribe(subject, stored)
		must(t, err)
	}
	must(t, nc.Flush())

	const size = 14 << 10
	for name, value := range growths(size) {
		for _, c := range []struct {
			typ, payload, heard string
			copies              int // that are stored
		}{
			{wire.TypeSendMessage, `{"message":%s}`, wire.TypeNewMessage, 1},
			{wire.TypeSendMessage, `{"content":%s}`, wire.TypeNewMessage, 1},
			{wire.TypeSendMessage, `{"Message":%s}`, wire.TypeNewMessage, 1}, // for encoding/json
			{wire.TypeSendMessage, `{"message":"a","from":%s}`, wire.TypeNewMessage, 1},
			{wire.TypeSendMessage, `{"image_url":%s}`, wire.TypeNewMessage, 1},
			{wire.TypeSendMessage, `{"message":"a","other":%s}`, wire.TypeNewMessage, 1},
			{wire.TypePrivateMessage, `{"to_uid":"bob","message":%s}`, wire.TypePrivateMessage, 2},
			{wire.TypeSignal, `{"a":%s}`, wire.TypeSignal, 1},
			{wire.TypeSignal, `{"from":%s}`, wire.TypeSignal, 1},
			{wire.TypeSignal, `%s`, wire.TypeSignal, 1},
			{"note", `{"a":%s}`, "noted", 1},
			{"note", `%s`, "noted", 1},
			{"say", `{"message":%s,"guest":true}`, wire.TypeNewMessage, 1},
		} {
			for from, p := range map[string]*peer{"a user": ann, "a guest": guest} {
				what := fmt.Sprintf("%s, %s of %s, from %s", name, c.typ, strings.ReplaceAll(c.payload, "%s", "…"), from)
				payload := fmt.Sprintf(c.payload, value)
				p.ids++
				p.unread = nil
				id := fmt.Sprint("g", p.ids)
				sent := fmt.Sprintf(`{"type":%q,"id":%q,"payload":%s}`, c.typ, id, payload)
				p.sendRaw(sent)
				if answer := p.answer(id); answer.Type == wire.TypeError {
					if code := decode[wire.ErrorInfo](t, answer.Payload).Code; code != wire.BadPayload {
						t.Errorf("%s: refused with %s", what, code)
					}
					continue
				}
				for range c.copies {
					if body := len((<-stored).Data); body > len(sent)+envelope {
						t.Errorf("%s: %d bytes were sent and %d stored", what, len(sent), body)
					}
				}
				ev := bob.awaitType(c.heard)
				if got := len(wire.AppendEvent(nil, ev)); got > len(sent)+envelope {
					t.Errorf("%s: %d bytes were sent and %d delivered", what, len(sent), got)
				}
			}
		}
	}
}
