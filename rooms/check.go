package rooms

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// checkLoop looks for live copies that were lost with nothing after them: a
// room that hears no more would not notice. It asks for the stream's last
// sequence, and only when that has moved for the rooms': of those that the new
// events are for when these are few, else of all. It does so every
// checkInterval, and sooner when the log turns over sooner.
func (e *Engine) checkLoop(c *streamCheck) {
	timer := time.NewTimer(e.cfg.tuning.check)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			e.checkStream(c)
			timer.Reset(e.pause(c))
		case <-e.turnover:
			timer.Reset(max(0, e.cfg.tuning.checkLeast-time.Since(c.at)))
		case <-e.kick:
			e.checkAll()
		case <-e.edited:
			e.checkStream(c)
		case <-e.ctx.Done():
			return
		}
	}
}

// streamCheck is what checkLoop remembers of the stream.
type streamCheck struct {
	was     uint64 // last sequence up to which all rooms were compared twice: the replica that was asked may have been behind
	seen    uint64 // and once
	settled bool   // both are where the stream stands
	told    uint64 // last sequence when every room was told how far the log was
	last    uint64 // sequence at the last look
	half    uint64 // of the sequences that the stream spans

	at   time.Time     // of the last look
	took time.Duration // between it and the one before
	came uint64        // events in that time
}

// note notes what a look at the stream has shown.
func (c *streamCheck) note(at time.Time, now eventlog.Standing) {
	c.took, c.came = at.Sub(c.at), now.Last-min(c.last, now.Last)
	c.at, c.last = at, now.Last
	c.half = (now.Last - min(now.First, now.Last)) / 2
}

// pause is the time to the next look: checkInterval, or less at the pace of
// late. Half of the log may be replaced by rooms that this node has not open.
func (e *Engine) pause(c *streamCheck) time.Duration {
	next := e.nextLook.Load()
	left := float64(next-min(c.last, next)) / float64(max(c.came, 1)) * float64(c.took)
	return time.Duration(min(max(left, float64(e.cfg.tuning.checkLeast)), float64(e.cfg.tuning.check)))
}

// reached is told of each event that is delivered.
func (e *Engine) reached(seq uint64) {
	for {
		next := e.nextLook.Load()
		switch {
		case next == math.MaxUint64: // a look is due; it may not see this event
			e.passed.Store(seq)
			if e.nextLook.Load() == next {
				return
			}
		case seq < next:
			return
		case e.nextLook.CompareAndSwap(next, math.MaxUint64):
			e.lookSoon()
			return
		}
	}
}

func (e *Engine) lookSoon() {
	select {
	case e.turnover <- struct{}{}:
	default: // it will
	}
}

// lookAt has the event with that sequence bring about the next look.
func (e *Engine) lookAt(seq uint64) {
	e.nextLook.Store(seq)
	if e.passed.Load() >= seq {
		e.lookSoon()
	}
}

func (e *Engine) checkStream(c *streamCheck) {
	e.looks.checks.Add(1)
	at := time.Now()
	e.passed.Store(0)
	ctx, cancel := context.WithTimeout(e.ctx, eventlog.RequestTimeout)
	defer cancel()
	now, err := e.log.Standing(ctx)
	if err == nil {
		c.note(at, now)
		e.noteLimit(ctx, now)
	}
	defer func() { e.lookAt(max(c.told, c.last-min(c.half, c.last)) + c.half + 1) }()
	switch {
	case e.closed():
	case eventlog.Gone(err):
		e.restoreStream(ctx)
	case err != nil:
		e.cfg.Log.Warn().Err(err).Msg("the log does not say where it stands; trying again at the next check")
	case e.renewed(now):
		c.settled, c.told = false, 0
	case now.Last == c.seen && c.settled:
	case e.heardSpan().covers(c.was, c.seen): // nothing was lost, so no room need be compared
		c.told = max(c.told, c.seen)
		c.compared(now.Last)
	case c.tellAll(now) && !e.heardSpan().covers(c.told, c.told): // else the copies since then say the same
		if e.checkInTurn(true) {
			c.told = now.Last
		}
	case e.checkSince(ctx, c.was, now.Last):
		c.compared(now.Last)
	}
}

// compared notes that the rooms have what the stream had up to last.
func (c *streamCheck) compared(last uint64) {
	c.settled = last == c.seen
	c.was, c.seen = c.seen, last
}

// tellAll reports whether half of the log has been replaced since every room was
// told how far it is. A room that hears of it in time knows that it missed
// nothing when its own last event has been dropped.
func (c *streamCheck) tellAll(now eventlog.Standing) bool {
	return now.Last-min(c.told, now.Last) > c.half
}

func (e *Engine) noteLimit(ctx context.Context, now eventlog.Standing) {
	if err := e.log.NoteLimit(ctx, now); err != nil && !e.closed() {
		e.cfg.Log.Warn().Err(err).Msg("a change of the log's limit per room could not be noted in the stream's metadata; trying again at the next check")
	}
}

// checkSince compares the rooms that have an event after `after`, up to `upto`,
// with the log; false: it could not.
func (e *Engine) checkSince(ctx context.Context, after, upto uint64) bool {
	if upto <= after || upto-after > eventlog.MaxUnfiltered || upto-after >= uint64(e.handles.count()) {
		return e.checkInTurn(false)
	}
	tokens, err := e.log.Tokens(ctx, after, upto)
	if err != nil {
		return e.checkInTurn(false)
	}
	var list []*handle
	for token := range tokens {
		if h := e.handles.get(token); h != nil {
			list = append(list, h)
		}
	}
	return e.check(list, false)
}

