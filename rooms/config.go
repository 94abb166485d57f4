package rooms

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Limits of the engine that have no flag, and what happens when they are
// reached.
const (
	// MaxReplay is the most events a join replays, and the most a room keeps
	// in memory. A client that missed more is told to refresh
	// (recovered=false).
	MaxReplay = 500
	// MaxReplayBytes is the most bytes that a join replays of one room, and
	// MaxResumeBytes of all the rooms of one handshake. A client that missed
	// more is told to refresh the rooms for which nothing is left of it.
	MaxReplayBytes = 8 << 20
	MaxResumeBytes = 16 << 20
	// MaxHistoryBytes is the most bytes of events in one answer to get_history,
	// but an answer has at least one event. A shorter answer says that there
	// are more.
	MaxHistoryBytes = 1 << 20
	// MaxHistoryPage is the most events in one answer to get_history; a larger
	// limit is cut to it.
	MaxHistoryPage = 100
	// MaxPresenceList is the most users in one list; the rest is paged.
	MaxPresenceList = 100

	// presenceBytes is roughly the largest list of users in bytes, a page or the
	// changes of an interval: names may be long, and a client may be in many
	// rooms that all send presence at once.
	presenceBytes = 16 << 10
	// MaxEventBytes is the largest event the log takes. A larger publish is
	// refused with bad_payload.
	MaxEventBytes = eventlog.MaxEventBytes

	// presenceSlowAbove is the size of a room from which presence batches
	// come at a third of the rate, presenceCountAbove that from which they
	// carry only the count.
	presenceSlowAbove  = 200
	presenceCountAbove = 2000
	presenceSlowFactor = 3

	// burstMessages and burstBytes bound one burst to the members, so that a
	// batch of a busy room does not fill a member's queue.
	burstMessages = 64
	burstBytes    = 256 << 10

	// ringBytes bounds the memory of one room's recent events; older ones are
	// read from the log again. Config.RingBytes bounds that of all rooms.
	// Replays come from the ring, and an event takes more memory than its
	// bytes, so ringBytes must exceed MaxReplayBytes for a replay of that size.
	ringBytes = MaxReplayBytes + MaxReplayBytes/4

	// mailboxBytes bounds the messages from NATS that are queued for one room.
	// A live event beyond it is read from the log, a signal is lost, and gossip
	// is requested again. Config.CopyBytes bounds those of all rooms.
	mailboxBytes = 2 << 20

	// heldEvents and heldBytes bound the live events a room keeps while it
	// reads the log; beyond them they are dropped (counted) and read from the
	// log as well.
	heldEvents = 4096
	heldBytes  = 2 << 20

	// openTimeout bounds the opening of a room, and each read of its log; after
	// it joins are answered unavailable.
	openTimeout = 5 * time.Second

	// checkInterval is how often the last sequences of the open rooms are
	// compared with the log, if the log has moved; checkAfterOpen is how soon
	// after its opening a room is: its subscription may become active at the
	// stream's leader after its first read of the log.
	checkInterval  = 3 * time.Second
	checkLeast     = 100 * time.Millisecond // the shortest interval, however fast the log is replaced
	checkRooms     = 10_000                 // rooms compared per interval; with 100,000 rooms each is compared every 30 s
	checkAfterOpen = 300 * time.Millisecond
)

// Connector makes connections to NATS. embedded.Server and embedded.Remote
// implement it.
type Connector interface {
	Connect(name string, opts ...nats.Option) (*nats.Conn, error)
}

