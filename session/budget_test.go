package session

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// behindProxy trusts this machine's X-Forwarded-For.
func behindProxy(t *testing.T) func(*setup) {
	proxies, err := auth.ParseProxies([]string{"127.0.0.1"})
	must(t, err)
	return func(set *setup) { set.cfg.Proxies = proxies }
}

func forwardedFor(addr string) http.Header { return http.Header{"X-Forwarded-For": {addr}} }

// from is user for a connection that a proxy brings from an address.
func (s *stack) from(addr, uid string) *peer {
	s.t.Helper()
	return s.forwarded(addr, "token="+s.token(uid))
}

// guestFrom is the same for a guest.
func (s *stack) guestFrom(addr string) *peer {
	s.t.Helper()
	return s.forwarded(addr, "username=G")
}

func (s *stack) forwarded(addr, query string) *peer {
	s.t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws?"+query, forwardedFor(addr))
	must(s.t, err)
	resp.Body.Close()
	s.t.Cleanup(func() { ws.Close() })
	p := &peer{t: s.t, ws: ws}
	p.welcome = decode[wire.Welcome](s.t, p.read().Payload)
	p.joined("general")
	return p
}

// Each owner's budget is spent by all who share it, and by nobody else. One byte
// per second is taken, so nothing leaks out while the test runs; a message that
// is larger than the burst passes while nothing is spent.
func TestBytesPerSecond(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.RateBytes = 1 })
	long := strings.Repeat("x", 10_000)
	a := s.from("192.0.2.1", "ann")
	a.say("", long)
	a.failed(wire.RateLimited, wire.TypeSendMessage, "", wire.SendMessage{Message: "again"})
	st := s.m.Stats()
	same(t, "refused by the client's budget", st.LimitedClientBytes.Load(), 1)

	b := s.from("192.0.2.2", "ann")
	b.failed(wire.RateLimited, wire.TypeSendMessage, "", wire.SendMessage{Message: "from another tab"})
	same(t, "refused by the user's budget", st.LimitedUserBytes.Load(), 1)

	c := s.from("192.0.2.1", "carol")
	c.failed(wire.RateLimited, wire.TypeSendMessage, "", wire.SendMessage{Message: "from the same address"})
	same(t, "refused by the address's budget", st.LimitedAddressBytes.Load(), 1)

	d := s.from("192.0.2.3", "dave")
	d.say("", "from elsewhere")
	same(t, "RateLimited", st.RateLimited.Load(), 3)

	// Who goes away and comes back finds what it owes.
	gone := s.client(a).Done()
	a.ws.Close()
	b.ws.Close()
	<-gone
	s.from("192.0.2.9", "ann").failed(wire.RateLimited, wire.TypeSendMessage, "", wire.SendMessage{Message: "back"})
	same(t, "refused by the user's budget", st.LimitedUserBytes.Load(), 2)
}

// What an address refuses is not held against a client, nor does it cost it.
func TestRefusedByOthersIsNoFlood(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.RateBytes = 1 })
	p := s.from("192.0.2.1", "ann")
	c := s.client(p)
	c.accounts[ofAddress].Charge(bytesSent, s.m.now(), 1e6)
	p.failed(wire.RateLimited, wire.TypeHeartbeat, "", nil)
	same(t, "of its own budget spent", c.accounts[ofClient].Used(bytesSent, s.m.now()), 0)
	same(t, "of its user's budget spent", c.accounts[ofUser].Used(bytesSent, s.m.now()), 0)
	same(t, "refusals held against it", s.refusalsOf(p), 0)
}

