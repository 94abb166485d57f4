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

// feedQueue is how many events of the feed may wait to be published: those of
// some seconds of a storm. One more is dropped and counted, and who follows
// sees by the next one's number that it is missing.
const feedQueue = 1 << 16

// feed tells on NATS who comes and goes on this node, for programs that follow
// it without a socket. What is told is numbered and queued where it happens, by
// the actor or the goroutine to which it does, and published by a goroutine of
// the feed's own, as a publish may wait for the network. A nil feed tells
// nothing, and costs nothing.
type feed struct {
	// fixed after newFeed
	node    string
	boot    string
	most    int // feedQueue
	publish func(subject string, body []byte) error
	stats   *Stats
	log     *zerolog.Logger
	wake    chan struct{} // there is something to publish; holds one

	mu          sync.Mutex
	n           uint64 // of the newest event
	waiting     []feedItem
	connections map[string]wire.Connection // those of the node, by their id

	// owned by who runs send
	sending []feedItem
	silent  bool // the last publish failed
}

type feedItem struct {
	kind wire.FeedKind
	ev   wire.FeedEvent // without what all of a node's have
}

// guest is a Member that knows whether its user is a guest.
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
		node: e.cfg.Node, boot: bootText(e.boot), most: e.cfg.tuning.feedQueue, stats: &e.stats, log: &e.cfg.Log,
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

// Connected tells the feed that a connection was taken. It is called before the
// member joins its first room.
func (e *Engine) Connected(m Member) {
	if f := e.feed; f != nil {
		c := wire.Connection{Connection: m.ID(), UID: m.User().UID, Guest: isGuest(m), Node: f.node}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.connections[c.Connection] = c
		f.add(wire.FeedConnected, wire.FeedEvent{Connection: c.Connection, UID: c.UID, Guest: c.Guest})
	}
}

// Disconnected tells the feed that a connection has ended. It is called before
// the member leaves its rooms.
func (e *Engine) Disconnected(m Member, code wire.CloseCode) {
	if f := e.feed; f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.connections, m.ID())
		f.add(wire.FeedDisconnected, wire.FeedEvent{Connection: m.ID(), UID: m.User().UID, Guest: isGuest(m), Code: code, Why: code.String()})
	}
}

// member tells of a member of a room; it runs on the room's actor.
func (f *feed) member(kind wire.FeedKind, room string, m Member, why LeaveReason) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(kind, wire.FeedEvent{Connection: m.ID(), UID: m.User().UID, Guest: isGuest(m), Room: room, Why: string(why)})
}

// room tells of a room; it runs on the room's actor.
func (f *feed) room(kind wire.FeedKind, room string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(kind, wire.FeedEvent{Room: room})
}

// alive tells what the feed's number is.
func (f *feed) alive() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(wire.FeedAlive, wire.FeedEvent{})
}

// lost tells that another node's process is gone. All that live do, each for
// itself: it is right however often it is told.
func (f *feed) lost(node string, boot presence.Boot) {
	if f == nil || boot == 0 { // a node of version 0 has no feed
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue(wire.FeedLost, wire.FeedEvent{Node: node, Boot: bootText(boot)})
}

// add numbers an event of this node, whose mu is held.
func (f *feed) add(kind wire.FeedKind, ev wire.FeedEvent) {
	f.n++
	ev.Node, ev.Boot, ev.N = f.node, f.boot, f.n
	f.queue(kind, ev)
}

func (f *feed) queue(kind wire.FeedKind, ev wire.FeedEvent) {
	if len(f.waiting) >= f.most {
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

// last is the number of the newest event. Whoever asks for it before it looks
// who is there knows that what changes afterwards is told by a higher one.
func (f *feed) last() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// all are the node's connections, and the number of the event up to which.
func (f *feed) all() ([]wire.Connection, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.connections)), f.n
}

// run publishes until ctx ends; send tells what comes after that.
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

// send publishes what waits.
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
		f.sent(err)
		*it = feedItem{} // its strings are somebody else's
	}
	if cap(f.sending) > feedKept {
		f.sending = nil
	}
}

// feedKept is how many events' memory is kept for the next ones.
const feedKept = 1 << 10

// sent counts one event, and says once that they are lost.
func (f *feed) sent(err error) {
	if err == nil {
		f.stats.FeedTold.Add(1)
		f.silent = false
		return
	}
	f.stats.FeedDropped.Add(1)
	if !f.silent {
		f.log.Warn().Err(err).Msg("events of the feed could not be published: who follows it sees that they are missing, and asks")
	}
	f.silent = true
}
