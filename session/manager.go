package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// errDraining refuses new connections of a node that stops.
var errDraining = wire.Errorf(wire.Unavailable, "this node is stopping; connect to another")

// Manager holds the connections of one node. Its methods may be called from
// any goroutine.
type Manager struct {
	// fixed after New
	cfg        Config
	eng        engine
	who        Authenticator
	ender      ender // who, if it is one
	upgrader   *socket.Upgrader
	actors     *actor.Config[outgoing]
	connects   *rate.Limiter // nil: no limit
	ctx        context.Context
	stop       context.CancelFunc
	guestRooms *guestRooms
	wheel      *wheel
	born       time.Time // signs of life, and budgets, are counted from here, on the monotonic clock
	budgets    budgets
	waiting    *rooms.Waiting // what waits for all clients
	unfinished unfinished     // messages that are begun and not ended
	pages      *fairQueue     // for the pages of history, and lists of people, that are being answered

	stats     Stats
	warnProxy sync.Once
	handlers  atomic.Pointer[map[string]HandlerFunc] // replaced as a whole, under mu
	relieving atomic.Bool                            // relieve runs
	running   sync.WaitGroup                         // one per connection, those being opened included; grows under mu, not while draining

	mu        sync.Mutex
	draining  bool
	clients   map[string]*Client   // by id
	byUser    map[string][]*Client // oldest first
	byAddress map[string]int       // connections, those being opened included
	opening   int                  // connections being opened
}

// NewManager returns a manager of connections to eng's rooms. who says who
// may connect. The caller ends it with Drain or Close before it closes eng.
func NewManager(eng *rooms.Engine, who Authenticator, cfg Config) (*Manager, error) {
	return newManager(eng, who, cfg)
}

func newManager(eng engine, who Authenticator, cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, eng: eng, who: who, born: time.Now(), budgets: newBudgets(cfg),
		clients: make(map[string]*Client), byUser: make(map[string][]*Client), byAddress: make(map[string]int),
	}
	m.ender, _ = who.(ender)
	m.waiting, m.pages = eng.Waiting(), newFairQueue(historyAtOnce)
	m.unfinished.most = max(cfg.UnfinishedBytes, leastUnfinished*cfg.MaxMessage)
	m.waiting.OnFull(m.relieveSoon)
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.upgrader = socket.NewUpgrader(cfg.Handshake, refuseUpgrade)
	m.guestRooms = newGuestRooms(cfg, func(room string) bool { _, open := eng.RoomHere(room); return open })
	m.wheel = newWheel(cfg.Ping/wheelSteps, (*Client).due)
	m.actors = &actor.Config[outgoing]{
		MaxMessages: cfg.QueueMessages, MaxBytes: cfg.QueueBytes, Cost: outgoingCost(cfg.QueueBytes), OnPanic: m.onPanic, OnUnread: m.unread, Yield: true,
	}
	if cfg.ConnectRate > 0 {
		m.connects = rate.NewLimiter(rate.Limit(cfg.ConnectRate), max(1, int(cfg.ConnectRate)))
	}
	handlers := builtin()
	m.handlers.Store(&handlers)
	return m, nil
}

func (m *Manager) onPanic(p actor.Panic) {
	m.stats.Panics.Add(1)
	m.cfg.Log.Error().Interface("panic", p.Value).Str("where", string(p.Where)).Bytes("stack", p.Stack).
		Msg("a client actor panicked; its connection was closed")
}

// unread lets go of what waited for a client whose actor failed.
func (m *Manager) unread(left []outgoing) {
	for _, o := range left {
		if o.burst != nil {
			o.burst.Release(m.waiting)
		}
	}
}

