package rooms

import (
	"context"
	"errors"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The owner of a table drops its old steps. One that nobody uses has no owner, so
// its node looks after it: when nothing has happened there for Config.HistoryAge,
// or the stream fills up, it keeps what its newest snapshot needs.

const (
	// trimAtOnce is how many of these tables a node trims per heartbeat, at most.
	trimAtOnce = 64
	// trimEvery is how often, in heartbeats, a node looks for them, and trimSoon
	// how often while the stream fills up.
	trimEvery = 120
	trimSoon  = 6
)

// trimLoop trims tables until the engine is closed.
func (e *Engine) trimLoop(ctx context.Context) {
	tick := time.NewTicker(e.cfg.tuning.heartbeat)
	defer tick.Stop()
	var left []wire.Room
	for beats := 0; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		beats++
		if len(left) == 0 && (beats >= trimEvery || beats >= trimSoon && e.fillsUp()) {
			beats = 0
			left = e.unloadedTables(ctx)
		}
		n := min(len(left), trimAtOnce)
		e.trimTables(ctx, left[:n], time.Now())
		left = left[n:]
	}
}

// fillsUp reports whether tables keep no more than their snapshots need.
func (e *Engine) fillsUp() bool { return e.stores[wire.SpaceTables].partKept() == 0 }

// unloadedTables are those without an owner that this node would decide for and
// that have more than their last step.
func (e *Engine) unloadedTables(ctx context.Context) (list []wire.Room) {
	counts, err := e.stores[wire.SpaceTables].log.Counts(ctx)
	if err != nil && ctx.Err() == nil {
		e.warnUnlessUnready().Err(err).Msg("it cannot be read which tables have old steps; trying again later")
	}
	for room, n := range counts {
		if n > 1 && e.isUnloaded(room) {
			list = append(list, room)
		}
	}
	return list
}

func (e *Engine) isUnloaded(room wire.Room) bool {
	_, loaded := e.owners.Lookup(string(room))
	return !loaded && e.IsTable(room) && e.ownerOf(room, nil) == e.cfg.Node
}

func (e *Engine) trimTables(ctx context.Context, list []wire.Room, now time.Time) {
	for _, room := range list {
		if ctx.Err() != nil || !e.isUnloaded(room) {
			continue
		}
		if err := e.trimTable(ctx, room, now); err != nil && ctx.Err() == nil {
			e.warnUnlessUnready().Err(err).Str("room", string(room)).Msg("the old steps of a table that nobody uses could not be dropped; trying again later")
		}
	}
}

// trimTable drops the steps before the newest snapshot, if that can be read. A
// table that has steps behind it is loaded, so that it is written down when it is
// unloaded.
func (e *Engine) trimTable(ctx context.Context, room wire.Room, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.tuning.open)
	defer cancel()
	st, game := e.stores[wire.SpaceTables], e.gameOf(room)
	last, err := st.log.LastStep(ctx, room)
	if err != nil || last == nil {
		return err
	}
	if at := time.UnixMilli(msOf(last.Time)); now.Sub(at) < e.cfg.HistoryAge && !e.fillsUp() {
		return nil
	}
	var stopped *stoppedBefore
	if _, err := e.mayLoad(ctx, room, game); errors.As(err, &stopped) {
		return nil // its log stays as it is
	} else if err != nil {
		return err
	}
	log, k, err := e.restoreTable(ctx, room, game, last)
	switch {
	case errors.Is(err, table.ErrNewer), errors.Is(err, errOtherSecret):
		return nil // it is for other nodes to do
	case err != nil:
		return err
	case log.Last() != last.Seq:
		e.forward.wake(room, 0, nil)
		return nil
	}
	if err := e.drops.drop(ctx, room, k.held[0]); err != nil {
		return err
	}
	e.tableStats.Trimmed.Add(1)
	return nil
}
