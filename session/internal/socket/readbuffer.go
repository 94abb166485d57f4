package socket

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// chunkSize is the most bytes of one read.
const chunkSize = 4 << 10

// chunks are buffers for bytes that were read and not yet consumed.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// readBuffer buffers reads of a connection. It has a chunk only while it holds
// bytes.
type readBuffer struct {
	conn   net.Conn
	raw    syscall.RawConn // nil: conn is read blocking, with a chunk held
	try    func(fd uintptr) bool
	chunk  *[chunkSize]byte // nil: nothing is buffered
	unread []byte           // of chunk
	n      int              // of the last try
	err    error            // of the last try
}

// need waits until at least n bytes are buffered, where n is far less than a
// chunk. The error is io.EOF if the connection ended before any of them.
func (in *readBuffer) need(n int) error {
	for len(in.unread) < n {
		if err := in.more(); err != nil {
			return err
		}
	}
	return nil
}

// take returns the next n bytes, which are valid until need is called again.
func (in *readBuffer) take(n int) []byte {
	b := in.unread[:n:n]
	in.unread = in.unread[n:]
	return b
}

// more reads more bytes, and waits for them if needed.
func (in *readBuffer) more() error {
	if len(in.unread) == 0 && in.raw != nil {
		in.release()
		return in.wait()
	}
	if in.chunk == nil {
		in.chunk = chunks.Get().(*[chunkSize]byte)
	}
	kept := copy(in.chunk[:], in.unread)
	n, err := in.conn.Read(in.chunk[kept:])
	in.unread = in.chunk[:kept+n]
	if n > 0 {
		return nil
	}
	if err == io.EOF && kept > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// wait waits until there is something to read, and reads it into a new chunk.
func (in *readBuffer) wait() error {
	if in.try == nil {
		in.try = in.tryRead
	}
	if err := in.raw.Read(in.try); err != nil {
		return err
	}
	switch {
	case in.err != nil:
		return in.err
	case in.n == 0:
		return io.EOF
	}
	in.unread = in.chunk[:in.n]
	return nil
}

// tryRead reads without blocking; it returns false if there was nothing to
// read. It keeps the chunk only if it holds bytes.
func (in *readBuffer) tryRead(fd uintptr) bool {
	in.chunk = chunks.Get().(*[chunkSize]byte)
	var wait bool
	in.n, wait, in.err = readNow(fd, in.chunk[:])
	if in.n <= 0 || in.err != nil {
		in.n = 0
		in.release()
	}
	return !wait
}

func (in *readBuffer) release() {
	if in.chunk != nil {
		chunks.Put(in.chunk)
		in.chunk, in.unread = nil, nil
	}
}
