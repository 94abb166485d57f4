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

// Limits that are derived from those with a flag.
const (
	// bytesBurst is how many seconds' worth of bytes may come at once.
	bytesBurst = 4
	// userShare and addressShare are how many times the rate of one client all
	// connections of a user, and of an address, have together.
	userShare    = 2
	addressShare = 32
	// answerShare is how many times the rate for sending the rate for answers is.
	// The size of an answer is known only afterwards, so the budget may be
	// overdrawn once; further requests are refused until it has recovered.
	answerShare = 8
	// answerLeast is the least that an answer from the log, or a list, is
	// charged, in bytes: a short one may have taken long to find.
	answerLeast = 8 << 10

	// addressBurst is how many seconds' worth of connections, or of logins, may
	// come from an address at once.
	addressBurst = 10
	// maxIdleAccounts is how many addresses, users, rooms, and pairs of sender
	// and receiver without a connection have their spending remembered, each;
	// beyond it one is forgotten for each new one.
	maxIdleAccounts = 1 << 16

	// userReads and addressReads are how many requests for history all
	// connections of a user, and of an address, may have running at once;
	// further ones wait, and are answered busy after requestTimeout.
	userReads    = 2
	addressReads = 8

	// lightPart and lightExtra: a client that has spent less than lightPart of
	// its own budget may exceed the room's by a factor of lightExtra, so that
	// those who fill a room do not silence the others.
	lightPart  = 1.0 / 8
	lightExtra = 1.25

	// baseReach is how many members of a room on this node an event may reach
	// at the base price; with more members it costs proportionally more. So at
	// most baseReach times --room-bytes are written to a room's members per
	// second, however many these are.
	baseReach = 256

	// envelopeBytes is about how many bytes an event has beside its payload and
	// the room's name: type, id, seq, at, sent, time.
	envelopeBytes = 160

	// inboxBurst is how many private messages of clients one inbox takes at
	// once, guestPart the part of that which guests may use: users can still
	// write to an inbox that guests fill.
	inboxBurst = 200
	guestPart  = 1.0 / 2
	// senderShare is the part of an inbox's rate that one sender may use, with
	// all connections together, so that others get through.
	senderShare = 1.0 / 4
	// guestInboxBytes and guestInboxBurst are how many bytes per second, and at
	// once, the guests of a node may store in all inboxes together, both copies
	// of a message counted; guestShare and guestAddressShare are the parts that
	// one guest, and all of one address, may use. No limit if Config.RateBytes
	// is 0.
	guestInboxBytes   = 256 << 10
	guestInboxBurst   = 32 << 20
	guestShare        = 1.0 / 32
	guestAddressShare = 1.0 / 8
)

// Meanings of the two kinds of budgets in an account, by table.
const (
	bytesSent  = budget.First  // of clients, users, addresses and rooms: bytes received
	bytesAsked = budget.Second // of clients, users, addresses: bytes of answers

	connects = budget.First  // of doors: new connections
	logins   = budget.Second // of doors
)

// Owners of the budgets that a client's events are charged to, in this order.
const (
	ofClient = iota
	ofUser
	ofAddress
	owners
)

// budgets are the rate limits of a manager. Fixed after newBudgets.
type budgets struct {
	events    budget.Rate // of one client; pings and empty frames included
	floods    budget.Rate // refused events of one client
	tables    [owners]*budget.Table
	rooms     *budget.Table
	addresses *budget.Table // by address

	inboxes    *budget.Table // private messages, by the receiver's uid
	pairs      *budget.Table // the same, by sender and receiver
	guests     guestInboxes
	handshakes *budget.Table // of TLS, by address
}

func newBudgets(cfg Config) budgets {
	bytes := budget.Rate{PerSecond: float64(cfg.RateBytes), Burst: bytesBurst * float64(cfg.RateBytes)}
	table := func(share float64) *budget.Table {
		return budget.NewTable(bytes.Times(share), bytes.Times(share*answerShare), maxIdleAccounts)
	}
	perSecond := func(rate float64) budget.Rate {
		return budget.Rate{PerSecond: rate, Burst: max(1, addressBurst*rate)}
	}
	inbox := budget.Rate{PerSecond: cfg.InboxRate, Burst: max(inboxBurst, cfg.InboxRate)}
	return budgets{
		events:    budget.Rate{PerSecond: cfg.Rate, Burst: float64(cfg.Burst)},
		floods:    budget.Rate{PerSecond: floodLeak, Burst: floodEvents},
		tables:    [owners]*budget.Table{ofClient: table(1), ofUser: table(userShare), ofAddress: table(addressShare)},
		rooms:     budget.NewTable(budget.Rate{PerSecond: float64(cfg.RoomBytes), Burst: bytesBurst * float64(cfg.RoomBytes)}, budget.Rate{}, maxIdleAccounts),
		addresses: budget.NewTable(perSecond(cfg.AddressConnectRate), perSecond(cfg.AddressLoginRate), maxIdleAccounts),

		inboxes:    budget.NewTable(inbox, budget.Rate{}, maxIdleAccounts),
		pairs:      budget.NewTable(inbox.Times(senderShare), budget.Rate{}, maxIdleAccounts),
		guests:     newGuestInboxes(cfg),
		handshakes: budget.NewTable(perSecond(cfg.AddressConnectRate), budget.Rate{}, maxIdleAccounts),
	}
}

