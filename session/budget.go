package session

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

// Bounds that follow from those with a flag.
const (
	// bytesBurst is how many seconds' worth of bytes may come at once.
	bytesBurst = 4
	// userShare and addressShare are how many times what one client may do all
	// connections of a user, and of an address, may do together.
	userShare    = 2
	addressShare = 32
	// answerShare is how many times as much may be asked for as may be sent. What
	// an answer costs is known when it was given, so it may be overdrawn once;
	// then what asks for more is refused until that is paid off.
	answerShare = 8
	// answerLeast is what an answer from the log, or a list, costs at least, in
	// bytes: it may have been long to look for.
	answerLeast = 8 << 10

	// doorBurst is how many seconds' worth of connections, or of logins, may come
	// from an address at once.
	doorBurst = 10
	// maxStrangers is how many addresses, and users, and rooms, and pairs of who
	// writes to whom, without a connection are remembered for what they have spent;
	// beyond it one is forgotten for each that comes.
	maxStrangers = 1 << 16

	// userTurns and addressTurns are how many requests for history all connections
	// of a user, and of an address, have under way at once; more wait their turn,
	// and are answered busy after requestTimeout.
	userTurns    = 2
	addressTurns = 8

	// lightPart: who has spent less than this part of its own budget may use
	// lightExtra of a room's beyond what the others may, so that those who fill a
	// room do not silence those who say little in it.
	lightPart  = 1.0 / 8
	lightExtra = 1.25

	// crowd is how many members of a room here an event reaches for what it costs
	// the sender; to more it costs as many times as much. So no room has more than
	// crowd times --room-bytes written to its members, however many these are.
	crowd = 256

	// envelopeBytes is about what an event has beside its payload and the room's
	// name: type, id, seq, at, sent, time.
	envelopeBytes = 160

	// inboxBurst is how many private messages of clients one inbox takes at once,
	// guestPart how much of that guests may use: users find room in an inbox that
	// guests fill.
	inboxBurst = 200
	guestPart  = 1.0 / 2
	// senderShare is how much of what one inbox takes one sender may use, however
	// many connections he has, so that the others still get through.
	senderShare = 1.0 / 4
	// guestInboxBytes and guestInboxBurst are how many bytes a second, and at once,
	// the guests of a node may have stored in all inboxes together, both copies of
	// a message counted; guestShare and guestAddressShare how much of it one guest
	// may, and all of an address. Where Config.RateBytes is 0 there is no bound.
	guestInboxBytes   = 256 << 10
	guestInboxBurst   = 32 << 20
	guestShare        = 1.0 / 32
	guestAddressShare = 1.0 / 8
)

// What the two kinds of a table's accounts are.
const (
	bytesSent  = budget.First  // of clients, users, addresses and rooms: bytes that came
	bytesAsked = budget.Second // of clients, users, addresses: bytes that were asked for

	connects = budget.First  // of doors: new connections
	logins   = budget.Second // of doors
)

// Owners of the budgets that a client spends from, in this order.
const (
	ofClient = iota
	ofUser
	ofAddress
	owners
)

// budgets are those of a manager. Fixed after newBudgets.
type budgets struct {
	events budget.Rate // of one client; pings and empty frames included
	floods budget.Rate // of what was refused of one client
	tables [owners]*budget.Table
	rooms  *budget.Table
	doors  *budget.Table // by address

	inboxes    *budget.Table // messages, by the uid of who gets them
	pairs      *budget.Table // the same, by who sends and who gets them
	guests     guestInboxes
	handshakes *budget.Table // of TLS, by address
}

func newBudgets(cfg Config) budgets {
	bytes := budget.Rate{PerSecond: float64(cfg.RateBytes), Burst: bytesBurst * float64(cfg.RateBytes)}
	table := func(share float64) *budget.Table {
		return budget.NewTable(bytes.Times(share), bytes.Times(share*answerShare), maxStrangers)
	}
	door := func(rate float64) budget.Rate {
		return budget.Rate{PerSecond: rate, Burst: max(1, doorBurst*rate)}
	}
	inbox := budget.Rate{PerSecond: cfg.InboxRate, Burst: max(inboxBurst, cfg.InboxRate)}
	return budgets{
		events: budget.Rate{PerSecond: cfg.Rate, Burst: float64(cfg.Burst)},
		floods: budget.Rate{PerSecond: floodLeak, Burst: floodEvents},
		tables: [owners]*budget.Table{ofClient: table(1), ofUser: table(userShare), ofAddress: table(addressShare)},
		rooms:  budget.NewTable(budget.Rate{PerSecond: float64(cfg.RoomBytes), Burst: bytesBurst * float64(cfg.RoomBytes)}, budget.Rate{}, maxStrangers),
		doors:  budget.NewTable(door(cfg.AddressConnectRate), door(cfg.AddressLoginRate), maxStrangers),

		inboxes:    budget.NewTable(inbox, budget.Rate{}, maxStrangers),
		pairs:      budget.NewTable(inbox.Times(senderShare), budget.Rate{}, maxStrangers),
		guests:     newGuestInboxes(cfg),
		handshakes: budget.NewTable(door(cfg.AddressConnectRate), budget.Rate{}, maxStrangers),
	}
}

