package session

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// The two examples of the issue.
func TestExamples(t *testing.T) {
	s := newStack(t)
	percy, other, vip := s.dial("username=Percy&avatar_id=7"), s.user("bob"), s.dial("room=x&username=ann")
	percy.joined("general")
	vip.joined("x")

	before := time.Now()
	percy.sendRaw(`{ "type": "send_message", "payload": { "message": "sdfsdf", "from": "percy" } }`)
	for _, p := range []*peer{percy, other} {
		ev := p.heard("general", "sdfsdf")
		fields := decode[map[string]any](t, ev.Payload)
		sent, err := time.Parse(time.RFC3339Nano, fields["sent"].(string))
		must(t, err)
		if sent.Before(before.Truncate(0)) || sent.After(time.Now()) {
			t.Errorf("sent is %s, which is not when it was sent", sent)
		}
		same(t, "time", int64(fields["time"].(float64)), sent.UnixMilli())
		delete(fields, "sent")
		delete(fields, "time")
		want := map[string]any{
			"message": "sdfsdf", "from": "percy", "uid": percy.welcome.UID, "username": "Percy", "guest": true,
			"avatar_id": "7", "room_id": "general",
		}
		if !maps.Equal(fields, want) {
			t.Errorf("new_message has %v, want %v", fields, want)
		}
		if ev.Seq == 0 || ev.ID != "" {
			t.Errorf("new_message %s: want a seq and no id", show(ev))
		}
	}
	vip.silent()
	percy.silent() // no ack was asked for

	percy.sendRaw(`{"type":"change_room","payload":{"name":"x"}}`)
	percy.joined("x")
	percy.awaitType(wire.TypeRoomLeft)
	other.say("", "in general")
	vip.say("", "in x")
	percy.heard("x", "in x")
	percy.silent()
}

func TestWelcomeAndFirstRooms(t *testing.T) {
	s := newStack(t)
	p := s.dialRaw("username=Ann&avatar_id=9&room=" + "%E7%99%BE%E5%AE%B6")
	w := p.welcome
	if !strings.HasPrefix(w.UID, "guest-") || w.Username != "Ann" || w.AvatarID != "9" || w.Node != "n1" || w.HeartbeatS != 25 || w.ClientID == "" {
		t.Errorf("welcome is %+v", w)
	}
	inbox, room := p.read(), p.read()
	same(t, "the first room", inbox.Room, wire.InboxAlias)
	same(t, "the second room", room.Room, "百家")
	fields := slices.Sorted(maps.Keys(decode[map[string]any](t, room.Payload)))
	if want := []string{"count", "epoch", "list", "recovered", "replayed", "room_id", "seq"}; !slices.Equal(fields, want) {
		t.Errorf("room_joined has %v, want %v", fields, want)
	}
	j := decode[wire.RoomJoined](t, room.Payload)
	if j.Count != 1 || len(j.List) != 1 || j.List[0] != (wire.User{UID: w.UID, Username: "Ann", AvatarID: "9"}) {
		t.Errorf("room_joined is %+v", j)
	}
	s.awaitCurrent(p, "百家")
	in, _ := s.client(p).Rooms()
	same(t, "the number of rooms", len(in), 1)
}

// welcome tells the server's time, and how long the credential is good, if it
// ends at all.
func TestWelcomeTellsTimes(t *testing.T) {
	s := newStack(t)
	ages := time.Date(9000, time.January, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, query string
		least, most int64
	}{
		{"a guest", "username=Ann", 0, 0},
		{"a token for ever", "token=" + s.token("ann"), 0, 0},
		{"a token for an hour", "token=" + s.token("ann", func(c *auth.Claims) { c.Expires = time.Now().Add(time.Hour) }), 3600 - int64(patience/time.Second), 3600},
		{"a token for ages", "token=" + s.token("ann", func(c *auth.Claims) { c.Expires = ages }), ages.Unix() - time.Now().Unix() - int64(patience/time.Second), ages.Unix() - time.Now().Unix()},
		{"a token that has just ended", "token=" + s.token("ann", func(c *auth.Claims) { c.Expires = time.Now() }), 1, 1},
	} {
		before := time.Now().UnixMilli()
		w := s.dialRaw(c.query).welcome
		if w.Now < before || w.Now > time.Now().UnixMilli() {
			t.Errorf("%s: now is %d, which it is not", c.name, w.Now)
		}
		if w.ExpiresIn < c.least || w.ExpiresIn > c.most {
			t.Errorf("%s: expires_in is %d, want %d to %d", c.name, w.ExpiresIn, c.least, c.most)
		}
	}
}

