package rooms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// load reads the table beside the owner. Each request to NATS has a bound of its
// own, and all of them together have none: the longest table is loaded on the slowest
// machine, once, and not begun again and again. Who waits is told meanwhile.
func (o *owner) load() {
	o.log, o.busy, o.reload, o.stepsDoubted = nil, true, false, false
	o.noted.found, o.noted.busy = max(o.noted.found, o.noted.busy), 0
	o.waiting = append(notTheEngines(o.inHand), notTheEngines(o.waiting)...)
	o.inHand = nil
	attempt := o.attempts
	o.attempts++
	revived := o.eng.revived.soon()
	o.awaitLoad()
	o.eng.background(func(ctx context.Context) {
		_, _ = o.eng.pause(ctx, attempt, revived) // a ctx that has ended fails the read
		m := loaded{of: o}
		var stopped uint64
		if stopped, m.err = o.eng.mayLoad(ctx, o.room, o.game); m.err == nil {
			m.log, m.keeps, m.err = o.eng.loadTable(ctx, o.room, o.game)
		}
		if m.err == nil && stopped != 0 { // under older rules
			m.err = o.eng.notes.remove(ctx, stoppedNote, o.room, stopped)
		}
		if m.err == nil {
			m.injected, m.err = o.eng.findTaken(ctx, o.room, m.log)
		}
		o.post(m)
	})
}

// loadIsSlow is that the table has been read for as long as who waits for it is to.
type loadIsSlow struct{ of *owner }

func (loadIsSlow) ownerMessage() {}

func (o *owner) awaitLoad() {
	if o.slowLoad != nil {
		o.slowLoad.Stop()
	}
	o.slowLoad = time.AfterFunc(o.eng.cfg.tuning.open, func() { o.post(loadIsSlow{o}) })
}

// onLoadIsSlow answers who waits; the table is read on.
func (o *owner) onLoadIsSlow() {
	if o.log == nil && o.busy && o.noted.stopped == nil {
		o.refuse(errOutOfReach)
		o.awaitLoad()
	}
}

var errOutOfReach = wire.Errorf(wire.Unavailable, "the table is out of reach; try again")

// findTaken looks whether the log of rooms has what the table has taken last, and
// returns where it has the newest command.
func (e *Engine) findTaken(ctx context.Context, room wire.Room, log *table.Log) (newest uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.tuning.open)
	defer cancel()
	taken := place{log.Taken(), log.TakenAt()}
	newest, back, err := e.wentBack(ctx, room, taken)
	if back {
		e.roomLog(room).Warn().Uint64("taken", taken.seq).Time("stored", time.UnixMilli(taken.at)).Uint64("newest", newest).
			Msg("the log of rooms was made anew, or put back to what it was before a table took commands from it; those are taken now that it has stored since then")
		log.Rewind()
	}
	return newest, err
}

// notTheEngines drops the timers and the takeover that the table as it was has
// called for; the table as it is read calls for its own.
func notTheEngines(list []table.Request) []table.Request {
	return slices.DeleteFunc(list, func(r table.Request) bool {
		return r.User.From == table.FromEngine && (r.Type == table.TypeTimer || r.Type == table.TypeTookOver) || r.Taken != 0
	})
}

// loadTable makes a table from its log: from the newest snapshot that is whole and
// fits the log, and the steps behind it.
func (e *Engine) loadTable(ctx context.Context, room wire.Room, game table.Game) (*table.Log, keeper, error) {
	began := time.Now()
	st := e.stores[wire.SpaceTables]
	last, err := st.log.LastStep(ctx, room)
	if err != nil {
		return nil, keeper{}, err
	}
	if last == nil {
		last = &follow.Event{}
	}
	log, k, err := e.restoreTable(ctx, room, game, last)
	if err != nil {
		return nil, k, err
	}
	begins := log.Last()
	prev := func(ev follow.Event) (uint64, bool) {
		prev, err := e.secret.Load().verifyStep(ev.By, room, ev.Body)
		return prev, err == nil
	}
	err = st.log.Steps(ctx, room, begins, *last, prev, func(ev follow.Event) error {
		e.tableStats.StepsRead.Add(1)
		k.add(ev.Seq, msOf(ev.Time), ev.Body)
		k.steps++
		k.bytes += len(ev.Body)
		return e.takeStep(room, log, ev)
	})
	if begins == 0 && (errors.Is(err, eventlog.ErrStepGap) || errors.Is(err, table.ErrGap)) {
		err = &table.Broken{What: "read its steps: the first ones are dropped, and there is no snapshot that can be read", Cause: err}
	}
	if err != nil {
		err = &brokenAt{last.Seq, err}
	} else {
		e.tableStats.Loaded.Add(1)
		e.tableLoads.Observe(time.Since(began))
	}
	k.since = time.Now()
	return log, k, err
}

// brokenAt is that a table whose last step is this one could not be loaded.
type brokenAt struct {
	step uint64
	error
}

func (b *brokenAt) Unwrap() error { return b.error }

// msOf is a time of the log in ms since 1970.
func msOf(logTime string) int64 {
	t, err := time.Parse(time.RFC3339Nano, logTime)
	if err != nil {
		return time.Now().UnixMilli() // not reached: the server wrote it
	}
	return t.UnixMilli()
}

