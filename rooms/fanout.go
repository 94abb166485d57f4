package rooms

import (
	"runtime"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// fanout hands frames to the members of a room, the same bytes to all. It is
// owned by the room's actor.
type fanout struct {
	stats     *Stats       // fixed after start
	waiting   *QueuedBytes // the same
	members   members
	buffer    writeBuffer
	coalescer *coalescer // nil until it was needed

	measured *sample // the latest sample in buffer; nil: none
}

// yieldEvery is after how many members the fan-out lets their goroutines run:
// waking a large room at once would need a goroutine each.
const yieldEvery = 512

// burst gives b to every member but the one with the session id except, and
// returns those whose queues are full. Deliver is the hop to the goroutine of
// the member's client.
func (f *fanout) burst(b *Burst, except string) (full []Member) {
	b.Hold(f.waiting)
	defer b.Release(f.waiting)
	delivered := 0
	for i, m := range f.members.list {
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
		if except != "" && m.ID() == except {
			continue
		}
		if m.Deliver(b) != nil {
			full = append(full, m)
			continue
		}
		delivered++
	}
	f.stats.Bursts.Add(int64(delivered))
	f.stats.Deliveries.Add(int64(delivered * b.Count))
	f.stats.Dropped.Add(int64(len(full)))
	return full
}

// take empties the buffer and returns its content as one burst; nil if it is
// empty.
func (f *fanout) take() *Burst {
	b := f.buffer.take()
	if b != nil && f.coalescer != nil {
		f.coalescer.lastFlush = time.Now()
	}
	return b
}

func (f *fanout) release() {
	if f.coalescer != nil && f.coalescer.timer != nil {
		f.coalescer.timer.Stop()
	}
}

// deliver buffers the next event of the log for the members and returns its
// frame. An invalid event is skipped: it reaches nobody, and the engine
// rejected it when it was stored.
func (r *room) deliver(e follow.Event) (frame []byte, apart *follow.Apart) {
	r.h.last.Store(e.Seq)
	r.h.store.onDelivered(e.Seq)
	if r.table {
		return r.deliverStep(e)
	}
	stored, err := r.parse(e)
	if err != nil {
		return nil, nil
	}
	return r.buffer(e, &stored), nil
}

// buffer adds an event to what the next flush hands to the members.
func (r *room) buffer(e follow.Event, stored *wire.Stored) (frame []byte) {
	frame = r.fanout.buffer.addEvent(r.label, e.Seq, stored, e.Time)
	r.fanout.stats.Events.Add(1)
	if s := r.h.sample.Load(); s != nil && r.eng.latency.recognize(s, e.Body) {
		r.fanout.measured = s
	}
	if r.fanout.buffer.full() {
		r.flush()
		// A room that catches up delivers bursts faster than its members'
		// actors are scheduled, and would find the queues of healthy ones full.
		runtime.Gosched()
	}
	return frame
}

// flush hands the frames in the write buffer to every member.
func (r *room) flush() {
	if b := r.fanout.take(); b != nil {
		r.deliverBurst(b, "")
	}
	if s := r.fanout.measured; s != nil {
		r.eng.latency.delivered.Observe(time.Since(s.born))
		r.fanout.measured = nil
	}
}

// deliverBurst gives b to every member but the one whose session is `except`.
func (r *room) deliverBurst(b *Burst, except string) {
	for _, m := range r.fanout.burst(b, except) {
		r.remove(m, LeaveLost)
	}
}

// onSignal delivers a signal, which is not logged, to all members but its
// sender.
func (r *room) onSignal(msg *nats.Msg) {
	author := r.eng.secret.Load().author(forSignal, msg.Header.Get(HeaderBy), r.h.name, msg.Data)
	ev, err := wire.ReadSignal(msg.Data, r.eng.countUnsigned(author, msg.Header.Get(HeaderBy)))
	if err != nil {
		r.eng.stats.Rejected.Add(1)
		return
	}
	r.flush()
	r.eng.stats.Signals.Add(1)
	ev.Room = r.label
	b := EventBurst(ev)
	b.Lossy = true
	r.deliverBurst(b, msg.Header.Get(hdrSession))
}

// A burst to a large room costs a system call per member. So a large, busy room
// coalesces events: it buffers them for about as long as writing the last burst
// took, and each member gets them with one system call. An event after a pause
// is flushed at once, so a room that is not busy adds no latency.
const (
	coalesceAbove     = 32 // members; a smaller room does not coalesce
	coalescePerMember = 10 * time.Microsecond
	coalesceMax       = 20 * time.Millisecond
)

// coalescer decides when a large room flushes next. It is owned by the room's
// actor.
type coalescer struct {
	lastFlush   time.Time   // when the last burst was flushed
	timer       *time.Timer // nil until it was needed
	tickPending bool        // a flushTick is due
}

// coalesceDelay returns the least time between two bursts to that many members.
func coalesceDelay(members int) time.Duration {
	if members <= coalesceAbove {
		return 0
	}
	return min(time.Duration(members)*coalescePerMember, coalesceMax)
}

// flushOrDelay flushes the write buffer now, or, if the last burst was only a
// moment ago, by a timer.
func (r *room) flushOrDelay() {
	pause := coalesceDelay(len(r.fanout.members.list))
	if pause == 0 || r.fanout.buffer.count == 0 {
		r.flush()
		return
	}
	if r.fanout.coalescer == nil {
		r.fanout.coalescer = new(coalescer)
	}
	since := time.Since(r.fanout.coalescer.lastFlush)
	switch {
	case since >= pause:
		r.flush()
	case r.fanout.coalescer.tickPending:
	case r.fanout.coalescer.timer == nil:
		r.fanout.coalescer.tickPending = true
		r.fanout.coalescer.timer = r.eng.after(r.h, pause-since, flushTick{r})
	default:
		r.fanout.coalescer.tickPending = true
		r.fanout.coalescer.timer.Reset(pause - since)
	}
}

// chunkBytes bounds what is allocated ahead for the next events, in bytes; a
// chunk stays in memory for as long as the ring has one of its events.
const chunkBytes = 16 << 10

// writeBuffer holds the frames that were written and not yet flushed. A frame
// is never moved, because the ring and the members share it.
type writeBuffer struct {
	chunks   [][]byte // full ones and, last, the one being filled
	count    int
	bytes    int
	expected int // events that may still come in this batch, set by the room
}

// addEvent writes the frame of one event of the log and returns it.
func (w *writeBuffer) addEvent(label string, seq uint64, st *wire.Stored, logTime string) (frame []byte) {
	chunk := w.grow(st.FrameSize(label, logTime))
	start := len(*chunk)
	*chunk = st.AppendFrame(*chunk, label, seq, logTime)
	frame = (*chunk)[start:len(*chunk):len(*chunk)]
	w.count++
	w.bytes += len(frame)
	return frame
}

// grow returns a chunk to which n bytes can be appended without moving it.
func (w *writeBuffer) grow(n int) *[]byte {
	last := len(w.chunks) - 1
	if last < 0 || cap(w.chunks[last])-len(w.chunks[last]) < n {
		w.chunks = append(w.chunks, make([]byte, 0, max(n, min(n*max(w.expected, 1), chunkBytes))))
		last++
	}
	return &w.chunks[last]
}

func (w *writeBuffer) full() bool { return w.count >= burstMessages || w.bytes >= burstBytes }

// take empties the buffer and returns its content as one burst; nil if it is
// empty.
func (w *writeBuffer) take() *Burst {
	if w.count == 0 {
		return nil
	}
	b := &Burst{Frames: w.chunks, Count: w.count, Bytes: w.bytes}
	w.chunks, w.count, w.bytes = nil, 0, 0
	return b
}
