package follow

import "slices"

// phase is the state of following newer events.
type phase uint8

const (
	opening   phase = iota // the end of the log is not known yet
	following              // live copies are delivered
	reading                // a gap is being read: live copies are held
	asking                 // the leader is being queried: live copies are held
)

// Follower follows one room's log. It is owned by one goroutine. New returns
// one.
type Follower struct {
	// fixed after New
	fx     Effects
	limits *Limits

	// where it stands
	epoch     string
	pos       uint64 // sequence of the newest event; if time is "", a position without an event
	time      string // its time in the log
	knownTo   uint64 // the room has no event between pos and this sequence
	confirmed uint64 // value of pos that the leader last confirmed
	dropped   uint64 // the highest sequence of a copy that was dropped

	phase       phase
	lookup      bool         // pending: query the leader about the end of the log
	suspect     bool         // the log may have been rolled back: query the leader before the next copy
	filled      bool         // a backfill has read as many of the newest events as fit into the ring
	logEnd      uint64       // pending: the log is known to reach this sequence; 0: no further than pos
	ops         uint64       // the last Op given out
	catchUpRead *catchUpRead // the last one; nil: none yet
	held        heldCopies

	ring         ring
	backfillRead *backfillRead // nil: none is in flight

	joins        []*Join // wait
	histories    []*History
	historyReads []*historyRead // pages of history that are being read from the log
}

// New returns a Follower that waits for Open. limits are shared and not
// modified.
func New(fx Effects, limits *Limits) *Follower {
	return &Follower{fx: fx, limits: limits, phase: opening}
}

// Opening is the end of a room's log when the room is opened, after its live
// copies have been subscribed to.
type Opening struct {
	Epoch         string
	First         uint64 // the leader's first sequence of the stream, asked for last
	Last          uint64 // the room's newest event on some replica; 0: none
	LastTime      string
	HighWatermark uint64 // of that replica: the stream's last sequence there
}

// Open sets the position to start from. Nothing before it is delivered.
func (f *Follower) Open(o Opening) {
	f.resetAt(o.Epoch, o.Last, o.LastTime, o.HighWatermark)
	if o.Last == 0 {
		// A limit per room never discards the last event, so an empty room has
		// lost nothing that is newer than the stream's first event.
		f.ring.lowWatermark = min(max(o.First, 1)-1, o.HighWatermark)
	}
	f.phase = following
	f.resume()
}

// resetAt restarts at a position, and drops everything before it: at the room's
// newest event, or, if it has none, the log's high watermark.
func (f *Follower) resetAt(epoch string, last uint64, time string, highWatermark uint64) {
	f.epoch, f.pos, f.time, f.knownTo = epoch, last, time, max(last, highWatermark)
	if last == 0 {
		f.pos, f.time = highWatermark, ""
	}
	f.ring.release(f.limits)
	f.ring = ring{lowWatermark: f.pos, complete: last == 0}
	f.filled = false
	f.backfillRead = nil
	f.confirmed = 0
	for _, j := range f.joins {
		j.backfilled, j.tooMuch, j.pastEnd = false, false, false
	}
}

// Position returns the position of a member that has got every event.
func (f *Follower) Position() Position { return Position{f.epoch, f.pos} }

// Newest returns the sequence of the newest event; 0 if there is none.
func (f *Follower) Newest() uint64 {
	if f.time == "" {
		return 0
	}
	return f.pos
}

// NewestTime returns the log's time of the newest event; "" if there is none.
func (f *Follower) NewestTime() string { return f.time }

// Quiet reports whether nothing is in flight and no join or request waits.
func (f *Follower) Quiet() bool {
	return f.phase == following && f.backfillRead == nil && len(f.joins)+len(f.histories)+len(f.historyReads) == 0
}

// Live handles a copy from the stream's republish.
func (f *Follower) Live(c Copy) {
	switch {
	case f.phase != following:
		f.hold(c)
	case c.Seq == f.pos && f.time != "" && c.Time != f.time:
		f.ask(f.pos) // one of the two is forged, or the log was rolled back
	case c.Seq <= f.pos:
		// A duplicate: it was read from the log before.
	case f.suspect:
		f.hold(c)
		f.ask(f.pos)
	case c.Seq <= f.knownTo:
		// The log has no such event, or the next check finds it.
		f.dropped = max(f.dropped, c.Seq)
	case c.Prev == f.pos && f.pos != 0, f.time == "" && c.Prev == 0 && (c.Seq == f.knownTo+1 || f.receivedSince(c.From)):
		f.deliver(c.Event)
	case c.Prev > f.pos:
		f.hold(c)
		f.repair(c.Prev)
	case c.Prev == 0 && f.time == "":
		f.hold(c)
		f.askAbout(catchUpRead{asked: c.Seq, question: askFirst, upto: c.Seq, time: c.Time})
	default:
		// When it was stored the log had discarded the event at pos, or had
		// none. Events in between, if there were any, may be discarded as well.
		f.hold(c)
		f.repair(c.Seq)
	}
}

// Received says that every copy of the stream from one sequence to another has
// been received, and that those of the room have been passed to Live. So the
// room's newest event is the last of these.
func (f *Follower) Received(from, to uint64) {
	known := f.phase == following || f.phase == asking
	if known && !f.suspect && len(f.held.list) == 0 && f.logEnd <= f.pos && f.receivedSince(from) {
		f.knownTo = max(f.knownTo, to)
	}
}

// receivedSince reports whether a subscriber that has received every copy from
// a sequence on has got everything after knownTo, and no copy after it was
// dropped.
func (f *Follower) receivedSince(from uint64) bool {
	return from <= f.knownTo+1 && f.dropped <= f.knownTo
}

