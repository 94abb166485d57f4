package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"reflect"
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

// errDraining refuses new connections to a node that is stopping.
var errDraining = wire.Errorf(wire.Unavailable, "this node is stopping; connect to another")

// Manager holds the connections of one node. Its methods may be called from
// any goroutine.
type Manager struct {
	// fixed after New
	cfg         Config
	eng         engine
	who         Authenticator
	revocations auth.Revocations // nil: no credential is ever revoked
	upgrader    *socket.Upgrader
	actors      *actor.Config[outgoing]
	connects    *rate.Limiter // nil: no limit
	ctx         context.Context
	stop        context.CancelFunc
	guestRooms  *guestRooms
	newRooms    newRooms
	wheel       *wheel
	started     time.Time // budgets and the times of frames count from here, on the monotonic clock
	budgets     budgets
	waiting     *rooms.QueuedBytes // bytes queued for all clients
	unfinished  unfinished         // incomplete messages
	pages       *fairQueue         // for pages of history, and lists of users

	stats     Stats
	warnProxy sync.Once
	handlers  atomic.Pointer[map[string]HandlerFunc] // replaced as a whole, under mu
	shedding  atomic.Bool                            // shed is running
	running   sync.WaitGroup                         // one per connection, those being opened included; added under mu, and not while draining

	mu        sync.Mutex
	draining  bool
	clients   map[string]*Client   // by id
	byUser    map[string][]*Client // oldest first
	byAddress map[string]int       // connections, those being opened included
	opening   int                  // connections being opened
	ended     endedUsers
}

// NewManager returns a manager of connections to eng's rooms. who identifies
// the users that connect. Neither may be nil. The caller ends it with Drain or
// Close before it closes eng.
func NewManager(eng *rooms.Engine, who Authenticator, cfg Config) (*Manager, error) {
	if eng == nil {
		return nil, errors.New("session: NewManager was given no engine; rooms.New makes one")
	}
	if v := reflect.ValueOf(who); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("session: NewManager was given no Authenticator; an *auth.Authenticator with Guests lets guests in")
	}
	return newManager(eng, who, cfg)
}