func TestSendMessagePayload(t *testing.T) {
	s := newStack(t)
	guest, user := s.dial("username=G"), s.user("bob")
	guest.joined("general")
	cases := []struct {
		name, payload string
		from          *peer
		want          wire.Message // of what it says
		code          wire.Code
	}{
		{"the alias content", `{"content":"a"}`, guest, wire.Message{Message: "a", From: "G"}, ""},
		{"message wins over content", `{"content":"a","message":"b"}`, guest, wire.Message{Message: "b", From: "G"}, ""},
		{"a guest keeps from", `{"message":"a","from":"大"}`, guest, wire.Message{Message: "a", From: "大"}, ""},
		{"a user does not", `{"message":"a","from":"admin","uid":"x","username":"y","avatar_id":"z"}`, user, wire.Message{Message: "a", From: "BOB"}, ""},
		{"an http picture", `{"image_url":"http://h/p.png"}`, guest, wire.Message{From: "G", ImageURL: "http://h/p.png"}, ""},
		{"an https picture with text", `{"message":"a","image_url":"https://h/p.png?a=b"}`, guest, wire.Message{Message: "a", From: "G", ImageURL: "https://h/p.png?a=b"}, ""},
		{"text that is HTML stays text", `{"message":"<b>&\u2028"}`, guest, wire.Message{Message: "<b>&\u2028", From: "G"}, ""},
		{"javascript", `{"image_url":"javascript:alert(1)"}`, guest, wire.Message{}, wire.BadPayload},
		{"data", `{"image_url":"data:image/png;base64,AA"}`, guest, wire.Message{}, wire.BadPayload},
		{"no host", `{"image_url":"https:///p.png"}`, guest, wire.Message{}, wire.BadPayload},
		{"relative", `{"image_url":"/p.png"}`, guest, wire.Message{}, wire.BadPayload},
		{"nothing to say", `{"message":""}`, guest, wire.Message{}, wire.BadPayload},
		{"null", `null`, guest, wire.Message{}, wire.BadPayload},
		{"array", `["a"]`, guest, wire.Message{}, wire.BadPayload},
		{"message is a number", `{"message":5}`, guest, wire.Message{}, wire.BadPayload},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.code != "" {
				c.from.failed(c.code, wire.TypeSendMessage, "", c.payload)
				return
			}
			c.from.acked(wire.TypeSendMessage, "", c.payload)
			ev := guest.awaitType(wire.TypeNewMessage)
			got := decode[wire.Message](t, ev.Payload)
			who := c.from.welcome
			c.want.UID, c.want.Username, c.want.AvatarID, c.want.RoomID = who.UID, who.Username, who.AvatarID, "general"
			c.want.Sent, c.want.Time = got.Sent, got.Time
			same(t, "the message", got, c.want)
		})
	}
}

