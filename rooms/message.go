package rooms

import (
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// message is what a room's mailbox takes. The set is closed: these types only.
type message interface{ roomMessage() }

type (
	// liveEvent is a copy from the stream's republish.
	liveEvent struct{ msg *nats.Msg }
	// liveSignal is to be delivered now and not logged.
	liveSignal struct{ msg *nats.Msg }

	joinRequest struct {
		member Member
		since  Since
		id     string     // of the client's request, carried by room_joined
		done   chan error // buffered by one
	}
	leaveRequest struct {
		member Member
		why    Left
		id     string        // of the client's request, carried by room_left
		done   chan struct{} // nil: nobody waits
	}
	// removeUser takes all sessions of a user out of the room.
	removeUser struct {
		uid  string
		done chan int // how many sessions; buffered by one
	}
	membersRequest struct {
		after string
		limit int
		done  chan wire.OnlineUsers // buffered by one
	}
	historyRequest struct {
		before uint64
		limit  int
		done   chan historyAnswer // buffered by one
	}

	// What follows is sent by a room, or for it, to itself. `of` tells it from
	// what was meant for the receiver that failed before it.

	// opened says that the room is subscribed and where its log stands.
	opened struct {
		of     *room
		last   uint64 // the room's last sequence, 0 when its log is empty
		stream uint64 // the stream's last sequence then
		err    error
	}
	// loaded brings older events for the ring.
	loaded struct {
		of    *room
		floor uint64 // of the ring when the load began
		after uint64 // what the load was to reach back to
		tail  bool   // it has the newest events
		page  logPage
		err   error
	}
	// repaired brings what a hole was missing.
	repaired struct {
		of      *room
		page    logPage
		horizon uint64 // the stream's last sequence; 0: not asked
		err     error
	}
	// checked says what the log's last sequence of the room was.
	checked struct{ last uint64 }

	presenceTick struct{ of *room }
	graceTick    struct{ of *room }
)

func (liveEvent) roomMessage()       {}
func (liveSignal) roomMessage()      {}
func (*joinRequest) roomMessage()    {}
func (*leaveRequest) roomMessage()   {}
func (*removeUser) roomMessage()     {}
func (*membersRequest) roomMessage() {}
func (*historyRequest) roomMessage() {}
func (opened) roomMessage()          {}
func (loaded) roomMessage()          {}
func (repaired) roomMessage()        {}
func (checked) roomMessage()         {}
func (presenceTick) roomMessage()    {}
func (graceTick) roomMessage()       {}

// historyAnswer is one page, as event objects oldest first.
type historyAnswer struct {
	events []json.RawMessage
	more   bool
	err    error
}
