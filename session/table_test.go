package session

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// What is said at a table by somebody who waits for no answer is decided as it was
// sent, though the buffers that it was read into are used again meanwhile, and
// told in that order, also by a node that hears all rooms.
func TestManyCommandsAtOnce(t *testing.T) {
	for _, hearAll := range []bool{false, true} {
		t.Run(fmt.Sprint("hears all ", hearAll), func(t *testing.T) {
			s := newStack(t, func(set *setup) {
				set.rooms.HearAll = hearAll
				set.rooms.Tables = []rooms.Hosting{{Rooms: "baccarat-*", Game: table.Of(baccarat.New(baccarat.Config{BetTime: time.Hour}))}}
			})
			ann := s.user("ann")
			const room, many = "baccarat-1", 200
			ann.acked(wire.TypeJoinRoom, "", `{"name":"`+room+`"}`)
			text := func(i int) string { return fmt.Sprintf("%d%*d", i, 1+i%50, i) }
			for i := range many {
				ann.send(wire.TypeSendMessage, fmt.Sprint("m-", i), room, wire.SendMessage{Message: text(i)})
			}
			told, acked := 0, 0
			for told < many || acked < many {
				ev := ann.read()
				switch ev.Type {
				case wire.TypeAck:
					acked++
				case wire.TypeError:
					t.Fatal(show(ev))
				}
				for _, payload := range said(t, ev) {
					var p wire.SendMessage
					must(t, json.Unmarshal(payload, &p))
					same(t, "a text", p.Message, text(told))
					told++
				}
			}
		})
	}
}

// said are the payloads of the messages in an event.
func said(t *testing.T, ev wire.Event) (list []json.RawMessage) {
	t.Helper()
	switch ev.Type {
	case wire.TypeNewMessage:
		list = append(list, ev.Payload)
	case wire.TypeBatch:
		for _, one := range decode[struct{ Events []wire.BatchedEvent }](t, ev.Payload).Events {
			if one.Type == wire.TypeNewMessage {
				list = append(list, one.Payload)
			}
		}
	}
	return list
}

// TestTablesToBeginAt: who looks for a room is told of the tables that he may enter, though nobody has opened one yet.
func TestTablesToBeginAt(t *testing.T) {
	game := table.Of(baccarat.New(baccarat.Config{BetTime: time.Hour}))
	s := newStack(t, func(set *setup) {
		set.rooms.Tables = []rooms.Hosting{{Rooms: "baccarat-*", Game: game}, {Rooms: "salon", Game: game}, {Rooms: "vip-*", Game: game}}
	})
	s.m.who.(*auth.Authenticator).Guests.Rooms = []string{"general", "baccarat-*", "salon"}
	ask := func(p *peer, ask wire.GetRooms) []string {
		t.Helper()
		p.ask(wire.TypeGetRooms, "", ask)
		return decode[wire.Rooms](t, p.awaitType(wire.TypeRooms).Payload).Tables
	}
	ann := s.user("ann")
	same(t, "to who may enter all", fmt.Sprint(ask(ann, wire.GetRooms{})), "[baccarat-1 salon vip-1]")
	same(t, "of those that begin so", fmt.Sprint(ask(ann, wire.GetRooms{Prefix: "sa"})), "[salon]")
	same(t, "on a later page", fmt.Sprint(ask(ann, wire.GetRooms{After: "general"})), "[]")
	guest := s.dial("username=G")
	guest.joined("general")
	same(t, "to a guest", fmt.Sprint(ask(guest, wire.GetRooms{})), "[baccarat-1 salon]")
}