func newManager(eng engine, who Authenticator, cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, eng: eng, who: who, started: time.Now(), budgets: newBudgets(cfg),
		clients: make(map[string]*Client), byUser: make(map[string][]*Client), byAddress: make(map[string]int),
	}
	if m.revocations = cfg.Revocations; m.revocations == nil {
		m.revocations, _ = who.(auth.Revocations)
	}
	m.waiting, m.pages = eng.QueuedBytes(), newFairQueue(historyAtOnce)
	m.unfinished.maxBytes = max(cfg.UnfinishedBytes, leastUnfinished*cfg.MaxMessage)
	m.waiting.OnFull(m.shedSoon)
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.upgrader = socket.NewUpgrader(cfg.Handshake, refuseUpgrade)
	m.guestRooms, m.newRooms = newGuestRooms(cfg, m.roomIsOpen), newNewRooms()
	m.wheel = newWheel(cfg.Ping/wheelSteps, (*Client).onDue)
	m.actors = &actor.Config[outgoing]{
		MaxMessages: cfg.QueueMessages, MaxBytes: cfg.QueueBytes, Cost: outgoingCost(cfg.QueueBytes), OnPanic: m.onPanic, OnUnread: m.releaseUnread, Yield: true,
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

// releaseUnread releases what was queued for a client whose actor failed.
func (m *Manager) releaseUnread(left []outgoing) {
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
// Limits on new connections are up to the program, except that the oldest
// connections of a user who has too many are closed. On success only the
// manager reads, writes and closes ws from then on, and limits and deadlines
// set on it no longer apply. It fails for an identity that would be refused from
// an Authenticator, for a room that the user may not enter, and when the manager
// is stopping; then ws still belongs to the caller.
func (m *Manager) AddClient(ws *websocket.Conn, who auth.Identity, room wire.Room) (*Client, error) {
	who, err := m.accept(who)
	if err != nil {
		return nil, fmt.Errorf("session: add a client: %w", err)
	}
	if room == "" {
		room = m.cfg.DefaultRoom
	}
	name, err := resolve(who, string(room))
	if err != nil {
		return nil, fmt.Errorf("session: add a client: %w", err)
	}
	began := m.now()
	from := addressOfConn(ws.RemoteAddr())
	if err := m.reserveAlways(from); err != nil {
		return nil, fmt.Errorf("session: add a client: %w", err)
	}
	first := appendRoom([]firstRoom{{name: wire.Inbox(who.UID)}}, name, rooms.Since{})
	c := m.newClient(socket.NewConn(ws.NetConn()), who, from)
	c.in = socket.NewUpgraded(ws, (*frameHandler)(c))
	m.start(c)
	go c.run(first, began)
	return c, nil
}

// RemoveClient closes a connection with a close code. It does not wait for the
// end: see Client.Done.
func (m *Manager) RemoveClient(c *Client, code wire.CloseCode) { c.Close(code) }

// newClient makes a client that still needs its source, and start.
func (m *Manager) newClient(conn socket.Conn, who auth.Identity, from address) *Client {
	c := &Client{
		m: m, id: rand.Text(), who: who, from: from, conn: conn,
		ping: m.cfg.Ping - mathrand.N(m.cfg.Ping/5-m.wheel.step+1),
	}
	c.openAccounts()
	return c
}

// start starts the client's writer, in a slot that was reserved. The caller
// starts the reader.
func (m *Manager) start(c *Client) {
	c.traffic.began = c.markAlive()
	actor.SpawnInline(m.actors, func(self *actor.Ref[outgoing]) actor.Receiver[outgoing] {
		c.self = self // before the wheel may wake it
		return newWriter(c)
	})
	// There is a writer: whoever closes the client now, it says goodbye.
	if !c.who.Guest { // a guest is recorded after a while: see onDue
		m.eng.MarkUserSeen(c.who.UID)
	}
	surplus, draining := m.add(c)
	for _, old := range surplus {
		old.Close(wire.CloseReplaced)
	}
	if m.revoked(c.who) { // revoked while the connection was being opened, so it was not closed with the others
		c.Close(wire.CloseRemoved)
	}
	m.stats.Connected.Add(1)
	m.eng.Connected(c.member())
	if draining {
		c.drain(1)
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

// joinFirst joins the first rooms: the inbox, the one that becomes the current
// room, then those that are resumed. For a room that cannot be joined the
// client gets an error event that names it.
func (c *Client) joinFirst(first []firstRoom) {
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

// Count returns how many connections there are.
func (m *Manager) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.clients)
}

// Stats returns the manager's counters. They may be read at any time.
func (m *Manager) Stats() *Stats { return &m.stats }

// CloseUserHere closes every connection of a user on this node and returns how
// many there were. For all nodes see rooms.Engine.CloseUser.
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

// CloseRevokedHere closes the connections of a user on this node whose
// credential was issued before the user's sessions were ended
// (auth.Revocations), and returns how many there were.
func (m *Manager) CloseRevokedHere(uid string) (count int) {
	for _, c := range m.connectionsOf(uid) {
		if m.revoked(c.who) {
			c.Close(wire.CloseRemoved)
			count++
		}
	}
	return count
}

// Close closes all connections at once with 1001 and waits until they have
// ended.
func (m *Manager) Close() {
	for _, c := range m.refuseNew() {
		c.Close(wire.CloseGoing)
	}
	m.running.Wait()
	m.stop()
}

// refuseNew stops accepting connections and returns the present ones.
func (m *Manager) refuseNew() []*Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining = true
	return slices.Collect(maps.Values(m.clients))
}

// errDrainCut says that the drain time ended before all connections were
// closed.
var errDrainCut = errors.New("session: the drain time ended before all connections were closed")
