package rooms

import (
	"encoding/json"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// message is a message to a room's actor. The set is closed: these types only.
type message interface{ roomMessage() }

type (
	// liveEvent is a copy that the stream has republished.
	liveEvent struct{ msg *nats.Msg }
	// liveSignal is a signal: it is delivered now and not logged.
	liveSignal struct{ msg *nats.Msg }

	// livePresence is gossip from another node.
	livePresence struct{ msg *nats.Msg }

	joinRequest struct {
		member Member
		since  Since
		id     string      // of the client's request, carried by room_joined
		state  *tableState // of a table; nil: it is none
		stay   bool        // of a table: only if it is a member already
		// fromState: what came after the state is to be replayed.
		fromState bool
		done      chan error // buffered by one
		// abandoned: nobody waits for it any more, and its leave may have gone
		// to the previous actor of the room.
		abandoned atomic.Bool
	}
	leaveRequest struct {
		member Member
		why    LeaveReason
		id     string        // of the client's request, carried by room_left
		done   chan struct{} // buffered by one; nil: nobody waits
	}
	// removeUser takes all sessions of a user out of the room, with the seats
	// that are kept for those that were cut off.
	removeUser struct {
		uid  string
		code wire.CloseCode // not 0: end the sessions instead
		done chan []string  // the ids of the sessions; buffered by one
	}
	// endSeats ends the seats that the room keeps for a user.
	endSeats struct {
		uid  string
		done chan []string // the ids of the sessions; buffered by one
	}
	membersRequest struct {
		after string
		limit int
		all   bool                  // everybody at once, of whom no client is told
		done  chan wire.OnlineUsers // buffered by one
	}
	historyRequest struct {
		uid    string // who asks; everybody: what all may see
		before uint64
		limit  int
		done   chan historyAnswer // buffered by one
		// events are those found so far, newest first: a page of the log may
		// have fewer valid ones than asked for. Owned by the room.
		events []json.RawMessage
		bytes  int // of them
	}

	// The rest is sent by a room, or on its behalf, to itself. `of` is the room
	// that it is for: another one, which failed, may have had the mailbox
	// before.

	// opened says that the room is subscribed and where its log stands. A room
	// that gets it and is not `of` ends the subscriptions.
	opened struct {
		of   *room
		subs *roomSubscriptions
		at   follow.Opening
		err  error
	}
	// pageRead and verdictGiven are the results of the follower's Read and Ask.
	pageRead struct {
		of   *room
		page follow.Page
	}
	verdictGiven struct {
		of       *room
		verdict  follow.Verdict
		received span
	}
	// checked says what a replica had as the room's newest event, when the room
	// had delivered `at`.
	checked struct {
		follow.Check
		at       uint64
		received span
	}
	// renewed says that the log may be another one now.
	renewed struct{}
	// wake makes the room check handle.missed.
	wake struct{}

	// peerUp says that another node, or a new process of it, has come up;
	// peerReplaced that the members of the previous process are to be removed;
	// peerDown that all members of a node are; resync that gossip may have been
	// missed.
	peerUp       struct{ node string }
	peerReplaced struct{ process presence.Process }
	peerDown     struct{ node string }
	resync       struct{}

	flushTick    struct{ of *room }
	presenceTick struct{ of *roster }
	peerTick     struct{ of *roster }
	beatTick     struct{ of *roster }
	requestTick  struct{ of *roster }
	syncTick     struct{ of *roster }
	graceTick    struct{ of *roster }
)

func (liveEvent) roomMessage()       {}
func (liveSignal) roomMessage()      {}
func (*joinRequest) roomMessage()    {}
func (*leaveRequest) roomMessage()   {}
func (*removeUser) roomMessage()     {}
func (*endSeats) roomMessage()       {}
func (*membersRequest) roomMessage() {}
func (*historyRequest) roomMessage() {}
func (opened) roomMessage()          {}
func (pageRead) roomMessage()        {}
func (verdictGiven) roomMessage()    {}
func (checked) roomMessage()         {}
func (renewed) roomMessage()         {}
func (wake) roomMessage()            {}
func (livePresence) roomMessage()    {}
func (peerUp) roomMessage()          {}
func (peerReplaced) roomMessage()    {}
func (peerDown) roomMessage()        {}
func (resync) roomMessage()          {}
func (flushTick) roomMessage()       {}
func (presenceTick) roomMessage()    {}
func (peerTick) roomMessage()        {}
func (beatTick) roomMessage()        {}
func (requestTick) roomMessage()     {}
func (syncTick) roomMessage()        {}
func (graceTick) roomMessage()       {}

// cost is what a message counts against the limits of a room's mailbox.
// Messages that must not be lost count nothing: there are never more of them
// than of the members, timers and reads that they come from.
func cost(m message) (count, bytes int) {
	switch m := m.(type) {
	case liveEvent:
		return 1, copyCost(m.msg)
	case liveSignal:
		return 1, copyCost(m.msg)
	case livePresence:
		return 1, copyCost(m.msg)
	case *joinRequest, *historyRequest, *membersRequest:
		return 1, 0
	}
	return 0, 0
}

// copyCost is the memory that a message from NATS takes while it is queued, in
// bytes.
func copyCost(msg *nats.Msg) int { return len(msg.Data) + follow.CopyBytes }

// reply answers a request whose channel is buffered by one. Only the first
// answer counts: a room that fails does not know which requests it has
// answered.
func reply[T any](to chan T, answer T) {
	select {
	case to <- answer:
	default:
	}
}

// refuseMessage answers, or cleans up after, a message that no room will
// handle.
func refuseMessage(m message, err error) {
	switch m := m.(type) {
	case *joinRequest:
		reply(m.done, err)
	case *historyRequest:
		reply(m.done, historyAnswer{err: err})
	case *membersRequest:
		reply(m.done, wire.OnlineUsers{List: []wire.User{}})
	case *removeUser:
		reply(m.done, nil)
	case *endSeats:
		reply(m.done, nil)
	case *connectionsRequest:
		reply(m.done, connectionsAnswer{})
	case *leaveRequest:
		if m.done != nil {
			reply(m.done, struct{}{})
		}
	case opened:
		m.subs.end()
	}
}

// historyAnswer is one page, as event objects oldest first.
type historyAnswer struct {
	events []json.RawMessage
	more   bool
	err    error
}
