package rooms

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// liveQueue is how many live copies may be queued for the dispatcher. Beyond it
// nats.go drops them (counted), and the rooms read them from the log.
const liveQueue = 1 << 16

// errClosed answers requests after Close.
var errClosed = wire.Errorf(wire.Unavailable, "this node is stopping; connect to another")

// errBusy answers requests that found a room's mailbox full.
var errBusy = wire.Errorf(wire.Busy, "the room is busy; try again in a moment")

// Engine runs the rooms of one node. Its methods may be called from any
// goroutine. They speak of all nodes; those that end in Here, the counters and
// the members that are given to it are this node's alone.
type Engine struct {
	// fixed after New
	cfg          Config
	ctx          context.Context // ends with Close
	stop         context.CancelFunc
	nc           *nats.Conn // subscriptions, requests and signals
	pubs         *nats.Conn // publishes to the log and their acks
	stores       [wire.Spaces]*store
	limits       follow.Limits
	waiting      *QueuedBytes
	sweep        chan struct{} // wakes the sweeper; buffered by one
	pub          *eventlog.Publisher
	appender     *eventlog.Appender
	secret       atomic.Pointer[secret] // replaced only when NATS has lost it
	live         chan *nats.Msg
	marks        sync.Map // *nats.Msg: chan struct{}; see awaitDispatched
	rooms        *actor.Group[string, message]
	snapshots    *eventlog.Snapshots // nil: there are no tables
	placement    *placement
	forward      *forwarder
	replays      replays
	tableStats   TableStats
	begun        begunTables
	owners       *actor.Group[string, ownerMessage]
	drops        *stepDrops
	notes        tableNotes // not opened: there are no tables
	tableLoads   Histogram  // how long tables took to load
	tableClock   tableClock
	opener       *actor.Ref[*room]
	subs         subscriber
	peers        peers
	inspection   inspection
	boot         presence.Boot // of this process
	started      int64         // for nodes of version 0: see heartbeat
	stats        Stats
	latency      latency
	storeMonitor StoreMonitor                 // nil: an external NATS
	writeProbe   *eventlog.WriteProbe         // nil where watched is not
	unready      atomic.Pointer[UnreadyError] // nil: the log takes events
	proofs       atomic.Int64                 // events of publishProof that were duplicates

	// incarnation is the incarnation of the newest room. It starts at the
	// current time, for nodes of version 0, and is only incremented from then
	// on, so that a clock that is set back does no harm.
	incarnation atomic.Uint64

	injectedTold injectedTold
	tableSays    *tableSays

	revived   revival
	connected atomic.Bool // both connections and what uses them are there

	users  users
	labels labels
	lobby  lobbySync
	feed   *feed // nil: none

	work       sync.WaitGroup // background goroutines
	mu         sync.Mutex
	workClosed bool // Close waits for work: nothing may be added any more; guarded by mu
}