// A room takes so much from all its clients together; those who say little are
// heard beside those who fill it. Services are not clients.
func TestRoomBytes(t *testing.T) {
	s := newStack(t)
	slow := func(burst float64) *budget.Table { // of which nothing leaks out while the test runs
		return budget.NewTable(budget.Rate{PerSecond: 1, Burst: burst}, budget.Rate{}, maxIdleAccounts)
	}
	s.m.budgets.rooms, s.m.budgets.tables[ofClient] = slow(2000), slow(4<<20)
	loud, quiet := s.user("loud"), s.user("quiet")
	s.client(loud).accounts[ofClient].Charge(bytesSent, s.m.now(), 1<<20) // it sends more than others, and may still send a little
	s.m.budgets.rooms.Get("general", s.m.now()).Charge(bytesSent, s.m.now(), 2000)
	loud.failed(wire.RateLimited, wire.TypeSendMessage, "", wire.SendMessage{Message: strings.Repeat("x", 400)})
	loud.failed(wire.RateLimited, wire.TypeSignal, "", text(`{"a":%q}`, strings.Repeat("x", 400)))
	same(t, "refused by the room's budget", s.m.Stats().LimitedRoomBytes.Load(), 2)
	quiet.say("", "heard")
	loud.heard("general", "heard")
	_, err := s.fromService("general", wire.Event{Type: "service", Payload: []byte(text("%q", strings.Repeat("x", 9000)))})
	must(t, err)
	quiet.awaitType("service")
	loud.acked(wire.TypeJoinRoom, "", wire.RoomRequest{Name: "other"})
	loud.say("other", "in another room")
	same(t, "held against the client", s.refusalsOf(loud), 0)
}

// What is said to a crowd costs the room as many times as much.
func TestRoomBytesOfACrowd(t *testing.T) {
	const cost = 100 + envelopeBytes + float64(len("hall"))
	s := newStack(t)
	for n := range 3 * baseReach {
		switch n {
		case 0, baseReach:
			same(t, "cost of 100 bytes up to a crowd", s.m.roomCost("hall", 100), cost)
		}
		must(t, s.eng.Join(t.Context(), "hall", passerby(n), "", rooms.Since{}))
	}
	same(t, "cost of 100 bytes to three crowds", s.m.roomCost("hall", 100), 3*cost)
}

// passerby is a member without a connection.
type passerby int

func (p passerby) ID() string               { return text("passerby-%d", int(p)) }
func (p passerby) User() wire.User          { return wire.User{UID: p.ID()} }
func (passerby) Deliver(*rooms.Burst) error { return nil }
func (passerby) Left(wire.Room)             {}
func (passerby) Close(wire.CloseCode)       {}

// While all places are taken, pages of history and lists of people wait, and
// are busy when their time is over.
func TestPagesAtOnce(t *testing.T) {
	s := newStack(t)
	ann, bob := s.user("ann"), s.user("bob")
	for range historyAtOnce {
		s.m.pages.acquire(t.Context(), "others", 0)
	}
	ann.send(wire.TypeGetHistory, "h", "", "{}")
	bob.send(wire.TypeGetOnlineUsers, "o", "", "{}")
	ann.wantError(ann.await("an answer", func(ev wire.Event) bool { return ev.ID == "h" }), wire.Busy)
	bob.wantError(bob.await("an answer", func(ev wire.Event) bool { return ev.ID == "o" }), wire.Busy)
	same(t, "answered busy", s.m.Stats().PagesBusy.Load(), 2)
	s.m.pages.release()
	bob.acked(wire.TypeGetOnlineUsers, "", wire.RoomRequest{})
}

