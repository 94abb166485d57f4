package follow

import "sort"

// ring is the tail of a room's log in memory: every event after floor, up to
// the newest, within limits.
type ring struct {
	floor   uint64  // all events with a higher sequence are here
	entries []Entry // rising sequences
	bytes   int
	bottom  bool // it holds all that the log has of the room
}

// Entry is a remembered event.
type Entry struct {
	Seq   uint64
	Frame []byte // as sent to clients; shared, never changed
}

// push appends the newest event.
func (r *ring) push(seq uint64, frame []byte, l *Limits) {
	r.entries = append(r.entries, Entry{seq, frame})
	r.bytes += len(frame)
	r.trim(l)
}

// trim drops the oldest. The slice's front is let go; what is left moves when
// push runs out of room, so that a push costs O(1) amortised.
func (r *ring) trim(l *Limits) {
	drop := 0
	for n := len(r.entries); n-drop > 0 && (n-drop > l.Replay || r.bytes > l.RingBytes); drop++ {
		r.bytes -= len(r.entries[drop].Frame)
		r.floor = r.entries[drop].Seq
	}
	if drop == 0 {
		return
	}
	r.bottom = false
	clear(r.entries[:drop])
	r.entries = r.entries[drop:]
}

// prepend puts older events in front. floor is what all of them follow, bottom
// says that the log has no older ones.
func (r *ring) prepend(older []Entry, floor uint64, bottom bool, l *Limits) {
	r.floor, r.bottom = floor, bottom
	r.entries = append(older, r.entries...)
	for _, e := range older {
		r.bytes += len(e.Frame)
	}
	r.trim(l)
}

// covers reports whether every event after seq is here.
func (r *ring) covers(seq uint64) bool { return seq >= r.floor }

// after returns the events after seq.
func (r *ring) after(seq uint64) []Entry {
	i := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Seq > seq })
	return r.entries[i:]
}

// tail returns the newest n.
func (r *ring) tail(n int) []Entry {
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
