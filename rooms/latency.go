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

// Histogram counts durations. Its methods may be called from any goroutine.
type Histogram struct {
	counts [len(LatencyBounds) + 1]atomic.Uint64 // the last: beyond all bounds
	sum    atomic.Int64                          // nanoseconds
}

// Observe counts one duration.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(LatencyBounds) && d > LatencyBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Read returns how many durations were at most each of LatencyBounds, how many
// there were in all, and their sum.
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
	// sampleEvery: one of that many publishes is measured.
	sampleEvery = 16
	// sampleTimeout is how long a room waits for the delivery of its sample
	// before another event takes its place.
	sampleTimeout = 30 * time.Second
)

// latency measures, for a sample of the events that this node publishes, the
// time to their ack and to their delivery on this node.
type latency struct {
	published        atomic.Uint64
	acked, delivered Histogram
	seed             maphash.Seed // fixed after start
}

// sample is one measured event. Fixed after start.
type sample struct {
	born time.Time
	room *handle // where its delivery is awaited; nil: the room is not open, or awaits another sample
	size int
	hash uint64
}

// sample starts to measure one in sampleEvery events; nil: not this one.
func (l *latency) sample(e *Engine, room wire.Room, body wire.Body) *sample {
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

// onAck is called with the outcome of the publish. A duplicate, like an event
// that was not stored, will not be delivered now.
func (l *latency) onAck(s *sample, stored PubAck, err error) {
	if err == nil {
		l.acked.Observe(time.Since(s.born))
	}
	if s.room != nil && (err != nil || stored.Duplicate) {
		s.room.sample.CompareAndSwap(s, nil)
	}
}

// recognize reports whether an event is the sample that its room awaits, and
// ends the waiting. Two events with equal bytes at the same time are taken for
// each other.
func (l *latency) recognize(s *sample, body []byte) bool {
	return len(body) == s.size && maphash.Bytes(l.seed, body) == s.hash && s.room.sample.CompareAndSwap(s, nil)
}

// AckTimes returns the times from publishing to the log's ack, DeliveryTimes
// those from publishing to handing the event to the room's members on this
// node. Both sample one in 16 of the events that this node publishes; for
// deliveries the room must be open here.
func (e *Engine) AckTimes() *Histogram      { return &e.latency.acked }
func (e *Engine) DeliveryTimes() *Histogram { return &e.latency.delivered }