// What is given on request is charged, and beyond the budget refused until it
// is paid off.
func TestAnswersAreCharged(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.RateBytes = 1 << 20 })
	p := s.from("192.0.2.1", "ann")
	owed := func(owner int) float64 {
		a := s.client(p).accounts[owner]
		return a.Used(bytesAsked, s.m.now()) * a.Rate(bytesAsked).Burst
	}
	p.say("", strings.Repeat("x", 9000))
	for what, least := range map[string]float64{wire.TypeGetHistory: 9000, wire.TypeGetOnlineUsers: answerLeast, wire.TypeGetRooms: answerLeast, wire.TypeJoinRoom: 100} {
		for owner := range owners {
			account := s.client(p).accounts[owner]
			account.Charge(bytesAsked, s.m.now(), 1<<20) // so that it is not empty before all has leaked out that does meanwhile
			from := s.m.now()
			before := owed(owner)
			p.acked(what, "", text(`{"name":%q}`, map[bool]string{true: text("r%d", owner), false: "general"}[what == wire.TypeJoinRoom]))
			after := owed(owner)
			leaked := (s.m.now() - from).Seconds() * account.Rate(bytesAsked).PerSecond
			if after > 0 && after < before+least-leaked-1 {
				t.Errorf("%s made %v of what owner %d owed, %v; it should be %v more", what, after, owner, before, least)
			}
		}
	}

	const lots = 1e12
	st := s.m.Stats()
	for owner, counter := range map[int]func() int64{
		ofClient: st.LimitedClientAnswers.Load, ofUser: st.LimitedUserAnswers.Load, ofAddress: st.LimitedAddressAnswers.Load,
	} {
		account := s.client(p).accounts[owner]
		account.Charge(bytesAsked, s.m.now(), lots)
		before := counter()
		p.failed(wire.RateLimited, wire.TypeGetHistory, "", nil)
		p.failed(wire.RateLimited, wire.TypeGetOnlineUsers, "", nil)
		p.failed(wire.RateLimited, wire.TypeGetRooms, "", nil)
		p.failed(wire.RateLimited, wire.TypeJoinRoom, "", `{"name":"other","last":3}`)
		same(t, text("what the budget of owner %d refused", owner), counter()-before, 4)
		p.acked(wire.TypeJoinRoom, "", `{"name":"other"}`) // without a replay
		p.acked(wire.TypeLeaveRoom, "", `{"name":"other"}`)
		account.GiveBack(bytesAsked, 2*lots)
		p.acked(wire.TypeGetHistory, "", nil)
	}
}

// A handshake that asks for a replay waits until the last ones are paid off.
func TestResumeIsRefusedUntilPaidOff(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.RateBytes = 1 << 10 })
	p := s.from("192.0.2.1", "ann")
	s.client(p).accounts[ofUser].Charge(bytesAsked, s.m.now(), 1e9)
	p.ws.Close()
	resumed := resumeFrom(wire.Resume{Room: "general", Since: wire.Position{Epoch: "e", Seq: 1}})
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws?token="+s.token("ann")+"&"+resumed, nil)
	if !errors.Is(err, websocket.ErrBadHandshake) || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") < "1" {
		t.Fatalf("connected %v, %v, %v", ws != nil, err, resp)
	}
	resp.Body.Close()
	same(t, "LimitedResumes", s.m.Stats().LimitedResumes.Load(), 1)
	s.user("ann") // without a replay
	s.dial("token=" + s.token("bob") + "&" + resumed).joined("general")
}

// Only so many requests for history of a user are under way; the others wait
// their turn.
func TestHistoryTakesTurns(t *testing.T) {
	s := newStack(t)
	tabs := list(0, 3, func(int) *peer { return s.user("ann") })
	turns := s.client(tabs[0]).accounts[ofUser].Slots(userReads)
	for range userReads {
		turns <- struct{}{}
	}
	tabs[0].send(wire.TypeGetHistory, "h", "", nil)
	s.user("bob").acked(wire.TypeGetHistory, "", nil) // another user's turn
	tabs[1].acked(wire.TypeHeartbeat, "", nil)        // no history
	tabs[2].failed(wire.Busy, wire.TypeGetHistory, "", nil)
	if n := s.m.Stats().LimitedReads.Load(); n < 1 {
		t.Errorf("LimitedReads is %d", n)
	}
	tabs[0].wantError(tabs[0].answer("h"), wire.Busy)
	<-turns
	tabs[0].acked(wire.TypeGetHistory, "", nil)
	same(t, "turns in use", len(turns), userReads-1)
}

