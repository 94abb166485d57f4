package verify

import (
	"cmp"
	"slices"
)

// ledger is what one room's log holds in one epoch, pieced together from what
// the readers heard and from acks. It finds every reader that missed an event,
// heard one again or in another order, or heard something else at the same
// place than the others. It keeps 24 bytes per event, however many readers
// there are. It is for one goroutine at a time, and knows no clock.
type ledger struct {
	entries []entry    // by seq
	places  [][]uint64 // where an event stands: by sender and number; 0: not known
	readers []*reader
	verdict findings
}

// entry is one event's place.
type entry struct {
	seq            uint64
	sender, number uint32
}

// findings are the faults of a log and its readers. Each counts once for every
// reader that saw it.
type findings struct {
	Lost          int // events of the log that a reader never heard
	Repeated      int // events that a reader heard before
	OutOfOrder    int // events that a reader heard after a later one
	Disagreements int // places where others, or an ack, name another event
}

func (f *findings) add(g findings) {
	f.Lost += g.Lost
	f.Repeated += g.Repeated
	f.OutOfOrder += g.OutOfOrder
	f.Disagreements += g.Disagreements
}

// reader is one member's place in the ledger.
type reader struct {
	last   uint64          // the highest seq heard
	skips  []span          // what need not be heard
	missed map[uint64]bool // what should have been heard before last
}

// span is what lies above from, up to and with to.
type span struct{ from, to uint64 }

func newReader() *reader { return &reader{missed: make(map[uint64]bool)} }

// start lets a reader begin after seq; or go on there, when it was told that
// what lies between is not coming.
func (l *ledger) start(r *reader, seq uint64) {
	if !slices.Contains(l.readers, r) {
		l.readers = append(l.readers, r)
	}
	r.skips = append(r.skips, span{from: r.last, to: seq})
	r.last = max(r.last, seq)
}

// heard notes that r heard e.
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

// acked notes that the server says that e is stored.
func (l *ledger) acked(e entry) {
	if _, before := l.place(e); before != 0 && before != e.seq {
		l.verdict.Disagreements++
	}
}

// place puts e into the log and returns its index, and where the event stood
// before; 0 when it was not known.
func (l *ledger) place(e entry) (at int, before uint64) {
	before = l.whereIs(e)
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

// whereIs returns where the event is known to stand, and notes e's place when
// it is the first.
func (l *ledger) whereIs(e entry) uint64 {
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

// behind is how many events of the log a reader has still to hear at the end
// of it.
func (l *ledger) behind(r *reader) int {
	at, _ := slices.BinarySearchFunc(l.entries, r.last+1, func(x entry, seq uint64) int { return cmp.Compare(x.seq, seq) })
	return len(l.entries) - at
}

// judge counts what was found up to now. What is still to come at the end
// counts as lost for the readers that there says are there to hear it; nil is
// all of them.
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
