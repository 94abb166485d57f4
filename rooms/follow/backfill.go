package follow

// backfillRead is the read of older events into the ring that is in flight.
type backfillRead struct {
	op           uint64
	attempt      int
	fill         bool   // as many of the newest events as fit into the ring
	after        uint64 // else the events after this sequence
	lowWatermark uint64 // of the ring when it began
	from         Source
	page         *Page // waits for the leader's verdict
}

// startBackfill reads older events for the waiting joins and requests: from the
// oldest position of a join, or else as many as fit into the ring.
func (f *Follower) startBackfill() {
	if f.backfillRead != nil {
		return
	}
	w := backfillRead{fill: true, lowWatermark: f.ring.lowWatermark}
	for _, j := range f.joins {
		if f.needsBackfill(j) && (w.fill || j.Since.Seq < w.after) {
			w.fill, w.after = false, j.Since.Seq
		}
	}
	f.readBackfill(w)
}

func (f *Follower) needsBackfill(j *Join) bool {
	return j.Since != nil && !j.backfilled && j.Since.Epoch == f.epoch && j.Since.Seq < f.ring.lowWatermark
}

func (f *Follower) readBackfill(w backfillRead) {
	w.op, w.page = f.op(), nil
	f.backfillRead = &w
	f.fx.Read(Range{Op: w.op, After: w.after, Upto: w.lowWatermark, Newest: f.limits.Replay + 1, Bytes: f.limits.ReplayBytes, All: !w.fill, From: w.from, Attempt: w.attempt})
}

func (f *Follower) backfillPage(p Page) {
	w := *f.backfillRead
	switch {
	case p.Failed:
		f.backfillRead = nil
		f.refuseWaiting()
	case w.lowWatermark != f.ring.lowWatermark:
		f.backfilled(w, p, false) // newer events have filled the ring meanwhile
	case p.tooMuch(): // also on a replica that is behind
		f.backfilled(w, p, false)
	case p.HighWatermark < w.lowWatermark:
		w.from, w.attempt = f.nextSource(w.from, w.attempt)
		f.readBackfill(w)
		f.resume()
	case w.fill || p.Cut:
		f.backfilled(w, p, false)
	case p.Start || p.contiguousAfter(w.after):
		f.backfilled(w, p, true)
	default:
		w.op, w.page = f.op(), &p
		f.backfillRead = &w
		f.fx.Ask(w.op, w.after, w.attempt)
	}
}

// nextSource returns where to read from if the high watermark of the replica
// that answered was below this room's position: the leader. If it was the
// leader, it has been deposed, or the log was rolled back; a lookup tells
// which.
func (f *Follower) nextSource(was Source, attempt int) (Source, int) {
	if was == Leader {
		f.lookup = true
		attempt++
	}
	return Leader, attempt
}

func (f *Follower) backfillVerdict(v Verdict) {
	w := *f.backfillRead
	switch {
	case v.Failed:
		f.backfillRead = nil
		f.refuseWaiting()
		return
	case v.Epoch != f.epoch:
		f.backfillRead = nil
		f.lookup = true
		f.resume()
		return
	}
	proven := proves(v, *w.page, claim{w.after, w.after, w.lowWatermark, w.from})
	if !proven && w.from == AnyReplica && v.Oldest != 0 && v.Oldest <= w.after {
		w.from = Leader
		f.readBackfill(w)
		return
	}
	f.backfilled(w, *w.page, proven)
}

// backfilled prepends a page to the ring; proven means that no event after
// w.after is missing in it. Joins and requests that waited for it are then
// answered.
func (f *Follower) backfilled(w backfillRead, p Page, proven bool) {
	f.backfillRead = nil
	for _, j := range f.joins {
		// A page that is empty because it would be too large says nothing about
		// joins that missed less.
		if f.needsBackfill(j) && !w.fill && j.Since.Seq >= w.after && (!p.tooMuch() || j.Since.Seq == w.after) {
			j.backfilled, j.tooMuch = true, p.tooMuch()
		}
	}
	if w.lowWatermark == f.ring.lowWatermark {
		f.prependPage(w, p, proven)
	}
	f.filled = f.filled || w.fill || p.Cut && !p.tooMuch()
	f.resume()
	f.evict()
}

// tooMuch reports whether the page answers a Range with All that was too large.
func (p *Page) tooMuch() bool { return p.Cut && len(p.Events) == 0 }

func (f *Follower) prependPage(w backfillRead, p Page, proven bool) {
	older := make([]Entry, 0, len(p.Events))
	for _, e := range p.Events {
		if frame, apart := f.fx.Frame(e); frame != nil || apart != nil {
			older = append(older, Entry{e.Seq, frame, apart})
		}
	}
	low := w.lowWatermark
	switch {
	case proven:
		low = w.after
	case len(p.Events) > 0:
		low = p.Events[0].Seq - 1
	}
	f.ring.prepend(older, low, w.fill && !p.Cut, f.limits)
}

// refuseWaiting refuses all waiting joins and requests, as no replica could be
// read.
func (f *Follower) refuseWaiting() {
	joins, histories := f.joins, f.histories
	f.joins, f.histories = nil, nil
	for _, j := range joins {
		f.fx.Refuse(j, nil)
	}
	for _, h := range histories {
		f.fx.Refuse(nil, h)
	}
}
