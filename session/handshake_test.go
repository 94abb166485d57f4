package session

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// A request that is wrong in every way is refused for the first one in the
// order of the protocol; mended there, for the next.
func TestOrderOfChecks(t *testing.T) {
	full := newStack(t, func(set *setup) { set.cfg.MaxConnections, set.cfg.MaxConnectionsPerAddress = 1, 1 })
	s := newStack(t, func(set *setup) { set.cfg.MaxConnectionsPerAddress = 1 })
	full.user("first")
	first := s.user("first")

	evil := http.Header{"Origin": {"https://evil.example"}}
	granted := s.token("ann", func(c *auth.Claims) { c.Rooms = []string{"vip"} })
	wrong := func(s *stack, query string, header http.Header, status int, code wire.Code) {
		t.Helper()
		gotStatus, gotCode, _ := s.refused(query, header)
		if gotStatus != status || gotCode != string(code) {
			t.Errorf("%q was refused with %d %s, want %d %s", query, gotStatus, gotCode, status, code)
		}
	}
	wrong(full, "token=x&room=@bob", evil, 503, wire.Busy)
	wrong(s, "token=x&room=@bob", evil, 429, wire.RateLimited)
	first.ws.Close()
	eventually(t, "the first is gone", func() bool { return s.m.Count() == 0 })
	wrong(s, "token=x&room=@bob", evil, 401, wire.Unauthorized)
	wrong(s, "token="+granted+"&room=@bob", evil, 403, wire.Forbidden)
	same(t, "RefusedOrigin", s.m.Stats().RefusedOrigin.Load(), 1)
	wrong(s, "token="+granted+"&room=@bob", nil, 403, wire.Forbidden)
	wrong(s, "token="+granted, nil, 403, wire.Forbidden) // the default room is not granted
	wrong(s, "token="+granted+"&room=%07", nil, 400, wire.BadRoom)
	wrong(s, "token="+granted+"&room=vip&resume=vip:1", nil, 400, wire.BadRoom)
	many := strings.Join(list(0, MaxRooms+1, func(i int) string { return text("r%d:e:1", i) }), ",")
	wrong(s, "resume="+many, nil, 400, wire.TooManyRooms)
	same(t, "the refused have no place", s.held(), 0)
	s.dial("token=" + granted + "&room=vip").joined("vip")

	st := s.m.Stats()
	same(t, "RefusedCapacity", full.m.Stats().RefusedCapacity.Load(), 1)
	same(t, "RefusedRate", st.RefusedRate.Load(), 1)
	same(t, "RefusedLogin", st.RefusedLogin.Load(), 1)
	same(t, "RefusedRoom", st.RefusedRoom.Load(), 5)
	same(t, "Connected", st.Connected.Load(), 2)
}

func TestOriginThatIsAllowed(t *testing.T) {
	origins, err := auth.ParseOrigins([]string{"https://*.example.com"})
	must(t, err)
	s := newStack(t, func(set *setup) { set.cfg.Origins = origins })
	for _, origin := range []string{"https://www.example.com", "http://" + s.addr()} {
		ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr(), http.Header{"Origin": {origin}})
		must(t, err)
		resp.Body.Close()
		ws.Close()
	}
}

func TestConnectionRate(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.ConnectRate = 0.001 })
	s.user("ann")
	_, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws", nil)
	if !errors.Is(err, websocket.ErrBadHandshake) {
		t.Fatalf("the second connection: %v", err)
	}
	same(t, "Retry-After", resp.Header.Get("Retry-After"), "1")
	status, code, _ := refusal(t, resp)
	if status != 429 || code != string(wire.RateLimited) {
		t.Errorf("the second connection was refused with %d %s", status, code)
	}
	same(t, "RefusedRate", s.m.Stats().RefusedRate.Load(), 1)
}

// A node takes exactly as many connections as it says, also at once.
func TestCapacityIsExact(t *testing.T) {
	const limit = 16
	s := newStack(t, func(set *setup) { set.cfg.MaxConnections, set.cfg.MaxConnectionsPerAddress = limit, limit })
	for range 5 {
		var all sync.WaitGroup
		conns := make(chan *websocket.Conn, limit)
		for range limit {
			all.Go(func() {
				ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr(), nil)
				if err != nil {
					t.Errorf("one of %d connections at once: %v", limit, err)
					return
				}
				resp.Body.Close()
				conns <- ws
			})
		}
		all.Wait()
		s.refused("", nil)
		eventually(t, "all are counted", func() bool { return s.m.Count() == limit })
		close(conns)
		for ws := range conns {
			ws.Close()
		}
		eventually(t, "all are gone", func() bool { return s.m.Count() == 0 })
	}
	same(t, "what the manager holds", s.held(), 0)
}

func TestTicketConnectsOnce(t *testing.T) {
	s := newStack(t)
	r, err := http.NewRequest(http.MethodPost, "http://"+s.addr(), nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+s.token("ann"))
	got, err := s.m.who.(*auth.Authenticator).Login(r, auth.Profile{})
	must(t, err)
	same(t, "the user of a ticket", s.dial("otp="+got.OTP).welcome.UID, "ann")
	status, _, _ := s.refused("otp="+got.OTP, nil)
	same(t, "the status of a used ticket", status, 401)
}

