package rooms

import (
	"context"
	"errors"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// load reads the table beside the owner.
func (o *owner) load() {
	o.log, o.busy = nil, true
	o.waiting = append(o.inHand, o.waiting...)
	o.inHand = nil
	attempt := o.attempts
	o.attempts++
	o.eng.background(func(ctx context.Context) {
		_ = eventlog.Pause(ctx, attempt)
		ctx, cancel := context.WithTimeout(ctx, o.eng.cfg.tuning.open)
		defer cancel()
		log, err := o.eng.loadTable(ctx, o.room, o.game)
		var injected uint64
		if err == nil {
			injected, err = o.eng.lastInjected(ctx, o.room)
		}
		o.post(loaded{o, log, injected, err})
	})
}

// loadTable makes a table from its log, as far as the replica that answers has
// it.
func (e *Engine) loadTable(ctx context.Context, room wire.Room, game table.Game) (*table.Log, error) {
	st := e.stores[wire.SpaceTables]
	state, err := st.log.State(ctx)
	if err != nil {
		return nil, err
	}
	log := table.NewLog(game, e.cfg.Node, checkEvery)
	snapshot, err := e.snapshots.Last(ctx, room)
	if errors.Is(err, errNotSealed) {
		e.stats.Forged.Add(1)
		e.roomLog(room).Warn().Err(err).Msg("a snapshot of a table was not written by a node, and is ignored; who publishes on room.<room>.snapshot?")
		snapshot, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if snapshot != nil {
		if err := log.Restore(snapshot); err != nil {
			return nil, err
		}
	}
	for more := true; more && log.Last() < state.Last; {
		page, err := st.log.Read(ctx, room, follow.Range{After: log.Last(), Upto: state.Last})
		if err != nil {
			return nil, err
		}
		for _, ev := range page.Events {
			if err := e.takeStep(room, log, ev); err != nil {
				return nil, err
			}
		}
		more = page.Cut
	}
	return log, nil
}

// takeStep applies a step of the log; one that no node wrote, or not in that
// place, is passed over.
func (e *Engine) takeStep(room wire.Room, log *table.Log, ev follow.Event) error {
	step, err := e.readStep(room, ev)
	if errors.Is(err, errForged) || err == nil && step.Prev < log.Last() {
		e.stats.Forged.Add(1)
		e.roomLog(room).Warn().Uint64("seq", ev.Seq).Msg("a step of a table was not written by a node for this place, and is ignored; who publishes on room.<room>.step?")
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
	if m.err != nil {
		o.fail(m.err)
		return
	}
	o.log, o.attempts = m.log, 0
	o.injected, o.injectedRead = max(o.injected, m.injected), 0
	o.who.unequal = true
	o.waiting = append([]table.Request{o.engineCommand(table.TypeTookOver, table.User{})}, o.waiting...)
}
