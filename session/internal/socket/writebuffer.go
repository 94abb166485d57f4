package socket

import (
	"net"
	"syscall"
	"time"
)

// maxSegments is how many slices one system call takes (IOV_MAX).
const maxSegments = 1024

// NoWait is for what is not written at all if there is no room for it. (A part of
// it that found room would end the connection.)
const NoWait time.Duration = 0

// joinBelow is up to how many bytes several slices are copied into one: that
// costs less than what the system does for each of them (BenchmarkJoin).
const joinMax = 16 << 10

// WriteBuffer gathers the frames of one write. It belongs to the goroutine that
// writes, and keeps frames until Reset.
type WriteBuffer struct {
	list   [][]byte    // gathered; kept beside rest, which writing consumes
	rest   net.Buffers // what is not written yet
	joined []byte      // copies of short ones
	single []byte      // the rest when it is a single slice, else
	vec    vector      // the first maxSegments of it
	n      int         // of the last try
	err    error       // of the last try
	try    func(fd uintptr) bool
}

// NewWriteBuffer returns an empty buffer, to be kept and used again.
func NewWriteBuffer() *WriteBuffer {
	b := &WriteBuffer{list: make([][]byte, 0, 64)}
	b.try = b.tryWrite
	return b
}

// Add appends whole frames, which are not copied and must stay as they are
// until Reset.
func (b *WriteBuffer) Add(frames ...[]byte) { b.list = append(b.list, frames...) }

// Empty reports whether nothing was added.
func (b *WriteBuffer) Empty() bool { return len(b.list) == 0 }

// Reset makes the buffer empty. It keeps no frame alive.
func (b *WriteBuffer) Reset() {
	clear(b.list)
	b.vec.clear()
	b.list, b.rest, b.single, b.err = b.list[:0], nil, nil, nil
}

// Flush writes what was gathered, and waits for room that long. It returns how
// many bytes the system took: with NoWait, and where conn is Nonblocking, none if
// there is no room at once. An error is os.ErrDeadlineExceeded after the wait, or
// says that the connection is lost. (It takes a pointer because a larger frame
// would be on the stack during the system call: see session.TestWritingGrowsNoStack.)
//
// Nearly every write finds room in the socket, and a deadline costs as much as a
// short write, so one is set only when there is none. No deadline may be left
// on the connection: once it has passed, raw would fail.
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

// flushNow writes what there is room for, n bytes.
func (b *WriteBuffer) flushNow(raw syscall.RawConn) error {
	if err := raw.Write(b.try); err != nil {
		return err
	}
	b.skip(b.n)
	return b.err
}

// flushBy writes the rest, waiting for room until then. A conn that is not the
// system's own, such as one of TLS, takes it in pieces.
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

// writePieces writes the rest, short slices joined: TLS makes a record and a
// system call of each Write.
func (b *WriteBuffer) writePieces(conn net.Conn) (n int64, err error) {
	for len(b.rest) > 0 && err == nil {
		var m int
		m, err = conn.Write(b.piece())
		n += int64(m)
	}
	return n, err
}

// piece takes the next slices out of rest, up to joinBelow bytes or a single one.
// It is valid until the next call.
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

// prepare makes what was gathered the rest to write, joined if it is short. Inlined,
// its frame would be on the stack during the system call: see
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

// tryWrite writes without waiting.
func (b *WriteBuffer) tryWrite(fd uintptr) bool {
	b.n, b.err = writeNow(fd, b.single, &b.vec)
	return true
}

// skip takes the next n bytes out of rest.
func (b *WriteBuffer) skip(n int) {
	for len(b.rest) > 0 && n >= len(b.rest[0]) {
		n -= len(b.rest[0])
		b.rest = b.rest[1:]
	}
	if n > 0 {
		b.rest[0] = b.rest[0][n:]
	}
}
