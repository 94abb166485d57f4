package rooms

import (
	"context"
	"errors"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// noted is what an owner knows of the notes on its table. It is owned by the
// owner's actor.
type noted struct {
	busy    uint64 // revision of the note that it is busy; 0: this owner knows of none
	found   uint64 // the same of one that somebody else wrote
	writing bool   // writeBusy runs

	stopped *StoppedInfo // why the table has stopped; nil: it has not
	newer   bool         // newer rules than this node's have decided
}

type (
	// foundBusy says that a table is noted as busy.
	foundBusy struct{ revision uint64 }
	// busyNoted is that it is noted as busy; 0: it could not be.
	busyNoted struct {
		of       *owner
		revision uint64
	}
	// resumeRequest says that a table that has stopped is to go on.
	resumeRequest struct{}
)

func (foundBusy) ownerMessage()     {}
func (busyNoted) ownerMessage()     {}
func (resumeRequest) ownerMessage() {}

func (o *owner) onNotes(m ownerMessage) {
	switch m := m.(type) {
	case foundBusy:
		if o.noted.newer {
			o.eng.forward.wake(o.room, 0, []string{o.eng.cfg.Node})
			return
		}
		o.noted.found = max(o.noted.found, m.revision)
		o.noteChange()
	case busyNoted:
		if m.of == o {
			o.noted.busy, o.noted.writing = m.revision, false
			o.noteChange()
		}
	case madeAnew:
		o.onMadeAnew(m)
	case resumeRequest:
		if o.noted.stopped != nil {
			o.noted.stopped, o.attempts = nil, 0
			o.load()
		}
	}
}

// noteChange has it noted that the table has become busy, or quiet again. A table
// that becomes busy by a step is noted before that (see append); here are those
// that are loaded so.
func (o *owner) noteChange() {
	if o.log == nil || o.busy || o.noted.writing {
		return
	}
	busy, err := o.log.Busy()
	if err != nil {
		o.fail(err)
		return
	}
	last := max(o.noted.busy, o.noted.found)
	switch {
	case busy && o.noted.busy == 0:
		o.noted.writing = true
		o.eng.background(func(ctx context.Context) { o.post(busyNoted{o, o.eng.noteBusy(ctx, o.room)}) })
	case !busy && last != 0:
		o.noted.busy, o.noted.found = 0, 0
		o.eng.background(func(ctx context.Context) {
			if err := o.eng.notes.remove(ctx, busyNote, o.room, last); err != nil && !o.eng.closed() {
				o.eng.roomLog(o.room).Warn().Err(err).Msg("a table is still noted as busy; a node removes that when it next reads the notes")
			}
		})
	}
}

// noteBusy returns the revision of the note; 0: it could not be written.
func (e *Engine) noteBusy(ctx context.Context, room wire.Room) uint64 {
	revision, err := e.notes.put(ctx, busyNote, tableNote{Room: room})
	if err != nil && !e.closed() {
		e.roomLog(room).Warn().Err(err).Msg("if this node is lost now, the table goes on when somebody comes")
	}
	return revision
}

// leaveToNewer leaves a table to the nodes whose rules are not older than those
// of its last step.
func (o *owner) leaveToNewer(err error) {
	o.eng.tableStats.Older.Add(1)
	o.eng.roomLog(o.room).Warn().Err(err).Int("rules", o.game.Version()).Msg("this node does not decide for a table; another one does")
	o.log, o.noted.newer = nil, true
	o.stopTimer()
	o.eng.forward.wake(o.room, o.injected, []string{o.eng.cfg.Node})
	o.sendOn(moved{Older: o.game.Version()})
}

// stop has a table stand still, on all nodes, because its rules failed.
func (o *owner) stop(err error, info *StoppedInfo) {
	o.eng.tableStats.Stopped.Add(1)
	o.eng.drops.take(o.room) // its log stays as it is
	var broken *table.Broken
	errors.As(err, &broken)
	o.eng.roomLog(o.room).Error().Err(err).Bytes("stack", broken.Stack).Uint64("step", info.Step).Int("rules", info.Version).
		Msg("the rules of a table have failed: it stands still, on all nodes, until `roomctl table resume`, or until nodes have rules of a higher version")
	if errors.Is(err, errOtherSecret) {
		return // another node may have the right one
	}
	note := tableNote{Room: o.room, Version: info.Version, Step: info.Step, Reason: info.Reason}
	o.eng.background(func(ctx context.Context) {
		if _, err := o.eng.notes.put(ctx, stoppedNote, note); err != nil && !o.eng.closed() {
			o.eng.roomLog(o.room).Error().Err(err).Msg("other nodes do not know that this table has stopped; its next owner finds out by itself")
		}
		o.eng.notes.look()
	})
}

// errStopped is what those are told who want something of a table that has
// stopped.
var errStopped = wire.Errorf(wire.Internal, "the rules of this table have failed; it stands still until somebody looks after it")

// mayLoad fails with a *table.Broken for a table that has stopped under rules that
// are not older than this node's and has steps, and returns the revision of the note otherwise.
func (e *Engine) mayLoad(ctx context.Context, room wire.Room, game table.Game) (stopped uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.tuning.open)
	defer cancel()
	note, revision, err := e.notes.stoppedAt(ctx, room)
	if err != nil || revision == 0 {
		return 0, err
	}
	if note.Version < game.Version() {
		return revision, nil
	}
	// Who purges its steps, or deletes STEPS, has it start anew.
	last, err := e.stores[wire.SpaceTables].log.LastStep(ctx, room)
	if err != nil {
		return 0, err
	}
	if note.Step == 0 || last != nil {
		return 0, &stoppedBefore{note}
	}
	return revision, nil
}

// stoppedBefore is that a table has stopped, on this node or another.
type stoppedBefore struct{ note tableNote }

func (s *stoppedBefore) Error() string { return s.note.Reason }