// restoreStream makes the stream again that somebody, or a NATS server that
// kept it in memory, has lost. The next check finds that it is another one.
func (e *Engine) restoreStream(ctx context.Context) {
	err := e.log.Restore(ctx)
	e.cfg.Log.Error().AnErr("restoring", err).Msg("the stream with the log of every room is gone: it is made anew and empty; was it deleted, or kept in memory by a server that was restarted?")
}

// renewed finds out whether the stream was made anew and tells the rooms: old
// positions mean nothing then.
func (e *Engine) renewed(now eventlog.Standing) bool {
	epoch := now.Epoch
	if epoch == e.Epoch() {
		return false
	}
	e.copies.renewed(now.Made())
	e.cfg.Log.Warn().Str("was", e.Epoch()).Str("is", epoch).Msg("the log was made anew; the members of all rooms are told to refresh")
	e.epoch.Store(&epoch)
	for _, h := range e.handles.all() {
		e.post(h.self, renewed{})
	}
	return true
}

// checkSoon makes checkLoop compare all rooms as soon as it can.
func (e *Engine) checkSoon() {
	select {
	case e.kick <- struct{}{}:
	default: // it will anyway
	}
}

// doubt is for a log that may not be what it was: each room asks its leader
// before it delivers the next event, and all are compared with it soon, those
// too that have nothing to deliver.
func (e *Engine) doubt() {
	e.doubtRooms()
	e.suspect.Store(true)
	e.checkSoon()
}

// checkInTurn compares every open room with the log, as many per interval
// as checkRooms.
func (e *Engine) checkInTurn(tell bool) bool {
	list := e.handles.all()
	for most := e.cfg.tuning.checkRooms; len(list) > most; {
		if !e.check(list[:most], tell) {
			return false
		}
		list = list[most:]
		select {
		case <-time.After(e.cfg.tuning.check):
		case <-e.kick:
			return e.checkAll()
		case <-e.ctx.Done():
			return false
		}
	}
	return e.check(list, tell)
}

// checkAll compares every open room with the log; false: it could not.
func (e *Engine) checkAll() bool {
	suspect := e.suspect.Swap(false)
	ok := e.check(e.handles.all(), suspect)
	if suspect && !ok {
		e.suspect.Store(true)
	}
	return ok
}

// check compares the last sequences of rooms with the log and tells those that
// differ, or all.
func (e *Engine) check(list []*handle, tell bool) bool {
	if len(list) == 0 || e.closed() {
		return true
	}
	names, at := make([]string, len(list)), make([]uint64, len(list))
	for i, h := range list {
		names[i], at[i] = h.name, h.last.Load()
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.tuning.open)
	defer cancel()
	checks, err := e.log.Checks(ctx, names)
	if err != nil {
		if !e.closed() {
			e.cfg.Log.Warn().Err(err).Int("rooms", len(list)).Msg("the last sequences of rooms could not be compared with the log; trying again at the next check")
		}
		return false
	}
	e.catchUp(ctx)
	heard := e.heardSpan()
	e.looks.compared.Add(int64(len(list)))
	for i, h := range list {
		if c := checks[h.token()]; tell || c.Last > h.last.Load() || c.Last < at[i] {
			e.post(h.self, checked{Check: c, at: at[i], heard: heard})
		}
	}
	return true
}

// leaderSubject tells that the log has a new leader; what the old one had
// under way, copies and acks, may be lost without any connection having been.
const leaderSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED." + eventlog.StreamName

// editedSubject tells that somebody has changed the stream's settings.
const editedSubject = "$JS.EVENT.ADVISORY.STREAM.UPDATED." + eventlog.StreamName

func (e *Engine) watchStream() error {
	_, err := e.nc.Subscribe(editedSubject, func(*nats.Msg) {
		select {
		case e.edited <- struct{}{}:
		default: // it will look anyway
		}
	})
	if err != nil {
		return fmt.Errorf("rooms: subscribe to %s: %w", editedSubject, err)
	}
	_, err = e.nc.Subscribe(leaderSubject, func(*nats.Msg) {
		e.cfg.Log.Info().Msg("the log has a new leader; comparing all rooms with it and publishing again what has no ack")
		e.pub.Hurry()
		e.doubt()
	})
	if err != nil {
		return fmt.Errorf("rooms: subscribe to %s: %w", leaderSubject, err)
	}
	return nil
}

// onDisconnect runs on nats.go's goroutine, as onReconnect and onAsyncError do.
// What comes when the connection is back may be of a log that was rolled back.
func (e *Engine) onDisconnect(nc *nats.Conn, err error) {
	if !e.closed() {
		e.cfg.Log.Warn().Err(err).Msg("the engine's NATS connection is lost; reconnecting")
	}
	e.doubtRooms()
}

func (e *Engine) doubtRooms() {
	e.copies.life.Add(1)
	for _, h := range e.handles.all() {
		h.doubtful.Store(true)
	}
}

func (e *Engine) onReconnect(nc *nats.Conn) {
	e.cfg.Log.Info().Str("url", nc.ConnectedUrlRedacted()).Msg("the engine's NATS connection is back; comparing all rooms with the log")
	e.doubt()
	e.beat(true)
	e.postAll(resync{})
}

// onAsyncError is told by nats.go above all that copies for a subscription
// were dropped because the channel was full. The rooms are compared together:
// when one has lost copies, most have.
func (e *Engine) onAsyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if sub != nil && errors.Is(err, nats.ErrSlowConsumer) {
		e.stats.SlowConsumer.Add(1)
		e.checkSoon()
		return
	}
	e.cfg.Log.Warn().Err(err).Msg("NATS reports an error on the engine's connection")
}
