package rooms

import (
	"sync"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// chunkBytes bounds what is allocated ahead for the events that may follow; the
// ring keeps a chunk as long as one of its events.
const chunkBytes = 16 << 10

// outbox gathers the frames of a batch. Frames never move once they are
// written, because the ring and the members share them.
type outbox struct {
	chunks [][]byte // full ones and, last, the one being filled
	count  int
	bytes  int
	expect int     // events that may still come in this batch, set by the room
	json   *[]byte // scratch of the encoder; only during a batch
}

var jsonScratch = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func (o *outbox) begin() {
	o.json = jsonScratch.Get().(*[]byte)
}

func (o *outbox) end() {
	jsonScratch.Put(o.json)
	o.json = nil
}

// add encodes the event once and returns its frame.
func (o *outbox) add(ev wire.Event) []byte {
	*o.json = wire.AppendEvent((*o.json)[:0], ev)
	need := wire.MaxFrameHeader + len(*o.json)
	last := len(o.chunks) - 1
	if last < 0 || cap(o.chunks[last])-len(o.chunks[last]) < need {
		o.chunks = append(o.chunks, make([]byte, 0, max(need, min(need*max(o.expect, 1), chunkBytes))))
		last++
	}
	chunk := o.chunks[last]
	start := len(chunk)
	chunk = wire.AppendFrame(chunk, wire.OpText, *o.json)
	o.chunks[last] = chunk
	frame := chunk[start:len(chunk):len(chunk)]
	o.count++
	o.bytes += len(frame)
	return frame
}

func (o *outbox) full() bool { return o.count >= burstMessages || o.bytes >= burstBytes }

// take returns what was gathered as one burst; nil when there is nothing.
func (o *outbox) take() *Burst {
	if o.count == 0 {
		return nil
	}
	b := &Burst{Frames: o.chunks, Count: o.count, Bytes: o.bytes}
	o.chunks, o.count, o.bytes = nil, 0, 0
	return b
}
