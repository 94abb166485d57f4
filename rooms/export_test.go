package rooms

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds that the tests go to.
const (
	UnfilteredRange = eventlog.MaxUnfiltered
	RepairPage      = eventlog.MaxPage
	PublishPending  = eventlog.MaxPending
	PublishBytes    = eventlog.MaxPendingBytes
	ChunkBytes      = chunkBytes
)

// PublishTimes shortens the publisher's deadline, attempt and retry.
func (c *Config) PublishTimes(deadline, attempt, retry time.Duration) {
	c.tuning.publish = eventlog.PublishTimes{Deadline: deadline, Attempt: attempt, Retry: retry}
}

// OpenTimeout sets how long a room may take to open, and a read of its log.
func (c *Config) OpenTimeout(d time.Duration) { c.tuning.open = d }

// CheckEvery sets how often rooms are compared with the log, CheckLeast how
// often at most when the log turns over, CheckAfterOpen when a room that was
// opened is.
func (c *Config) CheckEvery(d time.Duration)     { c.tuning.check, c.tuning.checkLeast = d, d }
func (c *Config) CheckLeast(d time.Duration)     { c.tuning.checkLeast = d }
func (c *Config) CheckAfterOpen(d time.Duration) { c.tuning.afterOpen = d }

// CheckRooms sets how many rooms are compared per interval.
func (c *Config) CheckRooms(n int) { c.tuning.checkRooms = n }

// Checks and Reads count looks at where the stream stands, and reads of rooms'
// logs.
func (e *Engine) Checks() int64 { return e.stores[wire.SpaceRooms].counters.checks.Load() }
func (e *Engine) Reads() int64  { return e.stores[wire.SpaceRooms].counters.reads.Load() }

// Compared counts rooms that were compared with the log.
func (e *Engine) Compared() int64 { return e.stores[wire.SpaceRooms].counters.compared.Load() }

// Asks counts questions to the log's leader about a room.
func (e *Engine) Asks() int64 { return e.stores[wire.SpaceRooms].counters.asks.Load() }

// Queued reports how many messages wait in a room's mailbox.
func (e *Engine) Queued(room wire.Room) int {
	ref, ok := e.rooms.Lookup(string(room))
	if !ok {
		return 0
	}
	return ref.Len()
}

// HeldEvents sets how many live copies a room holds while it reads the log.
func (c *Config) HeldEvents(n int) { c.tuning.held = n }

// LargeRooms sets from which size rooms tell less of their presence.
func (c *Config) LargeRooms(slow, count int) { c.tuning.slowAbove, c.tuning.countAbove = slow, count }

// Lose makes the engine lose the live copies for which f returns true, as NATS
// may lose them. f runs on one goroutine.
func (c *Config) Lose(f func(*nats.Msg) bool) { c.tuning.lose = f }

// Open reports how many rooms are open, their actors and their handles.
func (e *Engine) Open() (actors, handles int) {
	for _, st := range e.stores {
		handles += len(st.handles.all())
	}
	return e.rooms.Len(), handles
}

// Subscriptions reports how many subscriptions the rooms' connection has.
func (e *Engine) Subscriptions() int { return e.nc.NumSubscriptions() }

// EpochOf names the present life of the log that a room is in.
func (e *Engine) EpochOf(room wire.Room) string { return e.storeOf(room).Epoch() }

// CheckSoon is what a reconnect or a slow consumer does.
func (e *Engine) CheckSoon() {
	for _, st := range e.stores {
		st.checkSoon()
	}
}

// LoseConnection breaks the connection of the rooms; it reconnects.
func (e *Engine) LoseConnection() error { return e.nc.ForceReconnect() }

// Miss is what happens when a room's mailbox refuses a live copy.
func (e *Engine) Miss(room wire.Room) { e.handleOf(room).miss() }

// SlowConsumer is what nats.go calls when it drops copies.
func (e *Engine) SlowConsumer(subject string) {
	e.onAsyncError(e.nc, &nats.Subscription{Subject: subject}, nats.ErrSlowConsumer)
}

// Fanout is a room with members and no log, for the cost of a delivery.
type Fanout struct{ r *room }

func NewFanout(members []Member) *Fanout {
	f := &Fanout{&room{eng: &Engine{}, h: &handle{store: &store{}}, label: "x"}}
	f.r.eng.cfg = DefaultConfig()
	if err := f.r.eng.setSecret(make([]byte, SecretBytes), time.Time{}); err != nil {
		panic(err)
	}
	f.r.fanout.stats, f.r.fanout.waiting = &f.r.eng.stats, NewQueuedBytes(0)
	for _, m := range members {
		f.r.fanout.members.add(m)
	}
	return f
}

