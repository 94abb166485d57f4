package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// What is wrong with one message concerns its sender only.
func TestBadInput(t *testing.T) {
	s := newStack(t)
	s.m.Handle("panics", func(*Request) error { panic("boom at the table") })
	s.m.Handle("fails", func(*Request) error { return errors.New("password hunter2 refused by db7") })
	s.m.Handle("wraps", func(*Request) error { return fmt.Errorf("db7: %w", wire.Errorf(wire.Busy, "try later")) })
	grant := s.token("ann", func(c *auth.Claims) { c.Rooms = []string{"general", "g-*"} })
	bad := s.dial("token=" + grant)
	bad.joined("general")
	other := s.user("bob")

	long := strings.Repeat("x", 129)
	cases := []struct {
		name, message string
		id            string // of the answer
		code          wire.Code
	}{
		{"empty", ``, "", wire.BadJSON},
		{"no JSON", `hello`, "", wire.BadJSON},
		{"cut off", `{"type":"heartbeat","id":"a"`, "", wire.BadJSON},
		{"two objects", `{"type":"heartbeat"}{"type":"heartbeat"}`, "", wire.BadJSON},
		{"array", `[{"type":"heartbeat"}]`, "", wire.BadJSON},
		{"string", `"heartbeat"`, "", wire.BadJSON},
		{"number", `7`, "", wire.BadJSON},
		{"null", `null`, "", wire.BadJSON},
		{"deep", `{"type":"signal","payload":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, "", wire.BadJSON},
		{"invalid UTF-8", "{\"type\":\"heartbeat\",\"id\":\"\xff\"}", "", wire.BadJSON},
		{"a field twice", `{"type":"heartbeat","type":"signal","id":"a"}`, "a", wire.BadJSON},
		{"no type", `{"id":"a"}`, "a", wire.BadType},
		{"empty type", `{"type":"","id":"a"}`, "a", wire.BadType},
		{"null type", `{"type":null,"id":"a"}`, "a", wire.BadType},
		{"upper case type", `{"type":"Heartbeat","id":"a"}`, "a", wire.BadType},
		{"long type", `{"type":"` + strings.Repeat("a", 65) + `","id":"a"}`, "a", wire.BadType},
		{"type with a space", `{"type":"heart beat","id":"a"}`, "a", wire.BadType},
		{"type is a number", `{"type":7,"id":"a"}`, "a", wire.BadType},
		{"type is an object", `{"type":{},"id":"a"}`, "a", wire.BadType},
		{"unknown type", `{"type":"no.such-type_0","id":"a"}`, "a", wire.UnknownType},
		{"what only a server says", `{"type":"new_message","id":"a","payload":{"message":"x"}}`, "a", wire.UnknownType},
		{"id is a number", `{"type":"heartbeat","id":7}`, "", wire.BadJSON},
		{"id is too long", `{"type":"heartbeat","id":"` + long + `"}`, "", wire.BadJSON},
		{"id with a line break", `{"type":"send_message","id":"a\r\nNats-Rollup: all","payload":{"message":"x"}}`, "", wire.BadJSON},
		{"id with NUL", `{"type":"send_message","id":"a\u0000","payload":{"message":"x"}}`, "", wire.BadJSON},
		{"payload is an array", `{"type":"join_room","id":"a","payload":[]}`, "a", wire.BadPayload},
		{"payload is a string", `{"type":"join_room","id":"a","payload":"r"}`, "a", wire.BadPayload},
		{"name is a number", `{"type":"join_room","id":"a","payload":{"name":7}}`, "a", wire.BadPayload},
		{"since is a string", `{"type":"join_room","id":"a","payload":{"name":"g-","since":"x"}}`, "a", wire.BadPayload},
		{"since.epoch is a list", `{"type":"join_room","id":"a","payload":{"name":"g-","since":{"epoch":[],"seq":1}}}`, "a", wire.BadPayload},
		{"since.seq is negative", `{"type":"join_room","id":"a","payload":{"name":"g-","since":{"epoch":"e","seq":-1}}}`, "a", wire.BadPayload},
		{"last is negative", `{"type":"join_room","id":"a","payload":{"name":"g-","last":-1}}`, "a", wire.BadPayload},
		{"limit is no whole number", `{"type":"get_history","id":"a","payload":{"limit":1.5}}`, "a", wire.BadPayload},
		{"limit is huge", `{"type":"get_history","id":"a","payload":{"limit":1e99}}`, "a", wire.BadPayload},
		{"room is a number", `{"type":"heartbeat","id":"a","room":7}`, "a", wire.BadRoom},
		{"no room name", `{"type":"join_room","id":"a"}`, "a", wire.BadRoom},
		{"long room name", `{"type":"join_room","id":"a","payload":{"name":"` + strings.Repeat("x", 65) + `"}}`, "a", wire.BadRoom},
		{"control character in a room name", `{"type":"join_room","id":"a","payload":{"name":"g-\u0007"}}`, "a", wire.BadRoom},
		{"surrogate in a room name", `{"type":"send_message","id":"a","room":"g-\ud800","payload":{"message":"x"}}`, "a", wire.BadRoom},
		{"another user's inbox", `{"type":"join_room","id":"a","payload":{"name":"@bob"}}`, "a", wire.Forbidden},
		{"a message into another user's inbox", `{"type":"send_message","id":"a","room":"@bob","payload":{"message":"x"}}`, "a", wire.Forbidden},
		{"a message into the own inbox", `{"type":"send_message","id":"a","room":"@me","payload":{"message":"x"}}`, "a", wire.Forbidden},
		{"history of another user's inbox", `{"type":"get_history","id":"a","payload":{"name":"@bob"}}`, "a", wire.Forbidden},
		{"a room that is not granted", `{"type":"join_room","id":"a","payload":{"name":"vip"}}`, "a", wire.Forbidden},
		{"change to a room that is not granted", `{"type":"change_room","id":"a","payload":{"name":"vip"}}`, "a", wire.Forbidden},
		{"a room it is not in", `{"type":"send_message","id":"a","room":"g-1","payload":{"message":"x"}}`, "a", wire.NotMember},
		{"a wildcard as room", `{"type":"send_message","id":"a","room":"g-*","payload":{"message":"x"}}`, "a", wire.NotMember},
		{"a handler that panics", `{"type":"panics","id":"a"}`, "a", wire.Internal},
		{"a handler that fails", `{"type":"fails","id":"a"}`, "a", wire.Internal},
		{"a handler that wraps an error of ours", `{"type":"wraps","id":"a"}`, "a", wire.Busy},
		{"without an id an error is told too", `{"type":"no.such"}`, "", wire.UnknownType},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bad.t, other.t = t, t
			bad.sendRaw(c.message)
			ev := bad.awaitType(wire.TypeError)
			info := bad.wantError(ev, c.code)
			same(t, "the id", ev.ID, c.id)
			if strings.Contains(info.Message, "hunter2") || strings.Contains(info.Message, "boom") || strings.Contains(info.Message, "db7") {
				t.Errorf("the message gives away %q", info.Message)
			}
			bad.say("", text("b%d", i)) // goes on
			bad.heard("general", text("b%d", i))
			other.say("", text("o%d", i))
			other.heard("general", text("b%d", i)) // nothing lost
			other.heard("general", text("o%d", i))
			bad.heard("general", text("o%d", i))
			bad.silent()
			other.silent() // and nothing else
		})
	}
	log := s.log.String()
	for _, want := range []string{"boom at the table", "bad_test.go", "hunter2"} { // the panic's stack names this file
		same(t, "how often the log has "+want, strings.Count(log, want) > 0, true)
	}
	if strings.Contains(log, "try later") {
		t.Error("an error that was told to the client is in the log as well")
	}
	same(t, "lines in the log", strings.Count(log, "\n"), 2)
	same(t, "Panics", s.m.Stats().Panics.Load(), 1)
	errors := int64(0)
	s.m.Stats().Errors.Each(func(_ wire.Code, n int64) { errors += n })
	same(t, "Errors", errors, int64(len(cases)))
}

func TestBinaryIsRefused(t *testing.T) {
	s := newStack(t)
	p := s.user("ann")
	must(t, p.ws.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"heartbeat","id":"a"}`)))
	p.wantError(p.answer("a"), wire.BadJSON)
	p.silent()
}

