package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// ownServer upgrades by itself and gives the connection to the manager. add is
// told what AddClient returned.
func ownServer(t *testing.T, s *stack, who auth.Identity, room string, add func(*Client, error, *websocket.Conn)) *peer {
	t.Helper()
	upgrader := websocket.Upgrader{EnableCompression: true}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		ws.SetReadLimit(100) // both are the manager's now
		_ = ws.SetReadDeadline(time.Now())
		c, err := s.m.AddClient(ws, who, wire.Room(room))
		add(c, err, ws)
	}))
	t.Cleanup(srv.Close)
	dialer := websocket.Dialer{EnableCompression: true}
	ws, resp, err := dialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	must(t, err)
	resp.Body.Close()
	t.Cleanup(func() { ws.Close() })
	return &peer{t: t, ws: ws}
}

func TestAddClient(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.MaxConnectionsPerAddress = 1 })
	who := auth.Identity{UID: "dealer-7", Username: "Dealer", AvatarID: "d", Rooms: []string{"table-*"}}
	added := make(chan *Client, 1)
	p := ownServer(t, s, who, "table-1", func(c *Client, err error, _ *websocket.Conn) {
		must(t, err)
		added <- c
	})
	c := <-added
	p.welcome = decode[wire.Welcome](t, p.awaitType(wire.TypeWelcome).Payload)
	p.joined("table-1")
	same(t, "ID", c.ID(), p.welcome.ClientID)
	same(t, "User", c.User(), wire.User{UID: "dealer-7", Username: "Dealer", AvatarID: "d"})
	same(t, "Identity", c.Identity().Rooms[0], "table-*")
	p.say("", strings.Repeat("longer than the limit that was set before ", 10))
	p.failed(wire.Forbidden, wire.TypeJoinRoom, "", `{"name":"general"}`)
	must(t, c.Send(wire.Event{Type: "deal", Payload: []byte(`{"cards":2}`)}))
	same(t, "what Send sent", string(p.awaitType("deal").Payload), `{"cards":2}`)

	status, _, _ := s.refused("", nil) // the address has its one connection
	same(t, "the status of another connection", status, 429)
	s.m.RemoveClient(c, wire.CloseForbidden)
	p.wantEnd(wire.CloseForbidden)
	<-c.Done()
	s.user("ann")
}