func TestWhatIsNoHandshake(t *testing.T) {
	s := newStack(t)
	for method, want := range map[string]int{http.MethodGet: 400, http.MethodPost: 400} {
		r, err := http.NewRequest(method, s.http.URL, nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		status, _, _ := refusal(t, resp)
		same(t, "the status of a "+method, status, want)
	}
	http.DefaultClient.CloseIdleConnections()
	same(t, "RefusedUpgrade", s.m.Stats().RefusedUpgrade.Load(), 2)
	same(t, "Connected", s.m.Stats().Connected.Load(), 0)
	same(t, "what the manager holds", s.held(), 0)
}

func TestLoginRefusal(t *testing.T) {
	cases := []struct {
		err    error
		status int
		code   wire.Code
	}{
		{&auth.Error{Message: "the token has expired", Err: auth.ErrBadCredential}, 401, wire.Unauthorized},
		{&auth.Error{Message: "try again", Err: auth.ErrUnavailable}, 503, wire.Unavailable},
		{errors.New("db7 refused hunter2"), 500, wire.Internal},
	}
	for _, c := range cases {
		status, refusal := LoginRefusal(c.err)
		if status != c.status || refusal.Code != c.code || strings.Contains(refusal.Message, "hunter2") {
			t.Errorf("%v is answered %d %v", c.err, status, refusal)
		}
	}
}

// ?resume= joins every room from its position: what was missed, then what is
// new, and nothing twice.
func TestResume(t *testing.T) {
	s := newStack(t)
	other := s.user("bob")
	p := s.user("ann")
	p.acked(wire.TypeJoinRoom, "", `{"name":"a:b,c=d"}`)
	odd := p.joined("a:b,c=d")
	p.acked(wire.TypeHeartbeat, "", nil)
	inbox := s.position(p)
	last := other.say("", "seen")
	p.heard("general", "seen")
	p.ws.Close()

	for i := range 3 {
		other.say("", text("missed %d", i))
	}
	other.acked(wire.TypePrivateMessage, "", `{"to_uid":"ann","message":"missed too"}`)
	other.acked(wire.TypeJoinRoom, "", `{"name":"a:b,c=d"}`)
	other.say("a:b,c=d", "odd")

	back := s.dialRaw("token=" + s.token("ann") + "&" + resumeFrom(
		wire.Resume{Room: "general", Since: wire.Position{Epoch: odd.Epoch, Seq: last}},
		wire.Resume{Room: "a:b,c=d", Since: wire.Position{Epoch: odd.Epoch, Seq: odd.Seq}},
		wire.Resume{Room: "@me", Since: inbox},
	))
	for _, room := range []string{wire.InboxAlias, "general", "a:b,c=d"} {
		if j := back.joined(room); !j.Recovered { // what it replays: the rest may come live
			t.Errorf("%s was resumed with %+v, want it recovered", room, j)
		}
	}
	for i := range 3 {
		back.heard("general", text("missed %d", i))
	}
	same(t, "in the inbox", decode[wire.Message](t, back.awaitType(wire.TypePrivateMessage).Payload).Message, "missed too")
	back.heard("a:b,c=d", "odd")
	s.awaitCurrent(back, "general")
	other.say("general", "live")
	back.heard("general", "live")
	back.silent()

	stale := s.dial("room=lobby&" + resumeFrom(wire.Resume{Room: "general", Since: wire.Position{Epoch: "gone", Seq: 1}}))
	stale.joined("lobby")
	same(t, "recovered in another epoch", stale.joined("general").Recovered, false)
	s.awaitCurrent(stale, "lobby") // by ?room=
}

// Who had left every room and comes back is in none but the inbox.
func TestResumeOfTheInboxOnly(t *testing.T) {
	s := newStack(t)
	p := s.dial(resumeFrom(wire.Resume{Room: "@me", Since: wire.Position{Epoch: "x", Seq: 0}}))
	p.failed(wire.NotMember, wire.TypeSendMessage, "", map[string]string{"message": "where am I?"})
	in, current := s.client(p).Rooms()
	same(t, "rooms", len(in), 0)
	same(t, "the current room", current, "")
}

// A room that may not be entered any more is told, and the others are resumed.
func TestResumeOfAForbiddenRoom(t *testing.T) {
	s := newStack(t)
	granted := s.token("ann", func(c *auth.Claims) { c.Rooms = []string{"vip"} })
	since := wire.Position{Epoch: "x", Seq: 1}
	p := s.dial("token=" + granted + "&" + resumeFrom(wire.Resume{Room: "general", Since: since}, wire.Resume{Room: "@bob", Since: since}, wire.Resume{Room: "vip", Since: since}))
	for _, room := range []string{"general", "@bob"} {
		ev := p.await("the refusal of "+room, func(ev wire.Event) bool { return ev.Type == wire.TypeError && ev.Room == room })
		p.wantError(ev, wire.Forbidden)
	}
	p.joined("vip")
}

func TestConfigValidate(t *testing.T) {
	bad := map[string]func(*Config){
		"the largest message": func(c *Config) { c.MaxMessage = 10 },
		"burst":               func(c *Config) { c.Burst = -1 },
		"ping":                func(c *Config) { c.Ping = 1 },
		"pong":                func(c *Config) { c.Pong = -1 },
		"queue":               func(c *Config) { c.QueueMessages = 1 },
		"write timeout":       func(c *Config) { c.WriteTimeout = -1 },
		"handshake":           func(c *Config) { c.Handshake = 1 },
		"bytes":               func(c *Config) { c.QueueBytes = 1 },
	}
	for what, change := range bad {
		var c Config
		change(&c)
		if _, err := newManager(nil, nil, c); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("with a bad %s: %v", what, err)
		}
	}
	same(t, "the defaults are valid", DefaultConfig().Validate(), nil)
	same(t, "hostOf without a port", hostOf("pipe"), "pipe")
	same(t, "hostOf IPv6", hostOf(net.JoinHostPort("::1", "80")), "::1")
}
