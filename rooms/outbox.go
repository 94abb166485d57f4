package rooms

import "github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"

// chunkBytes bounds what is allocated ahead for the events that may follow; the
// ring keeps a chunk as long as one of its events.
const chunkBytes = 16 << 10

// outbox gathers the frames of a batch. Frames never move once they are
// written, because the ring and the members share them.
type outbox struct {
	chunks [][]byte // full ones and, last, the one being filled
	count  int
	bytes  int
	expect int // events that may still come in this batch, set by the room
}

// addStored writes the frame of one stored event.
func (o *outbox) addStored(label string, seq uint64, st *wire.Stored, logTime string) (frame []byte) {
	chunk := o.space(st.FrameSize(label, logTime))
	start := len(*chunk)
	*chunk = st.AppendFrame(*chunk, label, seq, logTime)
	frame = (*chunk)[start:len(*chunk):len(*chunk)]
	o.count++
	o.bytes += len(frame)
	return frame
}

// space returns a chunk to which need bytes can be appended where it lies.
func (o *outbox) space(need int) *[]byte {
	last := len(o.chunks) - 1
	if last < 0 || cap(o.chunks[last])-len(o.chunks[last]) < need {
		o.chunks = append(o.chunks, make([]byte, 0, max(need, min(need*max(o.expect, 1), chunkBytes))))
		last++
	}
	return &o.chunks[last]
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
