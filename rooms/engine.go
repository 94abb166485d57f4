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

// liveQueue is how many live copies may wait for the dispatcher. Beyond it
// nats.go drops them (counted), and the rooms read them from the log.
const liveQueue = 1 << 16

// errClosed answers what came after Close.
var errClosed = wire.Errorf(wire.Unavailable, "this node is stopping; connect to another")

// errBusy answers what found a room's mailbox full.
var errBusy = wire.Errorf(wire.Busy, "the room is busy; try again in a moment")

// Engine runs the rooms of one node.
type Engine struct {
	// fixed after New
	cfg        Config
	ctx        context.Context // ends with Close
	stop       context.CancelFunc
	nc         *nats.Conn // subscriptions, requests and signals
	pubs       *nats.Conn // publishes to the log and their acks
	stores     [wire.Spaces]*store
	limits     follow.Limits
	waiting    *Waiting
	sweep      chan struct{} // calls the sweeper; buffered by one
	pub        *eventlog.Publisher
	secret     atomic.Pointer[secret] // changes only when NATS has lost it
	live       chan *nats.Msg
	marks      sync.Map // *nats.Msg: chan struct{}; see catchUp
	rooms      *actor.Group[string, message]
	opener     *actor.Ref[*room]
	subs       subscriber
	peers      peers
	inspection inspection
	boot       presence.Boot // of this process
	started    int64         // for nodes of version 0: see heartbeat
	stats      Stats
	latency    latency
	watched    Watched                      // nil: an external NATS
	writes     *eventlog.WriteProbe         // nil where watched is not
	unready    atomic.Pointer[UnreadyError] // nil: the log takes events
	proofs     atomic.Int64                 // events of prove that were duplicates

	// incarnation is that of the room made last. It begins with the time, for
	// nodes of version 0, and then only counts: a clock that is set back is of
	// no consequence.
	incarnation atomic.Uint64

	users  users
	labels labels
	lobby  lobbySync
	feed   *feed // nil: none

	work   sync.WaitGroup // goroutines beside the rooms
	mu     sync.Mutex
	waited bool // Close waits for work: nothing is added any more; guarded by mu
}

// New connects twice, opens the stream (it is created when there is none) and
// starts. The caller ends it with Close.
func New(ctx context.Context, conn Connector, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	started := max(cfg.tuning.clock().UnixNano(), 1)
	e := &Engine{cfg: cfg, boot: newBoot(), started: started, live: make(chan *nats.Msg, liveQueue), waiting: NewWaiting(cfg.WaitingBytes), sweep: make(chan struct{}, 1)}
	e.latency.seed = maphash.MakeSeed()
	for space := range e.stores {
		e.stores[space] = newStore(e, wire.Space(space))
	}
	e.incarnation.Store(uint64(started))
	e.lobby.eng, e.lobby.refreshing = e, make(chan struct{}, 1)
	e.feed = newFeed(e)
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
	// While it is away nothing is buffered: a request is tried again, a signal
	// is for now, and a publish is the publisher's to repeat.
	noBuffer := nats.ReconnectBufSize(-1)
	e.nc, err = conn.Connect("roomd "+e.cfg.Node, noBuffer, nats.ErrorHandler(e.onAsyncError), nats.DisconnectErrHandler(e.onDisconnect), nats.ReconnectHandler(e.onReconnect))
	if err != nil {
		return fmt.Errorf("rooms: connect: %w", err)
	}
	e.pubs, err = conn.Connect("roomd "+e.cfg.Node+" publish", noBuffer)
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
		Rings: follow.NewBudget(max(0, e.cfg.RingBytes)), Copies: follow.NewBudget(max(0, e.cfg.CopyBytes)),
	}
	if e.pub, err = eventlog.NewPublisher(e.pubs, &e.stats.PublishStats, e.cfg.tuning.publish, e.cfg.PublishBytes); err != nil {
		return fmt.Errorf("rooms: %w", err)
	}
	e.opener = actor.Spawn(&actor.Config[*room]{MaxMessages: openQueue, MaxBatch: openBatch, OnPanic: e.onPanic},
		func(*actor.Ref[*room]) actor.Receiver[*room] { return &opener{eng: e} })
	e.rooms = actor.NewGroup(&actor.Config[message]{MaxMessages: e.cfg.Mailbox, MaxBytes: mailboxBytes, Cost: cost, OnPanic: e.onPanic, OnUnread: e.unread}, e.cfg.IdleAfter, e.startRoom)
	if err := errors.Join(e.subs.start(), e.inspect(e.cfg.Node, e.cfg.HearAll), e.stores[wire.SpaceRooms].watch(), e.stores[wire.SpaceInboxes].watch(), e.watchPeers(), e.serve()); err != nil {
		return err
	}
	if e.watched, _ = conn.(Watched); e.watched == nil {
		if e.writes, err = e.stores[wire.SpaceRooms].log.NewWriteProbe(ctx); err != nil {
			return fmt.Errorf("rooms: %w", err)
		}
	}
	e.beside(e.healthLoop)
	e.beside(func(context.Context) { e.heartbeatLoop() })
	e.beside(func(context.Context) { e.dispatch() })
	e.beside(e.users.writeLoop)
	if e.feed != nil {
		e.beside(e.feed.run)
		e.feed.alive() // who follows learns of this process
	}
	e.beside(e.sweepLoop)
	for _, st := range e.stores {
		look := new(streamCheck)
		st.checkStream(look) // for nextLook
		e.beside(func(context.Context) { st.checkLoop(look) })
	}
	return nil
}