// Config is the configuration of an Engine. Zero is no limit in every field that
// limits how much, as in session.Config and roomd's flags; a negative one is
// refused. In all other fields but PresenceGrace, the sizes and times that an
// engine cannot do without, zero takes the default. DefaultConfig has the limits
// that a server on the internet needs: start from it.
type Config struct {
	Node string // this node's name, of A-Z a-z 0-9 _ -, unique in the cluster; "": a random one

	Memory       bool          // keep the log in memory only
	Replicas     int           // of the stream; 0: as it is, or, on a cluster of 3 servers or more, 3
	History      int64         // events kept per room
	HistoryAge   time.Duration // events older than this are dropped
	HistoryBytes int64         // the whole log; the oldest events are dropped
	InboxBytes   int64         // the log of all users' inboxes, which is one of its own

	// TableHistory is how many steps of a table clients may be shown, within
	// HistoryAge; fewer when the log of tables fills up; 0: no limit.
	TableHistory int64
	TableBytes   int64 // the log of all tables, which is one of its own; beyond it they do not decide; snapshots may have a quarter of that more

	// HearAll makes the node subscribe to all rooms of the cluster by a few
	// wildcard subscriptions, instead of up to three for each open room, and
	// validate all events, instead of taking turns with other nodes. It is for
	// a single node with an embedded NATS server: in a cluster it would receive
	// the events of rooms that it does not have open.
	HearAll bool

	// Secret is the key with which the nodes of a cluster sign and verify who an
	// event is from: SecretBytes random bytes, the same on all nodes. Whoever has
	// it can impersonate any user. nil: the nodes share one in NATS, in the
	// bucket eventlog.KeyBucket.
	Secret []byte

	RingBytes    int64 // what the rooms' recent events may cost, all together; the least used are cut; 0: no limit
	CopyBytes    int64 // what live events may that wait for their rooms; more are read from the log; 0: no limit
	PublishBytes int64 // what events may that have no ack yet; one more is refused with busy; 0: no limit
	WaitingBytes int64 // what waits for all clients; see Waiting; 0: no limit

	Mailbox          int           // messages queued per room; a join beyond it is refused with busy
	IdleAfter        time.Duration // a room without members is unloaded after this
	PresenceInterval time.Duration // one batch of membership changes per room and interval
	PresenceGrace    time.Duration // a lost connection keeps its seat for this long; 0: not at all

	// MaxTables is how many tables may begin, of all nodes together; 0: no limit.
	// Guests may begin half of them. It is looked at by every node for itself, so a
	// few more may begin when many do at once. Tables that there are go on.
	MaxTables int64
	// Tables are the rooms that rules decide for, the first that fits; fixed.
	Tables []Hosting

	// Feed publishes joins, leaves and connections on NATS: see wire.FeedEvent.
	Feed bool

	// EndUser is called by rooms.kick, before it ends a user's sessions, to
	// revoke the user's credentials issued so far for that long; negative: for
	// the program's default time. Its errors that are *wire.Error are returned
	// to the caller of rooms.kick. It may be called from any goroutine. Nil:
	// only the connections are ended.
	EndUser func(ctx context.Context, uid string, lasts time.Duration) error
	// Kicked is called on every node before a user is removed from a room, or,
	// with room "", before the user's sessions are ended. It must not block, and
	// may be called from any goroutine. May be nil.
	Kicked func(room wire.Room, uid string)

	Log zerolog.Logger

	tuning tuning
}