// New connections and logins of one address have a rate; other addresses, and
// callers on this machine, have none of it.
func TestRatesOfAddresses(t *testing.T) {
	s := newStack(t, behindProxy(t), func(set *setup) { set.cfg.AddressConnectRate, set.cfg.AddressLoginRate = 1e-6, 1e-6 }) // one, and no more
	s.from("192.0.2.1", "ann")
	_, resp, err := websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws?token=forged", forwardedFor("192.0.2.1"))
	if !errors.Is(err, websocket.ErrBadHandshake) {
		t.Fatalf("the second connection: %v", err)
	}
	same(t, "Retry-After", resp.Header.Get("Retry-After"), "1000000")
	status, code, _ := refusal(t, resp)
	if status != http.StatusTooManyRequests || code != string(wire.RateLimited) {
		t.Errorf("the second connection was refused with %d %s", status, code)
	}
	s.from("192.0.2.2", "bob")
	s.from("2001:db8::1", "carol")
	_, resp, err = websocket.DefaultDialer.Dial("ws://"+s.addr()+"/ws", forwardedFor("2001:db8::ffff:2"))
	if err == nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the second connection of an IPv6 network: %v, %v", err, resp)
	}
	for range 3 {
		s.user("dave")
	}
	same(t, "LimitedConnects", s.m.Stats().LimitedConnects.Load(), 2)
	same(t, "RefusedRate", s.m.Stats().RefusedRate.Load(), 2)

	login := func(addr string) time.Duration {
		wait, refusal := s.m.AdmitLogin(&http.Request{RemoteAddr: "127.0.0.1:1", Header: forwardedFor(addr)})
		if (wait > 0) != (refusal != nil) {
			t.Errorf("a login has to wait %s and is refused with %v", wait, refusal)
		}
		return wait
	}
	if login("192.0.2.1") != 0 || login("192.0.2.2") != 0 || login("192.0.2.1") == 0 {
		t.Error("each address has one login, and one only")
	}
	same(t, "LimitedLogins", s.m.Stats().LimitedLogins.Load(), 1)
}

// A proxy that is not named counts as the one address, and is named in the log
// once.
func TestProxyThatIsNotNamed(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.AddressConnectRate = 1e-6 })
	for range 3 {
		s.from("192.0.2.1", "ann") // of this machine: no budget of its address
	}
	log := s.log.String()
	if strings.Count(log, "--trusted-proxy") != 1 || !strings.Contains(log, "127.0.0.1") {
		t.Errorf("the log says\n%s", log)
	}
}

// Frames that carry nothing cost events, and who sends them without end is
// closed.
func TestFramesThatCarryNothing(t *testing.T) {
	for what, frame := range map[string][]byte{
		"pongs":           clientFrame(0x8a, nil),
		"pings":           clientFrame(0x89, nil),
		"empty fragments": clientFrame(0x00, nil),
		"small fragments": clientFrame(0x00, []byte(" ")),
	} {
		t.Run(what, func(t *testing.T) {
			s := newStack(t, func(set *setup) { set.cfg.Rate, set.cfg.Burst = 20, 40 })
			raw := s.dialFrames()
			raw.until(1)
			_, err := raw.conn.Write(clientFrame(0x01, nil)) // a message begins
			must(t, err)
			many := []byte(strings.Repeat(string(frame), 100))
			frames := 0
			go func() { // for as long as it is let
				for err := error(nil); err == nil; {
					_, err = raw.conn.Write(many)
				}
			}()
			code := wire.CloseCode(0)
			for {
				op, payload, err := raw.frame()
				if err != nil {
					t.Fatalf("the connection ended without a close frame: %v", err)
				}
				if frames++; op == 8 {
					code = wire.CloseCode(int(payload[0])<<8 | int(payload[1]))
					break
				}
			}
			raw.conn.Close()
			same(t, "the close code", code, wire.CloseRateLimit)
			eventually(t, "it is gone", func() bool { return s.m.Count() == 0 })
			if n := s.m.Stats().LimitedEvents.Load(); n < floodEvents {
				t.Errorf("closed after %d refused frames, want %d", n, floodEvents)
			}
		})
	}
}

