package follow

// olderWork is the read of older events into the ring that is under way.
type olderWork struct {
	op      uint64
	attempt int
	tail    bool   // as many as the ring takes, wherever they begin
	after   uint64 // else what it is to reach back to
	floor   uint64 // of the ring when it began
	from    Source
	page    *Page // waits for the leader's word
}

// load reads older events for those who wait: from the oldest position that a
// join asks for, or else as many as the ring takes.
func (f *Follower) load() {
	if f.older.op != 0 {
		return
	}
	w := olderWork{tail: true, floor: f.ring.floor}
	for _, j := range f.joins {
		if f.needsOlder(j) && (w.tail || j.Since.Seq < w.after) {
			w.tail, w.after = false, j.Since.Seq
		}
	}
	f.loadFrom(w)
}

func (f *Follower) needsOlder(j *Join) bool {
	return j.Since != nil && !j.loaded && j.Since.Epoch == f.epoch && j.Since.Seq < f.ring.floor
}

func (f *Follower) loadFrom(w olderWork) {
	w.op, w.page = f.op(), nil
	f.older = w
	f.fx.Read(Range{Op: w.op, After: w.after, Upto: w.floor, Newest: f.limits.Replay + 1, Bytes: f.limits.ReplayBytes, All: !w.tail, From: w.from, Attempt: w.attempt})
}

func (f *Follower) olderPage(p Page) {
	w := f.older
	switch {
	case p.Failed:
		f.older = olderWork{}
		f.refuseWaiting()
	case w.floor != f.ring.floor:
		f.loaded(w, p, false) // newer events have filled the ring meanwhile
	case p.tooMuch(): // also on a replica that is behind
		f.loaded(w, p, false)
	case p.Seen < w.floor:
		w.from, w.attempt = f.askAgain(w.from, w.attempt)
		f.loadFrom(w)
		f.goOn()
	case w.tail || p.Cut:
		f.loaded(w, p, false)
	case p.Start || p.whole(w.after):
		f.loaded(w, p, true)
	default:
		w.op, w.page = f.op(), &p
		f.older = w
		f.fx.Ask(w.op, w.after, w.attempt)
	}
}

// askAgain says whom to read from when the one who answered was not as far as
// this room. That the leader is not means that it is none any more, or that the
// log was rolled back: which of the two is looked into.
func (f *Follower) askAgain(was Source, attempt int) (Source, int) {
	if was == Leader {
		f.lookup = true
		attempt++
	}
	return Leader, attempt
}

func (f *Follower) olderVerdict(v Verdict) {
	w := f.older
	switch {
	case v.Failed:
		f.older = olderWork{}
		f.refuseWaiting()
		return
	case v.Epoch != f.epoch:
		f.older = olderWork{}
		f.lookup = true
		f.goOn()
		return
	}
	proven := proves(v, *w.page, claim{w.after, w.after, w.floor, w.from})
	if !proven && w.from == Any && v.Oldest != 0 && v.Oldest <= w.after {
		w.from = Leader
		f.loadFrom(w)
		return
	}
	f.loaded(w, *w.page, proven)
}

// loaded puts a page in front of the ring; proven: nothing after w.after is
// missing in it. Who waited for it is answered by what there is now.
func (f *Follower) loaded(w olderWork, p Page, proven bool) {
	f.older = olderWork{}
	for _, j := range f.joins {
		// A page that has nothing because it would be too much says nothing of
		// those who missed less.
		if f.needsOlder(j) && !w.tail && j.Since.Seq >= w.after && (!p.tooMuch() || j.Since.Seq == w.after) {
			j.loaded, j.tooMuch = true, p.tooMuch()
		}
	}
	if w.floor == f.ring.floor {
		f.extend(w, p, proven)
	}
	f.tail = f.tail || w.tail || p.Cut && !p.tooMuch()
	f.goOn()
	f.share()
}

// tooMuch reports whether the page is the answer to a Range with All that was
// too much.
func (p *Page) tooMuch() bool { return p.Cut && len(p.Events) == 0 }

func (f *Follower) extend(w olderWork, p Page, proven bool) {
	older := make([]Entry, 0, len(p.Events))
	for _, e := range p.Events {
		if frame := f.fx.Frame(e); frame != nil {
			older = append(older, Entry{e.Seq, frame})
		}
	}
	floor := w.floor
	switch {
	case proven:
		floor = w.after
	case len(p.Events) > 0:
		floor = p.Events[0].Seq - 1
	}
	f.ring.prepend(older, floor, w.tail && !p.Cut, f.limits)
}

// refuseWaiting is for a log that nobody could read back.
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
