package rooms

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// LatencyBounds are the upper bounds of a Histogram's buckets.
var LatencyBounds = [...]time.Duration{
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 15 * time.Second,
}

// Histogram counts durations. Any goroutine may read and write it.
type Histogram struct {
	counts [len(LatencyBounds) + 1]atomic.Uint64 // the last: beyond all bounds
	sum    atomic.Int64                          // nanoseconds
}

// Observe counts one.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(LatencyBounds) && d > LatencyBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Read returns how many durations there were up to each of LatencyBounds, how
// many in all, and their sum.
func (h *Histogram) Read() (upTo [len(LatencyBounds)]uint64, count uint64, sum time.Duration) {
	for i := range h.counts {
		count += h.counts[i].Load()
		if i < len(upTo) {
			upTo[i] = count
		}
	}
	return upTo, count, time.Duration(h.sum.Load())
}

const (
	// sampleEvery is of how many publishes one is measured.
	sampleEvery = 16
	// sampleTimeout is after how long a measured event that was not delivered
	// here makes room for another one of its room.
	sampleTimeout = 30 * time.Second
)

// latency measures, of a sample of the events that this node publishes, the
// time to their ack, and to their delivery here.
type latency struct {
	published        atomic.Uint64
	acked, delivered Histogram
	seed             maphash.Seed // fixed after start
}

// sample is one measured event. Fixed after start.
type sample struct {
	born time.Time
	room *handle // where it is looked for; nil: the room is not open, or another one is looked for there
	size int
	hash uint64
}

// sample begins to measure every so many-th event; nil: not this one.
func (l *latency) sample(e *Engine, room string, body wire.Body) *sample {
	if l.published.Add(1)%sampleEvery != 1 {
		return nil
	}
	s := &sample{born: time.Now()}
	h := e.handleOf(room)
	if h == nil {
		return s
	}
	if old := h.sample.Load(); old == nil || s.born.Sub(old.born) > sampleTimeout {
		s.room, s.size, s.hash = h, len(body.Bytes()), maphash.Bytes(l.seed, body.Bytes())
		h.sample.Store(s)
	}
	return s
}

// answered is told of the outcome. What was not stored now, but before or not
// at all, is not delivered.
func (l *latency) onAck(s *sample, stored PubAck, err error) {
	if err == nil {
		l.acked.Observe(time.Since(s.born))
	}
	if s.room != nil && (err != nil || stored.Duplicate) {
		s.room.sample.CompareAndSwap(s, nil)
	}
}

// recognize reports whether an event is the sample that its room looks for, and
// then ends the looking. Two events of the same bytes on their way at once are
// taken for each other.
func (l *latency) recognize(s *sample, body []byte) bool {
	return len(body) == s.size && maphash.Bytes(l.seed, body) == s.hash && s.room.sample.CompareAndSwap(s, nil)
}

// AckTimes are the times from publishing to the log's ack, and DeliveryTimes
// those from publishing to handing the event to the room's members on this
// node, of one in 16 of the events that this node publishes; for deliveries it
// must have the room open.
func (e *Engine) AckTimes() *Histogram      { return &e.latency.acked }
func (e *Engine) DeliveryTimes() *Histogram { return &e.latency.delivered }
