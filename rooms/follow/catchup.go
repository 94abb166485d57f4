package follow

// catchUpRead is the read of newer events, or the query to the leader about
// them, that is in flight.
type catchUpRead struct {
	op       uint64
	attempt  int
	upto     uint64 // of the read
	from     Source
	asked    uint64 // the sequence that the leader is queried about
	time     string // time of the copy with that sequence, for askFirst
	question question
	page     *Page // waits for the leader's verdict
}

// question is why the leader is queried.
type question uint8

const (
	askState      question = iota // the end of the log, and whether pos is in it
	askExists                     // whether the end of a gap exists
	askContinuity                 // whether no event is missing between pos and a page
	askFirst                      // whether a copy is the room's first event
)

// repair reads the missing events up to upto.
func (f *Follower) repair(upto uint64) {
	f.fx.Report(Repair, upto)
	f.read(upto, AnyReplica, 0)
}

// read starts reading the log from pos up to upto. Live copies are held
// meanwhile.
func (f *Follower) read(upto uint64, from Source, attempt int) {
	f.phase = reading
	f.catchUpRead = &catchUpRead{op: f.op(), attempt: attempt, upto: upto, from: from}
	f.fx.Read(Range{Op: f.catchUpRead.op, After: f.pos, Upto: upto, From: from, Attempt: attempt})
}

// ask queries the leader about the end of the log and about seq.
func (f *Follower) ask(seq uint64) {
	f.lookup = false
	f.askAbout(catchUpRead{asked: seq, question: askState})
}

func (f *Follower) askAbout(w catchUpRead) {
	f.phase = asking
	w.op = f.op()
	f.catchUpRead = &w
	f.fx.Ask(w.op, w.asked, w.attempt)
}

// Page handles the result of a Read.
func (f *Follower) Page(p Page) {
	switch {
	case f.phase == reading && p.Op == f.catchUpRead.op:
		f.catchUpPage(p)
	case f.backfillRead != nil && p.Op == f.backfillRead.op:
		f.backfillPage(p)
	default:
		f.historyPage(p)
	}
}

func (f *Follower) catchUpPage(p Page) {
	w := *f.catchUpRead
	stuck := p.Cut && (len(p.Events) == 0 || p.Events[len(p.Events)-1].Seq <= f.pos)
	switch {
	case p.Failed || stuck:
		f.read(w.upto, w.from, w.attempt+1)
	case p.Start && p.StartTime != f.time:
		f.ask(f.pos) // there is another event at pos, or one where there was none; the leader decides
	case p.HighWatermark < w.upto && !p.Cut && w.from == AnyReplica:
		f.read(w.upto, Leader, w.attempt)
	case p.HighWatermark < w.upto && !p.Cut:
		f.askAbout(catchUpRead{asked: w.upto, question: askExists, upto: w.upto, attempt: w.attempt})
	case f.contiguous(p):
		f.accept(p, w.upto, w.from)
	default:
		w.question, w.asked, w.page = askContinuity, f.pos, &p
		f.askAbout(w)
	}
}

// contiguous reports whether the page itself proves that it continues from pos
// without a gap. If it does not have the event at pos, only the leader knows
// whether the log ever had it.
func (f *Follower) contiguous(p Page) bool {
	return p.Start || f.time == "" && p.contiguousAfter(f.knownTo)
}

// contiguousAfter reports whether the page itself proves that no event after
// known is missing.
func (p *Page) contiguousAfter(known uint64) bool {
	return p.ContiguousFrom != 0 && p.ContiguousFrom <= known+1
}

// accept delivers a page without gaps.
func (f *Follower) accept(p Page, upto uint64, from Source) {
	f.phase = following
	for _, e := range p.Events {
		if e.Seq > f.pos {
			f.deliver(e)
		}
	}
	if p.Cut {
		f.read(upto, AnyReplica, 0)
		return
	}
	if f.pos < upto && from == AnyReplica {
		// Direct gets may skip an event that cannot be read.
		f.read(upto, Leader, 0)
		return
	}
	f.knownTo = max(f.knownTo, upto)
	if f.pos < upto {
		// The page proves that upto is no event of the room.
		f.dropAbsent(upto)
	}
	f.resume()
}

// dropAbsent drops the held copies that claim to be, or to follow, an event
// that the log does not have.
func (f *Follower) dropAbsent(seq uint64) {
	f.dropForged(seq, func(c Copy) bool { return c.Prev == seq || c.Seq == seq })
}

// dropMismatched drops the held copies with an event's sequence and another
// time.
func (f *Follower) dropMismatched(seq uint64, time string) {
	f.dropForged(seq, func(c Copy) bool { return c.Seq == seq && c.Time != time })
}

// Verdict handles the result of an Ask.
func (f *Follower) Verdict(v Verdict) {
	if f.backfillRead != nil && v.Op == f.backfillRead.op {
		f.backfillVerdict(v)
		return
	}
	if f.phase != asking || v.Op != f.catchUpRead.op {
		return
	}
	w := *f.catchUpRead
	if v.Failed {
		w.attempt++
		f.askAbout(w)
		return
	}
	f.phase = following
	switch {
	case v.Epoch != f.epoch:
		f.resetTo(v, Renewed)
	case f.contradicts(v):
		f.resetTo(v, RolledBack)
	default:
		f.judge(w, v)
	}
	f.resume()
}