// New connects to NATS twice, opens the streams (creating them where needed)
// and starts the engine. ctx bounds only the start. The caller ends the engine
// with Close.
func New(ctx context.Context, conn Connector, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	started := max(cfg.tuning.clock().UnixNano(), 1)
	e := &Engine{cfg: cfg, boot: newBoot(), started: started, live: make(chan *nats.Msg, liveQueue), waiting: NewQueuedBytes(cfg.WaitingBytes), sweep: make(chan struct{}, 1)}
	e.latency.seed = maphash.MakeSeed()
	for space := range e.stores {
		e.stores[space] = newStore(e, wire.Space(space))
	}
	e.incarnation.Store(uint64(started))
	e.lobby.eng, e.lobby.refreshing = e, make(chan struct{}, 1)
	e.feed = newFeed(e)
	e.tableClock.own = cfg.tuning.tableClock
	e.placement, e.forward, e.drops = newPlacement(e.cfg.tablesNode()), newForwarder(e), newStepDrops(e)
	e.tableSays, e.replays = newTableSays(), make(replays)
	e.ctx, e.stop = context.WithCancel(context.Background())
	if err := e.start(ctx, conn); err != nil {
		e.stop()
		e.disconnect()
		e.work.Wait()
		return nil, err
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context, conn Connector) (err error) {
	// Nothing is buffered while NATS is disconnected: requests are retried,
	// signals are of no use later, and the publisher sends publishes again.
	noBuffer := nats.ReconnectBufSize(-1)
	e.nc, err = conn.Connect("roomd "+e.cfg.Node, noBuffer, nats.ErrorHandler(e.onAsyncError), nats.DisconnectErrHandler(e.onDisconnect), nats.ReconnectHandler(e.onReconnect))
	if err != nil {
		return fmt.Errorf("rooms: connect: %w", err)
	}
	if err := e.claimName(ctx); err != nil {
		return err
	}
	e.pubs, err = conn.Connect("roomd "+e.cfg.Node+" publish", noBuffer, nats.ReconnectHandler(e.onPublishReconnect))
	if err != nil {
		return fmt.Errorf("rooms: connect for publishing: %w", err)
	}
	e.subs.nc, e.subs.live, e.subs.maxOwn, e.subs.hearAll = e.nc, e.live, e.cfg.tuning.wildcardAbove, e.cfg.HearAll
	for _, st := range e.stores {
		if err := st.open(ctx); err != nil {
			return err
		}
	}
	if err := e.startSecret(ctx); err != nil {
		return err
	}
	if err := e.users.open(ctx, e); err != nil {
		return err
	}
	if err := e.labels.open(ctx, e); err != nil {
		return err
	}
	e.limits = follow.Limits{
		Replay: MaxReplay, ReplayBytes: MaxReplayBytes, RingBytes: ringBytes, Held: e.cfg.tuning.held, HeldBytes: heldBytes,
		Rings: follow.NewBudget(e.cfg.RingBytes), Copies: follow.NewBudget(e.cfg.CopyBytes),
	}
	if e.pub, err = eventlog.NewPublisher(e.pubs, &e.stats.PublishStats, e.cfg.tuning.publish, e.cfg.PublishBytes); err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	if e.appender, err = eventlog.NewAppender(e.pubs); err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	e.owners = actor.NewGroup(&actor.Config[ownerMessage]{MaxMessages: ownerMailbox, Cost: ownerCost, OnPanic: e.onPanic, OnUnread: func(unread []ownerMessage) { answerUnread(unread, decided{Moved: &moved{}}) }}, e.cfg.IdleAfter, e.startOwner)
	e.connected.Store(true)
	e.opener = actor.Spawn(&actor.Config[*room]{MaxMessages: openQueue, MaxBatch: openBatch, OnPanic: e.onPanic},
		func(*actor.Ref[*room]) actor.Receiver[*room] { return &opener{eng: e} })
	e.rooms = actor.NewGroup(&actor.Config[message]{MaxMessages: e.cfg.Mailbox, MaxBytes: mailboxBytes, Cost: cost, OnPanic: e.onPanic, OnUnread: e.unread}, e.cfg.IdleAfter, e.startRoom)
	if len(e.cfg.Tables) > 0 {
		if e.snapshots, err = eventlog.OpenSnapshots(ctx, e.nc, e.cfg.Memory, e.Replicas(), e.cfg.TableBytes/snapshotShare, e.cfg.tuning.open, snapshotSealer{e}); err != nil {
			return fmt.Errorf("rooms: %w", err)
		}
		if err := e.notes.open(ctx, e); err != nil {
			return err
		}
	}
	if err := errors.Join(e.subs.start(), e.setInspector(e.cfg.Node, e.cfg.HearAll), e.stores[wire.SpaceRooms].watch(), e.stores[wire.SpaceInboxes].watch(), e.stores[wire.SpaceTables].watch(), e.watchPeers(), e.serve()); err != nil {
		return err
	}
	if e.storeMonitor, _ = conn.(StoreMonitor); e.storeMonitor == nil {
		if e.writeProbe, err = e.stores[wire.SpaceRooms].log.NewWriteProbe(ctx); err != nil {
			return fmt.Errorf("rooms: %w", err)
		}
	}
	e.background(e.healthLoop)
	e.background(func(context.Context) { e.heartbeatLoop() })
	e.background(func(context.Context) { e.dispatch() })
	e.background(e.users.writeLoop)
	e.background(e.watchSecret)
	if e.feed != nil {
		e.background(e.feed.run)
		e.feed.alive() // announces this process to followers
	}
	e.background(e.sweepLoop)
	if len(e.cfg.Tables) > 0 {
		e.background(e.watchOwners)
		e.background(e.notes.run)
		e.background(e.trimLoop)
		e.background(e.drops.run)
	}
	for _, st := range e.stores {
		check := new(streamCheck)
		st.checkStream(check) // sets nextCheckSeq
		e.background(func(context.Context) { st.checkLoop(check) })
	}
	return nil
}

// roomLog returns a logger with the room's name. It is made only when there is
// something to log, because there are very many rooms and most never log.
func (e *Engine) roomLog(name wire.Room) *zerolog.Logger {
	l := e.cfg.Log.With().Str("room", string(name)).Logger()
	return &l
}

func (e *Engine) onPanic(p actor.Panic) {
	e.stats.Panics.Add(1)
	e.cfg.Log.Error().Interface("panic", p.Value).Str("where", string(p.Where)).Interface("room", p.Key).
		Dur("restart_in", p.Delay).Bytes("stack", p.Stack).Msg("a room's code panicked; its members resume")
	if m, ok := p.Message.(message); ok {
		refuseMessage(m, wire.Errorf(wire.Internal, "the room failed; try again"))
	}
}

func (e *Engine) unread(unread []message) {
	for _, m := range unread {
		e.releaseCopy(m)
		refuseMessage(m, errClosed)
	}
}

// Close stops every room and closes the connections. It waits until every
// publish has its ack or ctx ends, then answers the rest unavailable. It does
// not close the members: their owner does that first.
func (e *Engine) Close(ctx context.Context) error {
	e.LeaveTables(ctx)
	e.pub.Drain(ctx)
	e.stop()
	err := errors.Join(e.owners.Close(ctx), e.rooms.Close(ctx))
	e.forward.close()
	e.opener.Stop()
	select {
	case <-e.opener.Done():
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	e.pub.Close()
	e.appender.Close()
	e.mu.Lock()
	e.workClosed = true
	e.mu.Unlock()
	e.work.Wait()
	if e.feed != nil {
		e.feed.send() // of the rooms that have just ended
	}
	e.disconnect()
	return err
}

func (e *Engine) disconnect() {
	for _, nc := range []*nats.Conn{e.nc, e.pubs} {
		if nc != nil {
			nc.Close()
		}
	}
}

func (e *Engine) closed() bool { return e.ctx.Err() != nil }

// background runs fn on a goroutine that Close waits for; ctx ends with Close.
// After Close has begun to wait, fn runs on the caller's goroutine with the
// ended context, so that it still answers.
func (e *Engine) background(fn func(ctx context.Context)) {
	e.mu.Lock()
	if !e.workClosed {
		e.work.Go(func() { fn(e.ctx) })
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	fn(e.ctx)
}

// post sends a message that must not be lost, and so is not counted against the
// mailbox: it is refused only by a room that has ended.
func (e *Engine) post(to *actor.Ref[message], m message) {
	if to.Send(m) != nil {
		refuseMessage(m, errClosed)
	}
}

// after posts m to a room's mailbox after d.
func (e *Engine) after(h *handle, d time.Duration, m message) *time.Timer {
	return time.AfterFunc(d, func() { e.post(h.self, m) })
}

// Replicas returns how many servers hold the log.
func (e *Engine) Replicas() int { return e.stores[wire.SpaceRooms].log.Replicas() }

// Node returns this node's name.
func (e *Engine) Node() string { return e.cfg.Node }

// Epoch returns the present epoch of the log of all rooms: see wire.Position.
// The log of the inboxes has an epoch of its own.
func (e *Engine) Epoch() string { return e.stores[wire.SpaceRooms].Epoch() }

// QueuedBytes returns the counter of bytes in the clients' send queues; whoever
// writes bursts to clients reports that by Burst.Hold and Burst.Release.
func (e *Engine) QueuedBytes() *QueuedBytes { return e.waiting }

// RingBytes returns the memory of the rings of all rooms, CopyBytes that of
// live copies that are queued for their rooms, or held while a room reads its
// log, both in bytes.
func (e *Engine) RingBytes() int64 { return e.limits.Rings.Used() }
func (e *Engine) CopyBytes() int64 { return e.limits.Copies.Used() }

// Stats returns the engine's counters. They may be read at any time.
func (e *Engine) Stats() *Stats { return &e.stats }
