package session

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// outgoing is what a client's mailbox takes: a burst to write, or a tick of
// its timer.
type outgoing struct {
	burst *rooms.Burst // nil: a tick
}

// outgoingCost charges a burst to the client's queue.
func outgoingCost(o outgoing) (count, bytes int) {
	if o.burst == nil {
		return 0, 0
	}
	return o.burst.Count, o.burst.Bytes
}

// writer is the client actor. It alone writes to the connection: data, pings,
// pongs and the close frame. All fields but c are owned by the actor.
type writer struct {
	c *Client // fixed after start

	pinged   time.Time // when the ping that is not answered yet was sent
	extended time.Time // when the deadline of writes was last moved
	broken   bool      // a write failed: nothing more can be written
}

func newWriter(c *Client) *writer {
	w := &writer{c: c}
	w.wait(time.Now())
	return w
}

// segments keeps the lists that a write gathers. net.Buffers consumes its
// slice, so the list is kept beside it.
var segments = sync.Pool{New: func() any { s := make([][]byte, 0, 64); return &s }}

// Receive writes everything that waits with one system call.
func (w *writer) Receive(b *actor.Batch[outgoing]) {
	list := segments.Get().(*[][]byte)
	out := (*list)[:0]
	count := 0
	for o, ok := b.Next(); ok; o, ok = b.Next() {
		if o.burst == nil {
			out = w.tick(out, time.Now())
			continue
		}
		out = append(out, o.burst.Frames...)
		count += o.burst.Count
	}
	w.count(count, w.write(out))
	clear(out)
	*list = out[:0]
	segments.Put(list)
}

// count notes what became of that many messages.
func (w *writer) count(messages int, written bool) {
	if written {
		w.c.m.stats.Frames.Add(int64(messages))
	} else {
		w.c.m.stats.Unsent.Add(int64(messages))
	}
}

// write reports whether the frames were handed to the system.
func (w *writer) write(frames [][]byte) bool {
	if len(frames) == 0 || w.broken {
		return !w.broken
	}
	w.extend()
	var n int64
	var err error
	if len(frames) == 1 {
		var m int
		m, err = w.c.conn.Write(frames[0])
		n = int64(m)
	} else {
		buffers := net.Buffers(frames)
		n, err = buffers.WriteTo(w.c.conn)
	}
	w.c.m.stats.Writes.Add(1)
	w.c.m.stats.Bytes.Add(n)
	if err != nil {
		w.fail(err)
	}
	return err == nil
}

// extend moves the deadline of writes. Moving it costs as much as a short
// write, so a write may find up to a fifth of its time gone.
func (w *writer) extend() {
	if now := time.Now(); now.Sub(w.extended) > w.c.m.cfg.WriteTimeout/5 {
		w.extended = now
		// It fails only on a closed connection, as the write will.
		_ = w.c.conn.SetWriteDeadline(now.Add(w.c.m.cfg.WriteTimeout))
	}
}

// fail gives up on a connection that cannot be written to.
func (w *writer) fail(err error) {
	w.broken = true
	w.c.m.stats.WriteErrors.Add(1)
	code := wire.CloseAbnormal
	if errors.Is(err, os.ErrDeadlineExceeded) {
		code = wire.CloseTooSlow
	}
	w.c.Close(code)
}

// wait has the wheel wake the client when the next ping, the end of the wait
// for a pong, or the end of the token is due.
func (w *writer) wait(now time.Time) {
	due := w.c.lastHeard().Add(w.c.ping)
	if !w.pinged.IsZero() {
		due = w.pinged.Add(w.c.m.cfg.Pong)
	}
	if exp := w.c.who.Expires; !exp.IsZero() && exp.Before(due) {
		due = exp
	}
	d := max(due.Sub(now), time.Millisecond)
	if d >= w.c.m.wheel.step {
		w.c.m.wheel.set(w.c, d)
		return
	}
	// What is not a ping keeps its time to the millisecond.
	time.AfterFunc(d, w.c.wake)
}

// tick pings a silent client, up to a step before its time, and ends one that
// stayed silent or whose token has expired.
func (w *writer) tick(out [][]byte, now time.Time) [][]byte {
	heard := w.c.lastHeard()
	if exp := w.c.who.Expires; !exp.IsZero() && !now.Before(exp) {
		w.c.Close(wire.CloseTokenExpired)
		return out
	}
	if !heard.Before(w.pinged) {
		w.pinged = time.Time{}
	}
	switch {
	case !w.pinged.IsZero() && now.Sub(w.pinged) >= w.c.m.cfg.Pong:
		w.c.Close(wire.CloseNoHeartbeat)
		return out
	case w.pinged.IsZero() && w.c.silent(now):
		w.pinged = now
		out = append(out, pingFrame)
	}
	w.wait(now)
	return out
}

var pingFrame = wire.AppendFrame(nil, wire.OpPing, nil)

// Stopped writes what is still queued, unless the client was too slow for it,
// and the close frame. The reading goroutine closes the connection when the
// peer has answered or the linger time is over.
func (w *writer) Stopped(unread []outgoing) {
	w.c.m.wheel.drop(w.c)
	code := w.c.closeCode()
	var out [][]byte
	count := 0
	for _, o := range unread {
		if o.burst != nil {
			out = append(out, o.burst.Frames...)
			count += o.burst.Count
		}
	}
	tooSlow := code == wire.CloseTooSlow && !w.c.closedByPeer()
	if tooSlow {
		out = nil
	}
	written := code != wire.CloseAbnormal && w.write(append(out, wire.AppendCloseFrame(nil, code)))
	w.count(count, written && !tooSlow)
	w.linger()
}

// linger ends our side and gives the peer a moment to end its own, so that
// what was written is not torn away by a reset.
func (w *writer) linger() {
	if half, ok := w.c.conn.(interface{ CloseWrite() error }); ok && !w.broken {
		_ = half.CloseWrite() // fails when the peer was faster
	}
	wait := lingerTimeout
	if w.broken {
		wait = 0
	}
	_ = w.c.conn.SetReadDeadline(time.Now().Add(wait)) // fails only on a closed connection
}

// Failed ends the connection of a writer that panicked.
func (w *writer) Failed(any) {
	w.c.m.wheel.drop(w.c)
	w.broken = true
	w.c.Close(wire.CloseAbnormal)
	w.c.self.Stop() // in case another one closes it and has not come to that
	w.linger()
}
