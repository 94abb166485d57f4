package session

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// lobby is every room that a peer is shown, page by page.
func (p *peer) lobby(ask wire.GetRooms) (list []wire.ListedRoom) {
	p.t.Helper()
	for {
		id, ack := p.ask(wire.TypeGetRooms, "", ask)
		if ack.Type != wire.TypeAck {
			p.t.Fatalf("get_rooms is answered %s", show(ack))
		}
		ev := p.awaitType(wire.TypeRooms)
		page := decode[wire.Rooms](p.t, ev.Payload)
		if ev.ID != id || ev.Room != "" || ask.Limit > 0 && len(page.List) > ask.Limit {
			p.t.Fatalf("rooms is %s", show(ev))
		}
		list = append(list, page.List...)
		if ask.After = page.Next; ask.After == "" {
			return list
		}
	}
}

func roomNames(list []wire.ListedRoom) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.Name
	}
	return strings.Join(names, " ")
}

// TestLobbyShowsWhatOneMayEnter: to each what its token, or this server's guests,
// are granted, and nothing else.
func TestLobbyShowsWhatOneMayEnter(t *testing.T) {
	s := newStack(t)
	s.m.who.(*auth.Authenticator).Guests.Rooms = []string{"general", "table-*"}
	ann := s.user("ann")
	for _, room := range []string{"table-1", "table-2", "vip", "caf\u00e9"} {
		ann.acked(wire.TypeJoinRoom, "", wire.RoomRequest{Name: room})
	}
	must(t, s.eng.SetLabel(t.Context(), "vip-9", json.RawMessage(`{"title":"soon"}`)))
	const all = "vip-9 caf\u00e9 general table-1 table-2 vip" // the one with a label first
	eventually(t, "all rooms are shown", func() bool { return roomNames(ann.lobby(wire.GetRooms{Limit: 2})) == all })

	granted := func(uid string, rooms ...string) *peer {
		p := s.dial("room=general&token=" + s.token(uid, func(c *auth.Claims) { c.Rooms = append([]string{"general"}, rooms...) }))
		p.joined("general")
		return p
	}
	gus := s.dial("username=Gus")
	gus.joined("general")
	for _, tc := range []struct {
		who  *peer
		ask  wire.GetRooms
		want string
	}{
		{gus, wire.GetRooms{}, "general table-1 table-2"},
		{gus, wire.GetRooms{Prefix: "vip"}, ""},
		{gus, wire.GetRooms{Prefix: "@"}, ""},
		{granted("bob", "vip"), wire.GetRooms{}, "general vip"},
		{granted("cat", "vip*", "vip-9", "table-2"), wire.GetRooms{Limit: 1}, "vip-9 general table-2 vip"},
		{granted("dan", "*"), wire.GetRooms{Prefix: "table-"}, "table-1 table-2"},
		{ann, wire.GetRooms{Prefix: "cafe\u0301"}, "caf\u00e9"}, // in the other spelling
		{ann, wire.GetRooms{After: "table-1", Limit: 50}, "table-2 vip"},
	} {
		if got := roomNames(tc.who.lobby(tc.ask)); got != tc.want {
			t.Errorf("%s asks for %+v and is shown %q, want %q", tc.who.welcome.UID, tc.ask, got, tc.want)
		}
	}
	if list := ann.lobby(wire.GetRooms{Prefix: "vip-"}); len(list) != 1 || string(list[0].Label) != `{"title":"soon"}` || list[0].Count != 0 {
		t.Errorf("the room with a label is %+v", list)
	}
	if list := ann.lobby(wire.GetRooms{Prefix: "vip", Limit: 1}); len(list) != 2 || list[1].Count != 1 {
		t.Errorf("vip is %+v", list)
	}
}

// TestGetRoomsThatDoesNotFit is bad_payload; and asking costs as any answer does.
func TestGetRoomsThatDoesNotFit(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.RateBytes = 1 << 10 })
	ann := s.user("ann")
	for _, payload := range []string{`{"limit":-1}`, `{"limit":"9"}`, `{"prefix":7}`, `[]`, text(`{"prefix":%q}`, strings.Repeat("x", wire.MaxRoomFilter+1)), text(`{"after":%q}`, strings.Repeat("x", wire.MaxRoomFilter+1))} {
		ann.failed(wire.BadPayload, wire.TypeGetRooms, "", payload)
	}
	s.client(ann).chargeAnswer(1 << 30)
	ann.failed(wire.RateLimited, wire.TypeGetRooms, "", `{}`)
	ann.failed(wire.UnknownType, wire.TypeRooms, "", `{"list":[],"next":""}`)
}
