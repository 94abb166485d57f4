package rooms

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of what is kept of a table.
const (
	// snapshotSteps is after how many steps, at least, a table is written down.
	snapshotSteps = 64
	// markSteps is after how many steps, at least, it is noted where the log of a
	// table is.
	markSteps = 16
	// marksKept is about how many of these notes there are.
	marksKept = 64
	// dropShare is what part of the steps that clients may be shown there is on top of
	// them before some are dropped, down to these: dropping one has the server read
	// all that any table has in between, so it is done seldom.
	dropShare = 2
	// fewerAbove and leastAbove are fractions of the stream's size: above the one
	// tables keep fewer of the steps that clients may be shown, the fuller it is, and
	// above the other none but what snapshots need.
	fewerAbove = 3.0 / 8
	leastAbove = 6.0 / 8
	// snapshotShare is what part of Config.TableBytes snapshots may have, beside.
	snapshotShare = 4
)

// keeper is what an owner knows of how its table is kept: of the steps in the
// log, and of the snapshots. A step is dropped when clients are not shown it any
// more and two snapshots hold it.
type keeper struct {
	count uint64          // steps that the table has had
	marks []eventlog.Mark // of steps that are still in the log, oldest first
	body  []byte          // of the last step

	steps  int       // since the newest snapshot
	bytes  int       // of them
	since  time.Time // when the first of them was stored
	size   int       // of the newest snapshot
	latest *eventlog.SnapshotRef
	held   [eventlog.SnapshotsKept]uint64 // the last steps in the snapshots that were read back, newest first; 0: none

	writing bool
	dropped uint64 // steps before this one were dropped
}

// add notes a step that is in the log.
func (k *keeper) add(seq uint64, at int64, body []byte) {
	k.count++
	k.body = body
	every := uint64(max(markSteps, k.inLog()/marksKept))
	if n := len(k.marks); n == 0 || k.count-k.marks[n-1].Count >= every {
		k.marks = append(k.marks, eventlog.Mark{Count: k.count, Step: seq, At: at})
	}
}

// appended notes a step that has been stored, of which no snapshot knows yet.
func (k *keeper) appended(seq uint64, at int64, body []byte) {
	k.add(seq, at, body)
	if k.steps == 0 {
		k.since = time.Now()
	}
	k.steps++
	k.bytes += len(body)
}

// inLog is how many steps the log has.
func (k *keeper) inLog() int64 {
	if len(k.marks) == 0 {
		return 0
	}
	return int64(k.count-k.marks[0].Count) + 1
}

// due reports whether the table is to be written down: when as much was appended
// as the last snapshot takes, so it never costs more than the steps do.
func (k *keeper) due() bool {
	return !k.writing && k.steps >= snapshotSteps && k.bytes >= k.size
}

// mayDrop returns the sequence before which steps are needed no more: neither
// by the snapshots nor by the clients, which are shown so many steps, if they are
// not older than oldest. If they are shown none, what the newest snapshot holds may
// go.
func (k *keeper) mayDrop(keep int64, oldest time.Time) (before uint64) {
	least := k.held[len(k.held)-1]
	if keep == 0 {
		before, least = k.held[0], k.held[0]
	}
	few := k.inLog() <= keep+keep/dropShare
	n := 0
	for ; n < len(k.marks) && k.marks[n].Step <= least; n++ {
		if m := k.marks[n]; (few || int64(k.count-m.Count) < keep) && m.At >= oldest.UnixMilli() {
			break
		}
		before = max(before, k.marks[n].Step)
	}
	k.marks = slices.Clone(k.marks[n:]) // a snapshot may be about to be written with the old ones
	return before
}

// partKept is what part of the steps that clients may be shown tables keep: less,
// the fuller the stream is.
func (st *store) partKept() float64 {
	return min(1, max(0, (leastAbove-st.stepsFull())/(leastAbove-fewerAbove)))
}

// stepsFull is how full the log of tables is, as far as is known.
func (st *store) stepsFull() float64 {
	s := st.state.Load()
	if s == nil {
		return 0
	}
	return float64(s.Bytes) / float64(st.eng.cfg.TableBytes)
}

// saved is what became of a snapshot.
type saved struct {
	of   *owner
	as   *eventlog.SnapshotRef // the newest that there is; nil: that is not known
	step uint64                // the last one in the one that was stored; 0: none was
	err  error
}

