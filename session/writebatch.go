package session

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// writingAbove is from how many bytes on Client.writing shows a write.
const writingAbove = 16 << 10

// writeBatch is what a client's actor writes at once: frames, and the bursts
// that they belong to. It is owned by the actor that took it from writeBatches,
// until release.
type writeBatch struct {
	frames *socket.WriteBuffer
	client *Client        // the client that it is written to
	held   []*rooms.Burst // whose frames these are
	bytes  int            // of them
}

var writeBatches = sync.Pool{New: func() any { return &writeBatch{frames: socket.NewWriteBuffer()} }}

// hold keeps the burst until release.
func (o *writeBatch) hold(b *rooms.Burst) {
	o.held = append(o.held, b)
	o.bytes += b.Bytes
}

// markWriting shows a large write in Client.writing.
func (o *writeBatch) markWriting() {
	if o.bytes > writingAbove {
		o.client.writing.Store(int64(o.bytes))
	}
}

// release puts the batch back into the pool. It keeps no frame alive.
func (o *writeBatch) release() {
	for _, b := range o.held {
		b.Release(o.client.m.waiting)
	}
	if o.bytes > writingAbove {
		o.client.writing.Store(0)
	}
	o.client, o.bytes = nil, 0
	clear(o.held)
	o.held = o.held[:0]
	o.frames.Reset()
	writeBatches.Put(o)
}