// roomLog names a room; it is made when there is something to log, because most
// rooms never log and there are very many.
func (e *Engine) roomLog(name string) *zerolog.Logger {
	l := e.cfg.Log.With().Str("room", name).Logger()
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
		e.received(m)
		refuseMessage(m, errClosed)
	}
}

// Close stops every room and the connections. What was published and has no
// ack is waited for until ctx ends, then answered unavailable. Members are not
// closed: their owner does that before.
func (e *Engine) Close(ctx context.Context) error {
	e.pub.Drain(ctx)
	e.stop()
	err := e.rooms.Close(ctx)
	e.opener.Stop()
	select {
	case <-e.opener.Done():
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	e.pub.Close()
	e.mu.Lock()
	e.waited = true
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

// beside runs fn on a goroutine that Close waits for. ctx ends with Close;
// when it has ended before, fn runs here and now, to give its answers.
func (e *Engine) beside(fn func(ctx context.Context)) {
	e.mu.Lock()
	if !e.waited {
		e.work.Go(func() { fn(e.ctx) })
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	fn(e.ctx)
}

// post sends what must not be lost and so costs nothing: it is refused only by
// a room that has ended.
func (e *Engine) post(to *actor.Ref[message], m message) {
	if to.Send(m) != nil {
		refuseMessage(m, errClosed)
	}
}

// after posts m to a room's mailbox when d has passed.
func (e *Engine) after(h *handle, d time.Duration, m message) *time.Timer {
	return time.AfterFunc(d, func() { e.post(h.self, m) })
}

// Replicas is how many servers hold the log.
func (e *Engine) Replicas() int { return e.stores[wire.SpaceRooms].log.Replicas() }

// Node is this node's name.
func (e *Engine) Node() string { return e.cfg.Node }

// Epoch names the present life of the log of all rooms: see wire.Position.
// Inboxes have another.
func (e *Engine) Epoch() string { return e.stores[wire.SpaceRooms].Epoch() }

// Waiting counts what waits for clients; who writes it to them says so there.
func (e *Engine) Waiting() *Waiting { return e.waiting }

// RingBytes is what the rings of all rooms cost, CopyBytes what live copies do
// that wait for their rooms, or are kept while a room reads its log.
func (e *Engine) RingBytes() int64 { return e.limits.Rings.Used() }
func (e *Engine) CopyBytes() int64 { return e.limits.Copies.Used() }

// Stats are the engine's counters; they may be read at any time.
func (e *Engine) Stats() *Stats { return &e.stats }
