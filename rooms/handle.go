package rooms

import (
	"sync"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// handle is what the rest of the engine sees of an open room without asking
// its actor.
type handle struct {
	// fixed after start
	store *store
	name  string
	inbox bool
	self  *actor.Ref[message]

	// written by the room's actor, read by anyone
	users    atomic.Int64
	sessions atomic.Int64
	last     atomic.Uint64
	active   atomic.Int64 // ms since 1970: of the newest event, or of opening
	asked    atomic.Int64 // of the last request
	ring     atomic.Int64 // bytes that its ring costs

	// wildcard is set by the opener: the room gets its signals and presence
	// through the node's wildcard subscriptions.
	wildcard atomic.Bool

	// since is the sequence from which on the room is handed all copies, where
	// the node hears all rooms.
	since atomic.Uint64

	// acked is the highest sequence that a publish of this node was answered
	// with while the room was open.
	acked atomic.Uint64

	// known is the sequence of the room's newest event when it was last
	// compared with the log.
	known atomic.Uint64

	// sample is the event whose delivery is measured; nil: none.
	sample atomic.Pointer[sample]

	// suspect is set when the log may have been rolled back; the room tells its
	// follower when it sees it.
	suspect atomic.Bool
	// missed is set when a live copy could not be handed over; the room reads
	// the log again when it sees it.
	missed atomic.Bool
	// stale is set when what another node tells of its members could not be
	// handed over; the room asks all nodes again when it sees it.
	stale atomic.Bool
}

// token is the room's in the subjects of its store; for an ordinary name the
// name itself.
func (h *handle) token() string { return wire.RoomToken(h.name) }

func (h *handle) ack(seq uint64) { raise(&h.acked, seq) }

// handedSince says that a copy before that sequence was not handed over.
func (h *handle) handedSince(seq uint64) { raise(&h.since, seq) }

func raise(to *atomic.Uint64, seq uint64) {
	for was := to.Load(); seq > was && !to.CompareAndSwap(was, seq); {
		was = to.Load()
	}
}

// miss says that a live copy was not handed over, and wakes the room.
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

// drop removes x, unless a younger one has taken its place.
func (h *handles) drop(x *handle) {
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

// roomLabel is how clients see a room's name: a user's inbox is "@me" to the
// only user who can see it.
func roomLabel(room string) string {
	if _, ok := wire.InboxOwner(room); ok {
		return wire.InboxAlias
	}
	return room
}
