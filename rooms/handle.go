package rooms

import (
	"sync"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// handle is the part of an open room that other goroutines may use without
// asking its actor.
type handle struct {
	// fixed after start
	store *store
	name  wire.Room
	inbox bool
	self  *actor.Ref[message]

	// written by the room's actor, read by anyone
	users    atomic.Int64
	sessions atomic.Int64
	last     atomic.Uint64
	active   atomic.Int64 // ms since 1970: of the newest event, or of opening
	asked    atomic.Int64 // unix nanoseconds of the last request
	ring     atomic.Int64 // bytes that its ring costs

	// wildcard is set by the opener: the room gets its signals and presence
	// through the node's wildcard subscriptions.
	wildcard atomic.Bool

	// since is the sequence from which on no copy was missed, with HearAll.
	since atomic.Uint64

	// acked is the highest sequence in an ack of a publish by this node while
	// the room was open.
	acked atomic.Uint64

	// known is the sequence of the room's newest event when it was last
	// compared with the log.
	known atomic.Uint64

	// sample is the event whose delivery is measured; nil: none.
	sample atomic.Pointer[sample]

	// suspect is set when the log may have been rolled back; the room passes it
	// on to its follower with the next batch.
	suspect atomic.Bool
	// missed is set when a live copy did not fit into the mailbox; the room then
	// reads the log.
	missed atomic.Bool
	// stale is set when gossip did not fit into the mailbox; the room then asks
	// all nodes for their states.
	stale atomic.Bool
}

// token returns the room's token in the subjects of its store; for an ordinary
// name that is the name itself.
func (h *handle) token() string { return wire.RoomToken(h.name) }

func (h *handle) ack(seq uint64) { storeMax(&h.acked, seq) }

// missedBefore records that a copy before that sequence did not reach the room.
func (h *handle) missedBefore(seq uint64) { storeMax(&h.since, seq) }

// storeMax raises an atomic to seq if it is lower.
func storeMax(to *atomic.Uint64, seq uint64) {
	for was := to.Load(); seq > was && !to.CompareAndSwap(was, seq); {
		was = to.Load()
	}
}

// miss records that a live copy did not reach the room, and wakes it.
func (h *handle) miss() {
	if !h.missed.Swap(true) {
		_ = h.self.Send(wake{}) // fails only when the room has ended
	}
}

// handles finds the open rooms of a store by the token of their subjects.
type handles struct {
	mu      sync.RWMutex
	byToken map[string]*handle
}

func (h *handles) get(token string) *handle {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.byToken[token]
}

func (h *handles) put(x *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byToken == nil {
		h.byToken = make(map[string]*handle)
	}
	h.byToken[x.token()] = x
}

// remove removes x, unless a newer one has taken its place.
func (h *handles) remove(x *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byToken[x.token()] == x {
		delete(h.byToken, x.token())
	}
}

func (h *handles) count() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.byToken)
}

// all returns every open room.
func (h *handles) all() []*handle {
	h.mu.RLock()
	defer h.mu.RUnlock()
	list := make([]*handle, 0, len(h.byToken))
	for _, x := range h.byToken {
		list = append(list, x)
	}
	return list
}

// roomLabel returns a room's name as clients see it: a user's inbox is "@me" to
// the only user who can see it.
func roomLabel(room wire.Room) string {
	if _, ok := wire.InboxOwner(room); ok {
		return wire.InboxAlias
	}
	return string(room)
}