// contradicts reports whether the event at pos cannot have been delivered from
// the leader's log.
func (f *Follower) contradicts(v Verdict) bool {
	event := f.time != ""
	switch {
	case v.Seq == f.pos && v.State == PastEnd:
		return true
	case v.Seq == f.pos && event && (v.State == OtherRoom || v.State == Present && v.Time != f.time):
		return true
	case event && v.Last == f.pos && v.LastTime != f.time:
		return true
	case !event:
		// pos is no event: the log had no event of the room up to pos.
		return v.Oldest != 0 && v.Oldest <= f.pos
	}
	// The oldest are discarded first: it cannot have discarded pos and kept one
	// before it.
	return v.Last != 0 && v.Last < f.pos && v.HighWatermark >= f.pos
}

// judge acts on a verdict about the log that has been followed so far.
func (f *Follower) judge(w catchUpRead, v Verdict) {
	if v.Seq == f.pos {
		f.confirmed, f.suspect = f.pos, false
	}
	if v.State == PastEnd && v.Seq != 0 {
		f.endsBefore(v.Seq)
	}
	switch {
	case w.question == askContinuity && proves(v, *w.page, claim{f.pos, f.knownTo, w.upto, w.from}):
		f.accept(*w.page, w.upto, w.from)
	case w.question == askContinuity && w.from == AnyReplica && v.Oldest != 0 && v.Oldest <= f.pos:
		f.read(w.upto, Leader, w.attempt) // the replica has discarded more than the leader
	case w.question == askContinuity:
		f.lost(w.page.Events, w.upto, v)
		f.accept(*w.page, w.upto, w.from)
	case w.question == askFirst && w.first(v):
		f.firstEvent(w.upto, v)
	case w.question == askExists && (v.State == Present || v.State == Discarded):
		f.read(w.upto, Leader, w.attempt+1) // there is another leader than the one that was read from
	default:
		switch {
		case w.question == askFirst && v.State == Present:
			f.dropMismatched(w.upto, v.Time)
		case w.question == askFirst, w.question == askExists:
			f.dropAbsent(w.upto)
		}
		f.lookUp(v)
	}
}

// first reports whether the copy that the leader was queried about can be the
// room's first event: it is or was in the log, and none before it is.
func (w *catchUpRead) first(v Verdict) bool {
	known := v.State == Discarded || v.State == Present && v.Time == w.time
	return known && (v.Oldest == 0 || v.Oldest >= w.upto)
}

// firstEvent handles a copy that followed no event when it was stored. A limit
// per room never discards the last event; so if there was one between knownTo
// and the copy, it was discarded with the stream's oldest.
func (f *Follower) firstEvent(seq uint64, v Verdict) {
	if v.First > f.knownTo+1 {
		f.lost(nil, seq-1, v)
	}
	f.knownTo = max(f.knownTo, seq-1)
}

// endsBefore marks the joins and requests that wait for seq, or a later one:
// the log ends before it.
func (f *Follower) endsBefore(seq uint64) {
	for _, j := range f.joins {
		if j.Since != nil && j.Since.Seq >= seq {
			j.pastEnd = true
		}
	}
	for _, h := range f.histories {
		if h.Known >= seq {
			h.Known = 0
		}
	}
}

// lookUp compares pos with the room's newest event at the leader.
func (f *Follower) lookUp(v Verdict) {
	switch {
	case v.Last > f.pos:
		f.repair(v.Last)
	case v.Last == f.pos && f.time != "", v.First <= f.knownTo+1:
		f.knownTo = max(f.knownTo, v.HighWatermark)
	case v.HighWatermark > f.knownTo:
		f.lost(nil, v.HighWatermark, v) // events may have come and been discarded since
	}
}

// claim is that a page has every event of the room after `after` up to upto.
type claim struct {
	after uint64
	known uint64 // known to have no event up to here, whatever the page has
	upto  uint64
	from  Source // of the page
}

// proves reports whether the leader's verdict proves a claim. Either the leader
// still has an event of the room at or before after, and the page is its own;
// or the page begins with the oldest event that it has, the stream reaches back
// far enough, and the limit per room has discarded nothing.
func proves(v Verdict, p Page, c claim) bool {
	if p.contiguousAfter(c.known) {
		return true
	}
	if v.HighWatermark < p.HighWatermark {
		return false // it has not got what the replica may have discarded
	}
	if v.Oldest != 0 && v.Oldest <= c.after {
		return c.from == Leader
	}
	first, oldest := uint64(0), v.Oldest
	if len(p.Events) > 0 {
		first = p.Events[0].Seq
	}
	if oldest > c.upto {
		oldest = 0
	}
	uncut := v.LimitSince <= c.known && (v.Limit <= 0 || v.Count < v.Limit)
	return first == oldest && v.First <= c.known+1 && (uncut || v.Count == 0)
}

// lost handles a gap that the log does not fill: the members are told to
// refresh, and following continues before the first event that there is.
func (f *Follower) lost(events []Event, upto uint64, v Verdict) {
	f.fx.Report(Lost, upto)
	at := upto
	if len(events) > 0 {
		at = events[0].Seq - 1
	}
	f.resetAt(f.epoch, 0, "", at)
	f.ring.complete = v.Oldest == 0 || v.Oldest > at
	f.fx.Refresh()
}

// resetTo restarts at the end of a log that is another one, or was rolled back,
// and tells the members to refresh.
func (f *Follower) resetTo(v Verdict, why Incident) {
	f.fx.Report(why, f.pos)
	f.resetAt(v.Epoch, v.Last, v.LastTime, v.HighWatermark)
	f.confirmed, f.logEnd, f.suspect = f.pos, 0, false
	f.requeueReads()
	f.fx.Refresh()
}
