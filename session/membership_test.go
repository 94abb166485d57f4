package session

import (
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestChangeRoom(t *testing.T) {
	s := newStack(t)
	p, stays := s.user("ann"), s.user("bob")
	id, _ := p.ask(wire.TypeChangeRoom, "", `{"name":"x"}`)
	seen := withoutPresence(p.unread)
	p.unread = nil
	joined, left := seen[len(seen)-2], seen[len(seen)-1]
	if joined.Type != wire.TypeRoomJoined || joined.ID != id || joined.Room != "x" {
		t.Errorf("first came %s, want room_joined of x with the id", show(joined))
	}
	if r := decode[wire.RoomLeft](t, left.Payload); left.Type != wire.TypeRoomLeft || r.RoomID != "general" || r.Reason != "left" {
		t.Errorf("then came %s, want room_left of general", show(left))
	}
	stays.say("", "one")
	p.say("", "two") // its current room is x
	p.heard("x", "two")
	p.silent()
	stays.heard("general", "one")
	stays.silent()

	p.acked(wire.TypeChangeRoom, "", `{"name":"x"}`) // where it is
	p.joined("x")
	p.silent()
	p.acked(wire.TypeChangeRoom, "general", nil) // named by the event
	p.joined("general")
	p.awaitType(wire.TypeRoomLeft)
	for _, name := range []string{"", "@me", "@bob", strings.Repeat("x", 65)} {
		if _, ev := p.ask(wire.TypeChangeRoom, "", wire.RoomRequest{Name: name}); ev.Type != wire.TypeError {
			t.Errorf("changing to %q was answered %s", name, show(ev))
		}
	}
	_, current := s.client(p).Rooms()
	same(t, "the current room after refused changes", current, "general")
	stays.say("", "three")
	p.heard("general", "three")
}

func TestJoinAndLeave(t *testing.T) {
	s := newStack(t)
	p, other := s.user("ann"), s.dial("room=r&username=o")
	other.joined("r")
	for i := range 5 {
		other.say("", text("m%d", i))
	}
	other.heard("r", "m4") // so the room has it, too
	id, _ := p.ask(wire.TypeJoinRoom, "", `{"name":"r","last":2}`)
	got := p.all()
	if len(got) != 3 || got[0].Type != wire.TypeRoomJoined || got[0].ID != id || got[0].Room != "r" {
		t.Fatalf("joining with last 2 brought %s", show(got...))
	}
	j := decode[wire.RoomJoined](t, got[0].Payload)
	if j.Replayed != 2 || j.Count != 2 || len(j.List) != 2 {
		t.Errorf("room_joined is %+v", j)
	}
	for i, ev := range got[1:] {
		same(t, "a replayed message", decode[wire.Message](t, ev.Payload).Message, text("m%d", i+3))
	}
	s.awaitCurrent(p, "general")
	other.say("", "live")
	p.heard("r", "live")

	id, _ = p.ask(wire.TypeLeaveRoom, "", `{"name":"r"}`)
	left := p.awaitType(wire.TypeRoomLeft)
	same(t, "the id of room_left", left.ID, id)
	seq := other.say("", "not for ann")
	other.heard("r", "not for ann")
	p.silent()
	p.failed(wire.NotMember, wire.TypeSendMessage, "r", `{"message":"a"}`)

	at := wire.Position{Epoch: j.Epoch, Seq: seq - 2}
	p.acked(wire.TypeJoinRoom, "", wire.RoomRequest{Name: "r", Since: &at})
	again := p.joined("r")
	if !again.Recovered || again.Replayed != 2 {
		t.Errorf("joining since %+v brought %+v, want 2 replayed and recovered", at, again)
	}
	p.heard("r", "live")
	p.heard("r", "not for ann")
	p.silent()

	p.acked(wire.TypeLeaveRoom, "", nil) // general, the current one
	p.awaitType(wire.TypeRoomLeft)
	p.failed(wire.NotMember, wire.TypeSendMessage, "", `{"message":"a"}`)
	p.failed(wire.NotMember, wire.TypeLeaveRoom, "", nil)
	p.failed(wire.Forbidden, wire.TypeLeaveRoom, "", `{"name":"@me"}`)
	p.acked(wire.TypeJoinRoom, "", `{"name":"q"}`) // becomes the current one
	p.say("", "hello q")
	p.heard("q", "hello q")
}

func TestThirtyTwoRooms(t *testing.T) {
	s := newStack(t)
	p := s.user("ann") // in general
	for i := 1; i < MaxRooms; i++ {
		p.acked(wire.TypeJoinRoom, "", wire.RoomRequest{Name: text("r%d", i)})
	}
	p.failed(wire.TooManyRooms, wire.TypeJoinRoom, "", `{"name":"one more"}`)
	p.acked(wire.TypeJoinRoom, "", `{"name":"r1"}`)     // it is there
	p.acked(wire.TypeChangeRoom, "", `{"name":"move"}`) // instead of general
	p.acked(wire.TypeLeaveRoom, "", `{"name":"r1"}`)
	p.acked(wire.TypeJoinRoom, "", `{"name":"one more"}`)
	in, current := s.client(p).Rooms()
	same(t, "the number of rooms", len(in), MaxRooms)
	same(t, "the current room", current, "move")
}