// Batch delivers the bodies as one batch of the log after seq.
func (f *Fanout) Batch(seq uint64, bodies [][]byte, logTime string) {
	for i, body := range bodies {
		f.r.fanout.buffer.expected = len(bodies) - i
		f.r.deliver(follow.Event{Seq: seq + uint64(i) + 1, Body: body, Time: logTime})
	}
	f.r.flush()
}

// Burst delivers an encoded burst.
func (f *Fanout) Burst(b *Burst) { f.r.deliverBurst(b, "") }

// Outbox shows how much memory the frames of one batch take.
type Outbox struct{ o writeBuffer }

func (o *Outbox) Take(expect int, add func(add func(typ string, payload []byte))) (bytes int) {
	o.o.expected = expect
	add(func(typ string, payload []byte) {
		body := wire.AppendEvent(nil, wire.Event{Type: typ, Payload: payload})
		stored, err := wire.ReadStored(body)
		if err != nil {
			panic(err)
		}
		o.o.addEvent("x", 1, &stored, "")
	})
	for _, chunk := range o.o.take().Frames {
		bytes += cap(chunk)
	}
	return bytes
}

// HoldReads makes every read of the log wait until release is called.
// The configuration must have a gate for reads.
func (e *Engine) HoldReads() (release func()) {
	e.cfg.tuning.gate.Lock()
	return e.cfg.tuning.gate.Unlock
}

// GateReads gives the configuration a gate for reads.
func (c *Config) GateReads() { c.tuning.gate = new(sync.RWMutex) }

// NextLook is the sequence at which a room's event brings about a look at where
// the stream stands; 0 while one is due.
func (e *Engine) NextLook() uint64 {
	if next := e.stores[wire.SpaceRooms].nextCheckSeq.Load(); next != math.MaxUint64 {
		return next
	}
	return 0
}

// LastSequences asks the log for the last sequence of each room that has one,
// by token.
func (e *Engine) LastSequences(ctx context.Context, rooms []wire.Room) (map[string]uint64, error) {
	checks, _, err := e.stores[wire.SpaceRooms].log.Checks(ctx, rooms)
	last := make(map[string]uint64, len(checks))
	for token, c := range checks {
		if c.Last != 0 {
			last[token] = c.Last
		}
	}
	return last, err
}

// AnswerBytes is about how much one answer to that holds.
const AnswerBytes = 4 << 20

// UserBytes bounds the buckets of users and guests who were here.
func (c *Config) UserBytes(n int64) { c.tuning.userBytes = n }

// HoldLookups takes all places in which users are looked up.
func (e *Engine) HoldLookups() {
	for range userLookups {
		e.users.slots <- struct{}{}
	}
}

// UserQueue is how many users may wait to be written.
const UserQueue = userQueue

// UsersQueued is how many do.
func (e *Engine) UsersQueued() int { return len(e.users.queue) }

// UsersRestored reports whether nobody makes a list of users anew.
func (e *Engine) UsersRestored() bool {
	return !e.users.users.restoring.Load() && !e.users.guests.restoring.Load()
}

// Wrote has the engine remember a user as one who is written.
func (e *Engine) Wrote(uid string) { e.users.bucketOf(uid).written.add(uid, time.Now()) }

// How many users, and guests, an engine remembers that are written.
const UsersKept, GuestsKept = 2 * usersKept, 2 * guestsKept

// UserRenew is after which time a user is written again.
const UserRenew = userRenew

// Memo is what remembers users.
type Memo struct{ memo }

// NewMemo makes one of twice as many as most.
func NewMemo(most int) *Memo { return &Memo{memo{maxSize: most}} }

func (m *Memo) Add(uid string, now time.Time) bool { return m.add(uid, now) }

// Len is how many it remembers.
func (m *Memo) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.current) + len(m.previous)
}

// Members is the set of a room's members.
type Members struct{ m members }

func (s *Members) Add(m Member)          { s.m.add(m) }
func (s *Members) Remove(id string) bool { return s.m.remove(id) }
func (s *Members) Has(id string) bool    { return s.m.has(id) }
func (s *Members) IDs() []string {
	ids := make([]string, len(s.m.list))
	for i, m := range s.m.list {
		ids[i] = m.ID()
	}
	return ids
}

// Heartbeats sets how often nodes say that they live; three missed ones end
// them.
func (c *Config) Heartbeats(every time.Duration) { c.tuning.heartbeat = every }

// TableClock sets this node's clock, as far as tables go by it.
func (c *Config) TableClock(now func() time.Time) { c.tuning.tableClock = now }

// StateAsked is called before the stream of tables is asked for its state, and again
// when it has answered: that goes on when f returns.
func (c *Config) StateAsked(f func(answered bool)) { c.tuning.stateAsked = f }

