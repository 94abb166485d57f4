package follow

// Limits of a Ring.
const (
	RingEvents = 500
	RingBytes  = 12 << 20
)

var ringLimits = Limits{Replay: RingEvents, RingBytes: RingBytes}

// Ring is a room's recent events.
type Ring struct{ r ring }

func (r *Ring) Push(seq uint64, size int) {
	r.r.push(Entry{Seq: seq, Frame: make([]byte, size)}, &ringLimits)
}
func (r *Ring) Prepend(seqs []uint64, lowWatermark uint64, complete bool) {
	entries := make([]Entry, len(seqs))
	for i, seq := range seqs {
		entries[i] = Entry{Seq: seq, Frame: []byte{0}}
	}
	r.r.prepend(entries, lowWatermark, complete, &ringLimits)
}
func (r *Ring) Start(lowWatermark uint64)         { r.r.lowWatermark = lowWatermark }
func (r *Ring) Covers(seq uint64) bool            { return r.r.covers(seq) }
func (r *Ring) After(seq uint64) []uint64         { return seqsOf(r.r.after(seq)) }
func (r *Ring) Tail(n int) []uint64               { return seqsOf(r.r.newest(n)) }
func (r *Ring) Before(seq uint64, n int) []uint64 { return seqsOf(r.r.before(seq, n)) }
func (r *Ring) Size() (events, bytes, capacity int) {
	return len(r.r.entries), r.r.bytes, cap(r.r.entries)
}

func seqsOf(entries []Entry) []uint64 {
	seqs := make([]uint64, len(entries))
	for i, e := range entries {
		seqs[i] = e.Seq
	}
	return seqs
}

// From is where the run begins.
func (r *Run) From() uint64 { return r.from }
