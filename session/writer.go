package session

import (
	"errors"
	"os"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/socket"
)

// outgoing is a message to a client's actor: a burst to write, or a tick of its
// timer.
type outgoing struct {
	burst *rooms.Burst // nil: a tick
}

// outgoingCost returns the cost function for a client's queue of that many
// bytes; a Whole burst costs at most a quarter of the queue.
func outgoingCost(queue int) func(outgoing) (count, bytes int) {
	return func(o outgoing) (count, bytes int) {
		switch {
		case o.burst == nil:
			return 0, 0
		case o.burst.Whole:
			return o.burst.Count, min(o.burst.Bytes, queue/4)
		}
		return o.burst.Count, o.burst.Bytes
	}
}

// writer is the client actor. It alone writes to the connection: data, pings,
// pongs and the close frame. All fields but c are owned by the actor.
type writer struct {
	c *Client // fixed after start

	pinged     time.Time // when the unanswered ping was sent, or first tried; zero: none
	pingUnsent bool      // the socket's buffer was full
	broken     bool      // a write failed: nothing more can be written
}

func newWriter(c *Client) *writer {
	w := &writer{c: c}
	w.wait(time.Now())
	return w
}

// Receive writes everything that is queued with one system call: the seventh
// and last station of a message, on the goroutine of the client's actor. What
// it calls must fit on a short stack: see TestWritingGrowsNoStack.
func (w *writer) Receive(b *actor.Batch[outgoing]) {
	out := w.newBatch()
	defer out.release()
	count := w.gather(out, b)
	w.count(count, w.write(out))
}

// newBatch takes an empty batch; the first one of a connection begins with the
// response to the handshake.
func (w *writer) newBatch() *writeBatch {
	out := writeBatches.Get().(*writeBatch)
	out.client = w.c
	if w.c.handshake != nil {
		out.frames.Add(*w.c.handshake)
		w.c.handshake = nil
	}
	return out
}

// gather moves everything queued into out, and returns how many messages that
// is.
func (w *writer) gather(out *writeBatch, b *actor.Batch[outgoing]) (count int) {
	for o, ok := b.Next(); ok; o, ok = b.Next() {
		if o.burst == nil {
			w.tick(time.Now())
			continue
		}
		out.hold(o.burst)
		out.frames.Add(w.framesOf(o.burst)...)
		count += o.burst.Count
	}
	out.markWriting()
	return count
}

// framesOf returns the burst's frames, compressed if the peer agreed on that.
func (w *writer) framesOf(b *rooms.Burst) [][]byte {
	if w.c.deflate {
		return b.Deflated()
	}
	return b.Frames
}

// count counts that many messages as written or lost.
func (w *writer) count(messages int, written bool) {
	if written {
		w.c.m.stats.Frames.Add(int64(messages))
		w.c.traffic.frames += int64(messages)
	} else {
		w.c.m.stats.Unsent.Add(int64(messages))
	}
}

// write reports whether the frames were handed to the system.
func (w *writer) write(out *writeBatch) bool {
	if out.frames.Empty() || w.broken {
		return !w.broken
	}
	_, err := w.flush(out, w.c.m.cfg.WriteTimeout)
	return err == nil
}

// flush writes, waiting for space in the socket's buffer, and counts.
func (w *writer) flush(out *writeBatch, wait time.Duration) (n int64, err error) {
	n, err = out.frames.Flush(&w.c.conn, wait)
	w.c.m.stats.Writes.Add(1)
	w.c.m.stats.Bytes.Add(n)
	w.c.traffic.sent += n
	if err != nil {
		w.fail(err)
	}
	return n, err
}

// fail closes a connection that cannot be written to.
func (w *writer) fail(err error) {
	w.broken = true
	w.c.m.stats.WriteErrors.Add(1)
	code := wire.CloseAbnormal
	if errors.Is(err, os.ErrDeadlineExceeded) {
		code = wire.CloseTooSlow
	}
	w.c.Close(code)
}