// restoreTable is a table as its newest snapshot says that can be used, or one
// without steps.
func (e *Engine) restoreTable(ctx context.Context, room wire.Room, game table.Game, last *follow.Event) (log *table.Log, k keeper, err error) {
	list, err := e.snapshots.Last(ctx, room)
	if err != nil {
		return nil, k, err
	}
	for i, ref := range list {
		if i == 0 {
			k.latest = ref
		}
		var info eventlog.Snapshot
		var data, step []byte
		if info, data, err = e.snapshots.Read(ctx, room, ref); err == nil {
			step, err = e.fits(ctx, room, info, last)
		}
		if err == nil && log != nil { // the steps behind this one are kept as well
			k.held[1] = info.Step
			continue
		}
		if err == nil {
			log, err = e.restore(game, info, data)
		}
		switch {
		case err == nil:
			k.count, k.marks, k.body, k.size = info.Count, info.Marks, step, len(data)
			k.held[0] = info.Step
		case errors.Is(err, table.ErrNewer), errors.Is(err, errOtherSecret), !damaged(err):
			return nil, k, err
		default:
			e.passOver(room, err)
		}
	}
	if log == nil {
		log = table.NewLog(game, e.cfg.Node, checkEvery)
	}
	return log, k, nil
}

// damaged reports whether an error says that a snapshot is of no use: another
// attempt would not help.
func damaged(err error) bool {
	var unfit errUnfit
	var broken *table.Broken
	return errors.Is(err, eventlog.ErrSnapshotDamaged) || errors.As(err, &unfit) || errors.As(err, &broken)
}

func (e *Engine) passOver(room wire.Room, err error) {
	if errors.Is(err, errNotSealed) {
		e.stats.Forged.Add(1)
		e.tableSays.snapshot.Do(func() {
			e.roomLog(room).Warn().Err(err).Msg("a snapshot of a table was not written by a node, and is ignored; who publishes on room.<room>.snapshot?")
		})
		return
	}
	e.tableStats.SnapshotsDamaged.Add(1)
	e.roomLog(room).Error().Err(err).Msg("a snapshot of a table cannot be used; the one before it is taken, or all steps are read")
}

// fits returns the body of the step that a snapshot stands for. That step must be
// in the log: after a server was killed, the end of the log may be lost, and
// written anew. The same step in the same place is the same log, whatever its
// epoch: it has another one when it was restored from a backup.
func (e *Engine) fits(ctx context.Context, room wire.Room, s eventlog.Snapshot, last *follow.Event) ([]byte, error) {
	st := e.stores[wire.SpaceTables]
	if s.Step > last.Seq {
		return nil, errUnfit(fmt.Sprintf("the snapshot stands for step %d, and the log ends at step %d", s.Step, last.Seq))
	}
	step := last
	if s.Step != last.Seq {
		var err error
		if step, err = st.log.StepAt(ctx, room, s.Step); err != nil {
			return nil, err
		}
	}
	if step == nil || eventlog.Sum(step.Body) != s.Sum {
		return nil, errUnfit(fmt.Sprintf("the snapshot stands for step %d, and the log has another one there", s.Step))
	}
	return step.Body, nil
}

func (e *Engine) restore(game table.Game, s eventlog.Snapshot, data []byte) (*table.Log, error) {
	log := table.NewLog(game, e.cfg.Node, checkEvery)
	if err := log.Restore(data); errors.Is(err, table.ErrNewer) {
		return nil, err
	} else if err != nil {
		return nil, &table.Broken{What: "read its snapshot", Cause: err}
	}
	if log.Last() != s.Step {
		return nil, errUnfit(fmt.Sprintf("the snapshot stands for step %d, and its state for step %d", s.Step, log.Last()))
	}
	return log, nil
}

// takeStep applies a step of the log; one that no node wrote, or not in that
// place, is passed over.
func (e *Engine) takeStep(room wire.Room, log *table.Log, ev follow.Event) error {
	step, err := e.readStep(room, ev)
	if errors.Is(err, errForged) || err == nil && step.Prev < log.Last() {
		e.onForgedStep(room, ev.Seq)
		log.Skip(ev.Seq)
		return nil
	}
	if err != nil {
		return err
	}
	return log.Take(ev.Seq, step)
}

func (o *owner) onLoaded(m loaded) {
	o.busy = false
	o.slowLoad.Stop()
	if o.noted.stopped != nil {
		return // meanwhile
	}
	if m.err != nil {
		o.fail(m.err)
		return
	}
	writing := o.keeps.writing
	o.log, o.attempts, o.keeps = m.log, 0, m.keeps
	o.keeps.writing = writing
	if o.full > 0 && o.keeps.steps > 0 && !writing {
		o.snapshot()
	} else {
		o.dropSteps()
	}
	o.noteChange()
	if o.log == nil {
		return // its rules have failed
	}
	o.injected, o.injectedRead = max(o.injected, m.injected), place{o.log.Taken(), o.log.TakenAt()}
	o.who.unequal = true
	o.waiting = append([]table.Request{o.engineCommand(table.TypeTookOver, table.User{})}, o.waiting...)
}
