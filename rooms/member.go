package rooms

import (
	"sync"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Member is one session of a user in a room. Its methods are called from room
// actors, possibly of several rooms at once, and must not block.
type Member interface {
	// ID is the session's id; unique over all nodes.
	ID() string
	// User is the session's user; it does not change.
	User() wire.User
	// Deliver queues a burst for the client. The bursts of one room keep the
	// order of the calls. An error says that the connection has ended, or was
	// closed because its queue is full; the room then removes the member and
	// keeps its seat for the grace period.
	Deliver(b *Burst) error
	// Left is called when the room has removed the member for another reason
	// than its own Leave: an operator or a program did.
	Left(room wire.Room)
	// Close ends the session with a close code.
	Close(code wire.CloseCode)
}

// Burst is one or more WebSocket frames, encoded once and shared by every
// member. It is not changed after it was made.
type Burst struct {
	Frames [][]byte // each holds one or more complete frames
	Count  int      // messages charged to the member's queue
	Bytes  int      // length of the frames
	Asked  int      // of those, bytes that this one member asked for: a room_joined, a replay
	// Whole: it is one answer, so its size is no sign of a slow member. It is
	// charged to the member's queue as a quarter of that at most.
	Whole bool
	// Lossy: it is skipped for a member whose queue is half full.
	Lossy bool
	// Written, if not nil, is called by the last Release, on that goroutine. It
	// must not block.
	Written func()

	// Remembered: the frames are in a room's ring too.
	Remembered bool

	holders atomic.Int32 // see Hold

	deflate  sync.Once
	deflated [][]byte
}

var deflaters = sync.Pool{New: func() any { return wire.NewDeflater() }}

// Deflated returns the frames for members that agreed on permessage-deflate
// (wire.Deflater). The first caller compresses, all others share the result.
// Frames from a room's ring stay as they are. It may be called from any
// goroutine.
func (b *Burst) Deflated() [][]byte {
	if b.Remembered {
		return b.Frames
	}
	b.deflate.Do(func() {
		d := deflaters.Get().(*wire.Deflater)
		defer deflaters.Put(d)
		deflated := make([]byte, 0, b.Bytes)
		for _, frames := range b.Frames {
			deflated = d.Append(deflated, frames)
		}
		b.deflated = [][]byte{deflated}
	})
	return b.deflated
}

// EventBurst makes a burst of a single event.
func EventBurst(ev wire.Event) *Burst { return frameBurst(wire.EventFrame(ev)) }

// PayloadBurst is EventBurst for ev with a payload type of package wire.
func PayloadBurst(ev wire.Event, payload any) *Burst {
	return frameBurst(wire.PayloadFrame(ev, payload))
}

// frameBurst makes a burst of a single frame, with one allocation.
func frameBurst(frame []byte) *Burst {
	b := &struct {
		Burst
		frames [1][]byte
	}{frames: [1][]byte{frame}}
	b.Frames, b.Count, b.Bytes = b.frames[:], 1, len(frame)
	return &b.Burst
}

// Since says what a join replays. Position wins over Last; the zero value
// replays nothing.
type Since struct {
	Position *wire.Position
	Last     int // the newest n events, at most MaxReplay and MaxReplayBytes

	Allowance *Allowance // shared by the rooms that are resumed at once; nil: no limit
}

func (s Since) position() *follow.Position {
	if s.Position == nil {
		return nil
	}
	return &follow.Position{Epoch: s.Position.Epoch, Seq: s.Position.Seq}
}

// LeaveReason says why a member leaves a room; it is the reason in room_left.
type LeaveReason string

// Reasons for leaving.
const (
	LeaveAsked   LeaveReason = "left"    // it asked to
	LeaveRemoved LeaveReason = "removed" // removed by an operator or a program
	LeaveClosed  LeaveReason = "gone"    // its connection was closed properly
	LeaveLost    LeaveReason = "lost"    // its connection broke: the seat is kept for the grace period
)

// members is the set of a room's local members: a slice for the fan-out, and an
// index by session id once a linear search would be slow. A user's inbox
// usually has one member and no index.
type members struct {
	list  []Member
	index map[string]int // by Member.ID; nil up to indexAbove members
}

const indexAbove = 8

func (s *members) find(id string) int {
	if s.index != nil {
		if i, ok := s.index[id]; ok {
			return i
		}
		return -1
	}
	for i, m := range s.list {
		if m.ID() == id {
			return i
		}
	}
	return -1
}

func (s *members) has(id string) bool { return s.find(id) >= 0 }

// add appends m; it must not be in the set.
func (s *members) add(m Member) {
	s.list = append(s.list, m)
	if s.index != nil {
		s.index[m.ID()] = len(s.list) - 1
		return
	}
	if len(s.list) > indexAbove {
		s.index = make(map[string]int, 2*len(s.list))
		for i, m := range s.list {
			s.index[m.ID()] = i
		}
	}
}

// remove removes a member; the last one takes its place.
func (s *members) remove(id string) bool {
	i := s.find(id)
	if i < 0 {
		return false
	}
	end := len(s.list) - 1
	s.list[i] = s.list[end]
	s.list[end] = nil
	s.list = s.list[:end]
	if s.index != nil {
		delete(s.index, id)
		if i < end {
			s.index[s.list[i].ID()] = i
		}
	}
	return true
}