// address is where a connection comes from.
type address struct {
	key    string // what connections of one address are counted by
	exempt bool   // from the budgets of addresses
}

// addressOf is where a request comes from. Callers on this machine have no
// budget of their address: a proxy here that --trusted-proxy does not name would
// otherwise make all its users one.
func (m *Manager) addressOf(r *http.Request) address {
	peer := m.cfg.Proxies.Peer(r)
	if peer.Hidden && r.Header.Get("X-Forwarded-For") != "" {
		m.warnProxy.Do(func() {
			means := "limits per address count all who come that way as one"
			if peer.Addr.IsLoopback() {
				means = "as it is this machine, who comes that way has no limits per address"
			}
			m.cfg.Log.Warn().Stringer("proxy", peer.Addr).
				Msg("requests come with X-Forwarded-For from an address that --trusted-proxy does not name: " + means + "; name it if it is your proxy")
		})
	}
	if !peer.Addr.IsValid() {
		return address{key: hostOf(r.RemoteAddr), exempt: true}
	}
	return address{key: auth.AddrKey(peer.Addr), exempt: peer.Addr.IsLoopback() && !peer.Forwarded}
}

// addressOfConn is that of a connection that the program upgraded itself.
func addressOfConn(conn net.Addr) address {
	addr := auth.AddrOf(conn.String())
	if !addr.IsValid() {
		return address{key: hostOf(conn.String()), exempt: true}
	}
	return address{key: auth.AddrKey(addr), exempt: addr.IsLoopback()}
}

// hostOf is an address without its port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// now is the time that budgets and signs of life are counted in.
func (m *Manager) now() time.Duration { return time.Since(m.born) }

// knock spends one of an address's new connections, or logins. wait is when to
// come again; 0: come in.
func (m *Manager) knock(from address, kind budget.Kind) (wait time.Duration) {
	if from.exempt || !m.budgets.doors.Limits() {
		return 0
	}
	now := m.now()
	door := m.budgets.doors.Get(from.key, now)
	if door.Take(kind, now, 1) {
		return 0
	}
	return max(door.Wait(kind, now, 1), time.Millisecond)
}

// AdmitHandshake spends one of the TLS handshakes that an address has per second,
// which are as many as new connections: they come first and cost the most. It is
// for a listener to call with what it accepts; a connection that is not admitted
// is to be closed without an answer.
func (m *Manager) AdmitHandshake(peer net.Addr) bool {
	from := addressOfConn(peer)
	if from.exempt || !m.budgets.handshakes.Limits() || m.cfg.Proxies.Trusts(auth.AddrOf(peer.String())) {
		return true
	}
	now := m.now()
	if m.budgets.handshakes.Get(from.key, now).Take(connects, now, 1) {
		return true
	}
	m.stats.LimitedHandshakes.Add(1)
	return false
}

// AdmitLogin spends one of the logins that an address has per second. A refusal
// is to be answered with 429; wait is for Retry-After.
func (m *Manager) AdmitLogin(r *http.Request) (wait time.Duration, refusal *wire.Error) {
	if wait = m.knock(m.addressOf(r), logins); wait == 0 {
		return 0, nil
	}
	m.stats.LimitedLogins.Add(1)
	return wait, wire.Errorf(wire.RateLimited, "too many logins from your address; try again in a moment")
}

// ForgiveLogin gives back what AdmitLogin took for a request that was admitted:
// only failures are to count.
func (m *Manager) ForgiveLogin(r *http.Request) {
	if from := m.addressOf(r); !from.exempt {
		m.budgets.doors.Get(from.key, m.now()).GiveBack(logins, 1)
	}
}

// owes is how long a user, or an address, has to wait until it may enter its
// first rooms, which is 0 if nothing is to be replayed there.
func (m *Manager) owes(who auth.Identity, from address, first []firstRoom) time.Duration {
	replays := func(room firstRoom) bool { return room.since != rooms.Since{} }
	if !slices.ContainsFunc(first, replays) {
		return 0
	}
	now := m.now()
	wait := m.budgets.tables[ofUser].Get(who.UID, now).Wait(bytesAsked, now, 1)
	if !from.exempt {
		wait = max(wait, m.budgets.tables[ofAddress].Get(from.key, now).Wait(bytesAsked, now, 1))
	}
	return wait
}

// openAccounts gives the client the accounts that it spends from.
func (c *Client) openAccounts() {
	now, tables := c.m.now(), &c.m.budgets.tables
	c.accounts[ofClient] = tables[ofClient].New()
	c.accounts[ofUser] = tables[ofUser].Hold(c.who.UID, now)
	if !c.from.exempt {
		c.accounts[ofAddress] = tables[ofAddress].Hold(c.from.key, now)
	}
}

// closeAccounts lets go of them: what is owed stays.
func (c *Client) closeAccounts() {
	for owner := ofUser; owner < owners; owner++ {
		if a := c.accounts[owner]; a != nil {
			c.m.budgets.tables[owner].LetGo(a)
		}
	}
}