// A room's name reaches exactly its own room.
func TestOddRoomNames(t *testing.T) {
	s := newStack(t)
	names := []string{"a.b", "a*b", "a>b", "*", ">", "a b", "100%", "=2E", "a=b", "百家樂", "🎲🎲", "a/b\\c", "a\"b", "a", "a.", ".", "$SYS", "a:b,c"}
	p, q := s.user("ann"), s.user("bob")
	for _, name := range names {
		p.acked(wire.TypeJoinRoom, "", wire.RoomRequest{Name: name})
		q.acked(wire.TypeJoinRoom, "", wire.RoomRequest{Name: name})
	}
	for i, name := range names {
		q.say(name, text("m%d", i))
	}
	for i, name := range names { // rooms are not in order with each other
		p.heard(name, text("m%d", i))
	}
	for _, ev := range p.all() {
		if ev.Type == wire.TypeNewMessage {
			t.Errorf("%s was heard in another room, or twice", show(ev))
		}
	}
}

func TestTooBig(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.MaxMessage = 1000 })
	other := s.user("bob")
	fits := `{"type":"heartbeat","id":"a","pad":"` + strings.Repeat("x", 1000)
	fits = fits[:1000-2] + `"}`
	for _, split := range []bool{false, true} {
		p := s.user("ann")
		p.sendRaw(fits)
		same(t, "the answer to 1000 bytes", p.answer("a").Type, wire.TypeAck)
		if split {
			w, err := p.ws.NextWriter(websocket.TextMessage)
			must(t, err)
			for range 2000 {
				_, err = w.Write([]byte(" "))
				must(t, err)
			}
			must(t, w.Close())
		} else {
			p.sendRaw(fits + " ")
		}
		p.wantEnd(wire.CloseTooBig)
	}
	other.say("", "still here")
	other.heard("general", "still here")
	other.silent()
	eventually(t, "two are counted", func() bool { return s.closed(wire.CloseTooBig) == 2 })
}

