package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// cookies is an Authenticator of a program's own: who has the cookie uid is that
// user.
type cookies struct{}

func (cookies) Identify(r *http.Request) (auth.Identity, error) {
	cookie, err := r.Cookie("uid")
	if err != nil {
		return auth.Identity{}, wire.Errorf(wire.Unauthorized, "log in at the site first")
	}
	if cookie.Value == "nobody" {
		return auth.Identity{}, nil
	}
	return auth.NewIdentity(auth.Claims{UID: cookie.Value, Rooms: []string{"general"}})
}

func TestAuthenticatorOfAProgram(t *testing.T) {
	s := newStack(t, func(set *setup) { set.who = cookies{} })
	cookie := func(uid string) http.Header { return http.Header{"Cookie": {"uid=" + uid}} }
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws", cookie("ann"))
	must(t, err)
	resp.Body.Close()
	p := &peer{t: t, ws: ws}
	same(t, "the uid", decode[wire.Welcome](t, p.read().Payload).UID, "ann")
	p.joined("general")
	ws.Close()
	for _, tt := range []struct {
		header http.Header
		status int
		code   wire.Code
	}{{nil, 401, wire.Unauthorized}, {cookie("nobody"), 500, wire.Internal}, {cookie("@ann"), 401, wire.Unauthorized}} {
		if status, code, _ := s.refused("", tt.header); status != tt.status || code != string(tt.code) {
			t.Errorf("%v was refused with %d %s, want %d %s", tt.header, status, code, tt.status, tt.code)
		}
	}
}

func TestConnectAndDisconnectHooks(t *testing.T) {
	ended := make(chan *Client, 10)
	s := newStack(t, func(set *setup) {
		set.cfg.Hooks = Hooks{
			Connect: func(_ context.Context, r *http.Request, who auth.Identity) (auth.Identity, error) {
				switch who.UID {
				case "eve":
					return who, wire.Errorf(wire.Forbidden, "not you")
				case "odd":
					return who, errors.New("no idea")
				}
				who.Username = r.Header.Get("X-Name") + "!"
				return who, nil
			},
			Disconnect: func(_ context.Context, c *Client) { ended <- c; panic("as hooks do") },
		}
	})
	p := s.user("ann")
	same(t, "the name", p.welcome.Username, "!")
	p.ws.Close()
	same(t, "who has gone", (<-ended).ID(), p.welcome.ClientID)
	eventually(t, "its place is free", func() bool { return s.held() == 0 })
	for uid, want := range map[string]int{"eve": 403, "odd": 500} {
		if status, _, message := s.refused("token="+s.token(uid), nil); status != want || strings.Contains(message, "no idea") {
			t.Errorf("%s was refused with %d %s, want %d", uid, status, message, want)
		}
	}
	same(t, "RefusedHook", s.m.Stats().RefusedHook.Load(), 2)
}

// TestEndedWhileOpening: a connection whose user's sessions are ended while it is
// being opened is closed as those are that were open; the next one is not.
func TestEndedWhileOpening(t *testing.T) {
	var s *stack
	once := make(chan struct{}, 1)
	once <- struct{}{}
	s = newStack(t, func(set *setup) {
		set.cfg.Hooks.Connect = func(_ context.Context, _ *http.Request, who auth.Identity) (auth.Identity, error) {
			select {
			case <-once: // its token was checked, and it is in no room yet
				s.m.UserEnded(who.UID)
			default:
			}
			return who, nil
		}
	})
	p := s.dialRaw("token=" + s.token("ann"))
	p.wantEnd(wire.CloseRemoved)
	s.user("ann").say("", "who came after that")
}

// gate is a Hooks.Join: rooms that begin with no-, down- and odd- are refused,
// and what was asked is kept.
type gate struct {
	mu    sync.Mutex
	asked []string
}

