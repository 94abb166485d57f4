package rooms

import (
	"sync"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Member is one session of a user in a room. Its methods are called from
// room actors, must never block, and may be called concurrently by several
// rooms.
type Member interface {
	// ID names the session; unique over all nodes.
	ID() string
	// User is who it is; it does not change.
	User() wire.User
	// Deliver queues a burst for the client, in the order of the calls of one
	// room. An error says that the member is gone or has been closed because
	// its queue is full; the room then drops it and keeps its seat for the
	// grace period.
	Deliver(b *Burst) error
	// Left says that the room took the member out without having been asked by
	// it: by an operator.
	Left(room string)
	// Close ends the session with a close code.
	Close(code wire.CloseCode)
}

// Burst is one or more WebSocket frames, encoded once and shared by every
// member. Nobody changes or copies it after it was made.
type Burst struct {
	Frames [][]byte // each holds one or more complete frames
	Count  int      // messages charged to the member's queue
	Bytes  int      // of the frames
	Asked  int      // bytes that this one member asked for: a room_joined, a replay; 0: it is for all
	// Whole: it is one answer, and no sign of a slow member however large it
	// is. It is charged to the member's queue as a quarter of that at most.
	Whole bool
	// Lossy: a member whose queue is half full is not given it, and stays.
	Lossy bool
	// Written, if not nil, is called when nobody holds the burst any more: see
	// Release. It must not block.
	Written func()

	// Remembered: the frames are a room's memory as well.
	Remembered bool

	holders atomic.Int32 // see Hold

	deflate  sync.Once
	deflated [][]byte
}

var deflaters = sync.Pool{New: func() any { return wire.NewDeflater() }}

// Deflated returns the frames for members that agreed on permessage-deflate
// (wire.Deflater). The first one who asks pays for it, all others share
// what it made. What is replayed from a room's memory stays as it is. It may be
// called from any goroutine.
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

// EventBurst is the burst of a single event.
func EventBurst(ev wire.Event) *Burst { return frameBurst(wire.EventFrame(ev)) }

// PayloadBurst is EventBurst of ev with a payload of package wire.
func PayloadBurst(ev wire.Event, payload any) *Burst {
	return frameBurst(wire.PayloadFrame(ev, payload))
}

// frameBurst is the burst of a single frame, in one allocation.
func frameBurst(frame []byte) *Burst {
	b := &struct {
		Burst
		frames [1][]byte
	}{frames: [1][]byte{frame}}
	b.Frames, b.Count, b.Bytes = b.frames[:], 1, len(frame)
	return &b.Burst
}

// Since asks a join to replay. Position wins over Last; the zero value
// replays nothing.
type Since struct {
	Position *wire.Position
	Last     int // the newest n events, at most MaxReplay and MaxReplayBytes

	Allowance *Allowance // of all the rooms that are resumed at once; nil: no bound
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
	LeaveRemoved LeaveReason = "removed" // an operator or a program removed it
	LeaveClosed  LeaveReason = "gone"    // its connection ended in order
	LeaveLost    LeaveReason = "lost"    // its connection broke: the seat is kept for the grace period
)

// members is the set of a room's local members, in a slice for the fan-out
// and with an index by session once it is too large to be searched. A user's
// inbox has one member and no index.
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

// remove takes the member out and puts the last one in its place.
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
