package socket

import (
	"net"
	"syscall"
	"time"
)

// maxSegments is the most slices of one system call (IOV_MAX).
const maxSegments = 1024

// NoWait makes Flush write nothing if nothing fits into the send buffer at
// once. (If a part fits and the rest does not, that is an error.)
const NoWait time.Duration = 0

// joinMax is the most bytes that are copied from several slices into one: up to
// it that costs less than the system's work for each slice (BenchmarkJoin).
const joinMax = 16 << 10

// WriteBuffer collects the frames of one write. It is owned by the goroutine
// that writes, and refers to the frames until Reset.
type WriteBuffer struct {
	list   [][]byte    // added frames; rest, which writing consumes, is a slice of it
	rest   net.Buffers // what is not written yet
	joined []byte      // copies of short frames
	single []byte      // rest, if it is a single slice; else see vec
	vec    vector      // the first maxSegments of it
	n      int         // of the last try
	err    error       // of the last try
	try    func(fd uintptr) bool
}

// NewWriteBuffer returns an empty buffer, which is meant to be reused.
func NewWriteBuffer() *WriteBuffer {
	b := &WriteBuffer{list: make([][]byte, 0, 64)}
	b.try = b.tryWrite
	return b
}

// Add appends whole frames, which are not copied and must not change until
// Reset.
func (b *WriteBuffer) Add(frames ...[]byte) { b.list = append(b.list, frames...) }

// Empty reports whether nothing was added.
func (b *WriteBuffer) Empty() bool { return len(b.list) == 0 }

// Reset empties the buffer, and drops all references to frames.
func (b *WriteBuffer) Reset() {
	clear(b.list)
	b.vec.clear()
	b.list, b.rest, b.single, b.err = b.list[:0], nil, nil, nil
}

// Flush writes the added frames, and waits up to that long until they fit into
// the send buffer. It returns how many bytes were written: with NoWait, if conn
// is Nonblocking, none if nothing fits at once. The error is
// os.ErrDeadlineExceeded after the wait, or that of a lost connection. (It
// takes a pointer because a larger frame would be on the stack during the
// system call: see session.TestWritingGrowsNoStack.)
//
// Nearly every write fits into the send buffer, and setting a deadline costs as
// much as a short write, so one is set only if it does not fit. No deadline may
// be left on the connection: once it has passed, raw would fail.
func (b *WriteBuffer) Flush(conn *Conn, wait time.Duration) (n int64, err error) {
	b.prepare()
	if conn.raw != nil {
		if err := b.flushNow(conn.raw); err != nil {
			return 0, err
		}
		n = int64(b.n)
	}
	if len(b.rest) == 0 || n == 0 && wait == NoWait {
		return n, nil
	}
	m, err := b.flushBy(conn.Conn, conn.raw != nil, time.Now().Add(wait))
	return n + m, err
}

// flushNow writes what fits into the send buffer, n bytes.
func (b *WriteBuffer) flushNow(raw syscall.RawConn) error {
	if err := raw.Write(b.try); err != nil {
		return err
	}
	b.skip(b.n)
	return b.err
}

// flushBy writes the rest, and blocks until the deadline at most. A conn
// without nonblocking I/O, such as one of TLS, gets it in pieces.
func (b *WriteBuffer) flushBy(conn net.Conn, own bool, deadline time.Time) (n int64, err error) {
	if err := conn.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	if own {
		n, err = b.rest.WriteTo(conn)
	} else {
		n, err = b.writePieces(conn)
	}
	if err == nil {
		err = conn.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// writePieces writes the rest, with short slices joined: TLS makes a record and
// a system call of each Write.
func (b *WriteBuffer) writePieces(conn net.Conn) (n int64, err error) {
	for len(b.rest) > 0 && err == nil {
		var m int
		m, err = conn.Write(b.piece())
		n += int64(m)
	}
	return n, err
}

// piece removes and returns the next slices of rest, up to joinMax bytes or a
// single one. The result is valid until the next call.
func (b *WriteBuffer) piece() []byte {
	if len(b.rest) == 1 || len(b.rest[0])+len(b.rest[1]) > joinMax {
		first := b.rest[0]
		b.rest = b.rest[1:]
		return first
	}
	b.joined = b.joined[:0]
	for len(b.rest) > 0 && len(b.joined)+len(b.rest[0]) <= joinMax {
		b.joined = append(b.joined, b.rest[0]...)
		b.rest = b.rest[1:]
	}
	return b.joined
}

// prepare sets rest to the added frames, joined if they are short. Inlined, its
// frame would be on the stack during the system call: see
// session.TestWritingGrowsNoStack.
//
//go:noinline
func (b *WriteBuffer) prepare() {
	size := 0
	for _, frame := range b.list {
		size += len(frame)
	}
	if len(b.list) > 1 && size <= joinMax {
		b.joinAll()
	}
	b.rest, b.single = b.list, nil
	if len(b.rest) == 1 {
		b.single = b.rest[0]
	} else {
		b.vec.fill(b.rest)
	}
}

func (b *WriteBuffer) joinAll() {
	b.joined = b.joined[:0]
	for _, frame := range b.list {
		b.joined = append(b.joined, frame...)
	}
	clear(b.list)
	b.list = append(b.list[:0], b.joined)
}

// tryWrite writes without blocking.
func (b *WriteBuffer) tryWrite(fd uintptr) bool {
	b.n, b.err = writeNow(fd, b.single, &b.vec)
	return true
}

// skip removes the next n bytes from rest.
func (b *WriteBuffer) skip(n int) {
	for len(b.rest) > 0 && n >= len(b.rest[0]) {
		n -= len(b.rest[0])
		b.rest = b.rest[1:]
	}
	if n > 0 {
		b.rest[0] = b.rest[0][n:]
	}
}
