package rooms

import (
	"slices"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// A table begins with its first step, and from then on its last step and its
// snapshots are kept for good, whoever was there. So there is a bound on how many
// begin; those that there are go on beyond it.

// lookAgain is how often, at most, a table that may not begin is read again: another
// node may have begun it meanwhile.
const lookAgain = time.Second

// errTooManyTables is what those are told who would begin a table beyond the bound.
var errTooManyTables = wire.Errorf(wire.Busy, "there are as many tables as there may be; take one that there is")

// TablesBegun returns how many tables of all nodes there are, as far as this node
// knows: what others have begun since it last asked the stream is not in it.
func (e *Engine) TablesBegun() int64 { return e.begun.count() }

// begunTables counts the tables: those that the stream had when it was last asked,
// and those that this node has begun since. Which these are the sequences of their
// first steps say, as a table may begin while the stream is asked.
type begunTables struct {
	mu     sync.Mutex
	stored uint64   // tables that the stream had
	last   uint64   // its last sequence then
	since  []uint64 // first steps of others, which this node has stored
}

// add has the table counted whose first step this node has stored.
func (b *begunTables) add(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq > b.last {
		b.since = append(b.since, seq)
	}
}

// beforeAsking is called before the stream is asked; told gets what it returns.
func (b *begunTables) beforeAsking() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.since)
}

// told stores what the stream has answered. It has all that was there before it was
// asked, whatever their sequences: a stream that was made anew counts from 1.
func (b *begunTables) told(before int, tables, last uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored, b.last = tables, last
	b.since = slices.DeleteFunc(slices.Delete(b.since, 0, before), func(seq uint64) bool { return seq <= last })
}

func (b *begunTables) count() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.stored) + int64(len(b.since))
}

// mayBegin reports whether one more table may begin. Guests begin half of them, so
// that who has a token, and services, still can when guests have taken theirs.
func (e *Engine) mayBegin(guest bool) bool {
	most := e.cfg.MaxTables
	if guest {
		most = (most + 1) / 2
	}
	return e.cfg.MaxTables == 0 || e.TablesBegun() < most
}

// begins refuses who would begin the table, if it may not. It reports whether the
// table, which is loaded, may take steps.
func (o *owner) begins() bool {
	if o.log.Last() != 0 || o.eng.mayBegin(true) {
		return true
	}
	anybody := !o.eng.mayBegin(false)
	refused := false
	refuse := func(guest bool) bool {
		if guest || anybody {
			refused = true
			o.eng.tableStats.RefusedNew.Add(1)
		}
		return guest || anybody
	}
	entering := o.entering[:0:0]
	for _, m := range o.entering {
		if m.stay || m.behind(o.log) || !refuse(m.user.Guest) {
			entering = append(entering, m)
			continue
		}
		m.done(decided{Error: errTooManyTables})
	}
	o.entering = entering
	waiting := o.waiting[:0:0]
	for _, req := range o.waiting {
		switch {
		case req.Taken != 0 && anybody: // it stays in the log of rooms until the table may begin
			o.injectedRead = place{}
		case req.User.From == table.FromEngine && anybody: // there is nothing to take over
		case req.User.From == table.FromEngine, !refuse(req.User.Guest):
			waiting = append(waiting, req)
		default:
			answerTo(req.Ref, decided{Error: errTooManyTables})
		}
	}
	o.waiting = waiting
	o.turnedAway = o.turnedAway || refused
	if refused && time.Since(o.keeps.since) > lookAgain {
		o.load()
		return false
	}
	if anybody {
		o.inspect()
		o.dismiss()
	}
	return !anybody
}

// dismiss unloads a table that has not begun, and that somebody was refused who
// would have begun it: there may be any number of names.
func (o *owner) dismiss() {
	if o.turnedAway && !o.busy && o.log != nil && o.log.Last() == 0 && o.injected == 0 && o.who.there != nil && !o.attended() &&
		len(o.entering)+len(o.waiting)+len(o.asked) == 0 && o.putAwayLabel() {
		o.self.Stop()
	}
}