// tuning is set only by the tests of this package.
type tuning struct {
	publish       eventlog.PublishTimes
	open          time.Duration        // openTimeout
	check         time.Duration        // checkInterval
	health        time.Duration        // healthInterval
	checkLeast    time.Duration        // checkLeast
	checkRooms    int                  // checkRooms
	heartbeat     time.Duration        // heartbeatInterval
	afterOpen     time.Duration        // checkAfterOpen
	held          int                  // heldEvents
	slowAbove     int                  // presenceSlowAbove
	countAbove    int                  // presenceCountAbove
	wildcardAbove int64                // wildcardAbove; negative: none has its own
	lose          func(*nats.Msg) bool // live copies that never reach their room; nil: none
	userBytes     int64                // userBytes and guestBytes
	labels        int64                // maxLabels
	feedQueue     int                  // feedQueue
	feedGate      *sync.RWMutex        // the feed publishes nothing while it is locked; nil: never
	gate          *sync.RWMutex        // a read of a room's log waits while it is locked; nil: never
	loseAck       func() error         // what a stored step's ack is taken for; nil: an ack
	pause         time.Duration        // between attempts that revival ends; 0: eventlog.BeforeAttempt
	silent        time.Duration        // silentAfter
	forwarded     time.Duration        // table.MaxWait: how long a command waits for other nodes
	appendGate    sync.Locker          // locked while a step is appended; nil: never
	clock         func() time.Time     // time.Now; what incarnations begin with
	tableClock    func() time.Time     // time.Now; what tables go by unless it is wrong
	stateAsked    func(answered bool)  // called before the stream of tables is asked for its state, and when it has answered
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		History:          1000,
		HistoryAge:       24 * time.Hour,
		HistoryBytes:     1 << 30,
		InboxBytes:       256 << 20,
		TableHistory:     10_000,
		TableBytes:       256 << 20,
		RingBytes:        128 << 20,
		CopyBytes:        32 << 20,
		PublishBytes:     eventlog.MaxPendingBytes,
		WaitingBytes:     64 << 20,
		MaxTables:        10_000,
		Mailbox:          1024,
		IdleAfter:        time.Minute,
		PresenceInterval: time.Second,
		PresenceGrace:    15 * time.Second,
		Log:              zerolog.Nop(),
		tuning: tuning{
			open:          openTimeout,
			check:         checkInterval,
			health:        healthInterval,
			checkLeast:    checkLeast,
			checkRooms:    checkRooms,
			heartbeat:     heartbeatInterval,
			silent:        silentAfter,
			forwarded:     table.MaxWait,
			afterOpen:     checkAfterOpen,
			held:          heldEvents,
			slowAbove:     presenceSlowAbove,
			countAbove:    presenceCountAbove,
			wildcardAbove: wildcardAbove,
			clock:         time.Now,
			tableClock:    time.Now,
			stateAsked:    func(bool) {},
			feedQueue:     feedQueue,
		},
	}
}

// withDefaults fills zero fields.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	c.Node = cmp.Or(c.Node, rand.Text()[:8]) // not of a NATS inbox: those of one process begin alike
	c.History = cmp.Or(c.History, d.History)
	c.HistoryAge = cmp.Or(c.HistoryAge, d.HistoryAge)
	c.HistoryBytes = cmp.Or(c.HistoryBytes, d.HistoryBytes)
	c.InboxBytes = cmp.Or(c.InboxBytes, d.InboxBytes)
	c.TableBytes = cmp.Or(c.TableBytes, d.TableBytes)
	c.Mailbox = cmp.Or(c.Mailbox, d.Mailbox)
	c.IdleAfter = cmp.Or(c.IdleAfter, d.IdleAfter)
	c.PresenceInterval = cmp.Or(c.PresenceInterval, d.PresenceInterval)
	c.tuning.open = cmp.Or(c.tuning.open, d.tuning.open)
	c.tuning.feedQueue = cmp.Or(c.tuning.feedQueue, d.tuning.feedQueue)
	c.tuning.checkLeast = cmp.Or(c.tuning.checkLeast, d.tuning.checkLeast)
	c.tuning.check = cmp.Or(c.tuning.check, d.tuning.check)
	c.tuning.health = cmp.Or(c.tuning.health, d.tuning.health)
	c.tuning.checkRooms = cmp.Or(c.tuning.checkRooms, d.tuning.checkRooms)
	c.tuning.silent = cmp.Or(c.tuning.silent, d.tuning.silent)
	c.tuning.forwarded = cmp.Or(c.tuning.forwarded, d.tuning.forwarded)
	c.tuning.heartbeat = cmp.Or(c.tuning.heartbeat, d.tuning.heartbeat)
	c.tuning.afterOpen = cmp.Or(c.tuning.afterOpen, d.tuning.afterOpen)
	c.tuning.held = cmp.Or(c.tuning.held, d.tuning.held)
	c.tuning.slowAbove = cmp.Or(c.tuning.slowAbove, d.tuning.slowAbove)
	c.tuning.wildcardAbove = cmp.Or(c.tuning.wildcardAbove, d.tuning.wildcardAbove)
	if c.tuning.tableClock == nil {
		c.tuning.tableClock = d.tuning.tableClock
	}
	if c.tuning.stateAsked == nil {
		c.tuning.stateAsked = d.tuning.stateAsked
	}
	if c.tuning.clock == nil {
		c.tuning.clock = d.tuning.clock
	}
	c.tuning.countAbove = cmp.Or(c.tuning.countAbove, d.tuning.countAbove)
	return c
}

