package rooms

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// watchEvery is how often a node looks whether those are there that decide for
	// the tables that it has open: so a table goes on although nobody sends a
	// command.
	watchEvery = 250 * time.Millisecond
	// settleFor is how long a node that has started waits for the others' first
	// heartbeats, before it looks for injected commands that nobody has taken.
	settleFor = time.Second
)

// watchOwners looks after the tables that are open on this node, and after those
// that it decides for, as nodes come and go.
func (e *Engine) watchOwners(ctx context.Context) {
	look, check := time.NewTicker(watchEvery), time.NewTicker(e.cfg.tuning.heartbeat)
	defer look.Stop()
	defer check.Stop()
	find := time.NewTimer(settleFor)
	defer find.Stop()
	known := make(map[wire.Room]string)
	for {
		select {
		case <-look.C:
		case <-e.placement.changed:
			e.reviewOwners()
			e.notes.look()
			find.Reset(settleFor)
		case <-check.C:
			e.reviewStrays()
			e.checkInjected(ctx)
			e.findLabels()
		case <-find.C:
			e.findInjected(ctx)
		case <-ctx.Done():
			return
		}
		known = e.watchOpen(known)
	}
}

// watchOpen asks the nodes that decide for open tables whether they are there, and
// those whose heartbeats are not heard; it wakes the tables whose turn has gone to
// another node than was known.
func (e *Engine) watchOpen(known map[wire.Room]string) (now map[wire.Room]string) {
	open := e.stores[wire.SpaceTables].handles.all()
	now = make(map[wire.Room]string, len(open))
	nodes := make(map[string]bool)
	for _, node := range e.placement.unheardNodes() {
		nodes[node] = true
	}
	for _, h := range open {
		owner := e.ownerOf(h.name, nil)
		now[h.name] = owner
		if owner != "" && owner != e.cfg.Node {
			nodes[owner] = true
		}
		if was, ok := known[h.name]; ok && was != owner {
			var gone []string
			if e.placement.suspected(was) {
				gone = []string{was}
			}
			e.forward.wake(h.name, 0, gone)
		}
	}
	e.forward.watch(nodes)
	return now
}

// LeaveTables has the other nodes decide for this node's tables, and returns when
// each has been handed on, or when ctx ends. It is for a node that stops; a node
// without others goes on to decide.
func (e *Engine) LeaveTables(ctx context.Context) {
	if len(e.cfg.Tables) == 0 || !e.placement.takes() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, table.MaxWait)
	defer cancel()
	e.placement.leave()
	e.sendHeartbeat(false)
	e.reviewOwners()
	e.owners.Range(func(room string, o *ownerRef) bool {
		if e.ownerOf(wire.Room(room), nil) == e.cfg.Node {
			return true
		}
		select {
		case <-o.Done():
		case <-ctx.Done():
			e.roomLog(wire.Room(room)).Warn().Msg("a table could not be handed on in time; its next node finds it by itself")
		}
		return ctx.Err() == nil
	})
}

// injectedTold is where the log of rooms has the newest command that each owner on
// this node was told of. Its methods may be called from any goroutine.
type injectedTold struct {
	mu sync.Mutex
	at map[wire.Room]place
}

// keep drops what is known of tables that this node does not decide for.
func (k *injectedTold) keep(owned []wire.Room) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := make(map[wire.Room]place, len(owned))
	for _, room := range owned {
		if last, ok := k.at[room]; ok {
			at[room] = last
		}
	}
	k.at = at
}

// isNew notes a place, and reports whether the owner was not told of it.
func (k *injectedTold) isNew(room wire.Room, last place) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at == nil {
		k.at = make(map[wire.Room]place)
	}
	if k.at[room] == last {
		return false
	}
	k.at[room] = last
	return true
}

// forget has an owner told again: it could not read what it was told of.
func (k *injectedTold) forget(room wire.Room) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.at, room)
}

// checkInjected tells this node's owners where the log of rooms has their newest
// command: a copy of it may have been lost, or the log put back. Each is told of it once: an owner that
// is sent something at every look is never unloaded.
func (e *Engine) checkInjected(ctx context.Context) {
	var owned []wire.Room
	e.owners.Range(func(room string, _ *ownerRef) bool {
		owned = append(owned, wire.Room(room))
		return true
	})
	e.injectedTold.keep(owned)
	for room, last := range e.injectedLasts(ctx, owned) {
		if !e.injectedTold.isNew(room, last) {
			continue
		}
		if ref, ok := e.owners.Lookup(string(room)); ok {
			_ = ref.Send(wakeRequest{injected: last.seq, at: last.at, done: func(decided) {}}) // counts nothing in its mailbox; one that ends is followed by one that looks itself
		}
	}
}

// findInjected wakes the tables whose turn is this node's and for which the log of
// rooms has commands that nobody has taken.
func (e *Engine) findInjected(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.tuning.open)
	defer cancel()
	all, err := e.stores[wire.SpaceRooms].log.Rooms(ctx)
	if err != nil {
		e.logInjected(ctx, err)
		return
	}
	var mine []wire.Room
	for _, room := range all {
		if e.IsTable(room) && e.ownerOf(room, nil) == e.cfg.Node {
			mine = append(mine, room)
		}
	}
	for room, last := range e.injectedLasts(ctx, mine) {
		taken, err := e.lastTaken(ctx, room)
		switch {
		case err != nil:
			e.logInjected(ctx, err)
			return
		case last != taken:
			e.forward.wake(room, last.seq, nil)
		}
	}
}

// injectedLasts is where the log of rooms has the newest command for each table.
func (e *Engine) injectedLasts(ctx context.Context, rooms []wire.Room) map[wire.Room]place {
	if len(rooms) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	checks, _, err := e.stores[wire.SpaceRooms].log.Checks(ctx, rooms)
	if err != nil {
		e.logInjected(ctx, err)
		return nil
	}
	lasts := make(map[wire.Room]place)
	for _, room := range rooms {
		if c := checks[wire.RoomToken(room)]; c.Last != 0 {
			lasts[room] = place{c.Last, msOf(c.Time)}
		}
	}
	return lasts
}

// lastTaken is up to where a table's last step has taken injected commands.
func (e *Engine) lastTaken(ctx context.Context, room wire.Room) (taken place, err error) {
	_, last, err := e.stores[wire.SpaceTables].log.StepsAfter(ctx, room, 0, 0)
	if err != nil || last.Seq == 0 {
		return taken, err
	}
	step, err := e.readStep(room, last)
	if errors.Is(err, errForged) {
		return taken, nil // the owner finds out
	}
	return place{step.Taken, step.TakenAt}, err
}

func (e *Engine) logInjected(ctx context.Context, err error) {
	if ctx.Err() == nil || !e.closed() {
		e.cfg.Log.Warn().Err(err).Msg("could not look for commands that were injected into tables; looking again when nodes come or go, and every few seconds for this node's own")
	}
}
