package actor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Group is actors by key, at most one live at a time for each: it is spawned by
// the first message to its key and retired when it has been idle. All its
// methods may be called by any goroutine.
//
// An empty group holds no goroutine and no timer.
type Group[K comparable, M any] struct {
	// Fixed at NewGroup.
	cfg   *Config[M]
	start func(key K, self *Ref[M]) Receiver[M]
	sweep sweep

	mu      sync.RWMutex
	byKey   map[K]*member[K, M] // the last one of each key
	members []*member[K, M]     // all that have not ended, also those with a successor
	closed  bool
	tick    uint32 // how many sweeps there were
	timer   *time.Timer
	armed   bool // the timer runs, or its sweep does
}

// member is an actor of a group.
type member[K comparable, M any] struct {
	ref   Ref[M]
	group *Group[K, M]
	id    K

	predecessor *Ref[M] // owned by the actor's goroutine: the last one of the key, until it has ended
	idleSince   uint32  // owned by the sweep: idle since that tick
	index       int     // in group.members, guarded by group.mu
}

// NewGroup returns an empty group. start makes the receivers, under the rules
// of [Spawn]. An actor that has had no message for idleAfter is asked through
// [Idler], on its own goroutine, and retired if it agrees; if not, it is asked
// again after as long. The question may come late by a quarter of idleAfter, or
// by a millisecond if that is more, but not early. idleAfter of zero or less:
// never. An actor in a backoff is not idle.
//
// A retired actor gets Stopped without unread messages. A nil cfg is the zero
// Config.
func NewGroup[K comparable, M any](cfg *Config[M], idleAfter time.Duration, start func(key K, self *Ref[M]) Receiver[M]) *Group[K, M] {
	if cfg == nil {
		cfg = new(Config[M])
	}
	return &Group[K, M]{cfg: cfg, start: start, sweep: newSweep(idleAfter), byKey: make(map[K]*member[K, M])}
}

// Send sends m to the actor of key and spawns it when there is none. It returns
// nil, [ErrFull], or [ErrStopped] once the group has been closed; never another
// error. It never waits for an actor: when the last actor of the key is still
// stopping, the new one's goroutine waits for it.
func (g *Group[K, M]) Send(key K, m M) error {
	for {
		g.mu.RLock()
		last := g.byKey[key]
		g.mu.RUnlock()
		if last != nil {
			if err := last.ref.Send(m); err != ErrStopped {
				return err
			}
		}
		if err := g.spawnAfter(key, last); err != nil {
			return err
		}
	}
}

// spawnAfter spawns an actor for key to follow last, which is nil or has
// stopped, unless somebody else did.
func (g *Group[K, M]) spawnAfter(key K, last *member[K, M]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrStopped
	}
	there := g.byKey[key]
	if there != last && there != nil {
		return nil
	}
	m := &member[K, M]{group: g, id: key, index: len(g.members)}
	m.ref.cfg, m.ref.owner = g.cfg, m
	if there != nil {
		m.predecessor = &there.ref
	}
	g.byKey[key] = m
	g.members = append(g.members, m)
	g.armTimer()
	m.ref.activation = newActivation(&m.ref)
	go m.ref.activation.goRun()
	return nil
}

// Lookup returns the actor of key if there is one that takes messages. It may
// be retired at any time: use Send to reach the key whatever happens.
func (g *Group[K, M]) Lookup(key K) (*Ref[M], bool) {
	g.mu.RLock()
	m := g.byKey[key]
	g.mu.RUnlock()
	if m == nil || m.ref.Stopping() {
		return nil, false
	}
	return &m.ref, true
}

// Range calls fn for each actor that takes messages, in no order, until fn
// returns false. It goes through the actors that were there when it began; fn
// may use the group.
func (g *Group[K, M]) Range(fn func(key K, r *Ref[M]) bool) {
	for _, m := range g.snapshot() {
		if !m.ref.Stopping() && !fn(m.id, &m.ref) {
			return
		}
	}
}

func (g *Group[K, M]) snapshot() []*member[K, M] {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return append([]*member[K, M](nil), g.members...)
}

// Len returns how many keys have an actor that has not ended.
func (g *Group[K, M]) Len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.byKey)
}

// Close stops all actors and makes Send return [ErrStopped]. It waits until
// each has ended, or ctx has; then its error says how many have not, and they
// go on stopping. Closing again waits again. An actor of the group must not
// call it: it would wait for itself.
func (g *Group[K, M]) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	if g.timer != nil {
		g.timer.Stop()
	}
	g.mu.Unlock()

	all := g.snapshot()
	for _, m := range all {
		m.ref.Stop()
	}
	for _, m := range all {
		select {
		case <-m.ref.Done():
		case <-ctx.Done():
			return fmt.Errorf("actor: closing a group: %d of its actors have not ended: %w", len(g.snapshot()), ctx.Err())
		}
	}
	return nil
}

func (m *member[K, M]) awaitPredecessor() {
	if m.predecessor != nil {
		<-m.predecessor.Done()
		m.predecessor = nil
	}
}

func (m *member[K, M]) start(self *Ref[M]) Receiver[M] { return m.group.start(m.id, self) }

func (m *member[K, M]) key() any { return m.id }

func (m *member[K, M]) ended() {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byKey[m.id] == m {
		delete(g.byKey, m.id)
	}
	end := len(g.members) - 1
	g.members[m.index] = g.members[end]
	g.members[m.index].index = m.index
	g.members[end] = nil
	g.members = g.members[:end]
	if end > 0 {
		return
	}
	g.members = nil // a group that was large once need not stay so
	if g.armed && g.timer.Stop() {
		g.armed = false // otherwise its sweep has begun, and sees to it
	}
}
