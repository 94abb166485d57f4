package socket

import (
	"bytes"
	"sync"
)

// messages are buffers for a message while it is handled. An idle connection
// has none.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest buffer, in bytes, that is put back into the pool.
const maxPooled = 64 << 10

// GetMessage returns an empty buffer for Source.Read from a pool. The caller
// returns it with PutMessage.
func GetMessage() *bytes.Buffer { return messages.Get().(*bytes.Buffer) }

// PutMessage returns a buffer to the pool. It must not be used after that.
func PutMessage(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooled {
		buf.Reset()
		messages.Put(buf)
	}
}