// address is where a connection comes from.
type address struct {
	key    string // the key of budgets and limits per address
	exempt bool   // from the budgets of addresses
}

// addressOf returns where a request comes from. Callers on this machine have no
// budget per address: else all users behind a local proxy that --trusted-proxy
// does not name would share one.
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

// addressOfConn returns the address of a connection that the program upgraded
// itself.
func addressOfConn(conn net.Addr) address {
	addr := auth.AddrOf(conn.String())
	if !addr.IsValid() {
		return address{key: hostOf(conn.String()), exempt: true}
	}
	return address{key: auth.AddrKey(addr), exempt: addr.IsLoopback()}
}

// hostOf returns an address without its port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// now returns the time that budgets and signs of life are counted in.
func (m *Manager) now() time.Duration { return time.Since(m.started) }

// takeAddress takes one of the new connections, or logins, that an address may
// make. wait is after how long to try again; 0: it was granted.
func (m *Manager) takeAddress(from address, kind budget.Kind) (wait time.Duration) {
	if from.exempt || !m.budgets.addresses.Limits() {
		return 0
	}
	now := m.now()
	account := m.budgets.addresses.Get(from.key, now)
	if account.Take(kind, now, 1) {
		return 0
	}
	return max(account.Wait(kind, now, 1), time.Millisecond)
}

// AdmitHandshake takes one of the TLS handshakes that an address may make per
// second; the rate is that of new connections. They come first and cost the
// most CPU. A listener calls it with each connection that it accepts, and
// closes without an answer what is not admitted.
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

// AdmitLogin takes one of the logins that an address may make per second. A
// refusal is to be answered with 429; wait is for Retry-After.
func (m *Manager) AdmitLogin(r *http.Request) (wait time.Duration, refusal *wire.Error) {
	if wait = m.takeAddress(m.addressOf(r), logins); wait == 0 {
		return 0, nil
	}
	m.stats.LimitedLogins.Add(1)
	return wait, wire.Errorf(wire.RateLimited, "too many logins from your address; try again in a moment")
}

// ForgiveLogin gives back what AdmitLogin took: call it after a login that
// succeeded if only failures are to count.
func (m *Manager) ForgiveLogin(r *http.Request) {
	if from := m.addressOf(r); !from.exempt {
		m.budgets.addresses.Get(from.key, m.now()).GiveBack(logins, 1)
	}
}