func TestPrivateMessage(t *testing.T) {
	s := newStack(t)
	ann, ann2, bob, bob2, eve := s.user("ann"), s.user("ann"), s.user("bob"), s.user("bob"), s.user("eve")
	away := s.user("cy")
	at := s.position(away)
	away.ws.Close()
	eventually(t, "cy is gone", func() bool { return s.m.Count() == 5 })

	ack := ann.acked(wire.TypePrivateMessage, "", `{"to_uid":"bob","message":"psst","image_url":"https://h/i","from":"eve","uid":"eve"}`)
	same(t, "the ack's room", ack.Room, wire.InboxAlias)
	for _, p := range []*peer{ann, ann2, bob, bob2} {
		ev := p.awaitType(wire.TypePrivateMessage)
		got := decode[wire.Message](t, ev.Payload)
		want := wire.Message{
			Message: "psst", From: "ANN", Sent: got.Sent, Time: got.Time, UID: "ann", Username: "ANN",
			AvatarID: "a-ann", ImageURL: "https://h/i", RoomID: wire.InboxAlias, ToUID: "bob",
		}
		same(t, "private_message", got, want)
		same(t, "its room", ev.Room, wire.InboxAlias)
		if p.welcome.UID == "ann" {
			same(t, "the sender's copy has the seq of the ack", ev.Seq, ack.Seq)
		}
	}
	ann.acked(wire.TypePrivateMessage, "", `{"to_uid":"ann","message":"note to self"}`)
	ann.awaitType(wire.TypePrivateMessage)
	ann2.awaitType(wire.TypePrivateMessage)
	ann.acked(wire.TypePrivateMessage, "", `{"to_uid":"cy","message":"call me"}`)
	ann.awaitType(wire.TypePrivateMessage)
	ann2.awaitType(wire.TypePrivateMessage)
	for _, p := range []*peer{ann, ann2, bob, bob2, eve} {
		p.silent()
	}

	back := s.dial("token=" + s.token("cy") + "&" + resumeFrom(wire.Resume{Room: wire.InboxAlias, Since: at}))
	got := decode[wire.Message](t, back.awaitType(wire.TypePrivateMessage).Payload)
	same(t, "what came while away", got.Message, "call me")

	for _, payload := range []string{`{"message":"a"}`, `{"to_uid":"","message":"a"}`, `{"to_uid":"a\u0000b","message":"a"}`,
		`{"to_uid":"` + strings.Repeat("x", 200) + `","message":"a"}`, `{"to_uid":"bob"}`, `{"to_uid":7,"message":"a"}`, `{"to_uid":"@me","message":"a"}`} {
		eve.failed(wire.BadPayload, wire.TypePrivateMessage, "", payload)
	}
	bob.silent()
}

// A uid is one user, however it was typed.
func TestPrivateMessageNamesTheUserInOneSpelling(t *testing.T) {
	s := newStack(t)
	zoe, ann := s.user("zo\u00eb"), s.user("ann")
	ann.acked(wire.TypePrivateMessage, "", `{"to_uid":"zoe\u0308","message":"hi"}`)
	same(t, "to_uid", decode[wire.Message](t, zoe.awaitType(wire.TypePrivateMessage).Payload).ToUID, "zo\u00eb")
}

