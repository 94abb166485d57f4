package socket

import (
	"bytes"
	"sync"
)

// messages hold one message while it is handled. An idle connection has none.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepMessage is the largest buffer, in bytes, that goes back to the pool.
const keepMessage = 64 << 10

// GetMessage returns an empty buffer for Source.Read, which PutMessage takes
// back.
func GetMessage() *bytes.Buffer { return messages.Get().(*bytes.Buffer) }

// PutMessage takes a buffer back, with what it holds.
func PutMessage(buf *bytes.Buffer) {
	if buf.Cap() <= keepMessage {
		buf.Reset()
		messages.Put(buf)
	}
}