// AwaitNodes sets how long a command waits for other nodes, and how long one of them
// may say nothing.
func (c *Config) AwaitNodes(d time.Duration) { c.tuning.forwarded, c.tuning.silent = d, d }

// SkewOf is skewOf.
var SkewOf = skewOf

// Clock sets the clock that incarnations begin with.
func (c *Config) Clock(now func() time.Time) { c.tuning.clock = now }

// Peers are the other nodes that this one knows of.
func (e *Engine) Peers() []string { return e.peers.names() }

// Kill ends the engine as kill -9 does: the others hear nothing of it.
func (e *Engine) Kill() {
	e.nc.Close()
	e.pubs.Close()
}

// CoalesceDelay is how far apart bursts to that many members are.
var CoalesceDelay = coalesceDelay

// InspectsByTurns reports whether the node is one of those that take turns in
// looking for what is not valid, and whether the server knows it.
func (e *Engine) InspectsByTurns() (bool, error) {
	e.inspection.mu.Lock()
	defer e.inspection.mu.Unlock()
	return e.inspection.queue != nil, e.nc.Flush()
}

// WildcardAbove sets how many rooms have subscriptions of their own; negative:
// none.
func (c *Config) WildcardAbove(rooms int64) { c.tuning.wildcardAbove = rooms }

// SharingRooms reports how many rooms share the wildcard subscriptions, and how
// many have their own.
func (e *Engine) SharingRooms() (sharing int, own int64) {
	e.subs.mu.Lock()
	defer e.subs.mu.Unlock()
	return e.subs.wildcardRooms, e.subs.own.Load()
}

// Prove publishes the event by which a log that was in doubt since then is to
// be ready again; the engine must not judge by itself (HealthEvery).
func (e *Engine) Prove(since time.Time) {
	e.unready.Store(&UnreadyError{Reason: ReasonNotStored, Since: since})
	e.publishProof(wire.SpaceRooms)
}

// Stored counts what the log of rooms took.
func (e *Engine) Stored() int64 { return e.pub.Flow()[wire.SpaceRooms].Acked }

// HealthEvery sets how often it is looked whether the log takes events.
func (c *Config) HealthEvery(d time.Duration) { c.tuning.health = d }

// Labels is how many rooms may have a label.
func (c *Config) Labels(n int64) { c.tuning.labels = n }

// LobbyAge is how old a list may be that is given out, LobbyPart how many rooms
// are in one message between nodes.
const (
	LobbyAge  = lobbyMaxAge
	LobbyPart = lobbyPart
)

// RenewLobby is what one does who found the list too old.
func (e *Engine) RenewLobby() { <-e.lobby.startRefresh() }

// FeedQueue sets how many events of the feed may wait; HoldFeed keeps the feed
// from publishing.
func (c *Config) FeedQueue(n int)             { c.tuning.feedQueue = n }
func (c *Config) HoldFeed(gate *sync.RWMutex) { c.tuning.feedGate = gate }

// WithDefaults fills what New fills.
func (c Config) WithDefaults() Config { return c.withDefaults() }

// OwnerMailbox is how many commands may wait for a table.
const OwnerMailbox = ownerMailbox

// MaxForwarded is how many commands may wait for other nodes.
const MaxForwarded = maxForwarded

// MaxBounds is how many bounds of rules are counted by name.
const MaxBounds = maxBounds

// LoseAck makes the ack of each step's first append the error that f returns.
func (c *Config) LoseAck(f func() error) { c.tuning.loseAck = f }

// HoldSteps has each step lock the gate before it is appended, and unlock it after.
func (c *Config) HoldSteps(gate sync.Locker) { c.tuning.appendGate = gate }

// StepsRefused and GiveWayFor say when an owner leaves a table to another node, and
// for how long.
const StepsRefused, GiveWayFor = stepsRefused, giveWayFor

// RetryAfter sets the pauses between attempts that end early when NATS is back.
func (c *Config) RetryAfter(d time.Duration) { c.tuning.pause = d }

// Suspect makes the engine take a node for gone until it is heard again.
func (e *Engine) Suspect(node string) { e.placement.suspect(node) }

// Unhear makes the engine take a node for lost, as one whose heartbeats do not come.
func (e *Engine) Unhear(node string) { e.placement.lost(node) }

// OwnerAmong is the node that decides for a table where these are all.
func OwnerAmong(room wire.Room, nodes ...string) string {
	p := newPlacement("")
	for _, node := range nodes {
		p.heard(node, true)
	}
	return p.ownerOf(room, nil)
}

// OwnerOf is the node that decides for a table.
func (e *Engine) OwnerOf(room wire.Room) string { return e.ownerOf(room, nil) }