// resumeWait returns how long a user, or an address, has to wait before it may
// have more replayed; 0 if the first rooms replay nothing.
func (m *Manager) resumeWait(who auth.Identity, from address, first []firstRoom) time.Duration {
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

// openAccounts sets the accounts that the client's events are charged to.
func (c *Client) openAccounts() {
	now, tables := c.m.now(), &c.m.budgets.tables
	c.accounts[ofClient] = tables[ofClient].New()
	c.accounts[ofUser] = tables[ofUser].Hold(c.who.UID, now)
	if !c.from.exempt {
		c.accounts[ofAddress] = tables[ofAddress].Hold(c.from.key, now)
	}
}

// closeAccounts releases the accounts; what was spent stays on them.
func (c *Client) closeAccounts() {
	for owner := ofUser; owner < owners; owner++ {
		if a := c.accounts[owner]; a != nil {
			c.m.budgets.tables[owner].Release(a)
		}
	}
}

// limitedBytes and limitedAnswers return the counters of refusals by an owner's
// budget.
func (s *Stats) limitedBytes(owner int) *atomic.Int64 {
	return [owners]*atomic.Int64{&s.LimitedClientBytes, &s.LimitedUserBytes, &s.LimitedAddressBytes}[owner]
}

func (s *Stats) limitedAnswers(owner int) *atomic.Int64 {
	return [owners]*atomic.Int64{&s.LimitedClientAnswers, &s.LimitedUserAnswers, &s.LimitedAddressAnswers}[owner]
}

// ownerPhrases name an owner in a message to the client.
var ownerPhrases = [owners]string{ofClient: "you send", ofUser: "all your connections send", ofAddress: "your address sends"}

// spend charges an event of n bytes: one event, and the bytes to the client,
// the user and the address. It runs on the reading goroutine.
func (c *Client) spend(now time.Duration, n int) error {
	if !c.spendFrame(now) {
		return wire.Errorf(wire.RateLimited, "too many events; at most %g a second are taken", c.m.cfg.Rate)
	}
	for owner, account := range c.accounts {
		if account == nil || account.Take(bytesSent, now, float64(n)) {
			continue
		}
		for _, before := range c.accounts[:owner] {
			before.GiveBack(bytesSent, float64(n)) // none of them is nil
		}
		c.m.stats.RateLimited.Add(1)
		c.m.stats.limitedBytes(owner).Add(1)
		if owner < ofAddress { // what others at the address send is not its fault
			c.refusals.Charge(now, 1, c.m.budgets.floods)
		}
		return wire.Errorf(wire.RateLimited, "too many bytes: %s more than %d a second", ownerPhrases[owner], int64(account.Rate(bytesSent).PerSecond))
	}
	return nil
}

// spendFrame charges an event, or a frame without one, to the client's rate. It
// runs on the reading goroutine.
func (c *Client) spendFrame(now time.Duration) bool {
	if c.events.Take(now, 1, c.m.budgets.events) {
		return true
	}
	c.refusals.Charge(now, 1, c.m.budgets.floods)
	c.m.stats.RateLimited.Add(1)
	c.m.stats.LimitedEvents.Add(1)
	return false
}

// closeIfFlooding closes a client that keeps exceeding its limits, and reports
// whether it did. It is called after the answer, so that the client is told
// why.
func (c *Client) closeIfFlooding(now time.Duration) bool {
	if !c.refusals.Full(now, c.m.budgets.floods) {
		return false
	}
	c.Close(wire.CloseRateLimit)
	return true
}

// spendRoom charges n bytes to what clients may send into a room.
func (c *Client) spendRoom(room wire.Room, n int) error {
	if !c.m.budgets.rooms.Limits() {
		return nil
	}
	now, part := c.m.now(), 1.0
	if c.accounts[ofClient].Used(bytesSent, now) < lightPart {
		part = lightExtra
	}
	if c.m.budgets.rooms.Get(string(room), now).TakeUpTo(bytesSent, now, c.m.roomCost(room, n), part) {
		return nil
	}
	c.m.stats.RateLimited.Add(1)
	c.m.stats.LimitedRoomBytes.Add(1)
	return wire.Errorf(wire.RateLimited, "too much is being said in the room %q; try again in a moment", roomLabel(c, room))
}

// roomCost returns what a payload of n bytes costs a room, its envelope
// included.
func (m *Manager) roomCost(room wire.Room, n int) float64 {
	info, _ := m.eng.RoomHere(room) // not open: nobody is in it
	return float64(n+envelopeBytes+len(room)) * max(1, float64(info.Sessions)/baseReach)
}

// checkAnswers returns an error if the client's budget for answers is used up.
func (c *Client) checkAnswers() error {
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

// chargeAnswer charges an answer of n bytes. It may be called from any
// goroutine.
func (c *Client) chargeAnswer(n int) {
	now := c.m.now()
	for _, account := range c.accounts {
		if account != nil {
			account.Charge(bytesAsked, now, float64(n))
		}
	}
}

// acquireReads waits until the user and the address may have one more request
// for history running. The caller calls done when it has been answered.
func (r *Request) acquireReads(ctx context.Context) (done func(), err error) {
	c := r.client
	var taken []chan struct{}
	done = func() {
		for _, slots := range taken {
			<-slots
		}
	}
	for owner, limit := range [owners]int{ofUser: userReads, ofAddress: addressReads} {
		if limit == 0 || c.accounts[owner] == nil {
			continue
		}
		slots := c.accounts[owner].Slots(limit)
		select {
		case slots <- struct{}{}:
			taken = append(taken, slots)
		case <-ctx.Done():
			done()
			c.m.stats.LimitedReads.Add(1)
			return nil, wire.Errorf(wire.Busy, "too many of your requests for history are under way; try again in a moment")
		}
	}
	return done, nil
}
