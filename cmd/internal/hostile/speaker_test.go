//go:build linux

package hostile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// speaker is what a delivered message says of who spoke.
type speaker struct {
	UID      string `json:"uid"`
	From     string `json:"from"`
	Username string `json:"username"`
	AvatarID string `json:"avatar_id"`
	ClientID string `json:"client_id"`
	Guest    any    `json:"guest"`
	Service  any    `json:"service"`
}

// disguises are names that look like another's, or like nothing.
var disguises = []string{"al\u202eice", "\u200balice", "alice\u200d", "\u2066alice\u2069", "\u00ad\u00ad", " \u3000 ", "a\u0000b", "\ufeff", "x\r\ny", "\U000e0041\U000e0042"}

// unseen reports whether a character has no shape or changes how others are
// read.
func unseen(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0xad || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff || r >= 0xe0000 && r <= 0xe007f
	})
}

// A guest says that it is the user alice, a service, the table.
func TestForgedSenders(t *testing.T) {
	how := setup{name: "forged from, uid, guest, service: guest, user, service", env: keys, flags: []string{"--allow-guests", "--guest-rooms=*", "--guest-speak=*"}}
	a := prepare(t, how)
	a.watch(asUser(t, "bystander"))
	hears := a.listenTo(visit{query: "room=open", header: bearer(userToken(t, "alice"))})
	guest := a.listenTo(visit{query: "room=open&username=per%E2%80%AEcy&avatar_id=7", from: documentation(1)})
	guestUID := a.uid(guest)
	const claim = `"uid":"alice","username":"alice","avatar_id":"alice","client_id":"alice","guest":false,"service":true,"gu\u0065st":null,"servic\u0065":1,"Guest":false`
	for n, from := range append(disguises, "alice") {
		name, err := json.Marshal(from)
		if err != nil {
			t.Fatal(err)
		}
		guest.say(fmt.Sprintf(`{"type":"send_message","id":"m%d","room":"open","guest":false,"service":true,"payload":{"message":"m","from":%s,%s}}`, n, name, claim))
		a.answerTo(guest, fmt.Sprint("m", n))
		guest.say(fmt.Sprintf(`{"type":"signal","id":"s%d","room":"open","payload":{"from":%s,%s}}`, n, name, claim))
		a.answerTo(guest, fmt.Sprint("s", n))
	}
	eventually(t, "what the guest said is heard", patience, a.told(func() bool {
		return len(hears.events(wire.TypeNewMessage)) > 0 && len(hears.events(wire.TypeSignal)) > 0
	}))
	user := a.listenTo(visit{query: "room=open", header: bearer(userToken(t, "bob"))})
	user.say(`{"type":"send_message","id":"u1","room":"open","payload":{"message":"m","from":"alice",` + claim + `}}`)
	a.answerTo(user, "u1")
	user.say(`{"type":"signal","id":"u2","room":"open","payload":{"from":"alice",` + claim + `}}`)
	a.answerTo(user, "u2")

	// A service, by NATS: under a user's uid, as a guest, with a made-up proof.
	nc := a.server.connect()
	for n, header := range []nats.Header{{}, {"Roomd-By": {"user.AAAAAAAAAAAAAAAAAAAAAA"}}, {"Roomd-By": {"guest."}}, {"Roomd-By": {"user", "user.x"}}} {
		for _, subject := range []string{wire.EventSubject("open"), wire.SignalSubject("open")} {
			msg := &nats.Msg{Subject: subject, Header: header, Data: fmt.Appendf(nil, `{"type":"new_message","payload":{"message":"service %d","from":"table",%s}}`, n, claim)}
			if strings.HasSuffix(subject, ".signal") {
				msg.Data = fmt.Appendf(nil, `{"type":"signal","payload":{"x":"service %d","from":"table",%s}}`, n, claim)
			}
			if err := nc.PublishMsg(msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	a.server.post("/api/rooms/open/events", `{"type":"new_message","payload":{"message":"over HTTP","from":"table",`+claim+`}}`)
	eventually(t, "what the services said is heard", patience, a.told(func() bool {
		n := 0
		for _, ev := range hears.events(wire.TypeNewMessage) {
			if strings.Contains(string(ev.Payload), "service ") || strings.Contains(string(ev.Payload), "over HTTP") {
				n++
			}
		}
		return n == 5
	}))
	messages, judged := append(hears.events(wire.TypeNewMessage), hears.events(wire.TypeSignal)...), map[string]int{}
	for _, ev := range messages {
		judged[a.judge(ev, guestUID)]++
	}
	a.wave = fmt.Sprintf("heard %v", judged)
	a.end()
}

// judge tells who spoke, and what is wrong with how it is told.
func (a *attack) judge(ev wire.Event, guestUID string) string {
	a.t.Helper()
	var s speaker
	if err := json.Unmarshal(ev.Payload, &s); err != nil {
		a.wrong("a %s cannot be read: %v", ev.Type, err)
	}
	a.holds(!unseen(s.From) && !unseen(s.Username), "what nobody can see is in a name: %q %q", s.From, s.Username)
	switch {
	case s.Service == true:
		a.holds(s.UID == "" && s.Guest == nil, "a service's %s claims to be a person: %s", ev.Type, ev.Payload)
		return "service"
	case s.UID == guestUID:
		a.holds(s.Guest == true && s.Service == nil, "a guest's %s is not told as one: %s", ev.Type, ev.Payload)
		a.holds(strings.TrimSpace(s.From) != "", "a guest's %s has no name: %s", ev.Type, ev.Payload)
		a.holds(s.AvatarID != "alice" && s.ClientID != "alice" && s.Username != "alice", "a guest's %s has what it forged: %s", ev.Type, ev.Payload)
		return "guest"
	case s.UID == "bob":
		a.holds(s.Guest == nil && s.Service == nil, "a user's %s is told as another's: %s", ev.Type, ev.Payload)
		a.holds(s.From == "bob" && s.AvatarID != "alice" && s.ClientID != "alice", "a user's %s has what it forged: %s", ev.Type, ev.Payload)
		return "user"
	}
	a.wrong("a %s of nobody: %s", ev.Type, ev.Payload)
	return "nobody"
}

// A service uses the ids under which a user's own events will be stored, before
// the user does.
func TestIDsTakenFirst(t *testing.T) {
	a := prepare(t, setup{name: "a service takes a user's message ids first", env: keys})
	a.watch(asUser(t, "bystander"))
	nc := a.server.connect()
	user := a.listenTo(visit{query: "room=ids", header: bearer(userToken(t, "alice"))})
	for n, key := range []string{"ws/ids/alice/e%d", "ids/alice/e%d", "alice/e%d", "e%d", "user/ids/alice/e%d", "service/ids/e%d", "api/ids/e%d", "ids.alice.e%d"} {
		id := fmt.Sprintf(key, n)
		msg := nats.NewMsg(wire.EventSubject("ids"))
		msg.Header.Set("Nats-Msg-Id", id)
		msg.Data = []byte(`{"type":"new_message","payload":{"message":"first"}}`)
		if _, err := nc.RequestMsg(msg, patience); err != nil {
			t.Fatal(err)
		}
		user.say(fmt.Sprintf(`{"type":"send_message","id":"e%d","room":"ids","payload":{"message":"mine"}}`, n))
		var ack wire.Ack
		answer := a.answerTo(user, fmt.Sprint("e", n))
		err := json.Unmarshal(answer.Payload, &ack)
		a.holds(err == nil && answer.Type == wire.TypeAck && !ack.Duplicate, "after a service used %q the user's own event is answered %s %s", id, answer.Type, answer.Payload)
	}
	events, _ := a.kept("ids")
	a.holds(events == 16, "the room has %d events, want 8 of the service and 8 of the user", events)
	a.end()
}