// SealVector seals under a key and a nonce, and returns the sealed text alone.
func SealVector(key, nonce, plain []byte, place string) ([]byte, error) {
	s, err := sealerOf(key, "")
	if err != nil {
		return nil, err
	}
	gcm, err := s.aead(nonce)
	if err != nil {
		return nil, err
	}
	return gcm.Seal(nil, nonce[12:], plain, []byte(place)), nil
}

// Sealing seals and opens with what comes from a secret.
func Sealing(t testing.TB, key []byte) (seal func([]byte, ...string) []byte, open func([]byte, ...string) ([]byte, error)) {
	s, err := newSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return s.seal, s.open
}

// IsNotSealed and IsOtherSecret tell why something did not open.
func IsNotSealed(err error) bool   { return errors.Is(err, errNotSealed) }
func IsOtherSecret(err error) bool { return errors.Is(err, errOtherSecret) }

// SnapshotSteps is after how many steps, at least, a table is written down.
const SnapshotSteps = snapshotSteps

// Snapshots are those of all tables; EncodeStep is the message of a step.
// TrimTables trims the tables that nobody uses as if it were later.
func (e *Engine) TrimTables(ctx context.Context, later time.Duration) {
	e.trimTables(ctx, e.unloadedTables(ctx), time.Now().Add(later))
}

func (e *Engine) Snapshots() *eventlog.Snapshots { return e.snapshots }
func (e *Engine) EncodeStep(room wire.Room, step *table.Step) (body []byte, by string, err error) {
	return e.encodeStep(room, step)
}

// DecideHere has this node decide, whoever's turn it is.
func (e *Engine) DecideHere(room wire.Room, ev wire.Event, who table.User, done func(Decision, error)) {
	e.decideHere(room, forwarded{Type: ev.Type, Payload: ev.Payload, User: who, Insist: true}, func(d decided) { done(d.result()) })
}

// Asked is what is forwarded to a node, as far as the tests look.
type Asked struct {
	Type, ID, UID string
	Wake, Insist  bool
	After         uint64
}

// ReadForwarded is what was forwarded; SignForwarded is that a node forwards it, and
// SignAnswer that one answers.
func (e *Engine) ReadForwarded(msg *nats.Msg) (Asked, error) {
	body, err := e.secret.Load().signedBody(msg.Data, forRequest, msg.Subject, msg.Reply)
	if err != nil {
		return Asked{}, err
	}
	c, err := decodeForwarded(body)
	return Asked{c.Type, c.ID, c.User.UID, c.Wake, c.Insist, c.After}, err
}

func (e *Engine) SignForwarded(msg *nats.Msg, a Asked) {
	c := forwarded{Type: a.Type, ID: a.ID, User: table.User{From: table.FromUser, UID: a.UID}, Wake: a.Wake, Insist: a.Insist, After: a.After}
	msg.Data = c.encode()
	e.secret.Load().signInPlace(msg.Data, forRequest, msg.Subject, msg.Reply)
}

func (e *Engine) SignAnswer(reply string, seq uint64) ([]byte, error) {
	d := decided{Seq: seq}
	return d.encode(e.secret.Load(), reply)
}

// ReadExpired is the clock that a request is to be sent again with; 0: it was done.
func (e *Engine) ReadExpired(msg *nats.Msg) (clock, seq uint64, err error) {
	d, err := e.readAnswer(msg.Subject, msg.Data)
	return d.Expired, d.Seq, err
}

// Links is how many other nodes are known for what was forwarded to them.
func (e *Engine) Links() int {
	e.forward.mu.Lock()
	defer e.forward.mu.Unlock()
	return len(e.forward.links)
}

// NotesBucket is the bucket of the notes on tables.
var NotesBucket = eventlog.BucketConfig{Name: TableBucket, EntryTTL: true, MaxEntries: maxNotes, MaxBytes: noteBytes}

// HoldDrops keeps old steps from being dropped until release is called.
func (e *Engine) HoldDrops() (release func()) {
	e.drops.turn <- struct{}{}
	return func() { <-e.drops.turn }
}

// OldStepsDue reports whether so many old steps would be dropped after a time.
func (e *Engine) OldStepsDue(steps int64, full bool, after time.Duration) bool {
	d := newStepDrops(e)
	d.add("tally-1", oldSteps{1, steps}, full)
	return d.due(time.Now().Add(after))
}

// RestAfterDrop is restAfter.
func RestAfterDrop(took time.Duration, full float64) time.Duration { return restAfter(took, full) }

// AgeLabels has all labels that were removed be so for as long as their marks stay.
func (e *Engine) AgeLabels() {
	l := &e.labels
	l.mu.Lock()
	defer l.mu.Unlock()
	for room, known := range l.byRoom {
		known.since = known.since.Add(-2 * removedLabelTTL)
		l.byRoom[room] = known
	}
}
