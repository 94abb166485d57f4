package follow

import "slices"

// Join admits a member, at once or when the events that it has missed have been
// read.
func (f *Follower) Join(j *Join) {
	f.joins = append(f.joins, j)
	f.retryIfFollowing()
}

// History answers a request for a page, at once or when it has been read.
func (f *Follower) History(h *History) {
	f.histories = append(f.histories, h)
	f.retryIfFollowing()
}

// RemoveJoins calls fn for each waiting join, and removes those for which it
// returns true; the caller answers them.
func (f *Follower) RemoveJoins(fn func(*Join) (remove bool)) {
	f.joins = slices.DeleteFunc(f.joins, fn)
}

// GiveUp empties the queues and returns the waiting joins and requests, for the
// caller to answer.
func (f *Follower) GiveUp() ([]*Join, []*History) {
	joins, histories := f.joins, f.histories
	for _, d := range f.historyReads {
		histories = append(histories, d.h)
	}
	f.joins, f.histories, f.historyReads = nil, nil, nil
	return joins, histories
}

// retryIfFollowing answers what can be answered. While a gap is being read a
// join waits, so that its position is not outdated at once.
func (f *Follower) retryIfFollowing() {
	if f.phase == following {
		f.retry()
	}
}

// wait is what a join or a request has to wait for.
type wait uint8

const (
	ready     wait = 0
	waitOlder wait = 1 << iota // for events older than those in the ring
	waitNewer                  // for newer events that this node may have missed
)

// retry answers the joins and requests that can be answered, and starts the
// reads for the others.
func (f *Follower) retry() {
	joins, histories := f.joins, f.histories
	f.joins, f.histories = nil, nil
	missing := ready
	for _, j := range joins {
		if n := f.tryJoin(j); n != ready {
			f.joins = append(f.joins, j)
			missing |= n
		}
	}
	for _, h := range histories {
		if n := f.tryHistory(h); n != ready {
			f.histories = append(f.histories, h)
			missing |= n
		}
	}
	if missing&waitOlder != 0 {
		f.startBackfill()
	}
	if missing&waitNewer != 0 {
		f.catchUp()
	}
}

// catchUp starts reading newer events, up to the newest sequence in a join or a
// request.
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
	case f.suspect:
		f.ask(f.pos)
	case stored > f.knownTo:
		f.repair(stored)
	case claimed > f.knownTo:
		f.ask(claimed) // claimed by a client, so it may never have existed
	}
}

// knows reports whether all events of the room up to seq are known.
func (f *Follower) knows(seq uint64) bool {
	return seq <= f.pos || seq <= f.knownTo && !f.suspect
}

// tryJoin admits the member if the ring has what is to be replayed.
func (f *Follower) tryJoin(j *Join) wait {
	since := j.Since
	switch {
	case since == nil:
		return f.tryJoinLast(j)
	case since.Epoch != f.epoch, j.pastEnd && !f.knows(since.Seq):
		f.admit(j, nil, false, f.pos)
	case !f.knows(since.Seq):
		return waitNewer
	case f.ring.covers(since.Seq):
		replay := f.ring.after(since.Seq)
		if f.tooMuch(replay) {
			return f.admitWithoutReplay(j)
		}
		f.admit(j, replay, true, since.Seq)
	case len(f.ring.entries) >= f.limits.Replay || j.tooMuch || f.tooMuch(f.ring.entries):
		return f.admitWithoutReplay(j)
	case j.backfilled:
		f.admit(j, nil, false, f.pos)
	default:
		return waitOlder
	}
	return ready
}

// tooMuch reports whether entries exceed what one join may have replayed.
func (f *Follower) tooMuch(entries []Entry) bool {
	return f.limits.ReplayBytes > 0 && Bytes(entries) > f.limits.ReplayBytes
}

// admitWithoutReplay admits a member that missed more than can be replayed.
func (f *Follower) admitWithoutReplay(j *Join) wait {
	f.fx.Report(TooMuch, j.Since.Seq)
	f.admit(j, nil, false, f.pos)
	return ready
}

// tryJoinLast handles a join without a position.
func (f *Follower) tryJoinLast(j *Join) wait {
	n := max(0, min(j.Last, f.limits.Replay))
	if n > len(f.ring.entries) && !f.ring.complete && !f.filled {
		return waitOlder
	}
	replay := newestWithin(f.ring.newest(n), f.limits.ReplayBytes, frameSize)
	at := f.pos
	if len(replay) > 0 {
		at = replay[0].Seq - 1
	}
	f.admit(j, replay, false, at)
	return ready
}

func (f *Follower) admit(j *Join, replay []Entry, recovered bool, seq uint64) {
	f.fx.Admit(j, Admission{Replay: replay, Recovered: recovered, Seq: seq})
}

// historyRead is the read of a history page that is not in the ring.
type historyRead struct {
	op      uint64
	attempt int
	h       *History
	upto    uint64
	from    Source
}

// tryHistory answers from the ring if the page is in it; older pages are read
// for this request only.
func (f *Follower) tryHistory(h *History) wait {
	if !f.knows(h.Known) && (h.Before == 0 || h.Before > f.pos) {
		return waitNewer
	}
	page := f.ring.before(h.Before, h.Limit+1)
	switch within := newestWithin(page, h.Bytes, frameSize); {
	case len(page) > h.Limit && len(within) >= h.Limit:
		f.fx.Page(h, page[1:], nil, true)
	case len(within) < len(page):
		f.fx.Report(PageCut, h.Before)
		f.fx.Page(h, within, nil, true)
	case f.ring.complete:
		f.fx.Page(h, page, nil, false)
	case !f.filled:
		return waitOlder
	default:
		d := &historyRead{h: h, upto: f.pos}
		if h.Before != 0 {
			d.upto = min(h.Before-1, f.pos)
		}
		f.historyReads = append(f.historyReads, d)
		f.readHistory(d)
	}
	return ready
}

func (f *Follower) readHistory(d *historyRead) {
	d.op = f.op()
	f.fx.Read(Range{Op: d.op, Upto: d.upto, Newest: d.h.Limit + 1, Bytes: d.h.Bytes, History: true, From: d.from, Attempt: d.attempt})
}

// historyPage answers with a page if the high watermark of the replica covers
// it; else the leader is read.
func (f *Follower) historyPage(p Page) {
	i := slices.IndexFunc(f.historyReads, func(d *historyRead) bool { return d.op == p.Op })
	if i < 0 {
		return // of a read that was given up
	}
	d := f.historyReads[i]
	if !p.Failed && p.HighWatermark < d.upto && d.upto <= f.pos {
		d.from, d.attempt = f.nextSource(d.from, d.attempt)
		f.readHistory(d)
		f.resume()
		return
	}
	f.historyReads = slices.Delete(f.historyReads, i, i+1)
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

// requeueReads puts the history requests that are being read back into the
// queue: the log is another one now, and sequences of the old one mean nothing.
func (f *Follower) requeueReads() {
	for _, d := range f.historyReads {
		f.histories = append(f.histories, d.h)
	}
	f.historyReads = nil
	for _, h := range f.histories {
		h.Known = 0
	}
}
