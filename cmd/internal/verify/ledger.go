package verify

import (
	"cmp"
	"slices"
)

// ledger is one room's log in one epoch, reconstructed from acks and the events
// that readers received. It detects every reader that missed an event, received
// one twice or out of order, or another one than others with the same seq. It
// takes 24 bytes per event, however many readers there are. It is not safe for
// concurrent use, and has no clock.
type ledger struct {
	entries []entry    // by seq
	places  [][]uint64 // seq of an event, by sender and number; 0: unknown
	readers []*reader
	verdict findings
}

// entry is one event of the log.
type entry struct {
	seq            uint64
	sender, number uint32
}

// findings are the errors of a log and its readers. Each counts once per
// reader.
type findings struct {
	Lost          int // events of the log that a reader never received
	Repeated      int // events that a reader received again
	OutOfOrder    int // events that a reader received after a later one
	Disagreements int // seqs for which others, or an ack, have another event
}

func (f *findings) add(g findings) {
	f.Lost += g.Lost
	f.Repeated += g.Repeated
	f.OutOfOrder += g.OutOfOrder
	f.Disagreements += g.Disagreements
}

// reader is one member's progress in the ledger.
type reader struct {
	last   uint64          // the highest seq received
	skips  []span          // seqs that need not be received
	missed map[uint64]bool // seqs below last that are missing
}

// span is the seqs in (from, to].
type span struct{ from, to uint64 }

func newReader() *reader { return &reader{missed: make(map[uint64]bool)} }

// start lets a reader begin, or continue, after seq: after a refresh it need
// not receive what is between.
func (l *ledger) start(r *reader, seq uint64) {
	if !slices.Contains(l.readers, r) {
		l.readers = append(l.readers, r)
	}
	r.skips = append(r.skips, span{from: r.last, to: seq})
	r.last = max(r.last, seq)
}

// heard records that r received e.
func (l *ledger) heard(r *reader, e entry) {
	at, before := l.place(e)
	switch {
	case before != 0 && before != e.seq: // stored twice
		l.verdict.Repeated++
	case e.seq > r.last:
	case r.missed[e.seq]:
		delete(r.missed, e.seq)
		l.verdict.OutOfOrder++
	default:
		l.verdict.Repeated++
	}
	if e.seq <= r.last {
		return
	}
	for i := at - 1; i >= 0 && l.entries[i].seq > r.last; i-- {
		r.missed[l.entries[i].seq] = true
	}
	r.last = e.seq
}

// acked records the server's ack of e.
func (l *ledger) acked(e entry) {
	if _, before := l.place(e); before != 0 && before != e.seq {
		l.verdict.Disagreements++
	}
}

// place puts e into the log and returns its index, and the seq that the event
// had before; 0 if it was unknown.
func (l *ledger) place(e entry) (at int, before uint64) {
	before = l.knownSeq(e)
	at, found := slices.BinarySearchFunc(l.entries, e.seq, func(x entry, seq uint64) int { return cmp.Compare(x.seq, seq) })
	if found {
		if l.entries[at] != e {
			l.verdict.Disagreements++
		}
		return at, before
	}
	l.entries = slices.Insert(l.entries, at, e)
	for _, r := range l.readers {
		if e.seq <= r.last && !r.skipped(e.seq) {
			r.missed[e.seq] = true
		}
	}
	return at, before
}

// knownSeq returns the known seq of an event, and records e's if there is none.
func (l *ledger) knownSeq(e entry) uint64 {
	for int(e.sender) >= len(l.places) {
		l.places = append(l.places, nil)
	}
	if missing := int(e.number) + 1 - len(l.places[e.sender]); missing > 0 {
		l.places[e.sender] = append(l.places[e.sender], make([]uint64, missing)...)
	}
	place := &l.places[e.sender][e.number]
	if *place == 0 {
		*place = e.seq
		return 0
	}
	return *place
}

func (r *reader) skipped(seq uint64) bool {
	return slices.ContainsFunc(r.skips, func(s span) bool { return s.from < seq && seq <= s.to })
}

// behind returns how many events at the end of the log a reader has not
// received.
func (l *ledger) behind(r *reader) int {
	at, _ := slices.BinarySearchFunc(l.entries, r.last+1, func(x entry, seq uint64) int { return cmp.Compare(x.seq, seq) })
	return len(l.entries) - at
}

// judge returns the findings so far. Events at the end count as lost for the
// readers for which there returns true, that is, those that are connected; nil
// is all of them.
func (l *ledger) judge(there func(*reader) bool) findings {
	total := l.verdict
	for _, r := range l.readers {
		total.Lost += len(r.missed)
		if there == nil || there(r) {
			total.Lost += l.behind(r)
		}
	}
	return total
}