func (saved) ownerMessage() {}

// snapshot writes the table down beside the owner. Nothing may be on its way to
// the log.
func (o *owner) snapshot() {
	data, err := o.log.Snapshot()
	if err != nil {
		o.fail(err)
		return
	}
	k := &o.keeps
	info := eventlog.Snapshot{
		Epoch: o.eng.stores[wire.SpaceTables].Epoch(), Step: o.log.Last(), Sum: eventlog.Sum(k.body),
		Count: k.count, Marks: k.marks, At: time.Now().UnixMilli(),
	}
	k.steps, k.bytes, k.size, k.writing = 0, 0, len(data), true
	prev := k.latest
	o.eng.background(func(ctx context.Context) {
		// Also of an engine that is being closed: the next owner is faster for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventlog.RequestTimeout)
		defer cancel()
		m := saved{of: o}
		m.as, m.step, m.err = o.eng.saveSnapshot(ctx, o.room, o.game, prev, info, data)
		o.post(m)
	})
}

// saveSnapshot stores a snapshot that the rules can read again. If there is a
// later one than prev, by another owner, it returns that instead.
func (e *Engine) saveSnapshot(ctx context.Context, room wire.Room, game table.Game, prev *eventlog.SnapshotRef, info eventlog.Snapshot, data []byte) (as *eventlog.SnapshotRef, step uint64, err error) {
	if err := table.NewLog(game, e.cfg.Node, 0).Restore(data); err != nil {
		return nil, 0, &table.Broken{What: "read the state again that they have written", Cause: err}
	}
	as, err = e.snapshots.Save(ctx, room, prev, info, data)
	switch {
	case err == nil:
		e.tableStats.Snapshots.Add(1)
		e.tableStats.SnapshotBytes.Add(int64(len(data)))
		return as, info.Step, nil
	case !errors.Is(err, eventlog.ErrWrongLast):
		return nil, 0, err
	}
	list, err := e.snapshots.Last(ctx, room)
	if err != nil {
		return nil, 0, err
	}
	return append(list, &eventlog.SnapshotRef{})[0], 0, nil // none: the stream was made anew
}

func (o *owner) onSaved(m saved) {
	k := &o.keeps
	k.writing = false
	if m.as != nil {
		k.latest = m.as
	}
	var broken *table.Broken
	switch {
	case errors.As(m.err, &broken):
		o.fail(m.err)
	case m.err != nil:
		o.eng.tableStats.SnapshotsFailed.Add(1)
		if !o.eng.closed() {
			o.eng.roomLog(o.room).Warn().Err(m.err).Msg("a table could not be written down; its next owner reads more steps, and none is dropped meanwhile")
		}
	case m.step != 0:
		copy(k.held[1:], k.held[:])
		k.held[0] = m.step
		o.dropSteps()
	}
}

// dropSteps has dropped, in a while, what nobody needs any more.
func (o *owner) dropSteps() {
	st, k := o.eng.stores[wire.SpaceTables], &o.keeps
	had := k.inLog()
	keep := int64(st.partKept() * float64(cmp.Or(o.eng.cfg.TableHistory, had)))
	if o.full > 0 {
		keep = 0
	}
	before := k.mayDrop(keep, time.Now().Add(-o.eng.cfg.HistoryAge))
	if before <= k.dropped {
		return
	}
	k.dropped = before
	o.eng.drops.add(o.room, oldSteps{before, had - k.inLog()}, o.full > 0)
}

// onFull refuses what waits: the log takes no more steps. The table is written
// down and loaded again, so that its own steps can go.
func (o *owner) onFull() {
	o.eng.tableStats.Full.Add(1)
	if o.full++; o.full == 1 {
		o.eng.roomLog(o.room).Error().Int64("table_bytes", o.eng.cfg.TableBytes).Msg("the log of tables is full, and this table cannot decide; its commands are refused as busy until older steps are dropped, or --table-bytes is raised")
	}
	for _, req := range append(o.inHand, o.waiting...) {
		answerTo(req.Ref, decided{Error: wire.Errorf(wire.Busy, "the log of tables is full; try again later")})
	}
	o.inHand, o.waiting = nil, nil
	o.attempts = max(o.attempts, o.full)
	o.load()
}

// errUnfit is that a snapshot is whole, and of another log, or of another course
// of it, than there is.
type errUnfit string

func (e errUnfit) Error() string { return string(e) }
