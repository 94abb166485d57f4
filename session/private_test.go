package session

import (
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// inboxOf is everything that a user's inbox holds.
func (s *stack) inboxOf(uid string) []string {
	s.t.Helper()
	page, err := s.eng.History(s.t.Context(), wire.Inbox(uid), 0, rooms.MaxHistoryPage)
	must(s.t, err)
	list := make([]string, len(page.Events))
	for i, ev := range page.Events {
		list[i] = string(ev)
	}
	return list
}

// A private message to somebody who was never here is refused, and is stored
// nowhere. Each of them costs what an answer costs.
func TestPrivateMessageToNobody(t *testing.T) {
	s := newStack(t)
	p := s.user("ann")
	for _, uid := range []string{"nobody", "guest-aaaaaaaaaaaaaaaa", "*", "an"} {
		told := p.failed(wire.BadPayload, wire.TypePrivateMessage, "", `{"to_uid":"`+uid+`","message":"x"}`)
		if !strings.Contains(told.Message, "30 days") {
			t.Errorf("%s: %s", uid, told.Message)
		}
		if got := s.inboxOf(uid); len(got) != 0 {
			t.Errorf("%s has %v", uid, got)
		}
	}
	if got := s.inboxOf("ann"); len(got) != 0 {
		t.Errorf("the sender has %v", got)
	}
	same(t, "unknown users", s.eng.Stats().UsersUnknown.Load(), 4)

	dear := newStack(t, func(set *setup) { set.cfg.RateBytes = 300 }) // enough for one or two
	p = dear.user("ann")
	p.failed(wire.BadPayload, wire.TypePrivateMessage, "", `{"to_uid":"nobody","message":"x"}`)
	eventually(t, "asking for more is refused", func() bool {
		_, told := p.ask(wire.TypePrivateMessage, "", `{"to_uid":"nobody else","message":"x"}`)
		return decode[wire.ErrorInfo](t, told.Payload).Code == wire.RateLimited
	})
}

// A user is known from the moment of connecting, a guest when it has stayed for
// as long as a ping takes; while it is here it is known anyway.
func TestWhoCountsAsHavingBeenHere(t *testing.T) {
	short := func(set *setup) { set.rooms.IdleAfter = 50 * time.Millisecond }
	s := newStack(t, short)
	ann, bob := s.user("ann"), s.user("bob")
	bob.ws.Close()
	gus := s.dial("username=gus")
	to := `{"to_uid":"` + gus.welcome.UID + `","message":"hi"}`
	ann.acked(wire.TypePrivateMessage, "", to)
	gus.ws.Close()
	eventually(t, "they are gone", func() bool {
		open, _ := s.eng.RoomHere(wire.Inbox(gus.welcome.UID))
		return open.Name == "" && s.m.Count() == 1
	})
	ann.failed(wire.BadPayload, wire.TypePrivateMessage, "", to)
	ann.acked(wire.TypePrivateMessage, "", `{"to_uid":"bob","message":"hi"}`)

	s = newStack(t, short, func(set *setup) { set.cfg.Ping = time.Second })
	ann, gus = s.user("ann"), s.dial("username=gus")
	eventually(t, "the guest counts", func() bool { return s.eng.Stats().UsersWritten.Load() == 2 })
	gus.ws.Close()
	eventually(t, "it is gone", func() bool { return s.m.Count() == 1 })
	ann.acked(wire.TypePrivateMessage, "", `{"to_uid":"`+gus.welcome.UID+`","message":"hi"}`)
}

// inboxAway is the real engine, which does not store what is for one room.
type inboxAway struct {
	engine
	room wire.Room
}

func (e inboxAway) PublishAsync(room wire.Room, body wire.Body, opts rooms.PublishOptions, done func(rooms.PubAck, error)) {
	if room == e.room {
		go done(rooms.PubAck{}, wire.Errorf(wire.Unavailable, "it is away"))
		return
	}
	e.engine.PublishAsync(room, body, opts, done)
}

// What the receiver does not get the sender does not keep; sent again under the
// same id both have it once.
func TestPrivateMessageIsStoredForBothOrNone(t *testing.T) {
	s := newStack(t)
	s.user("bob")
	p := s.user("ann")
	for _, room := range []string{string(wire.Inbox("bob")), string(wire.Inbox("ann"))} {
		whole := s.m.eng
		s.m.eng = inboxAway{whole, wire.Room(room)}
		p.send(wire.TypePrivateMessage, "id-"+room, "", `{"to_uid":"bob","message":"to `+room+`"}`)
		told := p.answer("id-" + room)
		p.wantError(told, wire.Unavailable)
		same(t, "the room of the error", told.Room, wire.InboxAlias)
		s.m.eng = whole
		if room == string(wire.Inbox("bob")) && len(s.inboxOf("ann"))+len(s.inboxOf("bob")) != 0 {
			t.Errorf("ann has %v, bob has %v", s.inboxOf("ann"), s.inboxOf("bob"))
		}
		p.send(wire.TypePrivateMessage, "id-"+room, "", `{"to_uid":"bob","message":"to `+room+`"}`)
		same(t, "sent again", p.await("the ack", func(ev wire.Event) bool { return ev.ID == "id-"+room }).Type, wire.TypeAck)
	}
	for _, uid := range []string{"ann", "bob"} {
		got := s.inboxOf(uid)
		if len(got) != 2 || !strings.Contains(got[0], "to @bob") || !strings.Contains(got[1], "to @ann") {
			t.Errorf("%s has %v", uid, got)
		}
	}
}

// An id that was used for one receiver and comes again for another, as from a
// second tab that counts like the first, is another message.
func TestPrivateMessagesOfOneID(t *testing.T) {
	s := newStack(t)
	s.user("bob")
	s.user("carl")
	p := s.user("ann")
	for _, uid := range []string{"bob", "carl", "carl"} {
		p.send(wire.TypePrivateMessage, "c-1", "", `{"to_uid":"`+uid+`","message":"for `+uid+`"}`)
		same(t, "the answer", p.await("the ack", func(ev wire.Event) bool { return ev.ID == "c-1" }).Type, wire.TypeAck)
	}
	if got := s.inboxOf("ann"); len(got) != 2 || !strings.Contains(got[0], "for bob") || !strings.Contains(got[1], "for carl") {
		t.Errorf("ann has %v", got)
	}
}