func (g *gate) join(_ context.Context, j JoinRequest) error {
	g.mu.Lock()
	g.asked = append(g.asked, fmt.Sprintf("%s %s %v", j.Who.UID, j.Room, j.Resume))
	g.mu.Unlock()
	switch kind, _, _ := strings.Cut(string(j.Room), "-"); kind {
	case "no":
		return wire.Errorf(wire.Forbidden, "members only")
	case "down":
		return wire.Errorf(wire.Unavailable, "nobody answers")
	case "odd":
		panic("as hooks do")
	}
	return nil
}

// take returns what was asked since the last call.
func (g *gate) take() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.asked
	g.asked = nil
	slices.Sort(list)
	return list
}

func TestJoinHook(t *testing.T) {
	var g gate
	s := newStack(t, func(set *setup) { set.cfg.Hooks.Join = g.join })
	ann := "token=" + s.token("ann")
	want := func(what string, want ...string) {
		t.Helper()
		if got := g.take(); !slices.Equal(got, want) {
			t.Errorf("%s: asked %q, want %q", what, got, want)
		}
	}
	for room, status := range map[string]int{"no-1": 403, "down-1": 503, "odd-1": 500} {
		if got, _, _ := s.refused(ann+"&room="+room, nil); got != status {
			t.Errorf("%s was refused with %d, want %d", room, got, status)
		}
	}
	g.take()
	if status, _, _ := s.refused(ann+"&resume=down-1:x:1", nil); status != 503 {
		t.Errorf("a resume that nobody decides about was refused with %d, want 503", status)
	}
	want("resume", "ann down-1 true")
	same(t, "RefusedHook", s.m.Stats().RefusedHook.Load(), 4)

	p := s.dial(ann + "&resume=no-1:x:1,yes-1:x:1")
	p.wantError(p.await("the refusal", func(ev wire.Event) bool { return ev.Type == wire.TypeError && ev.Room == "no-1" }), wire.Forbidden)
	p.joined("yes-1")
	want("resume in part", "ann no-1 true", "ann yes-1 true")

	p.failed(wire.Forbidden, wire.TypeJoinRoom, "", `{"name":"no-2"}`)
	p.failed(wire.Unavailable, wire.TypeChangeRoom, "", `{"name":"down-2"}`)
	p.failed(wire.Internal, wire.TypeJoinRoom, "", `{"name":"odd-2"}`)
	p.send(wire.TypeJoinRoom, "", "", `{"name":"yes-2"}`)
	p.joined("yes-2")
	want("by events", "ann down-2 false", "ann no-2 false", "ann odd-2 false", "ann yes-2 false")
	p.send(wire.TypeJoinRoom, "", "", `{"name":"yes-2","last":1}`) // is in it
	p.joined("yes-2")
	want("again")
}

// All rooms of a handshake are asked about before one is answered.
func TestFirstRoomsAreAskedAboutAtOnce(t *testing.T) {
	var all sync.WaitGroup
	all.Add(MaxRooms)
	s := newStack(t, func(set *setup) {
		set.cfg.Hooks.Join = func(ctx context.Context, _ JoinRequest) error {
			all.Done()
			all.Wait() // for ever if they came one by one
			return ctx.Err()
		}
	})
	p := s.dial("token=" + s.token("ann") + "&resume=" + strings.Join(list(0, MaxRooms, func(i int) string { return text("r%d:e:1", i) }), ","))
	for i := range MaxRooms {
		p.joined(text("r%d", i))
	}
}

// verdict is what a test says to an event that was asked about.
type verdict struct {
	payload string
	err     error
}

// judge is a Hooks.Publish whose verdicts a test gives, by the event's id.
type judge struct {
	mu      sync.Mutex
	pending map[string]chan verdict
	asked   []PublishRequest
}

func (j *judge) of(id string) chan verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pending == nil {
		j.pending = make(map[string]chan verdict)
	}
	if j.pending[id] == nil {
		j.pending[id] = make(chan verdict, 1)
	}
	return j.pending[id]
}

func (j *judge) publish(_ context.Context, p PublishRequest) func() (json.RawMessage, error) {
	j.mu.Lock()
	j.asked = append(j.asked, p)
	j.mu.Unlock()
	verdict := j.of(p.ID)
	return func() (json.RawMessage, error) {
		v := <-verdict
		if v.payload == "panic" {
			panic("as hooks do")
		}
		if v.payload == "" {
			return nil, v.err
		}
		return json.RawMessage(v.payload), v.err
	}
}