// A message has a time in which it must be complete, however it drips in and
// whatever signs of life come between its parts.
func TestMessageMustBeComplete(t *testing.T) {
	for _, upgraded := range []bool{false, true} {
		bubble(t, Config{}, func(t *testing.T, m *Manager) {
			ours, theirs := net.Pipe()
			must(t, m.reserveAlways(address{}))
			c := m.newClient(socket.Conn{Conn: ours}, ann, address{})
			c.in = socket.NewReader(c.conn, false, (*frameHandler)(c))
			if upgraded {
				c.in = socket.NewUpgraded(upgradeOf(t, ours, theirs), (*frameHandler)(c))
			}
			m.start(c)
			go c.run([]firstRoom{{name: wire.Inbox(ann.UID)}}, 0)
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			write := func(frame []byte) {
				_, err := theirs.Write(frame)
				must(t, err)
			}
			time.Sleep(20 * time.Second) // before a message no time runs
			write(clientFrame(0x81, []byte(`{"type":"heartbeat"}`)))
			time.Sleep(20 * time.Second)
			from := time.Now()
			write(clientFrame(0x01, []byte(`{"type":`)))
			var drip sync.WaitGroup
			drip.Go(func() {
				for range 100 {
					time.Sleep(5 * time.Second)
					if _, err := theirs.Write(append(clientFrame(0x8a, nil), clientFrame(0x00, []byte(` `))...)); err != nil {
						return
					}
				}
			})
			<-c.Done()
			within(t, "closed", time.Since(from), messageTimeout, messageTimeout+lingerTimeout)
			same(t, "the close code", c.closeCode(), wire.CloseTooSlow)
			same(t, "SlowMessages", m.Stats().SlowMessages.Load(), 1)
			theirs.Close()
			drip.Wait()
		})
	}
}

// After a message that came in parts, as after any, silence is no mistake.
func TestNoDeadlineIsLeft(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, m *Manager) {
		ours, theirs := net.Pipe()
		must(t, m.reserveAlways(address{}))
		c := m.newClient(socket.Conn{Conn: ours}, ann, address{})
		c.in = socket.NewReader(c.conn, false, (*frameHandler)(c))
		m.start(c)
		go c.run([]firstRoom{{name: wire.Inbox(ann.UID)}}, 0)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		frame := clientFrame(0x81, []byte(`{"type":"heartbeat"}`))
		for range 10 {
			for _, part := range [][]byte{frame[:3], frame[3:9], frame[9:]} {
				_, err := theirs.Write(part)
				must(t, err)
				time.Sleep(2 * time.Second)
			}
			time.Sleep(20 * time.Second)
		}
		same(t, "the close code", c.closeCode(), 0)
		same(t, "Received", m.Stats().Received.Load(), 10)
		theirs.Close()
		<-c.Done()
	})
}

// upgradeOf is gorilla's side of a pipe whose handshake is over.
func upgradeOf(t *testing.T, ours, theirs net.Conn) *websocket.Conn {
	t.Helper()
	upgraded := make(chan *websocket.Conn)
	go func() {
		r := bufio.NewReader(ours)
		req, err := http.ReadRequest(r)
		if err != nil {
			t.Error(err)
			close(upgraded)
			return
		}
		ws, err := new(websocket.Upgrader).Upgrade(pipeWriter{ours, r}, req, nil)
		if err != nil {
			t.Error(err)
		}
		upgraded <- ws
	}()
	_, err := io.WriteString(theirs, upgradeRequest)
	must(t, err)
	response := make([]byte, 1)
	for seen := ""; !strings.HasSuffix(seen, "\r\n\r\n"); seen += string(response) {
		_, err := theirs.Read(response)
		must(t, err)
	}
	return <-upgraded
}

func TestKeyOfAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7", "[2001:db8:1:2:3::7]:1": "2001:db8:1:2::/64", "[::ffff:192.0.2.7]:1": "192.0.2.7",
		"127.0.0.1:1": "127.0.0.1", "[::1]:1": "::1", "pipe": "pipe",
	} {
		same(t, "the key of "+addr, new(Manager).addressOf(&http.Request{RemoteAddr: addr}).key, want)
	}
}