// limitedBytes and limitedAnswers count what an owner's budget refused.
func (s *Stats) limitedBytes(owner int) *atomic.Int64 {
	return [owners]*atomic.Int64{&s.LimitedClientBytes, &s.LimitedUserBytes, &s.LimitedAddressBytes}[owner]
}

func (s *Stats) limitedAnswers(owner int) *atomic.Int64 {
	return [owners]*atomic.Int64{&s.LimitedClientAnswers, &s.LimitedUserAnswers, &s.LimitedAddressAnswers}[owner]
}

// whose names an owner to the client.
var whose = [owners]string{ofClient: "you send", ofUser: "all your connections send", ofAddress: "your address sends"}

// spend takes what an event of n bytes costs: one event, and the bytes of the
// client, of the user and of the address. It runs on the reading goroutine.
func (c *Client) spend(now time.Duration, n int) error {
	if !c.spendFrame(now) {
		return wire.Errorf(wire.RateLimited, "too many events; at most %g a second are taken", c.m.cfg.Rate)
	}
	for owner, account := range c.accounts {
		if account == nil || account.Take(bytesSent, now, float64(n)) {
			continue
		}
		for _, before := range c.accounts[:owner] {
			before.GiveBack(bytesSent, float64(n)) // each of them is there
		}
		c.m.stats.RateLimited.Add(1)
		c.m.stats.limitedBytes(owner).Add(1)
		if owner < ofAddress { // it is not to blame for what others there send
			c.refusals.Charge(now, 1, c.m.budgets.floods)
		}
		return wire.Errorf(wire.RateLimited, "too many bytes: %s more than %d a second", whose[owner], int64(account.Rate(bytesSent).PerSecond))
	}
	return nil
}

// spendFrame takes what an event, or a frame without one, costs of the client's
// rate. It runs on the reading goroutine.
func (c *Client) spendFrame(now time.Duration) bool {
	if c.events.Take(now, 1, c.m.budgets.events) {
		return true
	}
	c.refusals.Charge(now, 1, c.m.budgets.floods)
	c.m.stats.RateLimited.Add(1)
	c.m.stats.LimitedEvents.Add(1)
	return false
}

// flooded ends a client that does not stop to send too much, and reports whether
// it did. It comes after the answer, so that the client hears why.
func (c *Client) flooded(now time.Duration) bool {
	if !c.refusals.Full(now, c.m.budgets.floods) {
		return false
	}
	c.Close(wire.CloseRateLimit)
	return true
}

// spendIn takes n bytes of what clients may send into a room.
func (c *Client) spendIn(room string, n int) error {
	if !c.m.budgets.rooms.Limits() {
		return nil
	}
	now, part := c.m.now(), 1.0
	if c.accounts[ofClient].Part(bytesSent, now) < lightPart {
		part = lightExtra
	}
	if c.m.budgets.rooms.Get(room, now).TakeUpTo(bytesSent, now, c.m.costIn(room, n), part) {
		return nil
	}
	c.m.stats.RateLimited.Add(1)
	c.m.stats.LimitedRoomBytes.Add(1)
	return wire.Errorf(wire.RateLimited, "too much is being said in the room %q; try again in a moment", roomLabel(c, room))
}

// costIn is what a payload of n bytes costs a room: with what goes around it.
func (m *Manager) costIn(room string, n int) float64 {
	info, _ := m.eng.RoomHere(room) // of one that is not open: nobody is in it
	return float64(n+envelopeBytes+len(room)) * max(1, float64(info.Sessions)/crowd)
}

// mayAsk reports whether the client may be given more, as an error if not.
func (c *Client) mayAsk() error {
	now := c.m.now()
	for owner, account := range c.accounts {
		if account == nil || account.Wait(bytesAsked, now, 1) == 0 {
			continue
		}
		c.m.stats.RateLimited.Add(1)
		c.m.stats.limitedAnswers(owner).Add(1)
		return wire.Errorf(wire.RateLimited, "too much was asked for; try again in a moment")
	}
	return nil
}

// charge notes what was given to the client because it asked. It may be called
// from any goroutine.
func (c *Client) charge(n int) {
	now := c.m.now()
	for _, account := range c.accounts {
		if account != nil {
			account.Charge(bytesAsked, now, float64(n))
		}
	}
}

// turn waits until the client may have one more request for history under way.
// The caller calls done when it has been answered.
func (r *Request) turn(ctx context.Context) (done func(), err error) {
	c := r.client
	var taken []chan struct{}
	done = func() {
		for _, turns := range taken {
			<-turns
		}
	}
	for owner, most := range [owners]int{ofUser: userTurns, ofAddress: addressTurns} {
		if most == 0 || c.accounts[owner] == nil {
			continue
		}
		turns := c.accounts[owner].Turns(most)
		select {
		case turns <- struct{}{}:
			taken = append(taken, turns)
		case <-ctx.Done():
			done()
			c.m.stats.LimitedReads.Add(1)
			return nil, wire.Errorf(wire.Busy, "too many of your requests for history are under way; try again in a moment")
		}
	}
	return done, nil
}