// Handle routes events of a type to fn: a new type of the program's own, or a
// replacement for a built-in one. It panics on a type that no event can
// have. It may be called while connections are open.
func (m *Manager) Handle(typ string, fn HandlerFunc) {
	if !wire.ValidType(typ) || fn == nil {
		panic(fmt.Sprintf("session: Handle(%q): the type must be 1-%d of a-z 0-9 _ . - and have a function", typ, wire.MaxTypeBytes))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	handlers := maps.Clone(*m.handlers.Load())
	handlers[typ] = fn
	m.handlers.Store(&handlers)
}

func (m *Manager) handler(typ string) HandlerFunc { return (*m.handlers.Load())[typ] }

// AddClient takes over a connection that the program upgraded itself, for a
// user that it identified itself; room is the first room ("" for the default).
// Limits on new connections are the program's to check, except that the
// oldest connections of a user who has too many are closed. On success the
// manager alone reads, writes and closes ws from now on, and limits and
// deadlines set on it no longer count. It fails for an identity whose uid is
// not wire.ValidUID, for a room that the user may not enter, and when the
// manager is stopping; then ws is still the caller's.
func (m *Manager) AddClient(ws *websocket.Conn, who auth.Identity, room string) (*Client, error) {
	if err := checkIdentity(who); err != nil {
		return nil, fmt.Errorf("session: add a client: %w", err)
	}
	if room == "" {
		room = m.cfg.DefaultRoom
	}
	name, err := resolve(who, room)
	if err != nil {
		return nil, fmt.Errorf("session: add a client: %w", err)
	}
	from := addressOfConn(ws.RemoteAddr())
	if err := m.reserveAlways(from); err != nil {
		return nil, fmt.Errorf("session: add a client: %w", err)
	}
	first := appendRoom([]firstRoom{{name: wire.Inbox(who.UID)}}, name, rooms.Since{})
	c := m.newClient(socket.NewConn(ws.NetConn()), who, from)
	c.in = socket.NewUpgraded(ws, (*frameHandler)(c))
	m.start(c)
	go c.run(first)
	return c, nil
}

// RemoveClient ends a connection with a close code. It does not wait for the
// end: see Client.Done.
func (m *Manager) RemoveClient(c *Client, code wire.CloseCode) { c.Close(code) }

// newClient makes a client that waits for its source, and for start.
func (m *Manager) newClient(conn socket.Conn, who auth.Identity, from address) *Client {
	c := &Client{
		m: m, id: rand.Text(), who: who, from: from, conn: conn,
		ping: m.cfg.Ping - mathrand.N(m.cfg.Ping/5-m.wheel.step+1),
	}
	c.openAccounts()
	return c
}

// start sets the client's writer going, in a place that was taken. What it
// reads is the caller's to begin.
func (m *Manager) start(c *Client) {
	c.traffic.began = c.hear()
	actor.SpawnInline(m.actors, func(self *actor.Ref[outgoing]) actor.Receiver[outgoing] {
		c.self = self // before the wheel may wake it
		return newWriter(c)
	})
	// There is a writer: whoever closes the client now, it says goodbye.
	if !c.who.Guest { // a guest counts when it has stayed for a while: see due
		m.eng.MarkUserSeen(c.who.UID)
	}
	surplus, draining := m.add(c)
	for _, old := range surplus {
		old.Close(wire.CloseReplaced)
	}
	if m.refuses(c.who) { // ended while the connection was being opened: it was not among those that were closed
		c.Close(wire.CloseRemoved)
	}
	m.stats.Connected.Add(1)
	m.eng.Connected(c.member())
	if draining {
		c.sendAway(1)
	}
}

// welcome is the first event on every connection.
func (c *Client) welcome() {
	now := time.Now()
	expiresIn := int64(0)
	if exp := c.who.Expires; !exp.IsZero() {
		expiresIn = max((exp.UnixMilli()-now.UnixMilli())/1000, 1) // 0 would be never; a Duration ends at 292 years
	}
	_ = c.sendPayload(wire.Event{Type: wire.TypeWelcome}, wire.Welcome{ // an error has closed the connection
		ClientID: c.id, UID: c.who.UID, Username: c.who.Username, AvatarID: c.who.AvatarID,
		Node: c.m.eng.Node(), HeartbeatS: int(c.m.cfg.Ping / time.Second),
		Now: now.UnixMilli(), ExpiresIn: expiresIn,
	})
}

// enter joins the first rooms: the inbox, the one that becomes the current
// room, then those that are resumed. A room that cannot be joined is told as
// an error event that names it.
func (c *Client) enter(first []firstRoom) {
	for _, room := range first {
		if c.closeCode() != 0 {
			return
		}
		err := room.refused
		if err == nil && !room.asked {
			err = c.mayEnter(room.name, room.since.Position != nil)
		}
		if err == nil {
			err = c.join(room.name, "", room.since, false, "")
		}
		if err != nil && c.closeCode() == 0 {
			c.logRoomRefused(room.name, err)
			c.sendError("", roomLabel(c, room.name), err)
		}
	}
}

// Count is how many connections there are.
func (m *Manager) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.clients)
}

// Stats are the manager's counters; they may be read at any time.
func (m *Manager) Stats() *Stats { return &m.stats }

// CloseUserHere ends every connection of a user on this node and returns how
// many there were. Those of all nodes: rooms.Engine.CloseUser.
func (m *Manager) CloseUserHere(uid string, code wire.CloseCode) int {
	own := m.connectionsOf(uid)
	for _, c := range own {
		c.Close(code)
	}
	return len(own)
}

func (m *Manager) connectionsOf(uid string) []*Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.byUser[uid])
}

// CloseEndedHere ends the connections of a user on this node whose credential
// was issued before the user's sessions were ended (auth.Ended), and returns how
// many there were.
func (m *Manager) CloseEndedHere(uid string) (count int) {
	for _, c := range m.connectionsOf(uid) {
		if m.refuses(c.who) {
			c.Close(wire.CloseRemoved)
			count++
		}
	}
	return count
}

// Close ends all connections at once with 1001 and waits until they are gone.
func (m *Manager) Close() {
	for _, c := range m.refuseNew() {
		c.Close(wire.CloseGoing)
	}
	m.running.Wait()
	m.stop()
}

// refuseNew makes the manager take no more connections and returns those it
// has.
func (m *Manager) refuseNew() []*Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
	return slices.Collect(maps.Values(m.clients))
}

// errDrainCut says that the drain time was over before all clients were gone.
var errDrainCut = errors.New("session: the drain time ended before all connections were closed")