func TestAddClientRefuses(t *testing.T) {
	s := newStack(t)
	cases := []struct {
		name string
		who  auth.Identity
		room string
		want wire.Code
	}{
		{"a room that is not granted", auth.Identity{UID: "a", Rooms: []string{}}, "", wire.Forbidden},
		{"a bad room", auth.Identity{UID: "a"}, "\x07", wire.BadRoom},
		{"no uid", auth.Identity{}, "", ""},
		{"a uid that is no room's name", auth.Identity{UID: "a\nb"}, "", ""},
		{"a login that has expired", auth.Identity{UID: "a", Expires: time.Now().Add(-time.Hour)}, "", ""},
	}
	refused := func(who auth.Identity, room string, want wire.Code) {
		t.Helper()
		p := ownServer(t, s, who, room, func(c *Client, err error, ws *websocket.Conn) {
			var e *wire.Error
			switch {
			case err == nil || c != nil:
				t.Errorf("AddClient succeeded")
			case want != "" && (!errors.As(err, &e) || e.Code != want):
				t.Errorf("AddClient failed with %v, want %s", err, want)
			}
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"own"}`)) // ws is still the caller's
			ws.Close()
		})
		same(t, "the caller's message", p.read().Type, "own")
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { refused(c.who, c.room, c.want) })
	}
	same(t, "Count", s.m.Count(), 0)
	s.m.Close()
	refused(auth.Identity{UID: "a"}, "", wire.Unavailable)
}

func TestHandlersOfAProgram(t *testing.T) {
	s := newStack(t)
	p, other := s.user("ann"), s.user("bob")
	p.failed(wire.UnknownType, "bet.place", "", nil)
	s.m.Handle("bet.place", func(r *Request) error { // while connections are open
		var bet struct{ Amount int }
		if err := r.Bind(&bet); err != nil {
			return err
		}
		room, err := r.Room()
		if err != nil {
			return err
		}
		r.Reply(wire.Event{Type: "bet.taken", Room: string(room)}, map[string]string{"by": r.Client().User().UID})
		return r.Publish(room, wire.Event{Type: "bet.placed", Payload: wire.MarshalPayload(bet)})
	})
	id, ack := p.ask("bet.place", "", `{"amount":5}`)
	taken := p.awaitType("bet.taken")
	if taken.ID != id || taken.Room != "general" || string(taken.Payload) != `{"by":"ann"}` {
		t.Errorf("Reply sent %s", show(taken))
	}
	for _, x := range []*peer{p, other} {
		ev := x.awaitType("bet.placed")
		if ev.Seq != ack.Seq || ev.Seq == 0 || ev.Room != "general" || string(ev.Payload) != `{"Amount":5}` {
			t.Errorf("Publish brought %s", show(ev))
		}
	}
	p.failed(wire.BadPayload, "bet.place", "", `{"amount":"all"}`)

	s.m.Handle(wire.TypeSendMessage, func(*Request) error { return wire.Errorf(wire.Forbidden, "the table is closed") })
	same(t, "a replaced handler", p.failed(wire.Forbidden, wire.TypeSendMessage, "", `{"message":"x"}`).Message, "the table is closed")

	for _, typ := range []string{"", "Upper", "a b", strings.Repeat("x", 65)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Handle(%q) did not panic", typ)
				}
			}()
			s.m.Handle(typ, heartbeat)
		}()
	}
}

// A handler that publishes several events stores each, and is answered once,
// also if it is run again for the same id, fails or panics after publishing.
func TestHandlerPublishesSeveral(t *testing.T) {
	s := newStack(t)
	s.m.Handle("deal", func(r *Request) error {
		for i := range 3 {
			if err := r.Publish("general", wire.Event{Type: "card", Payload: wire.MarshalPayload(i)}); err != nil {
				return err
			}
		}
		switch string(r.Event.Payload) {
		case `"fail"`:
			return wire.Errorf(wire.Busy, "later")
		case `"panic"`:
			panic("after publishing")
		}
		return nil
	})
	p := s.user("ann")
	deal := func(id, payload string) wire.Event {
		p.send("deal", id, "", payload)
		return p.answer(id)
	}
	cards := func(want ...string) {
		t.Helper()
		var got []string
		for range want {
			got = append(got, string(p.awaitType("card").Payload))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the cards are %v, want %v", got, want)
		}
	}
	first := deal("d1", ``)
	cards("0", "1", "2")
	again := deal("d1", ``)
	if a := decode[wire.Ack](t, again.Payload); !a.Duplicate || again.Seq != first.Seq {
		t.Errorf("the same id again is answered %s after %s", show(again), show(first))
	}
	p.wantError(deal("d2", `"fail"`), wire.Busy)
	cards("0", "1", "2")
	p.wantError(deal("d3", `"panic"`), wire.Internal)
	cards("0", "1", "2")
	p.silent() // no second answer, no second card
}

func TestPublishRefusesWhatNobodyWouldSee(t *testing.T) {
	s := newStack(t)
	var ev wire.Event
	var room string
	s.m.Handle("try", func(r *Request) error { return r.Publish(wire.Room(room), ev) })
	p := s.user("ann")
	cases := []struct {
		name, room string
		ev         wire.Event
		code       wire.Code
	}{
		{"a bad room", "", wire.Event{Type: "card"}, wire.BadRoom},
		{"a bad type", "general", wire.Event{Type: "Card"}, wire.BadType},
		{"a type of the server's", "general", wire.Event{Type: wire.TypeAck}, wire.Forbidden},
		{"no JSON", "general", wire.Event{Type: "card", Payload: []byte(`{`)}, wire.BadJSON},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			room, ev = c.room, c.ev
			_, answer := p.ask("try", "", nil)
			same(t, "the answer", answer.Type, wire.TypeError)
			p.silent()
		})
	}
	room, ev = "e\u0301lan", wire.Event{Type: "card"} // not in the one spelling
	p.acked(wire.TypeJoinRoom, "", `{"name":"\u00e9lan"}`)
	p.acked("try", "", nil)
	same(t, "the room", p.awaitType("card").Room, "\u00e9lan")
}

// A handler that ends its goroutine ends its connection and nothing else.
func TestHandlerThatExits(t *testing.T) {
	s := newStack(t)
	s.m.Handle("exit", func(*Request) error { runtime.Goexit(); return nil })
	p, other := s.user("ann"), s.user("bob")
	p.send("exit", "a", "", nil)
	p.end()
	eventually(t, "the client is gone", func() bool { return s.m.Count() == 1 })
	other.say("", "still here")
}

// A page of history larger than the queue is no reason to call a client slow.
func TestLargeAnswer(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.QueueBytes = 32 << 10 })
	p, other := s.dial("room=quiet&username=a"), s.user("bob")
	p.joined("quiet")
	for range 20 {
		other.say("", strings.Repeat("x", 10<<10))
		other.awaitType(wire.TypeNewMessage) // or acks run ahead, and more events come at once than its queue takes
	}
	p.acked(wire.TypeJoinRoom, "", `{"name":"general"}`)
	s.m.Handle("twice", func(r *Request) error { // two at once, so that one waits
		if err := getHistory(r); err != nil {
			return err
		}
		return getHistory(r)
	})
	for range 5 {
		p.acked("twice", "general", nil)
		same(t, "the first page", len(decode[wire.History](t, p.awaitType(wire.TypeHistory).Payload).Events), 20)
		same(t, "the second page", len(decode[wire.History](t, p.awaitType(wire.TypeHistory).Payload).Events), 20)
	}
}

// What only rooms may call, because of its order, is no part of a Client's face.
func TestClientIsNoMember(t *testing.T) {
	if _, ok := any(new(Client)).(rooms.Member); ok {
		t.Error("a program can deliver to a Client past its rooms")
	}
}

// Zero is no limit, and what is below it no limit either, but a mistake.
func TestLimitsOfConfig(t *testing.T) {
	must(t, Config{}.Validate())
	for name, set := range map[string]func(*Config){
		"Rate":                     func(c *Config) { c.Rate = -1 },
		"RateBytes":                func(c *Config) { c.RateBytes = -1 },
		"RoomBytes":                func(c *Config) { c.RoomBytes = -1 },
		"InboxRate":                func(c *Config) { c.InboxRate = -1 },
		"ConnectRate":              func(c *Config) { c.ConnectRate = -1 },
		"AddressConnectRate":       func(c *Config) { c.AddressConnectRate = -1 },
		"AddressLoginRate":         func(c *Config) { c.AddressLoginRate = -1 },
		"MaxConnections":           func(c *Config) { c.MaxConnections = -1 },
		"MaxConnectionsPerAddress": func(c *Config) { c.MaxConnectionsPerAddress = -1 },
		"MaxConnectionsPerUser":    func(c *Config) { c.MaxConnectionsPerUser = -1 },
		"MaxGuestRooms":            func(c *Config) { c.MaxGuestRooms = -1 },
	} {
		cfg := DefaultConfig()
		set(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("a negative %s was taken", name)
		}
	}
}
