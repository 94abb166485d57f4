package session

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// What the feed tells of a connection is numbered in the order in which it
// happened: it is there before it is in a room, and has ended before its rooms
// give it up.
func TestFeedOfAConnection(t *testing.T) {
	s := newStack(t, func(set *setup) { set.rooms.Feed = true })
	nc, err := s.nats.Connect("follower")
	must(t, err)
	defer nc.Close()
	feed, err := nc.SubscribeSync(wire.FeedSubject + "*")
	must(t, err)
	must(t, nc.Flush())

	guest, user := s.dial("room=hall&username=gina"), s.dial("room=hall&token="+s.token("bob"))
	for _, p := range []*peer{guest, user} {
		p.joined("hall")
		c := s.client(p)
		s.m.RemoveClient(c, wire.CloseRemoved)
		p.end() // answers the close frame
		<-c.Done()
	}
	type told struct {
		what, why string
		code      wire.CloseCode
	}
	want := []told{{what: "connected"}, {what: "joined"}, {"disconnected", wire.CloseRemoved.String(), wire.CloseRemoved}, {what: "left", why: string(rooms.LeaveClosed)}}
	got, last := make(map[string][]told), uint64(0)
	for len(got[guest.welcome.ClientID]) < len(want) || len(got[user.welcome.ClientID]) < len(want) {
		msg, err := feed.NextMsg(patience)
		if err != nil {
			t.Fatalf("told was %v: %v", got, err)
		}
		var ev wire.FeedEvent
		must(t, json.Unmarshal(msg.Data, &ev))
		if last != 0 && ev.N != last+1 {
			t.Errorf("after %d comes %s", last, msg.Data)
		}
		last = ev.N
		if ev.Connection == "" {
			continue
		}
		got[ev.Connection] = append(got[ev.Connection], told{strings.TrimPrefix(msg.Subject, wire.FeedSubject), ev.Why, ev.Code})
		if isGuest := ev.Connection == guest.welcome.ClientID; ev.Guest != isGuest || isGuest == (ev.UID == "bob") {
			t.Errorf("told is %s", msg.Data)
		}
	}
	for id, list := range got {
		for i := range want {
			if list[i] != want[i] {
				t.Errorf("of %s is told %v, want %v", id, list, want)
				break
			}
		}
	}
}
