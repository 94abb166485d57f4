package rooms

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// feedQueue is how many events of the feed may be queued for publishing: some
// seconds of a reconnect storm. One more is dropped and counted, and a follower
// detects the gap by the next one's number.
const feedQueue = 1 << 16

// feed publishes on NATS who joins, leaves, connects and disconnects on this
// node, for programs that follow it without a WebSocket. An event is numbered
// and queued by the goroutine on which it happens, and published by a goroutine
// of the feed's own, because publishing may wait for the network. A nil feed
// does nothing.
type feed struct {
	// fixed after newFeed
	node     string
	boot     string
	capacity int // feedQueue
	publish  func(subject string, body []byte) error
	stats    *Stats
	log      *zerolog.Logger
	wake     chan struct{} // there is something to publish; buffered by one

	mu          sync.Mutex
	n           uint64 // of the newest event
	waiting     []feedItem
	connections map[string]wire.Connection // of this node, by id

	// owned by the goroutine that runs send
	sending []feedItem
	failing bool // the last publish failed
}

type feedItem struct {
	kind wire.FeedKind
	ev   wire.FeedEvent
}

// guest is implemented by a Member whose user may be a guest.
type guest interface{ Guest() bool }

func isGuest(m Member) bool {
	g, ok := m.(guest)
	return ok && g.Guest()
}

func newFeed(e *Engine) *feed {
	if !e.cfg.Feed {
		return nil
	}
	return &feed{
		node: e.cfg.Node, boot: bootText(e.boot), capacity: e.cfg.tuning.feedQueue, stats: &e.stats, log: &e.cfg.Log,
		publish: e.publishFeed,
		wake:    make(chan struct{}, 1), connections: make(map[string]wire.Connection),
	}
}

func (e *Engine) publishFeed(subject string, body []byte) error {
	if gate := e.cfg.tuning.feedGate; gate != nil {
		gate.RLock()
		defer gate.RUnlock()
	}
	return e.nc.Publish(subject, body)
}

func bootText(b presence.Boot) string {
	text, _ := b.MarshalText() // has no error
	return string(text)
}

// Connected announces a new connection in the feed. Call it before the member
// joins its first room.
func (e *Engine) Connected(m Member) {
	if f := e.feed; f != nil {
		c := wire.Connection{Connection: m.ID(), UID: m.User().UID, Guest: isGuest(m), Node: f.node}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.connections[c.Connection] = c
		f.add(wire.FeedConnected, wire.FeedEvent{Connection: c.Connection, UID: c.UID, Guest: c.Guest})
	}
}

// Disconnected announces in the feed that a connection has ended. Call it
// before the member leaves its rooms.
func (e *Engine) Disconnected(m Member, code wire.CloseCode) {
	if f := e.feed; f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.connections, m.ID())
		f.add(wire.FeedDisconnected, wire.FeedEvent{Connection: m.ID(), UID: m.User().UID, Guest: isGuest(m), Code: code, Why: code.String()})
	}
}

// member announces a join or leave; it runs on the room's actor.
func (f *feed) member(kind wire.FeedKind, room string, m Member, why LeaveReason) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(kind, wire.FeedEvent{Connection: m.ID(), UID: m.User().UID, Guest: isGuest(m), Room: room, Why: string(why)})
}

// room announces that a room was opened or unloaded; it runs on the room's
// actor.
func (f *feed) room(kind wire.FeedKind, room string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(kind, wire.FeedEvent{Room: room})
}

// alive announces the feed's present number.
func (f *feed) alive() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(wire.FeedAlive, wire.FeedEvent{})
}

// lost announces that another node's process is gone. Every live node does so
// by itself: announcing it more than once does no harm.
func (f *feed) lost(node string, boot presence.Boot) {
	if f == nil || boot == 0 { // a node of version 0 has no feed
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue(wire.FeedLost, wire.FeedEvent{Node: node, Boot: bootText(boot)})
}

// add numbers an event of this node and queues it. The caller holds mu.
func (f *feed) add(kind wire.FeedKind, ev wire.FeedEvent) {
	f.n++
	ev.Node, ev.Boot, ev.N = f.node, f.boot, f.n
	f.queue(kind, ev)
}

func (f *feed) queue(kind wire.FeedKind, ev wire.FeedEvent) {
	if len(f.waiting) >= f.capacity {
		f.stats.FeedDropped.Add(1)
		return
	}
	ev.At = time.Now().UnixMilli()
	f.waiting = append(f.waiting, feedItem{kind, ev})
	if len(f.waiting) == 1 {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// last returns the number of the newest event. Whoever asks for it before
// reading the members knows that later changes have higher numbers.
func (f *feed) last() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// snapshot returns the node's connections, and the number of the last event
// that they include.
func (f *feed) snapshot() ([]wire.Connection, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.connections)), f.n
}

// run publishes until ctx ends; Close publishes what is left by send.
func (f *feed) run(ctx context.Context) {
	for {
		select {
		case <-f.wake:
			f.send()
		case <-ctx.Done():
			return
		}
	}
}

// send publishes everything that is queued.
func (f *feed) send() {
	f.mu.Lock()
	f.waiting, f.sending = f.sending[:0], f.waiting
	f.mu.Unlock()
	for i := range f.sending {
		it := &f.sending[i]
		body, err := json.Marshal(&it.ev)
		if err == nil {
			err = f.publish(wire.FeedSubject+string(it.kind), body)
		}
		f.countPublished(err)
		*it = feedItem{} // keeps no strings alive
	}
	if cap(f.sending) > feedKeepCap {
		f.sending = nil
	}
}

// feedKeepCap is the capacity up to which the slice of sent events is used
// again.
const feedKeepCap = 1 << 10

// countPublished counts one event, and logs the first failure in a row.
func (f *feed) countPublished(err error) {
	if err == nil {
		f.stats.FeedTold.Add(1)
		f.failing = false
		return
	}
	f.stats.FeedDropped.Add(1)
	if !f.failing {
		f.log.Warn().Err(err).Msg("events of the feed could not be published: who follows it sees that they are missing, and asks")
	}
	f.failing = true
}
