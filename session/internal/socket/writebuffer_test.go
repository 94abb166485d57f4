package socket

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// gathered is a buffer with those frames.
func gathered(frames [][]byte) *WriteBuffer {
	o := NewWriteBuffer()
	o.Add(frames...)
	return o
}

// manyFrames is far more than a socket takes at once, in more slices than the
// system takes in one call, some of them empty.
func manyFrames(t testing.TB) (frames [][]byte, all []byte) {
	for range maxSegments + 500 {
		frame := bytes.Repeat([]byte{byte(rand.N(256))}, rand.N(20_000))
		frames, all = append(frames, frame), append(all, frame...)
	}
	return frames, all
}

// watchedDeadline notes the last deadline of writes.
type watchedDeadline struct {
	net.Conn
	deadline time.Time
}

func (w *watchedDeadline) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return w.Conn.SetWriteDeadline(t)
}

// What does not go into the socket at once is written when there is room, in
// order; and the deadline of that wait does not end a later write.
func TestWriteBufferWaitsForRoom(t *testing.T) {
	for name, raw := range map[string]bool{"raw": true, "with deadlines": false} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := tcpPair(t)
			c := rawOf(ours)
			if !raw {
				c = nil
			}
			frames, all := manyFrames(t)
			last := []byte("after the wait")
			got := make(chan []byte, 2)
			go func() {
				for _, n := range []int{len(all), len(last)} {
					b := make([]byte, n)
					_, err := io.ReadFull(theirs, b)
					if err != nil {
						t.Error(err)
					}
					got <- b
				}
			}()
			o := gathered(frames)
			watched := &watchedDeadline{Conn: ours}
			n, err := o.Flush(&Conn{watched, c}, patience)
			must(t, err)
			same(t, "bytes taken", n, int64(len(all)))
			o.Reset()
			if !bytes.Equal(<-got, all) {
				t.Fatal("what arrived is not what was written")
			}
			same(t, "no deadline is left", watched.deadline.IsZero(), true)
			o = gathered([][]byte{last})
			_, err = o.Flush(&Conn{watched, c}, patience)
			must(t, err)
			o.Reset()
			same(t, "what arrived later", string(<-got), string(last))
		})
	}
}

// countedWrites counts the calls of Write, as TLS makes a record of each.
type countedWrites struct {
	net.Conn
	writes int
}

func (c *countedWrites) Write(b []byte) (int, error) {
	c.writes++
	return c.Conn.Write(b)
}

// What is no connection of the system's gets short frames joined, and a long
// one as it is.
func TestWriteBufferJoinsForTLS(t *testing.T) {
	ours, theirs := tcpPair(t)
	var frames [][]byte
	var all []byte
	for i := range 400 { // 400 of 100 bytes, and in the midst of them one that is longer than a piece
		frame := bytes.Repeat([]byte{byte(i)}, 100)
		if i == 200 {
			frame = bytes.Repeat([]byte{byte(i)}, 3*joinMax)
		}
		frames, all = append(frames, frame), append(all, frame...)
	}
	got := make(chan []byte, 1)
	go func() {
		b := make([]byte, len(all))
		_, _ = io.ReadFull(theirs, b) // what is missing is seen below
		got <- b
	}()
	counted := &countedWrites{Conn: ours}
	o := gathered(frames)
	n, err := o.Flush(&Conn{Conn: counted}, patience)
	must(t, err)
	same(t, "bytes taken", n, int64(len(all)))
	o.Reset()
	if !bytes.Equal(<-got, all) {
		t.Fatal("what arrived is not what was written")
	}
	same(t, "writes", counted.writes, 2+1+2) // 20,000 bytes before the long one, 19,900 after it
}

// A peer that takes nothing ends the write after the timeout.
func TestWriteBufferTimesOut(t *testing.T) {
	ours, _ := tcpPair(t)
	frames, all := manyFrames(t)
	o := gathered(frames)
	defer o.Reset()
	n, err := o.Flush(newConn(ours), 100*time.Millisecond)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write ended with %v, want the deadline", err)
	}
	if n <= 0 || n >= int64(len(all)) {
		t.Errorf("%d of %d bytes were taken, want some", n, len(all))
	}
}

// A closed connection is an error, not a wait.
func TestWriteBufferOfAClosedConnection(t *testing.T) {
	ours, _ := tcpPair(t)
	conn := newConn(ours)
	must(t, ours.Close())
	o := gathered([][]byte{[]byte("x")})
	defer o.Reset()
	if _, err := o.Flush(conn, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the write ended with %v, want net.ErrClosed", err)
	}
}

// BenchmarkWriteBuffer writes one short frame, beside a plain Write with a
// deadline.
func BenchmarkWriteBuffer(b *testing.B) {
	frame := bytes.Repeat([]byte("x"), 200)
	write := func(b *testing.B, f func(conn *Conn)) {
		ours, theirs := tcpPair(b)
		conn := newConn(ours)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		b.ReportAllocs()
		for b.Loop() {
			f(conn)
		}
	}
	b.Run("buffer", func(b *testing.B) {
		o := NewWriteBuffer()
		write(b, func(conn *Conn) {
			o.Add(frame)
			_, err := o.Flush(conn, time.Second)
			must(b, err)
			o.Reset()
		})
	})
	b.Run("deadline", func(b *testing.B) {
		write(b, func(conn *Conn) {
			must(b, conn.SetWriteDeadline(time.Now().Add(time.Second)))
			_, err := conn.Write(frame)
			must(b, err)
		})
	})
}

// BenchmarkJoin writes several frames of 400 bytes at once: in one slice, and
// as they are.
func BenchmarkJoin(b *testing.B) {
	for _, n := range []int{2, 5, 10, 20, 40} {
		for name, write := range map[string]func(o *WriteBuffer, fd uintptr) (int, error){
			"joined": func(o *WriteBuffer, fd uintptr) (int, error) {
				o.joinAll()
				return writeNow(fd, o.list[0], nil)
			},
			"as they are": func(o *WriteBuffer, fd uintptr) (int, error) {
				o.vec.fill(o.list)
				return writeNow(fd, nil, &o.vec)
			},
		} {
			b.Run(strconv.Itoa(n)+" "+name, func(b *testing.B) {
				ours, theirs := tcpPair(b)
				go func() { _, _ = io.Copy(io.Discard, theirs) }()
				frames := slices.Repeat([][]byte{bytes.Repeat([]byte("x"), 400)}, n)
				var fd uintptr
				must(b, rawOf(ours).Control(func(got uintptr) { fd = got }))
				b.ReportAllocs()
				for b.Loop() {
					o := gathered(frames)
					_, err := write(o, fd)
					must(b, err)
					o.Reset()
				}
			})
		}
	}
}

func newConn(conn net.Conn) *Conn {
	c := NewConn(conn)
	return &c
}