func (j *judge) ids() (ids []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range j.asked {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestPublishHookKeepsTheOrder(t *testing.T) {
	var j judge
	s := newStack(t, func(set *setup) { set.cfg.Hooks.Publish = j.publish })
	p := s.user("ann")
	p.send(wire.TypeJoinRoom, "", "", `{"name":"other"}`)
	p.joined("other")
	const count = 10
	id := func(i int) string { return text("m%d", i) }
	for i := range count {
		p.send(wire.TypeSendMessage, id(i), "general", text(`{"message":"%d"}`, i))
	}
	j.of("elsewhere") <- verdict{}
	p.send(wire.TypeSendMessage, "elsewhere", "other", `{"message":"at once"}`)
	p.heard("other", "at once") // although all of general wait
	same(t, "what is in general", s.storedIn("general"), 0)
	if got, want := j.ids(), append(list(0, count, id), "elsewhere"); !slices.Equal(got, want) {
		t.Errorf("asked about %q, want %q", got, want)
	}
	for i := count - 1; i >= 0; i-- {
		v := verdict{}
		if i == 3 {
			v.err = wire.Errorf(wire.Forbidden, "mind your words")
		}
		j.of(id(i)) <- v
	}
	var heard []string
	for range count - 1 {
		heard = append(heard, decode[wire.Message](t, p.awaitType(wire.TypeNewMessage).Payload).Message)
	}
	if want := []string{"0", "1", "2", "4", "5", "6", "7", "8", "9"}; !slices.Equal(heard, want) {
		t.Errorf("stored were %q, want %q", heard, want)
	}
	told := p.wantError(p.answer(id(3)), wire.Forbidden)
	same(t, "the refusal", told.Message, "mind your words")
	for i := range count {
		if i != 3 {
			same(t, "the answer to "+id(i), p.answer(id(i)).Type, wire.TypeAck)
		}
	}
}

// storedIn is how many events a room's log has.
func (s *stack) storedIn(room string) int {
	s.t.Helper()
	page, err := s.eng.History(s.t.Context(), wire.Room(room), 0, 100)
	must(s.t, err)
	return len(page.Events)
}

func TestPublishHookChangesThePayload(t *testing.T) {
	var j judge
	s := newStack(t, func(set *setup) { set.cfg.Hooks.Publish = j.publish })
	s.m.Handle("bet", func(r *Request) error {
		return r.Publish("general", wire.Event{Type: "bet_placed", Payload: r.Event.Payload})
	})
	p, bob := s.user("ann"), s.user("bob")
	rule := func(id string, v verdict) { j.of(id) <- v }

	rule("1", verdict{payload: `{"message":"***","UID":"eve","from":"eve","sent":"never","lang":"de"}`})
	p.send(wire.TypeSendMessage, "1", "general", `{"message":"damn","image_url":"https://a.example/x"}`)
	raw := bob.awaitType(wire.TypeNewMessage).Payload
	got := decode[map[string]any](t, raw)
	for name, want := range map[string]any{"message": "***", "uid": "ann", "from": "ANN", "username": "ANN", "lang": "de", "UID": nil, "image_url": nil, "room_id": "general"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v, in %s", name, got[name], want, raw)
		}
	}
	if got["sent"] == "never" || got["time"] == nil {
		t.Errorf("when it was sent is what the hook said: %s", raw)
	}

	rule("2", verdict{payload: `{"message":"to you"}`})
	p.send(wire.TypePrivateMessage, "2", "", `{"message":"secret","to_uid":"bob"}`)
	for _, reader := range []*peer{p, bob} {
		msg := decode[wire.Message](t, reader.awaitType(wire.TypePrivateMessage).Payload)
		if msg.Message != "to you" || msg.ToUID != "bob" || msg.UID != "ann" {
			t.Errorf("the private message is %+v", msg)
		}
	}

	rule("3", verdict{payload: `[1]`})
	p.send("bet", "3", "", `{"on":"banker"}`)
	same(t, "the bet", string(bob.awaitType("bet_placed").Payload), "[1]")

	for id, payload := range map[string]string{
		"4": `"no object"`, "5": `{"message":`, "6": `{"message":"` + strings.Repeat("x", 17<<10) + `"}`, "7": "{}{}", "no array": `[1]`,
		"a number": `{"message":7}`, "nothing": `{}`, "null": `{"message":null}`, "empty": `{"message":""}`, "another name": `{"Message":"x"}`,
		"an alias": `{"content":"x"}`, "no URL": `{"message":"x","image_url":"javascript:alert(1)"}`, "an image of a number": `{"message":"x","image_url":7}`,
	} {
		rule(id, verdict{payload: payload})
		p.send(wire.TypeSendMessage, id, "general", `{"message":"x"}`)
		p.wantError(p.answer(id), wire.Unavailable)
	}
	same(t, "HookPayloads", s.m.Stats().HookPayloads.Load(), 13)
	for _, why := range []string{"the payload of a message must be an object", "message must be a string", "needs message or image_url"} {
		if !strings.Contains(s.log.String(), why) {
			t.Errorf("the log does not say %q: %s", why, s.log.String())
		}
	}
	rule("an image", verdict{payload: `{"image_url":"https://a.example/x"}`})
	p.send(wire.TypeSendMessage, "an image", "general", `{"message":"x"}`)
	if raw := string(bob.awaitType(wire.TypeNewMessage).Payload); !strings.Contains(raw, `"message":""`) || !strings.Contains(raw, `"https://a.example/x"`) {
		t.Errorf("the image is %s", raw)
	}
	rule("8", verdict{payload: "panic"})
	p.send(wire.TypeSendMessage, "8", "general", `{"message":"x"}`)
	p.wantError(p.answer("8"), wire.Internal)
	rule("9", verdict{err: errors.New("no idea")})
	p.send(wire.TypeSendMessage, "9", "general", `{"message":"x"}`)
	p.wantError(p.answer("9"), wire.Internal)

	asked := j.asked
	same(t, "where a private message goes", asked[1].Room, wire.Inbox("bob"))
	same(t, "who is asked about", asked[0].Who.UID, "ann")
	if ev := decode[wire.Event](t, asked[0].Event); ev.Type != wire.TypeNewMessage || decode[wire.Message](t, ev.Payload).Message != "damn" {
		t.Errorf("asked about %s", asked[0].Event)
	}
	// Signals and services are not asked about.
	p.send(wire.TypeSignal, "", "general", `{"typing":true}`)
	bob.awaitType(wire.TypeSignal)
	body, err := wire.NewBody(wire.Event{Type: "news", Payload: json.RawMessage(`1`)})
	must(t, err)
	_, err = s.eng.Publish(t.Context(), "general", body, rooms.PublishOptions{})
	must(t, err)
	bob.awaitType("news")
	same(t, "how many were asked about", len(j.ids()), 19)
}

func TestTooManyVerdicts(t *testing.T) {
	var j judge
	s := newStack(t, func(set *setup) { set.cfg.Hooks.Publish = j.publish })
	p := s.user("ann")
	id := func(i int) string { return text("m%d", i) }
	for i := range maxVerdicts + 1 {
		p.send(wire.TypeSendMessage, id(i), "general", `{"message":"x"}`)
	}
	p.wantError(p.answer(id(maxVerdicts)), wire.Unavailable)
	same(t, "HookWaits", s.m.Stats().HookWaits.Load(), 1)
	// Who goes before the verdict has said what it has said.
	p.ws.Close()
	eventually(t, "it has gone", func() bool { return s.m.Count() == 0 })
	for i := range maxVerdicts {
		j.of(id(i)) <- verdict{}
	}
	eventually(t, "all are stored", func() bool { return s.storedIn("general") == maxVerdicts })
	s.m.Close() // waits for all that was asked
}
