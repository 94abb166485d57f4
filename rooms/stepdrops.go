package rooms

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Bounds of how often old steps are dropped. To drop those of one table the server
// reads all that any table has in between, and stores nothing meanwhile. What it has
// read it keeps for the next table if that comes within a second. So a node has them
// dropped seldom, many tables in a row, and lets the log take steps in between.
const (
	// dropGather is what part of the log's steps must wait to be dropped before a
	// node begins, and dropWithin after what time it begins all the same.
	dropGather = 8
	dropWithin = time.Minute
	// dropRest is how many times as long as a drop took the node rests after it,
	// less from leastAbove on and not at all when the log is full, and dropRestMost
	// what it rests at most: less than a second, see above.
	dropRest     = 3
	dropRestMost = 500 * time.Millisecond
)

// stepDrops has old steps of this node's tables dropped, of one table at a time.
// Its methods may be called from any goroutine.
type stepDrops struct {
	eng  *Engine       // fixed
	turn chan struct{} // has one value while a table's steps are dropped, and for a rest after it
	wake chan struct{} // something waits

	mu      sync.Mutex
	waiting map[wire.Room]oldSteps
	steps   int64     // of them all
	since   time.Time // when the first of them came, or the last before was dropped
	urgent  bool      // the log is full
}

// oldSteps are those of a table that are not needed any more.
type oldSteps struct {
	before uint64 // the sequence of the first that is
	steps  int64  // how many they are, about
}

func newStepDrops(e *Engine) *stepDrops {
	return &stepDrops{eng: e, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), waiting: make(map[wire.Room]oldSteps)}
}

// add has so many steps of a table, those before a sequence, dropped in a while;
// at once if the log is full.
func (d *stepDrops) add(room wire.Room, old oldSteps, full bool) {
	d.mu.Lock()
	if len(d.waiting) == 0 {
		d.since = time.Now()
	}
	d.steps += old.steps
	d.urgent = d.urgent || full
	w := d.waiting[room]
	d.waiting[room] = oldSteps{max(w.before, old.before), w.steps + old.steps}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// due reports whether enough waits to begin.
func (d *stepDrops) due(now time.Time) bool {
	state := d.eng.stores[wire.SpaceTables].state.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		return false
	}
	return d.urgent || state == nil || uint64(d.steps)*dropGather >= state.Messages || now.Sub(d.since) >= dropWithin
}

// list returns the tables that wait, those first that have most to drop.
func (d *stepDrops) list() []wire.Room {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.urgent = false
	return slices.SortedFunc(maps.Keys(d.waiting), func(a, b wire.Room) int { return cmp.Compare(d.waiting[b].steps, d.waiting[a].steps) })
}

// take returns what a table has to drop by now, which nobody else does then; before
// is 0 if it does not wait.
func (d *stepDrops) take(room wire.Room) oldSteps {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, ok := d.waiting[room]
	if ok {
		delete(d.waiting, room)
		d.steps -= old.steps
		d.since = time.Now()
	}
	return old
}

// run drops what waits until ctx ends; what waits then is dropped by the tables'
// next owners.
func (d *stepDrops) run(ctx context.Context) {
	tick := time.NewTicker(d.eng.cfg.tuning.heartbeat) // the log's size is known late
	defer tick.Stop()
	for {
		if d.due(time.Now()) {
			d.dropAll(ctx)
		}
		select {
		case <-d.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (d *stepDrops) dropAll(ctx context.Context) {
	for _, room := range d.list() {
		old := d.take(room)
		if old.before == 0 {
			continue
		}
		err := d.drop(ctx, room, old.before)
		switch {
		case err == nil:
			d.eng.tableStats.StepDrops.Add(1)
		case ctx.Err() != nil:
			return
		default:
			d.eng.roomLog(room).Warn().Err(err).Msg("old steps of a table could not be dropped; they are with the next ones")
		}
	}
}

// drop drops a table's steps before a sequence, when it is its turn.
func (d *stepDrops) drop(ctx context.Context, room wire.Room, before uint64) error {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-d.turn }()
	began := time.Now()
	attempt, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	st := d.eng.stores[wire.SpaceTables]
	err := st.log.DropSteps(attempt, room, before)
	rest := time.NewTimer(restAfter(time.Since(began), st.stepsFull()))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
	}
	return err
}

// restAfter is how long a node rests after a drop that took so long.
func restAfter(took time.Duration, full float64) time.Duration {
	part := min(1, max(0, (1-full)/(1-leastAbove)))
	return min(time.Duration(part*dropRest*float64(took)), dropRestMost)
}
