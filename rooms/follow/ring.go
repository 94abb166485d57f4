package follow

import "sort"

// entryBytes is how many bytes an event in a ring costs besides its frame: its
// Entry, and spare capacity of the slice.
const entryBytes = 64

// smallRing and smallPart define when a ring is small: up to 64 KiB and up to
// this part of the budget.
const (
	smallRing = 64 << 10
	smallPart = 64
)

// SmallRing returns the size in bytes down to which a ring is evicted while the
// rings of all rooms together exceed their budget, as long as there are larger
// ones.
func (l *Limits) SmallRing() int { return int(min(smallRing, l.Rings.Limit()/smallPart)) }

// ring caches the newest events of a room's log: every event after the low
// watermark, within limits.
type ring struct {
	lowWatermark uint64  // all events with a higher sequence are in the ring
	entries      []Entry // in order of Seq
	bytes        int     // memory, also reserved in Limits.Rings
	complete     bool    // the log has no older events of the room
}

// Entry is a cached event.
type Entry struct {
	Seq uint64
	// Frame is the frame for clients; shared, never modified. Its capacity is
	// what counts as memory. With Apart it is for those who may see no more, and
	// nil if they see nothing.
	Frame []byte
	Apart *Apart // of an event that not all members see alike; nil: they do
}

// Apart is what only some members may see of an event.
type Apart struct {
	Of    any // the caller's
	Bytes int // the memory that it takes
}

func (e *Entry) cost() int { return cap(e.Frame) + e.Apart.bytes() + entryBytes }

func (a *Apart) bytes() int {
	if a == nil {
		return 0
	}
	return a.Bytes
}

// push appends the newest event.
func (r *ring) push(e Entry, l *Limits) {
	r.entries = append(r.entries, e)
	r.bytes += e.cost()
	l.Rings.Force(e.cost())
	r.trim(l)
}

// trim drops the oldest events beyond the room's own limits.
func (r *ring) trim(l *Limits) {
	r.drop(l, func(left, bytes int) bool { return left > l.Replay || bytes > l.RingBytes })
}

// evict drops the oldest events while the rings of all rooms exceed their
// budget, down to a small ring. It reports whether it did.
func (r *ring) evict(l *Limits) bool {
	over := l.Rings.Over()
	if over == 0 || r.bytes <= l.SmallRing() {
		return false
	}
	keep := max(l.SmallRing(), r.bytes-int(min(over, int64(r.bytes))))
	return r.drop(l, func(_, bytes int) bool { return bytes > keep })
}

// drop drops the oldest event while more, which is passed what is left, returns
// true. The slice is cut at its front; what is left moves when push runs out of
// capacity, so that a push is amortized O(1).
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

// release empties the ring, and releases its memory.
func (r *ring) release(l *Limits) {
	l.Rings.Give(r.bytes)
	r.entries, r.bytes = nil, 0
}

// prepend inserts older events in front, all of them after lowWatermark;
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

// newest returns the newest n events.
func (r *ring) newest(n int) []Entry {
	return r.entries[max(0, len(r.entries)-n):]
}

// before returns the newest n events before seq; seq 0 means no bound.
func (r *ring) before(seq uint64, n int) []Entry {
	i := len(r.entries)
	if seq != 0 {
		i = sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq >= seq })
	}
	return r.entries[max(0, i-n):i]
}

// Bytes returns the total length of the frames, and of what is apart.
func Bytes(entries []Entry) int {
	n := 0
	for i := range entries {
		n += frameSize(&entries[i])
	}
	return n
}

// newestWithin returns the newest elements of list with at most that many bytes
// in total, at least one element. 0 means no bound.
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

func frameSize(e *Entry) int { return len(e.Frame) + e.Apart.bytes() }
func bodySize(e *Event) int  { return len(e.Body) }
