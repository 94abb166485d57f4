package follow

import "slices"

// phase is what a Follower does about newer events.
type phase uint8

const (
	opening   phase = iota // it does not know yet where the log stands
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
	epoch   string
	pos     uint64 // the newest event; with time "" a place, no event
	time    string // the log's time of that event
	through uint64 // no event of the room lies after pos up to here
	sure    uint64 // the leader has, or had, this pos
	dropped uint64 // a copy with this sequence, and maybe others before it, was not used

	phase phase
	ops   uint64 // the last Op given out
	newer newerWork
	held  heldCopies

	// what it has learned while it was busy, or could not judge yet
	wanted uint64 // the log has this sequence
	lookup bool   // ask the leader where the log stands
	doubt  bool   // the log may have been rolled back: ask before the next copy

	ring  ring
	tail  bool // the ring has been filled with the newest events
	older olderWork

	joins     []*Join // wait
	histories []*History
	deep      []*deepRead // history pages that are being read
}

// New makes a Follower that waits for Open. limits are shared and not changed.
func New(fx Effects, limits *Limits) *Follower {
	return &Follower{fx: fx, limits: limits, phase: opening}
}

// Opening is where the log of a room stands when it is opened, after its live
// copies have been subscribed to.
type Opening struct {
	Epoch    string
	First    uint64 // the leader's first sequence of the stream, asked for last
	Last     uint64 // the room's newest event on some replica; 0: none
	LastTime string
	Through  uint64 // how far that replica was
}

// Open takes a place in the log. Nothing before it is delivered.
func (f *Follower) Open(o Opening) {
	f.startAt(o.Epoch, o.Last, o.LastTime, o.Through)
	if o.Last == 0 {
		// A limit per room never takes the last event, so an empty room has lost
		// nothing that is younger than the stream's first event.
		f.ring.floor = min(max(o.First, 1)-1, o.Through)
	}
	f.phase = following
	f.goOn()
}

// startAt forgets everything before a place: the room's newest event, or, when
// it has none, how far the log was.
func (f *Follower) startAt(epoch string, last uint64, time string, through uint64) {
	f.epoch, f.pos, f.time, f.through = epoch, last, time, max(last, through)
	if last == 0 {
		f.pos, f.time = through, ""
	}
	f.ring.release(f.limits)
	f.ring = ring{floor: f.pos, bottom: last == 0}
	f.tail = false
	f.older = olderWork{}
	f.sure = 0
	for _, j := range f.joins {
		j.loaded, j.tooMuch, j.beyond = false, false, false
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
	return f.phase == following && f.older.op == 0 && len(f.joins)+len(f.histories)+len(f.deep) == 0
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
	case f.doubt:
		f.hold(c)
		f.ask(f.pos)
	case c.Seq <= f.through:
		// The log has no such event, or the next check finds it.
		f.dropped = max(f.dropped, c.Seq)
	case c.Prev == f.pos && f.pos != 0, f.time == "" && c.Prev == 0 && (c.Seq == f.through+1 || f.heardSince(c.From)):
		f.deliver(c.Event)
	case c.Prev > f.pos:
		f.hold(c)
		f.repair(c.Prev)
	case c.Prev == 0 && f.time == "":
		f.hold(c)
		f.askAbout(newerWork{asked: c.Seq, why: first, upto: c.Seq, time: c.Time})
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
func (f *Follower) Heard(from, to uint64) {
	known := f.phase == following || f.phase == asking
	if known && !f.doubt && len(f.held.list) == 0 && f.wanted <= f.pos && f.heardSince(from) {
		f.through = max(f.through, to)
	}
}

// heardSince reports whether who has heard every copy from a sequence on has
// heard, and used, all that came after what is known.
func (f *Follower) heardSince(from uint64) bool {
	return from <= f.through+1 && f.dropped <= f.through
}

// Missed says that copies were lost, nobody knows which.
func (f *Follower) Missed() {
	f.lookup = true
	f.goOn()
}

// Doubt says that the log may not be what it was: its leader changed, or the
// connection was gone. The next copy waits until the leader has confirmed the
// event before it, and what is being read is read again. What was learned of
// sequences after pos may be of a log that has others there now.
func (f *Follower) Doubt() {
	f.doubt, f.sure, f.through = true, 0, f.pos
	for _, c := range f.held.take(f.limits) { // those may be of what was rolled back
		f.lookup, f.dropped = true, max(f.dropped, c.Seq)
	}
	f.lookup = f.lookup || f.phase == opening
	switch w := f.newer; {
	case f.phase == reading, f.phase == asking && w.why == proof:
		f.read(w.upto, w.from, w.attempt)
	case f.phase == asking:
		f.askAbout(w)
	}
	if f.older.op != 0 {
		f.loadFrom(f.older)
	}
	for _, d := range f.deep {
		f.readDeep(d)
	}
}

// Renewed says that the stream may be another one now.
func (f *Follower) Renewed() {
	f.lookup = true
	f.goOn()
}

// Check compares with what a replica had as the newest event.
func (f *Follower) Check(c Check) {
	switch {
	case f.phase == opening:
	case c.Last > f.pos:
		f.wanted = max(f.wanted, c.Last)
	case f.time != "" && c.Last == f.pos && c.Time == f.time:
		f.through = max(f.through, c.Through)
	case f.sure == f.pos && c.Through < f.pos:
		// The leader has had pos: the replica is behind.
	case c.Last == 0 && c.Through >= f.pos && c.First <= f.through+1:
		// A limit per room never takes the last event, so there was none.
		f.through = max(f.through, c.Through)
	default:
		f.lookup = true
	}
	f.goOn()
}

// deliver hands over the next event.
func (f *Follower) deliver(e Event) {
	f.pos, f.time, f.through = e.Seq, e.Time, max(f.through, e.Seq)
	if frame := f.fx.Deliver(e); frame != nil {
		f.ring.push(e.Seq, frame, f.limits)
		f.share()
	}
}

// goOn does what had to wait, until something is under way again.
func (f *Follower) goOn() {
	if f.phase != following {
		return
	}
	for _, c := range f.held.take(f.limits) {
		f.Live(c)
	}
	if f.phase != following {
		return
	}
	switch wanted := f.wanted; {
	case f.lookup:
		f.ask(f.pos)
		return
	case wanted > f.pos:
		f.wanted = 0
		f.repair(wanted)
		return
	}
	f.wanted = 0
	f.retry()
}

// op gives out the next ticket.
func (f *Follower) op() uint64 {
	f.ops++
	return f.ops
}

// CopyBytes is what a live copy costs beside its body, while it waits.
const CopyBytes = 512

func (c *Copy) cost() int { return len(c.Body) + CopyBytes }

// share makes room for what was pushed when the rings of all rooms take too
// much, unless somebody waits for what is there.
func (f *Follower) share() {
	if len(f.joins)+len(f.histories) == 0 && f.ring.share(f.limits) {
		f.tail = false
	}
}

// Remembered is what the room's ring costs, in bytes.
func (f *Follower) Remembered() int { return f.ring.bytes }

// Forget cuts the ring to its newest events of at most so many bytes; the log
// has the rest. It does nothing while somebody waits for what is there. It
// reports whether it cut anything.
func (f *Follower) Forget(keep int) bool {
	if len(f.joins)+len(f.histories) > 0 || f.older.op != 0 {
		return false
	}
	cut := f.ring.drop(f.limits, func(_, bytes int) bool { return bytes > keep })
	f.tail = f.tail && !cut
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