// wait sets the wheel for the next ping, the end of the wait for a pong, or the
// expiry of the token.
func (w *writer) wait(now time.Time) {
	due := w.c.lastHeard().Add(w.c.ping)
	if !w.pinged.IsZero() {
		due = w.pinged.Add(w.c.m.cfg.Pong)
	}
	if exp := w.c.who.Expires; !exp.IsZero() && exp.Before(due) {
		due = exp
	}
	if w.pingUnsent {
		due = now.Add(w.c.m.wheel.step)
	}
	d := max(due.Sub(now), time.Millisecond)
	if d >= w.c.m.wheel.step {
		w.c.m.wheel.set(w.c, d)
		return
	}
	// The wheel is too coarse: only pings may be early by a step.
	time.AfterFunc(d, w.c.wake)
}

// tick pings a silent client, up to a step early, and closes one that did not
// answer or whose token has expired.
func (w *writer) tick(now time.Time) {
	heard := w.c.lastHeard()
	if exp := w.c.who.Expires; !exp.IsZero() && !now.Before(exp) {
		w.c.Close(wire.CloseTokenExpired)
		return
	}
	if !heard.Before(w.pinged) {
		w.pinged, w.pingUnsent = time.Time{}, false
	}
	switch {
	case !w.pinged.IsZero() && now.Sub(w.pinged) >= w.c.m.cfg.Pong:
		w.c.Close(wire.CloseNoHeartbeat)
		return
	case w.pingUnsent, w.pinged.IsZero() && w.c.silent(now):
		w.ping(now)
	}
	w.wait(now)
}

// ping does not block where the connection allows it, because it runs on the
// wheel's goroutine: if the socket's buffer is full it is tried again with each
// step, until the time for the pong is over.
func (w *writer) ping(now time.Time) {
	if w.broken {
		return
	}
	out := w.newBatch()
	defer out.release()
	out.frames.Add(pingFrame)
	wait := socket.NoWait
	if !w.c.conn.Nonblocking() {
		wait = w.c.m.cfg.WriteTimeout
	}
	n, err := w.flush(out, wait)
	w.pingUnsent = n == 0 && err == nil
	if !w.pingUnsent || w.pinged.IsZero() {
		w.pinged = now
	}
}

var pingFrame = wire.AppendFrame(nil, wire.OpPing, nil)

// Stopped writes what is still queued, unless the client was too slow, and the
// close frame. The reading goroutine closes the connection when the peer has
// answered or lingerTimeout is over.
func (w *writer) Stopped(unread []outgoing) {
	w.c.m.wheel.drop(w.c)
	code := w.c.closeCode()
	tooSlow := code == wire.CloseTooSlow && !w.c.closedByPeer()
	out := w.newBatch()
	defer out.release()
	count := 0
	for _, o := range unread {
		if o.burst == nil {
			continue
		}
		count += o.burst.Count
		if tooSlow { // let go of before anything is written: others are closed until it is
			o.burst.Release(w.c.m.waiting)
			continue
		}
		out.hold(o.burst)
		out.frames.Add(w.framesOf(o.burst)...)
	}
	out.frames.Add(wire.AppendCloseFrame(nil, code))
	written := code != wire.CloseAbnormal && w.write(out)
	w.count(count, written && !tooSlow)
	w.linger()
}

// linger closes our side and gives the peer a moment to close its own, so that
// a reset does not discard what was written.
func (w *writer) linger() {
	if !w.broken {
		_ = w.c.conn.CloseWrite() // fails when the peer was faster
	}
	wait := lingerTimeout
	if w.broken || w.c.abrupt.Load() {
		wait = 0
	}
	_ = w.c.conn.SetReadDeadline(time.Now().Add(wait)) // fails only on a closed connection
}

// Failed closes the connection of a writer that panicked.
func (w *writer) Failed(any) {
	w.c.m.wheel.drop(w.c)
	w.broken = true
	w.c.Close(wire.CloseAbnormal)
	w.c.self.Stop() // a goroutine that called Close before may not have come to that yet
	w.linger()
}
