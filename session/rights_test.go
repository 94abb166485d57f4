package session

import (
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Who may only listen in a room hears everything there, and nothing that it
// sends gets in, by whatever way.
func TestListeningOnly(t *testing.T) {
	s := newStack(t)
	s.m.Handle("place_bet", func(r *Request) error {
		room, err := r.Room()
		if err != nil {
			return err
		}
		return r.Publish(room, wire.Event{Type: "bet_placed"})
	})
	s.m.Handle("tell_auditor", func(r *Request) error { return r.Publish("audit", wire.Event{Type: "told"}) })
	speaks := func(patterns ...string) func(*auth.Claims) { return func(c *auth.Claims) { c.Speak = patterns } }
	ann := s.user("ann")
	bob := s.dial("token=" + s.token("bob", speaks("table-*", "@support")))
	bob.joined("general")
	support := s.user("support")

	for _, try := range []struct{ typ, payload string }{
		{wire.TypeSendMessage, `{"message":"hi"}`}, {wire.TypeSignal, `{}`}, {"place_bet", `{}`}, {"tell_auditor", `{}`},
		{wire.TypePrivateMessage, `{"to_uid":"ann","message":"psst"}`},
	} {
		bob.failed(wire.Forbidden, try.typ, "", try.payload)
	}
	same(t, "events refused for want of the right", s.m.Stats().RefusedSpeak.Load(), 5)
	ann.say("", "for everybody")
	ann.heard("general", "for everybody")
	bob.heard("general", "for everybody")
	bob.acked(wire.TypePrivateMessage, "", `{"to_uid":"bob","message":"note to self"}`)
	bob.awaitType(wire.TypePrivateMessage)
	bob.acked(wire.TypePrivateMessage, "", `{"to_uid":"support","message":"help"}`)
	support.awaitType(wire.TypePrivateMessage)

	ann.acked(wire.TypeJoinRoom, "", `{"name":"table-1"}`)
	bob.acked(wire.TypeJoinRoom, "", `{"name":"table-1"}`)
	bob.say("table-1", "banker")
	bob.acked("place_bet", "table-1", `{}`)
	bob.acked(wire.TypeSignal, "table-1", `{}`)
	ann.heard("table-1", "banker")
	ann.awaitType("bet_placed")
	for _, ev := range withoutPresence(ann.all()) {
		if ev.Room != "table-1" && ev.Type != wire.TypeAck {
			t.Errorf("ann got %s", show(ev))
		}
	}
}

// What a guest may do is what this server grants guests, not what its token or
// its ticket was made with.
func TestGuestsAreGranted(t *testing.T) {
	s := newStack(t)
	s.user("ann")
	free := s.dial("username=Gus")
	free.joined("general")
	free.acked(wire.TypePrivateMessage, "", `{"to_uid":"ann","message":"hi"}`)

	guests := newStack(t)
	guests.m.who.(*auth.Authenticator).Guests.Rooms, guests.m.who.(*auth.Authenticator).Guests.Speak = []string{"general", "table-*"}, []string{"general"}
	status, code, _ := guests.refused("room=vip", nil)
	same(t, "the status of a room that guests may not enter", status, 403)
	same(t, "its code", wire.Code(code), wire.Forbidden)
	gus := guests.dial("username=Gus")
	gus.joined("general")
	gus.say("", "hi")
	gus.acked(wire.TypeJoinRoom, "", `{"name":"table-1"}`)
	gus.failed(wire.Forbidden, wire.TypeSendMessage, "table-1", `{"message":"hi"}`)
	gus.failed(wire.Forbidden, wire.TypePrivateMessage, "", `{"to_uid":"ann","message":"hi"}`)
	gus.failed(wire.Forbidden, wire.TypeJoinRoom, "", `{"name":"vip"}`)
}
