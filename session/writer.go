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

// outgoing is what a client's mailbox takes: a burst to write, or a tick of
// its timer.
type outgoing struct {
	burst *rooms.Burst // nil: a tick
}

// outgoingCost charges bursts to a client's queue of that many bytes; what is one
// answer as a quarter of it at most.
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

	pinged time.Time // when the ping that is not answered yet was sent, or first should have been
	unsent bool      // it found no room in the socket
	broken bool      // a write failed: nothing more can be written
}

func newWriter(c *Client) *writer {
	w := &writer{c: c}
	w.wait(time.Now())
	return w
}

// Receive writes everything that waits with one system call: the seventh and last
// station of a message, on the goroutine of the client's actor. What it calls must
// fit on a short stack: see TestWritingGrowsNoStack.
func (w *writer) Receive(b *actor.Batch[outgoing]) {
	out := w.newBatch()
	defer out.release()
	count := w.gather(out, b)
	w.count(count, w.write(out))
}

// newBatch takes an empty batch, or, for what is written first, one that begins
// with the answer to the handshake.
func (w *writer) newBatch() *writeBatch {
	out := writeBatches.Get().(*writeBatch)
	out.of = w.c
	if w.c.handshake != nil {
		out.frames.Add(*w.c.handshake)
		w.c.handshake = nil
	}
	return out
}

// gather takes everything that waits into out, and returns how many messages
// that are.
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
	out.begin()
	return count
}

// framesOf are the burst's frames as the peer takes them.
func (w *writer) framesOf(b *rooms.Burst) [][]byte {
	if w.c.deflate {
		return b.Deflated()
	}
	return b.Frames
}

// count notes what became of that many messages.
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

// flush writes, waits for room as long as it may, and counts.
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
	if w.unsent {
		due = now.Add(w.c.m.wheel.step)
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
func (w *writer) tick(now time.Time) {
	heard := w.c.lastHeard()
	if exp := w.c.who.Expires; !exp.IsZero() && !now.Before(exp) {
		w.c.Close(wire.CloseTokenExpired)
		return
	}
	if !heard.Before(w.pinged) {
		w.pinged, w.unsent = time.Time{}, false
	}
	switch {
	case !w.pinged.IsZero() && now.Sub(w.pinged) >= w.c.m.cfg.Pong:
		w.c.Close(wire.CloseNoHeartbeat)
		return
	case w.unsent, w.pinged.IsZero() && w.c.silent(now):
		w.ping(now)
	}
	w.wait(now)
}

// ping does not wait where it need not, because it is the wheel that runs it:
// one that finds no room is tried again with the next step, until the time for
// the pong is over.
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
	w.unsent = n == 0 && err == nil
	if !w.unsent || w.pinged.IsZero() {
		w.pinged = now
	}
}

var pingFrame = wire.AppendFrame(nil, wire.OpPing, nil)

// Stopped writes what is still queued, unless the client was too slow for it,
// and the close frame. The reading goroutine closes the connection when the
// peer has answered or the linger time is over.
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

// linger ends our side and gives the peer a moment to end its own, so that
// what was written is not torn away by a reset.
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

// Failed ends the connection of a writer that panicked.
func (w *writer) Failed(any) {
	w.c.m.wheel.drop(w.c)
	w.broken = true
	w.c.Close(wire.CloseAbnormal)
	w.c.self.Stop() // in case another one closes it and has not come to that
	w.linger()
}
