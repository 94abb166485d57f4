package session

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// people is who is in a room as a client knows it that follows the contract: it
// begins with the list in room_joined, reads the pages that are missing, applies
// what presence tells, and reads all pages again when that said more.
type people struct {
	p     *peer
	room  string
	known map[string]bool
	count int

	asking  bool
	after   string // of the page that was asked for
	again   bool   // more was said while pages came
	reading map[string]bool
}

func follow(p *peer, joined wire.RoomJoined) *people {
	l := &people{p: p, room: joined.RoomID, known: map[string]bool{}, count: joined.Count}
	for _, u := range joined.List {
		l.known[u.UID] = true
	}
	if len(joined.List) < joined.Count {
		l.read()
	}
	return l
}

// read asks for all pages; what comes meanwhile is applied to both lists.
func (l *people) read() {
	if l.asking {
		l.again = true
		return
	}
	l.asking, l.reading = true, map[string]bool{}
	l.page("")
}

func (l *people) page(after string) {
	l.after = after
	l.p.send(wire.TypeGetOnlineUsers, "page-"+after, "", wire.RoomRequest{Name: l.room, After: after})
}

func (l *people) take(ev wire.Event) {
	l.p.t.Helper()
	switch ev.Type {
	case wire.TypePresence:
		change := decode[wire.PresenceChange](l.p.t, ev.Payload)
		l.count = change.Count
		for _, list := range []map[string]bool{l.known, l.reading} {
			for _, u := range change.Joined {
				if list != nil {
					list[u.UID] = true
				}
			}
			for _, u := range change.Left {
				delete(list, u.UID)
			}
		}
		if change.More {
			l.read()
		}
	case wire.TypeOnlineUsers:
		page := decode[wire.OnlineUsers](l.p.t, ev.Payload)
		l.count = page.Count
		for _, u := range page.List {
			l.reading[u.UID] = true
		}
		if page.Next != "" {
			l.page(page.Next)
			return
		}
		l.known, l.reading, l.asking = l.reading, nil, false
		if l.again {
			l.again = false
			l.read()
		}
	case wire.TypeError:
		l.p.t.Fatalf("the page after %q: %s", l.after, show(ev))
	}
}

// until follows until the list has a user, and is not being read again.
func (l *people) until(uid string) {
	l.p.t.Helper()
	for !l.known[uid] || l.asking {
		l.take(l.p.read())
	}
}

// A list kept by the rule of the contract is right after any number of changes,
// where more of them come at once than a presence event tells.
func TestListAfterManyChanges(t *testing.T) {
	s := newStack(t, func(set *setup) { set.rooms.PresenceInterval = 500 * time.Millisecond })
	guest := func(i int) *grenade { return &grenade{id: text("u-%04d", i)} }
	join := func(from, to int) {
		for i := from; i < to; i++ {
			must(t, s.eng.Join(t.Context(), "general", guest(i), "", rooms.Since{}))
		}
	}
	leave := func(from, to int) {
		for i := from; i < to; i++ {
			s.eng.Leave("general", guest(i), rooms.LeaveClosed)
		}
	}
	join(0, 60)
	p := s.dialRaw("token=" + s.token("watch"))
	list := follow(p, p.joined("general"))
	rounds := []func(){
		func() { join(60, 560) },                                    // 200 present were not drawn
		func() { leave(0, 500) },                                    // 60 departed stayed
		func() { join(1000, 1300); leave(1000, 1280); join(0, 30) }, // and both at once
		func() { join(30, 40) },                                     // few enough to be told
	}
	for n, change := range rounds {
		change()
		mark := &grenade{id: text("zz-%d", n)}
		must(t, s.eng.Join(t.Context(), "general", mark, "", rooms.Since{}))
		list.until(mark.id)
		want := map[string]bool{}
		for after := ""; ; {
			page, err := s.eng.Online(t.Context(), "general", after, 100)
			must(t, err)
			for _, u := range page.List {
				want[u.UID] = true
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if !maps.Equal(list.known, want) {
			t.Errorf("round %d: the list has %d users, the room %d; too many: %v, missing: %v", n, len(list.known), len(want), missing(want, list.known), missing(list.known, want))
		}
		same(t, text("round %d: the count", n), list.count, len(want))
	}
}

// missing are those of wanted that list does not have.
func missing(list, wanted map[string]bool) (uids []string) {
	for uid := range wanted {
		if !list[uid] {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids
}
