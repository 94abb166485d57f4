package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// open makes the peer go from new room to new room, as change_room does, until
// one is refused or `most` are open, and returns how many were.
func (p *peer) open(prefix string, most int) (opened int) {
	p.t.Helper()
	for opened < most {
		_, ev := p.ask(wire.TypeChangeRoom, "", fmt.Sprintf(`{"name":"%s-%d"}`, prefix, opened))
		if ev.Type == wire.TypeError {
			p.wantError(ev, wire.Busy)
			return opened
		}
		same(p.t, "the answer", ev.Type, wire.TypeAck)
		opened++
	}
	return opened
}

func unlimitedEvents(set *setup) { set.cfg.Rate, set.cfg.Burst = 1e6, 1e6 }

// A user opens so many new rooms in a time, over however many connections, and
// may still enter what is open, what the token names, and the room for all.
func TestNewRoomsOfAUser(t *testing.T) {
	s := newStack(t, unlimitedEvents)
	same(t, "the rooms of another user", s.user("bob").open("bob", 10), 10)
	granted := func(c *auth.Claims) { c.Rooms = []string{"*", "vip"} }
	first, second := s.user("ann"), s.dial("room=@me&token="+s.token("ann", granted))
	opened := first.open("a", userRoomBurst/2)
	opened += second.open("b", 4*userRoomBurst)
	if opened < userRoomBurst || opened == userRoomBurst/2+4*userRoomBurst {
		t.Fatalf("%d rooms were opened, want %d and what became free meanwhile", opened, userRoomBurst)
	}
	same(t, "limited rooms", s.m.Stats().LimitedUserRooms.Load(), 1)
	second.join("vip")
	second.join("general")
	second.join("bob-9")
	same(t, "limited rooms", s.m.Stats().LimitedUserRooms.Load(), 1)
}

// The users of an address share a limit; others do not feel it.
func TestNewRoomsOfAnAddressOfUsers(t *testing.T) {
	s := newStack(t, behindProxy(t), unlimitedEvents)
	opened, users := 0, 0
	for s.m.Stats().LimitedAddressRooms.Load() == 0 && users < 4*addressRooms {
		uid := fmt.Sprint("user", users)
		opened += s.from("192.0.2.1", uid).open(uid, userRoomBurst-1)
		users++
	}
	if opened < addressRooms*userRoomBurst || users == 4*addressRooms {
		t.Fatalf("%d users opened %d rooms, want %d rooms and what became free meanwhile", users, opened, addressRooms*userRoomBurst)
	}
	same(t, "limited users", s.m.Stats().LimitedUserRooms.Load(), 0)
	s.from("192.0.2.2", "other").join("another")
}

// After a restart a user's connections resume all their rooms at once, none of
// which is open, also when the user has just opened as many as it may. But a
// resume is no way around the limit.
func TestResumedRoomsAreNotNewOnes(t *testing.T) {
	s := newStack(t, unlimitedEvents, func(set *setup) { set.cfg.MaxConnectionsPerUser = 0 })
	s.user("ann").open("a", 4*userRoomBurst)
	resume := func(tab int) *peer {
		var list []string
		for i := range MaxRooms {
			list = append(list, fmt.Sprintf("tab%d-%d:FF:1", tab, i))
		}
		p := s.dialRaw("token=" + s.token("ann") + "&resume=" + strings.Join(list, ","))
		t.Cleanup(func() { p.ws.Close() })
		return p
	}
	for tab := range resumedRoomBurst / MaxRooms {
		p := resume(tab)
		for i := range MaxRooms {
			p.joined(fmt.Sprintf("tab%d-%d", tab, i))
		}
	}
	limited := s.m.Stats().LimitedUserRooms.Load()
	same(t, "limited rooms", limited, 1)
	for tab := 1000; s.m.Stats().LimitedUserRooms.Load() == limited; tab++ {
		if tab == 1040 {
			t.Fatal("40 more handshakes resumed all their rooms")
		}
		resume(tab).join("general") // answered when all are
	}
}
