package follow

// newerWork is the read, or the question, about newer events that is under way.
type newerWork struct {
	op      uint64
	attempt int
	upto    uint64 // of the read
	from    Source
	asked   uint64 // the sequence that the leader is asked about
	time    string // of the copy that bears it, when why is first
	why     reason
	page    *Page // waits for the leader's word
}

// reason is why the leader is asked.
type reason uint8

const (
	where   reason = iota // where the log stands, and whether pos is in it
	whether               // whether the end of a hole exists
	proof                 // whether nothing is missing between pos and a page
	first                 // whether a copy is the first event since the log had none
)

// repair reads what is missing up to upto.
func (f *Follower) repair(upto uint64) {
	f.fx.Report(Repair, upto)
	f.read(upto, Any, 0)
}

// read reads the log from pos up to upto. Live copies are held meanwhile.
func (f *Follower) read(upto uint64, from Source, attempt int) {
	f.phase = reading
	f.newer = newerWork{op: f.op(), attempt: attempt, upto: upto, from: from}
	f.fx.Read(Range{Op: f.newer.op, After: f.pos, Upto: upto, From: from, Attempt: attempt})
}

// ask asks the leader about seq, because of nothing in particular.
func (f *Follower) ask(seq uint64) {
	f.lookup = false
	f.askAbout(newerWork{asked: seq, why: where})
}

func (f *Follower) askAbout(w newerWork) {
	f.phase = asking
	w.op = f.op()
	f.newer = w
	f.fx.Ask(w.op, w.asked, w.attempt)
}

// Page takes the answer to a Read.
func (f *Follower) Page(p Page) {
	switch {
	case p.Op == f.newer.op && f.phase == reading:
		f.newerPage(p)
	case p.Op == f.older.op:
		f.olderPage(p)
	default:
		f.deepPage(p)
	}
}

func (f *Follower) newerPage(p Page) {
	w := f.newer
	stuck := p.Cut && (len(p.Events) == 0 || p.Events[len(p.Events)-1].Seq <= f.pos)
	switch {
	case p.Failed || stuck:
		f.read(w.upto, w.from, w.attempt+1)
	case p.Start && p.StartTime != f.time:
		f.ask(f.pos) // it is another event there, or one where there was none; the leader has the last word
	case p.Seen < w.upto && !p.Cut && w.from == Any:
		f.read(w.upto, Leader, w.attempt)
	case p.Seen < w.upto && !p.Cut:
		f.askAbout(newerWork{asked: w.upto, why: whether, upto: w.upto, attempt: w.attempt})
	case f.joinsUp(p):
		f.accept(p, w.upto, w.from)
	default:
		w.why, w.asked, w.page = proof, f.pos, &p
		f.askAbout(w)
	}
}

// joinsUp reports whether the page itself shows that it goes on from pos and
// that nothing is missing in between. When it does not have the event at pos,
// only the leader can say whether the log ever did.
func (f *Follower) joinsUp(p Page) bool {
	return p.Start || f.time == "" && p.whole(f.through)
}

// whole reports whether the page itself shows that nothing is missing after
// known.
func (p *Page) whole(known uint64) bool { return p.Whole != 0 && p.Whole <= known+1 }

// accept delivers a page that nothing is missing from.
func (f *Follower) accept(p Page, upto uint64, from Source) {
	f.phase = following
	for _, e := range p.Events {
		if e.Seq > f.pos {
			f.deliver(e)
		}
	}
	if p.Cut {
		f.read(upto, Any, 0)
		return
	}
	if f.pos < upto && from == Any {
		// Direct gets may leave out an event that nobody can read.
		f.read(upto, Leader, 0)
		return
	}
	f.through = max(f.through, upto)
	if f.pos < upto {
		// The page shows the log up to there, and upto is not the room's.
		f.notThere(upto)
	}
	f.goOn()
}

// notThere drops the copies that claim to be, or to follow, an event that the
// log does not have.
func (f *Follower) notThere(seq uint64) {
	f.dropForged(seq, func(c Copy) bool { return c.Prev == seq || c.Seq == seq })
}

// notThis drops the copies that bear an event's sequence and another time.
func (f *Follower) notThis(seq uint64, time string) {
	f.dropForged(seq, func(c Copy) bool { return c.Seq == seq && c.Time != time })
}

// Verdict takes the answer to an Ask.
func (f *Follower) Verdict(v Verdict) {
	if v.Op == f.older.op {
		f.olderVerdict(v)
		return
	}
	w := f.newer
	if v.Op != w.op || f.phase != asking {
		return
	}
	if v.Failed {
		w.attempt++
		f.askAbout(w)
		return
	}
	f.phase = following
	switch {
	case v.Epoch != f.epoch:
		f.startAnew(v, Renewed)
	case f.contradicts(v):
		f.startAnew(v, RolledBack)
	default:
		f.judge(w, v)
	}
	f.goOn()
}