// The accounts are of one size, as there is one or more for each connection.
func TestBudgetsOfConfig(t *testing.T) {
	b := newBudgets(DefaultConfig())
	account := func(owner int, kind budget.Kind) budget.Rate { return b.tables[owner].New().Rate(kind) }
	same(t, "a client's bytes", account(ofClient, bytesSent), budget.Rate{PerSecond: 32 << 10, Burst: 128 << 10})
	same(t, "a user's bytes", account(ofUser, bytesSent), budget.Rate{PerSecond: 64 << 10, Burst: 256 << 10})
	same(t, "an address's bytes", account(ofAddress, bytesSent), budget.Rate{PerSecond: 1 << 20, Burst: 4 << 20})
	same(t, "a client's answers", account(ofClient, bytesAsked), budget.Rate{PerSecond: 256 << 10, Burst: 1 << 20})
	same(t, "an inbox's messages", b.inboxes.New().Rate(budget.First), budget.Rate{PerSecond: 1, Burst: 200})
	same(t, "all guests' bytes in inboxes", b.guests.all.Rate(budget.First), budget.Rate{PerSecond: 256 << 10, Burst: 32 << 20})
	same(t, "a guest's of that", b.guests.byUID.New().Rate(budget.First), budget.Rate{PerSecond: 8 << 10, Burst: 1 << 20})
	same(t, "an address's of that", b.guests.byAddress.New().Rate(budget.First), budget.Rate{PerSecond: 32 << 10, Burst: 4 << 20})
	same(t, "connections", b.addresses.New().Rate(connects), budget.Rate{PerSecond: 20, Burst: 200})
	same(t, "logins", b.addresses.New().Rate(logins), budget.Rate{PerSecond: 5, Burst: 50})
}

// What a join replays is charged to who asked for it, also when it is handed
// over from memory, and to nobody else.
func TestReplaysAreCharged(t *testing.T) {
	s := newStack(t, func(set *setup) { set.cfg.RateBytes = 1 << 10 })
	const size = 200_000
	asked := func(p *peer) float64 {
		a := s.client(p).accounts[ofUser]
		return a.Used(bytesAsked, s.m.now()) * a.Rate(bytesAsked).Burst
	}
	talker, member := s.user("talker"), s.user("member")
	member.acked(wire.TypeJoinRoom, "", `{"name":"room"}`)
	for i := range size / 10_000 {
		_, err := s.fromService("room", wire.Event{Type: "service", Payload: []byte(text("%q", text("%d", i)+strings.Repeat("x", 10_000)))})
		must(t, err)
	}
	for range size / 10_000 {
		member.awaitType("service")
	}
	if got := asked(member); got > 10_000 {
		t.Errorf("a member that asked for nothing owes %v", got)
	}
	from := s.m.now()
	talker.acked(wire.TypeJoinRoom, "", `{"name":"room","last":100}`)
	for range size / 10_000 {
		talker.awaitType("service")
	}
	got := asked(talker)
	leaked := (s.m.now() - from).Seconds() * userShare * answerShare * (1 << 10)
	if got > 0 && got < size-leaked {
		t.Errorf("who had %d bytes replayed owes %v", size, got)
	}
	if got == 0 && leaked < size {
		t.Error("who had something replayed owes nothing")
	}
}

// An address has as many TLS handshakes as connections, counted by themselves;
// this machine and trusted proxies have as many as they want.
func TestHandshakesOfAnAddress(t *testing.T) {
	proxies, err := auth.ParseProxies([]string{"198.51.100.0/24"})
	must(t, err)
	s := newStack(t, func(set *setup) { set.cfg.AddressConnectRate, set.cfg.Proxies = 0.001, proxies })
	admitted := func(addr string) (n int) {
		for range 5 {
			if s.m.AdmitHandshake(&net.TCPAddr{IP: net.ParseIP(addr), Port: 1}) {
				n++
			}
		}
		return n
	}
	same(t, "of an address", admitted("192.0.2.1"), 1)
	same(t, "of another", admitted("192.0.2.2"), 1)
	same(t, "of a network of IPv6", admitted("2001:db8::1")+admitted("2001:db8::2"), 1)
	same(t, "of this machine", admitted("127.0.0.1"), 5)
	same(t, "of a trusted proxy", admitted("198.51.100.7"), 5)
	same(t, "LimitedHandshakes", s.m.Stats().LimitedHandshakes.Load(), 4+4+9)
	same(t, "knocks that are left", s.m.takeAddress(address{key: "192.0.2.1"}, connects), 0)
}
