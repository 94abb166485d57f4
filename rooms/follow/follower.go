package follow

import "slices"

// phase is what a Follower does about newer events.
type phase uint8

const (
	opening   phase = iota // where the log stands is not known yet
	following              // live copies are delivered as they come
	reading                // a hole is being read: live copies are held
	asking                 // the leader is being asked: live copies are held
)

// Follower follows one room's log. It belongs to one goroutine. New makes one.
type Follower struct {
	// fixed after New
	fx     Effects
	limits *Limits

	// where it stands
	epoch     string
	pos       uint64 // the newest event; with time "" a place, no event
	time      string // the log's time of that event
	knownTo   uint64 // the room has no event between pos and this sequence
	confirmed uint64 // the leader confirmed pos when it was this
	dropped   uint64 // the highest sequence of a copy that was not used

	phase       phase
	lookup      bool         // learned while it was busy: ask the leader where the log stands
	suspect     bool         // the log may have been rolled back: ask before the next copy
	filled      bool         // a backfill has brought as many of the newest events as the ring takes
	logEnd      uint64       // learned while it was busy: the log is known to reach this sequence; 0: no further than pos
	ops         uint64       // the last Op given out
	catchUpRead *catchUpRead // the last one; nil: none yet
	held        heldCopies

	ring         ring
	backfillRead *backfillRead // nil: none is under way

	joins        []*Join // wait
	histories    []*History
	historyReads []*historyRead // pages of history that are read from the log
}

// New makes a Follower that waits for Open. limits are shared and not changed.
func New(fx Effects, limits *Limits) *Follower {
	return &Follower{fx: fx, limits: limits, phase: opening}
}

// Opening is where the log of a room stands when it is opened, after its live
// copies have been subscribed to.
type Opening struct {
	Epoch         string
	First         uint64 // the leader's first sequence of the stream, asked for last
	Last          uint64 // the room's newest event on some replica; 0: none
	LastTime      string
	HighWatermark uint64 // of that replica: the stream's last sequence there
}

// Open takes a place in the log. Nothing before it is delivered.
func (f *Follower) Open(o Opening) {
	f.resetAt(o.Epoch, o.Last, o.LastTime, o.HighWatermark)
	if o.Last == 0 {
		// A limit per room never takes the last event, so an empty room has
		// lost nothing that is younger than the stream's first event.
		f.ring.lowWatermark = min(max(o.First, 1)-1, o.HighWatermark)
	}
	f.phase = following
	f.resume()
}

// resetAt starts at a position and forgets everything before it: the room's
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

// Position is where a member that has had everything stands.
func (f *Follower) Position() Position { return Position{f.epoch, f.pos} }

// Newest is the sequence of the newest event; 0 when there is none.
func (f *Follower) Newest() uint64 {
	if f.time == "" {
		return 0
	}
	return f.pos
}

// NewestTime is the log's time of the newest event; "" when there is none.
func (f *Follower) NewestTime() string { return f.time }

// Quiet reports whether nothing is under way and nobody waits.
func (f *Follower) Quiet() bool {
	return f.phase == following && f.backfillRead == nil && len(f.joins)+len(f.histories)+len(f.historyReads) == 0
}

// Live takes a copy from the stream's republish.
func (f *Follower) Live(c Copy) {
	switch {
	case f.phase != following:
		f.hold(c)
	case c.Seq == f.pos && f.time != "" && c.Time != f.time:
		f.ask(f.pos) // one of the two is forged, or the log was rolled back
	case c.Seq <= f.pos:
		// A repeat: it came by the log before.
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
		// When it was stored the log had dropped the event at pos, or has none.
		// What came in between, if anything did, may be gone as well.
		f.hold(c)
		f.repair(c.Seq)
	}
}

// Heard says that every copy of the stream from one sequence to another was
// heard, and that those of the room were handed over before. The room's newest
// event is then the last one that was handed over.
func (f *Follower) Received(from, to uint64) {
	known := f.phase == following || f.phase == asking
	if known && !f.suspect && len(f.held.list) == 0 && f.logEnd <= f.pos && f.receivedSince(from) {
		f.knownTo = max(f.knownTo, to)
	}
}

