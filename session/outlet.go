package session

import (
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// maxSegments is how many slices one system call takes (IOV_MAX).
const maxSegments = 1024

// noWait is for what is not written at all if there is no room for it. (A part of
// it that found room would end the connection.)
const noWait time.Duration = 0

// joinBelow is up to how many bytes several slices are copied into one: that
// costs less than what the system does for each of them (BenchmarkJoin).
const joinBelow = 16 << 10

// outlet gathers the frames of one write. It belongs to the actor that took it
// from outlets, until that puts it back.
type outlet struct {
	list  [][]byte       // gathered; kept beside rest, which writing consumes
	rest  net.Buffers    // what is not written yet
	of    *Client        // who is written to
	held  []*rooms.Burst // whose frames these are
	bytes int            // of them
	join  []byte         // copies of short ones
	one   []byte         // the rest when it is a single slice, else
	vec   vector         // the first maxSegments of it
	n     int            // of the last try
	err   error          // of the last try
	try   func(fd uintptr) bool
}

var outlets = sync.Pool{New: func() any {
	o := &outlet{list: make([][]byte, 0, 64)}
	o.try = o.tryWrite
	return o
}}

func (o *outlet) add(frames ...[]byte) { o.list = append(o.list, frames...) }

// hold has the burst released with the outlet.
func (o *outlet) hold(b *rooms.Burst) {
	o.held = append(o.held, b)
	o.bytes += b.Bytes
}

// begin says what is being written, if it is worth saying.
func (o *outlet) begin() {
	if o.bytes > joinBelow {
		o.of.inHand.Store(int64(o.bytes))
	}
}

// release gives the outlet back. It keeps no frame alive.
func (o *outlet) release() {
	for _, b := range o.held {
		b.Release(o.of.m.waiting)
	}
	if o.bytes > joinBelow {
		o.of.inHand.Store(0)
	}
	o.of, o.bytes = nil, 0
	clear(o.held)
	o.held = o.held[:0]
	clear(o.list)
	o.vec.clear()
	o.list, o.rest, o.one, o.err = o.list[:0], nil, nil, nil
	outlets.Put(o)
}

// flush writes what was gathered, and waits for room that long. It returns how
// many bytes the system took: with noWait, and where there is a raw, none if
// there is no room at once.
//
// Nearly every write finds room in the socket, and a deadline costs as much as a
// short write, so one is set only when there is none. No deadline may be left
// on the connection: once it has passed, raw would fail.
func (o *outlet) flush(conn net.Conn, raw syscall.RawConn, wait time.Duration) (n int64, err error) {
	o.prepare()
	if raw != nil {
		if err := o.flushNow(raw); err != nil {
			return 0, err
		}
		n = int64(o.n)
	}
	if len(o.rest) == 0 || n == 0 && wait == noWait {
		return n, nil
	}
	m, err := o.flushBy(conn, raw != nil, time.Now().Add(wait))
	return n + m, err
}

// flushNow writes what there is room for, n bytes.
func (o *outlet) flushNow(raw syscall.RawConn) error {
	if err := raw.Write(o.try); err != nil {
		return err
	}
	o.skip(o.n)
	return o.err
}

// flushBy writes the rest, waiting for room until then. A conn that is not the
// system's own, such as one of TLS, takes it in pieces.
func (o *outlet) flushBy(conn net.Conn, own bool, deadline time.Time) (n int64, err error) {
	if err := conn.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	if own {
		n, err = o.rest.WriteTo(conn)
	} else {
		n, err = o.writePieces(conn)
	}
	if err == nil {
		err = conn.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// writePieces writes the rest, short slices joined: TLS makes a record and a
// system call of each Write.
func (o *outlet) writePieces(conn net.Conn) (n int64, err error) {
	for len(o.rest) > 0 && err == nil {
		var m int
		m, err = conn.Write(o.piece())
		n += int64(m)
	}
	return n, err
}

// piece takes the next slices out of rest, up to joinBelow bytes or a single one.
// It is valid until the next call.
func (o *outlet) piece() []byte {
	if len(o.rest) == 1 || len(o.rest[0])+len(o.rest[1]) > joinBelow {
		first := o.rest[0]
		o.rest = o.rest[1:]
		return first
	}
	o.join = o.join[:0]
	for len(o.rest) > 0 && len(o.join)+len(o.rest[0]) <= joinBelow {
		o.join = append(o.join, o.rest[0]...)
		o.rest = o.rest[1:]
	}
	return o.join
}

// prepare makes what was gathered the rest to write, joined if it is short. Inlined,
// its frame would be on the stack during the system call: see
// TestWritingGrowsNoStack.
//
//go:noinline
func (o *outlet) prepare() {
	size := 0
	for _, frame := range o.list {
		size += len(frame)
	}
	if len(o.list) > 1 && size <= joinBelow {
		o.joinAll()
	}
	o.rest, o.one = o.list, nil
	if len(o.rest) == 1 {
		o.one = o.rest[0]
	} else {
		o.vec.fill(o.rest)
	}
}

func (o *outlet) joinAll() {
	o.join = o.join[:0]
	for _, frame := range o.list {
		o.join = append(o.join, frame...)
	}
	clear(o.list)
	o.list = append(o.list[:0], o.join)
}

// tryWrite writes without waiting.
func (o *outlet) tryWrite(fd uintptr) bool {
	o.n, o.err = writeNow(fd, o.one, &o.vec)
	return true
}

// skip takes the next n bytes out of rest.
func (o *outlet) skip(n int) {
	for len(o.rest) > 0 && n >= len(o.rest[0]) {
		n -= len(o.rest[0])
		o.rest = o.rest[1:]
	}
	if n > 0 {
		o.rest[0] = o.rest[0][n:]
	}
}