func TestRateLimit(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.Rate, set.cfg.Burst = 0.001, 10 }) // no token comes meanwhile
	p, other := s.user("ann"), s.user("bob")
	for i := range 20 {
		p.send(wire.TypeHeartbeat, text("h%d", i), "", nil)
	}
	for i := range 20 {
		ev := p.answer(text("h%d", i))
		if i < 10 {
			same(t, "an answer within the burst", ev.Type, wire.TypeAck)
		} else {
			p.wantError(ev, wire.RateLimited)
		}
	}
	same(t, "events that were limited", s.m.Stats().RateLimited.Load(), 10)
	same(t, "what another client may", other.acked(wire.TypeHeartbeat, "", nil).Type, wire.TypeAck)
}

// A client that keeps sending far more than its rate is closed, after it was
// told, and also if it gets a token now and then.
func TestFloodEndsTheConnection(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.Rate, set.cfg.Burst, set.cfg.QueueMessages = 20, 1, 4096 })
	for _, pings := range []bool{false, true} {
		p, stop := s.user("ann"), make(chan struct{})
		sent := make(chan int)
		go func() { // for ever, and above the rate however busy the machine is
			n := 0
			defer func() { sent <- n }()
			for ; ; n++ {
				var err error
				if pings {
					err = p.ws.WriteControl(websocket.PingMessage, nil, farAway())
				} else {
					err = p.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"heartbeat"}`))
				}
				if err != nil {
					return
				}
				if n%10 == 9 {
					select {
					case <-tick(5):
					case <-stop:
						return
					}
				}
			}
		}()
		before := withoutPresence(p.wantEnd(wire.CloseRateLimit))
		close(stop)
		p.ws.Close()
		n := <-sent
		if n < floodEvents {
			t.Errorf("closed after %d events", n)
		}
		if !pings {
			p.wantError(before[len(before)-1], wire.RateLimited)
		}
	}
	eventually(t, "two are counted", func() bool { return s.closed(wire.CloseRateLimit) == 2 })
}

// What comes at once, because the network or the node stood still, is no
// flood: it is refused beyond the burst, and the connection stays. Who does not
// stop is closed, also if it pauses again and again.
func TestFlood(t *testing.T) {
	refuse := func(c *Client, now *time.Duration, times int, apart time.Duration) (ended bool) {
		for range times {
			c.refusals.Charge(*now, 1, c.m.budgets.floods)
			ended = ended || c.refusals.Full(*now, c.m.budgets.floods)
			*now += apart
		}
		return ended
	}
	for _, tt := range []struct {
		what string
		run  func(refuse func(times int, apart time.Duration) bool) bool
		ends bool
	}{
		{"a backlog at once", func(refuse func(int, time.Duration) bool) bool { return refuse(900, 0) }, false},
		{"a backlog, then now and then one", func(refuse func(int, time.Duration) bool) bool {
			return refuse(900, 0) || refuse(1000, 2*time.Second)
		}, false},
		{"a backlog every ten minutes", func(refuse func(int, time.Duration) bool) bool {
			for range 20 {
				if refuse(900, 0) || refuse(1, 10*time.Minute) {
					return true
				}
			}
			return false
		}, false},
		{"a little over the rate for ever", func(refuse func(int, time.Duration) bool) bool { return refuse(10_000, time.Second/floodLeak) }, false},
		{"far over the rate", func(refuse func(int, time.Duration) bool) bool { return refuse(1100, 10*time.Millisecond) }, true},
		{"bursts with pauses", func(refuse func(int, time.Duration) bool) bool { // 38,014 refused events were never closed for
			for range 60 {
				if refuse(99, 10*time.Millisecond) || refuse(1, 1100*time.Millisecond) {
					return true
				}
			}
			return false
		}, true},
	} {
		c, now := &Client{m: &Manager{budgets: newBudgets(Config{})}}, time.Duration(0)
		if got := tt.run(func(times int, apart time.Duration) bool { return refuse(c, &now, times, apart) }); got != tt.ends {
			t.Errorf("%s: closed %v, want %v", tt.what, got, tt.ends)
		}
	}
}

func TestTenBadMessagesInARow(t *testing.T) {
	s := newStack(t)
	p := s.user("ann")
	for range 3 { // a good one in between starts anew
		for range maxBadFrames - 1 {
			p.sendRaw(`x`)
			p.wantError(p.awaitType(wire.TypeError), wire.BadJSON)
		}
		p.failed(wire.UnknownType, "no.such", "", nil)
	}
	for i := range maxBadFrames {
		p.sendRaw([]string{`[]`, `{"type":7}`}[i%2])
	}
	before := withoutPresence(p.wantEnd(wire.CloseProtocolErrors))
	same(t, "answers to the last ten", len(before), maxBadFrames) // the tenth, too, is told
	eventually(t, "it is counted", func() bool { return s.closed(wire.CloseProtocolErrors) == 1 })
}
