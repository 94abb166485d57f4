package session

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// settle makes the rooms that guests opened old enough to be looked at.
func (g *guestRooms) settle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for room := range g.open {
		g.open[room] -= guestRoomGrace
	}
	g.swept = 0
}

func (p *peer) join(room string) {
	p.t.Helper()
	p.acked(wire.TypeJoinRoom, "", map[string]string{"name": room})
}

func (p *peer) mayNotJoin(code wire.Code, room string) {
	p.t.Helper()
	p.failed(code, wire.TypeJoinRoom, "", fmt.Sprintf(`{"name":%q}`, room))
}

// Guests bring so many rooms into being and no more; what others use is not
// counted, and what has ended makes place.
func TestGuestsOpenSoManyRooms(t *testing.T) {
	s := newStack(t, func(set *setup) {
		set.cfg.MaxGuestRooms = 2
		set.rooms.IdleAfter = 100 * time.Millisecond
	})
	gus, gina, ann := s.dial("username=Gus"), s.dial("username=Gina"), s.user("ann")
	gus.join("a")
	gina.join("b")
	gus.join("b") // is there
	gus.mayNotJoin(wire.Busy, "c")
	gina.mayNotJoin(wire.Busy, "d")
	ann.join("c") // a user may
	gus.join("c") // and then a guest
	same(t, "refused rooms", s.m.Stats().RefusedGuestRooms.Load(), 2)

	ann.join("a") // now it is not guests' alone
	gus.join("d")
	gus.mayNotJoin(wire.Busy, "e")

	gus.acked(wire.TypeLeaveRoom, "", `{"name":"d"}`)
	eventually(t, "the room has ended", func() bool { _, open := s.eng.RoomHere("d"); return !open })
	s.m.guestRooms.settle()
	gus.join("e")
	gus.mayNotJoin(wire.Busy, "f")
	same(t, "what is counted", len(s.m.guestRooms.open), 2)

	p := s.dialRaw("username=Late&room=g") // the connection is opened, the room is not
	ev := p.awaitType(wire.TypeError)
	same(t, "the room of the error", ev.Room, "g")
	same(t, "its code", decode[wire.ErrorInfo](t, ev.Payload).Code, wire.Busy)
}

// Rooms that guests are granted by their full name are the site's.
func TestGuestsOpenRoomsOfTheSite(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.MaxGuestRooms = 1 })
	s.m.who.(*auth.Authenticator).Guests.Rooms = []string{"general", "lobby", "vip", "table-*"}
	gus := s.dial("username=Gus")
	gus.joined("general")
	for _, room := range []string{"lobby", "vip", "table-1"} {
		gus.join(room)
	}
	gus.mayNotJoin(wire.Busy, "table-2")
}

// An address opens so many new rooms in a time, whatever the guest is called.
func TestNewRoomsOfAnAddress(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.MaxGuestRooms = 8 * newRoomBurst })
	guest := func(addr string) *peer {
		ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws", http.Header{"X-Forwarded-For": {addr}})
		must(t, err)
		resp.Body.Close()
		t.Cleanup(func() { ws.Close() })
		p := &peer{t: t, ws: ws}
		p.joined("general")
		return p
	}
	opened, refused := 0, 0
	for refused == 0 && opened < 4*newRoomBurst {
		gus := guest("192.0.2.1")
		for range MaxRooms - 1 {
			id, ev := gus.ask(wire.TypeJoinRoom, "", fmt.Sprintf(`{"name":"room-%d"}`, opened))
			if ev.Type == wire.TypeError {
				gus.wantError(ev, wire.Busy)
				refused++
				break
			}
			same(t, "the answer to "+id, ev.Type, wire.TypeAck)
			opened++
		}
		gus.ws.Close()
	}
	if opened < newRoomBurst || refused != 1 {
		t.Fatalf("%d rooms were opened, %d refused", opened, refused)
	}
	same(t, "limited rooms", s.m.Stats().LimitedGuestRooms.Load(), 1)
	other := guest("192.0.2.2")
	other.join("another")
	other.join("room-0") // is there
}

// A guest opens no room whose name looks like another's; users and services do,
// and then a guest may enter it.
func TestGuestsNameRoomsAsTheyShow(t *testing.T) {
	s := newStack(t)
	gus, ann := s.dial("username=Gus"), s.user("ann")
	lookalikes := []string{"v\u200bip", "vip\u202e", "vip ", " vip", "v  ip", "v\u00a0ip", "\u2066vip\u2069", "\u3164"}
	for _, name := range lookalikes {
		gus.mayNotJoin(wire.BadRoom, name)
		gus.mayNotJoin(wire.BadRoom, name) // also when looking for it has opened it
	}
	same(t, "refused names", s.m.Stats().RefusedGuestNames.Load(), int64(2*len(lookalikes)))
	status, code, _ := s.refused("room=%E2%80%AEq", nil)
	same(t, "the status of a handshake", status, http.StatusBadRequest)
	same(t, "its code", wire.Code(code), wire.BadRoom)
	for _, name := range []string{"vip", "百家樂", "table 1", "नमस्ते", "👩\u200d💻"} {
		gus.join(name)
	}
	ann.join(lookalikes[0])
	gus.join(lookalikes[0])
	_, err := s.fromService(lookalikes[1], wire.Event{Type: "service"})
	must(t, err)
	gus.join(lookalikes[1])
}