// stream returns the configuration of the stream of a space.
func (c Config) stream(space wire.Space) eventlog.Config {
	bytes := [wire.Spaces]int64{wire.SpaceRooms: c.HistoryBytes, wire.SpaceInboxes: c.InboxBytes, wire.SpaceTables: c.TableBytes}[space]
	return eventlog.Config{Space: space, Memory: c.Memory, Replicas: c.Replicas, History: c.History, HistoryAge: c.HistoryAge, HistoryBytes: bytes, Log: c.Log}
}

// Validate returns the error that New would for this configuration: for the
// first field whose value, zero ones filled in, is invalid.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case wire.RoomKey(c.Node) != c.Node:
		return fmt.Errorf("rooms: the node's name is %q; it may hold A-Z a-z 0-9 _ - only", c.Node)
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("rooms: replicas is %d; a stream has 1 to 5, or 0 to choose", c.Replicas)
	case c.History < 1:
		return fmt.Errorf("rooms: history is %d events per room; it must be at least 1", c.History)
	case c.HistoryAge < eventlog.DedupWindow:
		return fmt.Errorf("rooms: history age is %s; it must be at least %s", c.HistoryAge, eventlog.DedupWindow)
	case c.HistoryBytes < 1<<20:
		return fmt.Errorf("rooms: history bytes is %d; it must be at least %d", c.HistoryBytes, 1<<20)
	case c.InboxBytes < 1<<20:
		return fmt.Errorf("rooms: inbox bytes is %d; it must be at least %d", c.InboxBytes, 1<<20)
	case c.TableBytes < 1<<20:
		return fmt.Errorf("rooms: table bytes is %d; it must be at least %d", c.TableBytes, 1<<20)
	case c.TableHistory < 0:
		return fmt.Errorf("rooms: table history is %d steps per table; it must not be negative; 0 is no limit", c.TableHistory)
	case c.MaxTables < 0:
		return fmt.Errorf("rooms: max tables is %d; it must not be negative; 0 is no limit", c.MaxTables)
	case c.Secret != nil && len(c.Secret) != SecretBytes:
		return fmt.Errorf("rooms: the secret has %d bytes; it must have %d, or be nil", len(c.Secret), SecretBytes)
	case !budget(c.RingBytes) || !budget(c.CopyBytes) || !budget(c.PublishBytes) || !budget(c.WaitingBytes):
		return fmt.Errorf("rooms: the budgets are %d bytes for rings, %d for copies, %d for publishes and %d for clients; each must be at least %d, or 0 for no limit", c.RingBytes, c.CopyBytes, c.PublishBytes, c.WaitingBytes, 1<<20)
	case c.IdleAfter < 0:
		return fmt.Errorf("rooms: idle after is %s; it must not be negative", c.IdleAfter)
	case c.PresenceGrace < 0:
		return fmt.Errorf("rooms: presence grace is %s; it must not be negative", c.PresenceGrace)
	case c.Mailbox < 16:
		return fmt.Errorf("rooms: mailbox is %d messages; it must be at least 16", c.Mailbox)
	case c.hostsWrong() != nil:
		return c.hostsWrong()
	case c.PresenceInterval < 10*time.Millisecond:
		return fmt.Errorf("rooms: presence interval is %s; it must be at least 10ms", c.PresenceInterval)
	}
	return nil
}

// hostsWrong is what is wrong with the first entry of Tables that is invalid.
func (c Config) hostsWrong() error {
	for _, h := range c.Tables {
		room, err := wire.ParseRoom(h.Rooms)
		switch prefix := strings.TrimSuffix(h.Rooms, "*"); {
		case err != nil || string(room) != h.Rooms || strings.Contains(prefix, "*") || wire.SpaceOf(room) != wire.SpaceRooms:
			return fmt.Errorf("rooms: a table is hosted in %q; write a room's name, or the beginning of names and a *", h.Rooms)
		case h.Game == nil:
			return fmt.Errorf("rooms: the tables in %s have no game; make the entry with Host", h.Rooms)
		}
	}
	return nil
}

// budget reports whether bytes is a limit that works, or none.
func budget(bytes int64) bool { return bytes == 0 || bytes >= 1<<20 }
