package session

import (
	"encoding/json"
	"fmt"
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
