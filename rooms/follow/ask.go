package follow

import "slices"

// Join admits a member, now or when it is known what it has missed.
func (f *Follower) Join(j *Join) {
	f.joins = append(f.joins, j)
	f.retryIfFollowing()
}

// History answers a request for a page, now or when it was read.
func (f *Follower) History(h *History) {
	f.histories = append(f.histories, h)
	f.retryIfFollowing()
}

// Waiting calls fn for each join that waits; those for which it returns true
// wait no more, and are the caller's to answer.
func (f *Follower) Waiting(fn func(*Join) (forget bool)) {
	f.joins = slices.DeleteFunc(f.joins, fn)
}

// GiveUp empties the queues and returns what waited, for the caller to answer.
func (f *Follower) GiveUp() ([]*Join, []*History) {
	joins, histories := f.joins, f.histories
	for _, d := range f.deep {
		histories = append(histories, d.h)
	}
	f.joins, f.histories, f.deep = nil, nil, nil
	return joins, histories
}

// retryIfFollowing answers what can be answered. While a hole is read a join
// waits for it, so that it is not told a position that moves at once.
func (f *Follower) retryIfFollowing() {
	if f.phase == following {
		f.retry()
	}
}

// need is what must be learned before a request can be answered.
type need uint8

const (
	nothing need = 0
	older   need = 1 << iota // events before those in the ring
	newer                    // events that this node may have missed
)

// retry answers what waits as far as it can, and gets what the rest needs.
func (f *Follower) retry() {
	joins, histories := f.joins, f.histories
	f.joins, f.histories = nil, nil
	missing := nothing
	for _, j := range joins {
		if n := f.tryJoin(j); n != nothing {
			f.joins = append(f.joins, j)
			missing |= n
		}
	}
	for _, h := range histories {
		if n := f.tryHistory(h); n != nothing {
			f.histories = append(f.histories, h)
			missing |= n
		}
	}
	if missing&older != 0 {
		f.load()
	}
	if missing&newer != 0 {
		f.catchUp()
	}
}

// catchUp gets the newest that somebody who waits knows of.
func (f *Follower) catchUp() {
	stored, claimed := uint64(0), uint64(0)
	for _, h := range f.histories {
		stored = max(stored, h.Known)
	}
	for _, j := range f.joins {
		if j.Since != nil && j.Since.Epoch == f.epoch {
			claimed = max(claimed, j.Since.Seq)
		}
	}
	switch {
	case f.doubt:
		f.ask(f.pos)
	case stored > f.through:
		f.repair(stored)
	case claimed > f.through:
		f.ask(claimed) // a client's word: it may be of no log at all
	}
}

// knows reports whether it is known here what the log has up to seq.
func (f *Follower) knows(seq uint64) bool {
	return seq <= f.pos || seq <= f.through && !f.doubt
}

// tryJoin admits the member if the ring has what it wants replayed.
func (f *Follower) tryJoin(j *Join) need {
	since := j.Since
	switch {
	case since == nil:
		return f.tryJoinLast(j)
	case since.Epoch != f.epoch, j.beyond && !f.knows(since.Seq):
		f.admit(j, nil, false, f.pos)
	case !f.knows(since.Seq):
		return newer
	case f.ring.covers(since.Seq):
		replay := f.ring.after(since.Seq)
		if f.tooMuch(replay) {
			return f.admitAnew(j)
		}
		f.admit(j, replay, true, since.Seq)
	case len(f.ring.entries) >= f.limits.Replay || j.tooMuch || f.tooMuch(f.ring.entries):
		return f.admitAnew(j)
	case j.loaded:
		f.admit(j, nil, false, f.pos)
	default:
		return older
	}
	return nothing
}

// tooMuch reports whether a join is not replayed so much at once.
func (f *Follower) tooMuch(entries []Entry) bool {
	return f.limits.ReplayBytes > 0 && Bytes(entries) > f.limits.ReplayBytes
}

// admitAnew admits a member that missed more than can be replayed.
func (f *Follower) admitAnew(j *Join) need {
	f.fx.Report(TooMuch, j.Since.Seq)
	f.admit(j, nil, false, f.pos)
	return nothing
}

// tryJoinLast is for a join that names no position.
func (f *Follower) tryJoinLast(j *Join) need {
	n := max(0, min(j.Last, f.limits.Replay))
	if n > len(f.ring.entries) && !f.ring.bottom && !f.tail {
		return older
	}
	replay := newestWithin(f.ring.tail(n), f.limits.ReplayBytes, frameSize)
	at := f.pos
	if len(replay) > 0 {
		at = replay[0].Seq - 1
	}
	f.admit(j, replay, false, at)
	return nothing
}

func (f *Follower) admit(j *Join, replay []Entry, recovered bool, seq uint64) {
	f.fx.Admit(j, Admission{Replay: replay, Recovered: recovered, Seq: seq})
}

// deepRead is a history page that the ring does not hold.
type deepRead struct {
	op      uint64
	attempt int
	h       *History
	upto    uint64
	from    Source
}

// tryHistory answers from the ring what it holds; deeper pages are read for
// this request alone.
func (f *Follower) tryHistory(h *History) need {
	if !f.knows(h.Known) && (h.Before == 0 || h.Before > f.pos) {
		return newer
	}
	page := f.ring.before(h.Before, h.Limit+1)
	switch within := newestWithin(page, h.Bytes, frameSize); {
	case len(page) > h.Limit && len(within) >= h.Limit:
		f.fx.Page(h, page[1:], nil, true)
	case len(within) < len(page):
		f.fx.Report(PageCut, h.Before)
		f.fx.Page(h, within, nil, true)
	case f.ring.bottom:
		f.fx.Page(h, page, nil, false)
	case !f.tail:
		return older
	default:
		d := &deepRead{h: h, upto: f.pos}
		if h.Before != 0 {
			d.upto = min(h.Before-1, f.pos)
		}
		f.deep = append(f.deep, d)
		f.readDeep(d)
	}
	return nothing
}

func (f *Follower) readDeep(d *deepRead) {
	d.op = f.op()
	f.fx.Read(Range{Op: d.op, Upto: d.upto, Newest: d.h.Limit + 1, Bytes: d.h.Bytes, History: true, From: d.from, Attempt: d.attempt})
}

// deepPage answers with a page, if the replica that gave it was far enough.
func (f *Follower) deepPage(p Page) {
	i := slices.IndexFunc(f.deep, func(d *deepRead) bool { return d.op == p.Op })
	if i < 0 {
		return // of work that was given up
	}
	d := f.deep[i]
	if !p.Failed && p.Seen < d.upto && d.upto <= f.pos {
		d.from, d.attempt = f.askAgain(d.from, d.attempt)
		f.readDeep(d)
		f.goOn()
		return
	}
	f.deep = slices.Delete(f.deep, i, i+1)
	if p.Failed {
		f.fx.Refuse(nil, d.h)
		return
	}
	events, more := p.Events, p.Cut
	if len(events) > d.h.Limit {
		events, more = events[len(events)-d.h.Limit:], true
	}
	if within := newestWithin(events, d.h.Bytes, bodySize); len(within) < len(events) || more && len(events) < d.h.Limit {
		f.fx.Report(PageCut, d.h.Before)
		events, more = within, true
	}
	f.fx.Page(d.h, nil, events, more)
}

// askAnew begins again what asks about a log that is another one now: what was
// known of it before means nothing.
func (f *Follower) askAnew() {
	for _, d := range f.deep {
		f.histories = append(f.histories, d.h)
	}
	f.deep = nil
	for _, h := range f.histories {
		h.Known = 0
	}
}