// contradicts reports whether the leader's log cannot be the one in which the
// event at pos was delivered.
func (f *Follower) contradicts(v Verdict) bool {
	event := f.time != ""
	switch {
	case v.Seq == f.pos && v.State == Beyond:
		return true
	case v.Seq == f.pos && event && (v.State == Another || v.State == There && v.Time != f.time):
		return true
	case event && v.Last == f.pos && v.LastTime != f.time:
		return true
	case !event:
		// A place that is no event is where the log had none up to there.
		return v.Oldest != 0 && v.Oldest <= f.pos
	}
	// The oldest go first: it cannot have dropped pos and kept one before it.
	return v.Last != 0 && v.Last < f.pos && v.Through >= f.pos
}

// judge goes on by a verdict on the same log.
func (f *Follower) judge(w newerWork, v Verdict) {
	if v.Seq == f.pos {
		f.sure, f.doubt = f.pos, false
	}
	if v.State == Beyond && v.Seq != 0 {
		f.endsBefore(v.Seq)
	}
	switch {
	case w.why == proof && proves(v, *w.page, claim{f.pos, f.through, w.upto, w.from}):
		f.accept(*w.page, w.upto, w.from)
	case w.why == proof && w.from == Any && v.Oldest != 0 && v.Oldest <= f.pos:
		f.read(w.upto, Leader, w.attempt) // the replica has dropped more than the leader
	case w.why == proof:
		f.lost(w.page.Events, w.upto, v)
		f.accept(*w.page, w.upto, w.from)
	case w.why == first && w.first(v):
		f.firstEvent(w.upto, v)
	case w.why == whether && (v.State == There || v.State == Discarded):
		f.read(w.upto, Leader, w.attempt+1) // another leader than the one that was read from
	default:
		switch {
		case w.why == first && v.State == There:
			f.notThis(w.upto, v.Time)
		case w.why == first, w.why == whether:
			f.notThere(w.upto)
		}
		f.lookUp(v)
	}
}

// first reports whether the copy that the leader was asked about can be the
// room's first event: it is in the log, or was, and none before it is.
func (w *newerWork) first(v Verdict) bool {
	known := v.State == Discarded || v.State == There && v.Time == w.time
	return known && (v.Oldest == 0 || v.Oldest >= w.upto)
}

// firstEvent is for a copy that followed no event when it was stored. A limit
// per room never takes the last event; so if one came between through and the
// copy, it was dropped with the stream's oldest.
func (f *Follower) firstEvent(seq uint64, v Verdict) {
	if v.First > f.through+1 {
		f.lost(nil, seq-1, v)
	}
	f.through = max(f.through, seq-1)
}

// endsBefore answers those who wait for a sequence that the log does not reach.
func (f *Follower) endsBefore(seq uint64) {
	for _, j := range f.joins {
		if j.Since != nil && j.Since.Seq >= seq {
			j.beyond = true
		}
	}
	for _, h := range f.histories {
		if h.Known >= seq {
			h.Known = 0
		}
	}
}

// lookUp takes what the leader says of the room's newest event.
func (f *Follower) lookUp(v Verdict) {
	switch {
	case v.Last > f.pos:
		f.repair(v.Last)
	case v.Last == f.pos && f.time != "", v.First <= f.through+1:
		f.through = max(f.through, v.Through)
	case v.Through > f.through:
		f.lost(nil, v.Through, v) // what came and went since, nobody knows
	}
}

// claim is that a page has every event after after up to upto.
type claim struct {
	after uint64
	known uint64 // up to here there was none, whatever the page says
	upto  uint64
	from  Source // of the page
}

// proves reports whether the leader's word makes a claim certain. Either the
// leader still has an event of the room that is no younger than after, and the
// page is its own; or the page begins with the oldest event that it has, the
// stream reaches back far enough, and the limit per room has cut nothing.
func proves(v Verdict, p Page, c claim) bool {
	if p.whole(c.known) {
		return true
	}
	if v.Through < p.Seen {
		return false // it has not seen what the replica may have dropped
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

// lost is for a hole that the log does not fill: the members are told that
// their view ends, and it goes on before the first event that there is.
func (f *Follower) lost(events []Event, upto uint64, v Verdict) {
	f.fx.Report(Lost, upto)
	at := upto
	if len(events) > 0 {
		at = events[0].Seq - 1
	}
	f.startAt(f.epoch, 0, "", at)
	f.ring.bottom = v.Oldest == 0 || v.Oldest > at
	f.fx.Refresh()
}

// startAnew goes to the end of a log that is not the one that was followed.
func (f *Follower) startAnew(v Verdict, why Incident) {
	f.fx.Report(why, f.pos)
	f.startAt(v.Epoch, v.Last, v.LastTime, v.Through)
	f.sure, f.wanted, f.doubt = f.pos, 0, false
	f.askAnew()
	f.fx.Refresh()
}