// heardSince reports whether who has heard every copy from a sequence on has
// heard, and used, all that came after what is known.
func (f *Follower) receivedSince(from uint64) bool {
	return from <= f.knownTo+1 && f.dropped <= f.knownTo
}

// Missed says that copies were lost, nobody knows which.
func (f *Follower) Missed() {
	f.lookup = true
	f.resume()
}

// Suspect says that the log may have been rolled back: its leader changed, or
// the connection was lost. The next copy waits until the leader has confirmed
// the event before it, and what is being read is read again. What was learned
// of sequences after pos may be of a log that has others there now.
func (f *Follower) Suspect() {
	f.suspect, f.confirmed, f.knownTo = true, 0, f.pos
	for _, c := range f.held.take(f.limits) { // those may be of what was rolled back
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

// Check compares with what a replica had as the newest event.
func (f *Follower) Check(c Check) {
	switch {
	case f.phase == opening:
	case c.Last > f.pos:
		f.logEnd = max(f.logEnd, c.Last)
	case f.time != "" && c.Last == f.pos && c.Time == f.time:
		f.knownTo = max(f.knownTo, c.HighWatermark)
	case f.confirmed == f.pos && c.HighWatermark < f.pos:
		// The leader has had pos: the replica is behind.
	case c.Last == 0 && c.HighWatermark >= f.pos && c.First <= f.knownTo+1:
		// A limit per room never takes the last event, so there was none.
		f.knownTo = max(f.knownTo, c.HighWatermark)
	default:
		f.lookup = true
	}
	f.resume()
}

// deliver hands over the next event.
func (f *Follower) deliver(e Event) {
	f.pos, f.time, f.knownTo = e.Seq, e.Time, max(f.knownTo, e.Seq)
	if frame := f.fx.Deliver(e); frame != nil {
		f.ring.push(e.Seq, frame, f.limits)
		f.evict()
	}
}

// resume does what had to wait: it replays the held copies, then asks, catches
// up or answers requests, whichever comes first.
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

// op returns the number of the next read or question.
func (f *Follower) op() uint64 {
	f.ops++
	return f.ops
}

// CopyBytes is what a live copy costs beside its body, while it waits.
const CopyBytes = 512

func (c *Copy) cost() int { return len(c.Body) + CopyBytes }

// evict drops the oldest events of the ring when the rings of all rooms
// together take too much, unless a join or a request waits for them.
func (f *Follower) evict() {
	if len(f.joins)+len(f.histories) == 0 && f.ring.evict(f.limits) {
		f.filled = false
	}
}

// RingBytes is how much memory the ring takes, in bytes.
func (f *Follower) RingBytes() int { return f.ring.bytes }

// Trim cuts the ring to its newest events, of at most keep bytes together; the
// rest can be read from the log. It does nothing while a join or a request
// waits. It reports whether it cut anything.
func (f *Follower) Trim(keep int) bool {
	if len(f.joins)+len(f.histories) > 0 || f.backfillRead != nil {
		return false
	}
	cut := f.ring.drop(f.limits, func(_, bytes int) bool { return bytes > keep })
	f.filled = f.filled && !cut
	return cut
}

// Close gives back what the room takes of the budgets. Nothing may be called
// after it but GiveUp.
func (f *Follower) Close() {
	f.ring.release(f.limits)
	f.held.take(f.limits)
}

// heldCopies are kept until the log was read.
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

// dropForged takes out the copies that turned out not to be of the log.
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

// hold keeps a copy. What is dropped beyond the bound is read from the log.
func (f *Follower) hold(c Copy) {
	if len(f.held.list) >= f.limits.Held || f.held.bytes > f.limits.HeldBytes || !f.limits.Copies.Take(c.cost()) {
		f.lookup, f.dropped = true, max(f.dropped, c.Seq)
		f.fx.Report(HeldDropped, c.Seq)
		return
	}
	f.held.list = append(f.held.list, c)
	f.held.bytes += c.cost()
}