func TestOnlineUsersAndHistory(t *testing.T) {
	s := newStack(t)
	var p *peer
	for i := range 5 {
		p = s.user(text("u%d", i))
	}
	s.user("u1") // a second session
	var uids []string
	after := ""
	for {
		id, _ := p.ask(wire.TypeGetOnlineUsers, "", wire.RoomRequest{Limit: 2, After: after})
		ev := p.awaitType(wire.TypeOnlineUsers)
		if ev.ID != id || ev.Room != "general" {
			t.Errorf("online_users is %s", show(ev))
		}
		page := decode[wire.OnlineUsers](t, ev.Payload)
		if page.Count != 5 || page.RoomID != "general" || len(page.List) > 2 {
			t.Fatalf("online_users is %+v", page)
		}
		for _, u := range page.List {
			uids = append(uids, u.UID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	same(t, "the users", strings.Join(uids, " "), "u0 u1 u2 u3 u4")

	for i := range 25 {
		p.say("", text("m%d", i))
	}
	p.heard("general", "m24") // an ack may be faster than the event
	var texts []string
	before := uint64(0)
	for more := true; more; {
		id, _ := p.ask(wire.TypeGetHistory, "general", wire.RoomRequest{Limit: 10, Before: before})
		ev := p.awaitType(wire.TypeHistory)
		same(t, "the id of history", ev.ID, id)
		page := decode[wire.History](t, ev.Payload)
		var part []string
		for i, raw := range page.Events {
			old, err := wire.DecodeServer(raw)
			must(t, err)
			if i == 0 {
				before = old.Seq
			}
			part = append(part, decode[wire.Message](t, old.Payload).Message)
		}
		texts, more = append(part, texts...), page.More
	}
	same(t, "the history", strings.Join(texts, " "), strings.Join(list(0, 25, func(i int) string { return text("m%d", i) }), " "))

	p.failed(wire.BadPayload, wire.TypeGetHistory, "", `{"limit":-1}`)
	p.failed(wire.BadPayload, wire.TypeGetHistory, "", `{"before":-1}`)
	p.failed(wire.NotMember, wire.TypeGetHistory, "", `{"name":"elsewhere"}`)
	p.failed(wire.NotMember, wire.TypeGetOnlineUsers, "", `{"name":"elsewhere"}`)
	p.failed(wire.Forbidden, wire.TypeGetHistory, "", `{"name":"@u1"}`)
	p.acked(wire.TypeGetHistory, "", `{"name":"@me"}`)
	same(t, "the room of an inbox's history", decode[wire.History](t, p.awaitType(wire.TypeHistory).Payload).RoomID, wire.InboxAlias)
}

// sorted is an object with its members in the order of their names.
func sorted(t *testing.T, object []byte) string {
	t.Helper()
	var fields map[string]json.RawMessage
	must(t, json.Unmarshal(object, &fields))
	text, err := json.Marshal(fields)
	must(t, err)
	return string(text)
}

func TestSignal(t *testing.T) {
	s := newStack(t)
	ann, ann2, bob, guest := s.user("ann"), s.user("ann"), s.user("bob"), s.dial("username=G")
	guest.joined("general")
	cases := []struct {
		name, payload, want string
		from                *peer
	}{
		{"an object", `{"typing":true,"n":12345678901234567890}`, `{"from":"ANN","n":12345678901234567890,"typing":true,"uid":"ann"}`, ann},
		{"forged", `{"uid":"eve","from":"eve","username":"eve","uid":"eve2"}`, `{"from":"ANN","uid":"ann","username":"ANN"}`, ann},
		{"forged in full", `{"client_id":"c","Guest":true,"\u0073ervice":true,"SERVICE":1,"avatar_id":"9","UID":"eve","ſervice":1}`, `{"avatar_id":"a-ann","client_id":"` + ann.welcome.ClientID + `","from":"ANN","uid":"ann"}`, ann},
		{"a guest is one", `{"guest":false,"from":"me\u202e\u200b"}`, `{"from":"me","guest":true,"uid":"` + guest.welcome.UID + `"}`, guest},
		{"no payload", ``, `{"from":"ANN","uid":"ann"}`, ann},
		{"no object", `[1,2]`, `{"data":[1,2],"from":"ANN","uid":"ann"}`, ann},
		{"a guest keeps from", `{"from":"me","uid":"ann"}`, `{"from":"me","guest":true,"uid":"` + guest.welcome.UID + `"}`, guest},
		{"a guest's from is no string", `{"from":["me"]}`, `{"from":"G","guest":true,"uid":"` + guest.welcome.UID + `"}`, guest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.from.send(wire.TypeSignal, "s", "", c.payload)
			same(t, "the answer", c.from.answer("s").Type, wire.TypeAck)
			ev := bob.awaitType(wire.TypeSignal)
			same(t, "the signal", sorted(t, ev.Payload), c.want)
			if ev.Room != "general" || ev.Seq != 0 || ev.ID != "" {
				t.Errorf("the signal is %s", show(ev))
			}
			for _, other := range []*peer{ann, ann2, guest} { // a user's other session is another one
				if other != c.from {
					same(t, "what another gets", sorted(t, other.awaitType(wire.TypeSignal).Payload), c.want)
				}
			}
			c.from.silent()
		})
	}
	ann.failed(wire.Forbidden, wire.TypeSignal, "@me", `{}`)
	ann.failed(wire.NotMember, wire.TypeSignal, "x", `{}`)
	bob.acked(wire.TypeGetHistory, "", nil)
	same(t, "how many signals are in the history", len(decode[wire.History](t, bob.awaitType(wire.TypeHistory).Payload).Events), 0)
}

func TestPresence(t *testing.T) {
	s := newStack(t)
	p := s.user("ann")
	q := s.user("bob")
	find := func(fits func(wire.PresenceChange) bool) {
		t.Helper()
		p.await("presence", func(ev wire.Event) bool {
			return ev.Type == wire.TypePresence && fits(decode[wire.PresenceChange](t, ev.Payload))
		})
	}
	find(func(c wire.PresenceChange) bool {
		return c.RoomID == "general" && c.Count == 2 && slices.Contains(c.Joined, wire.User{UID: "bob", Username: "BOB", AvatarID: "a-bob"})
	})
	q.acked(wire.TypeLeaveRoom, "", nil)
	find(func(c wire.PresenceChange) bool { return c.Count == 1 && len(c.Left) == 1 && c.Left[0].UID == "bob" })
}

// Every event with an id has exactly one ack or error, and its answer carries
// the id too.
func TestEveryEventIsAnsweredOnce(t *testing.T) {
	s := newStack(t)
	s.eng.MarkUserSeen("bob")
	s.m.Handle("own_ok", func(*Request) error { return nil })
	s.m.Handle("own_bad", func(*Request) error { return wire.Errorf(wire.Busy, "later") })
	p := s.user("ann")
	cases := []struct{ typ, payload, carries, answer string }{
		{wire.TypeSendMessage, `{"message":"a"}`, "", wire.TypeAck},
		{wire.TypeSendMessage, `{}`, "", wire.TypeError},
		{wire.TypePrivateMessage, `{"to_uid":"bob","message":"a"}`, "", wire.TypeAck},
		{wire.TypePrivateMessage, `{"to_uid":"ann","message":"a"}`, "", wire.TypeAck},
		{wire.TypePrivateMessage, `{}`, "", wire.TypeError},
		{wire.TypeJoinRoom, `{"name":"r"}`, wire.TypeRoomJoined, wire.TypeAck},
		{wire.TypeJoinRoom, `{"name":""}`, "", wire.TypeError},
		{wire.TypeLeaveRoom, `{"name":"r"}`, wire.TypeRoomLeft, wire.TypeAck},
		{wire.TypeLeaveRoom, `{"name":"r"}`, "", wire.TypeError},
		{wire.TypeChangeRoom, `{"name":"s"}`, wire.TypeRoomJoined, wire.TypeAck},
		{wire.TypeChangeRoom, `{"name":5}`, "", wire.TypeError},
		{wire.TypeGetOnlineUsers, ``, wire.TypeOnlineUsers, wire.TypeAck},
		{wire.TypeGetOnlineUsers, `{"limit":-1}`, "", wire.TypeError},
		{wire.TypeGetHistory, ``, wire.TypeHistory, wire.TypeAck},
		{wire.TypeGetHistory, `{"before":"x"}`, "", wire.TypeError},
		{wire.TypeGetRooms, ``, wire.TypeRooms, wire.TypeAck},
		{wire.TypeGetRooms, `{"limit":-1}`, "", wire.TypeError},
		{wire.TypeSignal, `{"a":1}`, "", wire.TypeAck},
		{wire.TypeHeartbeat, ``, wire.TypeHeartbeat, wire.TypeAck},
		{"no_such", ``, "", wire.TypeError},
		{"own_ok", ``, "", wire.TypeAck},
		{"own_bad", ``, "", wire.TypeError},
	}
	for i, c := range cases {
		p.send(c.typ, text("id-%d", i), "", c.payload)
	}
	got := map[string][]string{}
	for i := range cases { // then everything has been answered
		ev := p.answer(text("id-%d", i))
		got[ev.ID] = append(got[ev.ID], ev.Type)
	}
	for _, ev := range p.all() {
		if ev.ID != "" {
			got[ev.ID] = append(got[ev.ID], ev.Type)
		}
	}
	for i, c := range cases {
		want := []string{c.answer}
		if c.carries != "" {
			want = append(want, c.carries)
		}
		if types := got[text("id-%d", i)]; !slices.Equal(types, want) {
			t.Errorf("%s %s was answered %v, want %v", c.typ, c.payload, types, want)
		}
	}
}

// The same id is the same event, also on another connection of the user.
func TestSameIDIsStoredOnce(t *testing.T) {
	s := newStack(t)
	a, b, other := s.user("ann"), s.user("ann"), s.user("bob")
	for i, p := range []*peer{a, a, b} {
		p.send(wire.TypeSendMessage, "c-17", "", `{"message":"once"}`)
		same(t, "duplicate", decode[wire.Ack](t, p.answer("c-17").Payload).Duplicate, i > 0)
	}
	other.send(wire.TypeSendMessage, "c-17", "", `{"message":"another user's"}`)
	same(t, "another user's is a duplicate", decode[wire.Ack](t, other.answer("c-17").Payload).Duplicate, false)
	other.heard("general", "once")
	other.heard("general", "another user's")
	other.silent()
}

// position is where a peer's inbox stands.
func (s *stack) position(p *peer) wire.Position {
	s.t.Helper()
	p.acked(wire.TypeJoinRoom, "", `{"name":"@me"}`)
	j := p.joined(wire.InboxAlias)
	return wire.Position{Epoch: j.Epoch, Seq: j.Seq}
}