// TestPublishHookAtTables: what clients send to a table is asked about as what they say in rooms is: the hook sees the command that will be
// decided, and refuses it, changes it or leaves it without a decision, and the id stays that of one command.
func TestPublishHookAtTables(t *testing.T) {
	var j judge
	s := newStack(t, func(set *setup) {
		set.cfg.Hooks.Publish = j.publish
		set.rooms.Tables = []rooms.Hosting{{Rooms: "baccarat-*", Game: table.Of(baccarat.New(baccarat.Config{BetTime: time.Hour}))}}
	})
	ann, bob := s.user("ann"), s.user("bob")
	const room = "baccarat-1"
	for _, p := range []*peer{ann, bob} {
		p.acked(wire.TypeJoinRoom, "", `{"name":"`+room+`"}`)
	}
	eventually(t, "a round is open", func() bool {
		page, err := s.eng.History(t.Context(), room, 0, 100)
		must(t, err)
		return slices.ContainsFunc(page.Events, func(raw json.RawMessage) bool {
			return part(t, decode[wire.Event](t, raw), "round_opened") != nil
		})
	})
	send := func(id, typ, payload string, v verdict) wire.Event {
		t.Helper()
		j.of(id) <- v
		ann.send(typ, id, room, payload)
		return ann.answer(id)
	}

	const bet = `{"round":1,"on":"banker","amount":20}`
	told := ann.wantError(send("no", "place_bet", bet, verdict{err: wire.Errorf(wire.Forbidden, "you have lost enough")}), wire.Forbidden)
	same(t, "the refusal", told.Message, "you have lost enough")
	ann.wantError(send("undecided", "place_bet", bet, verdict{err: wire.Errorf(wire.Unavailable, "nobody answers")}), wire.Unavailable)
	ann.wantError(send("garbage", "place_bet", bet, verdict{payload: `{"round":1}}`}), wire.Unavailable)
	first := send("less", "place_bet", `{"round":1,"on":"banker","amount":1000}`, verdict{payload: bet})
	same(t, "the answer to a bet that the hook made smaller", first.Type, wire.TypeAck)
	same(t, "its amount, the first bet that was placed", decode[struct{ Amount int }](t, bob.awaitPart("bet_placed")).Amount, 20)
	again := send("less", "place_bet", bet, verdict{})
	same(t, "it is there already, sent again", decode[wire.Ack](t, again.Payload).Duplicate && again.Seq == first.Seq, true)

	same(t, "chat", send("chat", wire.TypeSendMessage, `{"content":"damn"}`, verdict{payload: `{"message":"***"}`}).Type, wire.TypeAck)
	same(t, "the text", decode[wire.Message](t, bob.awaitPart(wire.TypeNewMessage)).Message, "***")
	same(t, "nothing was changed", send("as it is", wire.TypeSendMessage, `{"message":"hi"}`, verdict{}).Type, wire.TypeAck)
	same(t, "the text as it was", decode[wire.Message](t, bob.awaitPart(wire.TypeNewMessage)).Message, "hi")

	same(t, "what was asked about", fmt.Sprint(j.ids()), "[no undecided garbage less less chat as it is]")
	for i, want := range map[int]string{0: `{"type":"place_bet","payload":` + bet + `}`, 5: `{"type":"send_message","payload":{"message":"damn"}}`} {
		if got := j.asked[i]; string(got.Event) != want || got.Room != room || got.Who.UID != "ann" {
			t.Errorf("asked about %s of %s in %s, want %s", got.Event, got.Who.UID, got.Room, want)
		}
	}

	// What waits for the hook is decided in the order in which it was sent.
	for _, id := range []string{"1", "2", "3"} {
		ann.send(wire.TypeSendMessage, id, room, wire.SendMessage{Message: id})
	}
	for _, id := range []string{"3", "2", "1"} {
		j.of(id) <- verdict{}
	}
	var heard []string
	for len(heard) < 3 {
		for _, payload := range said(t, bob.read()) {
			heard = append(heard, decode[wire.Message](t, payload).Message)
		}
	}
	same(t, "the order", fmt.Sprint(heard), "[1 2 3]")
}

// awaitPart returns the payload of the next event of a type, which may have come
// together with others: those are gone then.
func (p *peer) awaitPart(typ string) (payload json.RawMessage) {
	p.t.Helper()
	p.await(typ, func(ev wire.Event) bool {
		payload = part(p.t, ev, typ)
		return payload != nil
	})
	return payload
}

// part returns the payload of the first event of a type in what was told at once;
// nil: there is none.
func part(t testing.TB, ev wire.Event, typ string) json.RawMessage {
	t.Helper()
	list, err := wire.EachOf(ev)
	must(t, err)
	for _, one := range list {
		if one.Type == typ {
			return one.Payload
		}
	}
	return nil
}

// TestCommandFromOutside: who sends a command to a table that he is not at is told so, as of a room.
func TestCommandFromOutside(t *testing.T) {
	s := newStack(t, func(set *setup) {
		set.rooms.Tables = []rooms.Hosting{{Rooms: "baccarat-*", Game: table.Of(baccarat.New(baccarat.Config{BetTime: time.Hour}))}}
	})
	ann := s.dial("token=" + s.token("ann", func(c *auth.Claims) { c.Rooms = []string{"general", "baccarat-1"} }))
	ann.joined("general")
	for _, typ := range []string{"place_bet", wire.TypeSendMessage} {
		ann.failed(wire.NotMember, typ, "baccarat-1", `{"message":"x"}`)
		ann.failed(wire.Forbidden, typ, "baccarat-2", `{"message":"x"}`)
	}
	ann.failed(wire.UnknownType, "place_bet", "general", nil)
	ann.failed(wire.UnknownType, "place_bet", "another-room", nil)
	ann.failed(wire.UnknownType, "place_bet", "", nil)
}
