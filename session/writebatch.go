package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// shownAbove is how many bytes a write has at least that Client.inHand shows.
const shownAbove = 16 << 10

// writeBatch is what a client's actor writes at once: frames, and the bursts that
// they are of. It belongs to the actor that took it from writeBatches, until
// release.
type writeBatch struct {
	frames *socket.WriteBuffer
	of     *Client        // who is written to
	held   []*rooms.Burst // whose frames these are
	bytes  int            // of them
}

var writeBatches = sync.Pool{New: func() any { return &writeBatch{frames: socket.NewWriteBuffer()} }}

// hold has the burst released with the batch.
func (o *writeBatch) hold(b *rooms.Burst) {
	o.held = append(o.held, b)
	o.bytes += b.Bytes
}

// begin says what is being written, if it is worth saying.
func (o *writeBatch) begin() {
	if o.bytes > shownAbove {
		o.of.inHand.Store(int64(o.bytes))
	}
}

// release gives the batch back. It keeps no frame alive.
func (o *writeBatch) release() {
	for _, b := range o.held {
		b.Release(o.of.m.waiting)
	}
	if o.bytes > shownAbove {
		o.of.inHand.Store(0)
	}
	o.of, o.bytes = nil, 0
	clear(o.held)
	o.held = o.held[:0]
	o.frames.Reset()
	writeBatches.Put(o)
}
