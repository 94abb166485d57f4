package follow

import "sort"

// entryBytes is what an event in a ring costs beside its frame: its Entry, and
// what the slice of them has allocated ahead.
const entryBytes = 64

// smallRing and smallPart are up to how many bytes a ring is small: 64 KiB, and
// that part of the budget.
const (
	smallRing = 64 << 10
	smallPart = 64
)

// SmallRing is up to how many bytes a ring is left alone, while the rings of
// all rooms together take more than their budget, as long as there are larger
// ones.
func (l *Limits) SmallRing() int { return int(min(smallRing, l.Rings.Limit()/smallPart)) }

// ring holds the newest events of a room's log in memory: every event after the
// low watermark, within limits.
type ring struct {
	lowWatermark uint64  // all events with a higher sequence are in the ring
	entries      []Entry // rising sequences
	bytes        int     // what it costs, counted in Limits.Rings as well
	complete     bool    // the log has no older events of the room
}

// Entry is a remembered event.
type Entry struct {
	Seq uint64
	// Frame is as sent to clients; shared, never changed. Its capacity is what
	// it holds in memory.
	Frame []byte
}

func (e *Entry) cost() int { return cap(e.Frame) + entryBytes }

// push appends the newest event.
func (r *ring) push(seq uint64, frame []byte, l *Limits) {
	e := Entry{seq, frame}
	r.entries = append(r.entries, e)
	r.bytes += e.cost()
	l.Rings.Force(e.cost())
	r.trim(l)
}

// trim drops the oldest beyond the room's own limits.
func (r *ring) trim(l *Limits) {
	r.drop(l, func(left, bytes int) bool { return left > l.Replay || bytes > l.RingBytes })
}

// evict drops the oldest while the rings of all rooms take more than they may,
// down to a small ring. It reports whether it did.
func (r *ring) evict(l *Limits) bool {
	over := l.Rings.Over()
	if over == 0 || r.bytes <= l.SmallRing() {
		return false
	}
	keep := max(l.SmallRing(), r.bytes-int(min(over, int64(r.bytes))))
	return r.drop(l, func(_, bytes int) bool { return bytes > keep })
}

// drop drops the oldest for as long as more, given what is left, returns true.
// The front of the slice is cut off; what is left moves when push runs out of
// capacity, so that a push costs O(1) amortised.
func (r *ring) drop(l *Limits, more func(left, bytes int) bool) bool {
	drop, before := 0, r.bytes
	for n := len(r.entries); n-drop > 0 && more(n-drop, r.bytes); drop++ {
		r.bytes -= r.entries[drop].cost()
		r.lowWatermark = r.entries[drop].Seq
	}
	if drop == 0 {
		return false
	}
	l.Rings.Give(before - r.bytes)
	r.complete = false
	clear(r.entries[:drop])
	if r.entries = r.entries[drop:]; len(r.entries) == 0 {
		r.entries = nil
	}
	return true
}

// release gives back all that the ring costs.
func (r *ring) release(l *Limits) {
	l.Rings.Give(r.bytes)
	r.entries, r.bytes = nil, 0
}

// prepend puts older events in front. All of them come after lowWatermark;
// complete says that the log has no older ones.
func (r *ring) prepend(older []Entry, lowWatermark uint64, complete bool, l *Limits) {
	r.lowWatermark, r.complete = lowWatermark, complete
	r.entries = append(older, r.entries...)
	for i := range older {
		r.bytes += older[i].cost()
		l.Rings.Force(older[i].cost())
	}
	r.trim(l)
}

// covers reports whether every event after seq is in the ring.
func (r *ring) covers(seq uint64) bool { return seq >= r.lowWatermark }

// after returns the events after seq.
func (r *ring) after(seq uint64) []Entry {
	i := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq > seq })
	return r.entries[i:]
}

// newest returns the newest n.
func (r *ring) newest(n int) []Entry {
	return r.entries[max(0, len(r.entries)-n):]
}

// before returns the newest n with a sequence below seq; seq 0 means no bound.
func (r *ring) before(seq uint64, n int) []Entry {
	i := len(r.entries)
	if seq != 0 {
		i = sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq >= seq })
	}
	return r.entries[max(0, i-n):i]
}

// Bytes is how long the frames are together.
func Bytes(entries []Entry) int {
	n := 0
	for i := range entries {
		n += len(entries[i].Frame)
	}
	return n
}

// newestWithin returns the newest of list that have at most so many bytes
// together, at least one. No bound: 0.
func newestWithin[T any](list []T, most int, size func(*T) int) []T {
	if most <= 0 {
		return list
	}
	bytes := 0
	for i := len(list) - 1; i >= 0; i-- {
		if bytes += size(&list[i]); bytes > most && i < len(list)-1 {
			return list[i+1:]
		}
	}
	return list
}

func frameSize(e *Entry) int { return len(e.Frame) }
func bodySize(e *Event) int  { return len(e.Body) }