// Missed says that an unknown number of copies were lost.
func (f *Follower) Missed() {
	f.lookup = true
	f.resume()
}

// Suspect says that the log may have been rolled back: its leader changed, or
// the connection was lost. The next copy waits until the leader has confirmed
// the event before it, and reads in flight are repeated. What is known about
// sequences after pos may not be true of the log any more.
func (f *Follower) Suspect() {
	f.suspect, f.confirmed, f.knownTo = true, 0, f.pos
	for _, c := range f.held.take(f.limits) { // these may have been rolled back
		f.lookup, f.dropped = true, max(f.dropped, c.Seq)
	}
	f.lookup = f.lookup || f.phase == opening
	switch w := f.catchUpRead; {
	case f.phase == reading, f.phase == asking && w.question == askContinuity:
		f.read(w.upto, w.from, w.attempt)
	case f.phase == asking:
		f.askAbout(*w)
	}
	if f.backfillRead != nil {
		f.readBackfill(*f.backfillRead)
	}
	for _, d := range f.historyReads {
		f.readHistory(d)
	}
}

// Renewed says that the stream may be another one now.
func (f *Follower) Renewed() {
	f.lookup = true
	f.resume()
}

// Check handles a replica's newest event.
func (f *Follower) Check(c Check) {
	switch {
	case f.phase == opening:
	case c.Last > f.pos:
		f.logEnd = max(f.logEnd, c.Last)
	case f.time != "" && c.Last == f.pos && c.Time == f.time:
		f.knownTo = max(f.knownTo, c.HighWatermark)
	case f.confirmed == f.pos && c.HighWatermark < f.pos:
		// The leader has confirmed pos: the replica is behind.
	case c.Last == 0 && c.HighWatermark >= f.pos && c.First <= f.knownTo+1:
		// A limit per room never discards the last event, so there was none.
		f.knownTo = max(f.knownTo, c.HighWatermark)
	default:
		f.lookup = true
	}
	f.resume()
}

// deliver delivers the next event.
func (f *Follower) deliver(e Event) {
	f.pos, f.time, f.knownTo = e.Seq, e.Time, max(f.knownTo, e.Seq)
	if frame, apart := f.fx.Deliver(e); frame != nil || apart != nil {
		f.ring.push(Entry{e.Seq, frame, apart}, f.limits)
		f.evict()
	}
}

// resume does what had to wait: it handles the held copies, then queries the
// leader, catches up or answers requests, whichever comes first.
func (f *Follower) resume() {
	if f.phase != following {
		return
	}
	for _, c := range f.held.take(f.limits) {
		f.Live(c)
	}
	if f.phase != following {
		return
	}
	switch end := f.logEnd; {
	case f.lookup:
		f.ask(f.pos)
		return
	case end > f.pos:
		f.logEnd = 0
		f.repair(end)
		return
	}
	f.logEnd = 0
	f.retry()
}

// op returns the number of the next read or query.
func (f *Follower) op() uint64 {
	f.ops++
	return f.ops
}

// CopyBytes is how many bytes a waiting live copy costs besides its body.
const CopyBytes = 512

func (c *Copy) cost() int { return len(c.Body) + CopyBytes }

// evict drops the oldest events of the ring if the rings of all rooms together
// exceed their budget, unless a join or a request waits for them.
func (f *Follower) evict() {
	if len(f.joins)+len(f.histories) == 0 && f.ring.evict(f.limits) {
		f.filled = false
	}
}

// RingBytes returns the memory that the ring takes, in bytes.
func (f *Follower) RingBytes() int { return f.ring.bytes }

// Trim drops the oldest events of the ring until at most keep bytes are left;
// they can be read from the log. It does nothing while a join or a request
// waits. It reports whether it dropped any.
func (f *Follower) Trim(keep int) bool {
	if len(f.joins)+len(f.histories) > 0 || f.backfillRead != nil {
		return false
	}
	cut := f.ring.drop(f.limits, func(_, bytes int) bool { return bytes > keep })
	f.filled = f.filled && !cut
	return cut
}

// Close releases what the room has reserved of the budgets. Only GiveUp may be
// called after it.
func (f *Follower) Close() {
	f.ring.release(f.limits)
	f.held.take(f.limits)
}

// heldCopies are live copies that are held until the log has been read.
type heldCopies struct {
	list  []Copy
	bytes int
}

func (h *heldCopies) take(l *Limits) []Copy {
	list := h.list
	l.Copies.Give(h.bytes)
	*h = heldCopies{}
	return list
}

// dropForged removes the held copies that turned out not to be from the log.
func (f *Follower) dropForged(seq uint64, forged func(Copy) bool) {
	before := len(f.held.list)
	f.held.list = slices.DeleteFunc(f.held.list, func(c Copy) bool {
		if !forged(c) {
			return false
		}
		f.held.bytes -= c.cost()
		f.limits.Copies.Give(c.cost())
		return true
	})
	if len(f.held.list) < before {
		f.fx.Report(Forged, seq)
	}
}

// hold holds a copy. One that is dropped as there are too many will be read
// from the log.
func (f *Follower) hold(c Copy) {
	if len(f.held.list) >= f.limits.Held || f.held.bytes > f.limits.HeldBytes || !f.limits.Copies.Take(c.cost()) {
		f.lookup, f.dropped = true, max(f.dropped, c.Seq)
		f.fx.Report(HeldDropped, c.Seq)
		return
	}
	f.held.list = append(f.held.list, c)
	f.held.bytes += c.cost()
}
