package rooms

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// checkLoop finds live copies that were lost with no later copy of that room,
// which the room itself cannot notice. It asks for the stream's last sequence
// and, if that has moved, compares rooms with the log: those that have new
// events when these are few, else all. It does so every checkInterval, and more
// often when the log is replaced faster than that.
func (st *store) checkLoop(c *streamCheck) {
	timer := time.NewTimer(st.eng.cfg.tuning.check)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if st.suspect.Load() {
				st.checkAll(0)
			}
			st.checkStream(c)
			timer.Reset(st.pause(c))
		case <-st.seqReached:
			timer.Reset(max(0, st.eng.cfg.tuning.checkLeast-time.Since(c.at)))
		case <-st.checkNow:
			st.checkAll(0)
		case <-st.settingsChanged:
			st.checkStream(c)
		case <-st.eng.ctx.Done():
			return
		}
	}
}

// streamCheck is what checkLoop remembers of the stream.
type streamCheck struct {
	comparedTo  uint64 // all rooms have every event up to this sequence: they were compared with a replica that had it, or got every copy
	logEnd      uint64 // the stream's last sequence at the last check that succeeded; a replica may not have it yet
	upToDate    bool   // both are the stream's last sequence
	announcedTo uint64 // the stream's last sequence that was last announced to every room
	last        uint64 // the stream's last sequence at the last check
	halfSpan    uint64 // half of the sequences that the stream spans

	at        time.Time     // of the last check
	interval  time.Duration // between it and the one before
	newEvents uint64        // events in that time
}

// record stores the result of a check.
func (c *streamCheck) record(at time.Time, now eventlog.StreamState) {
	c.interval, c.newEvents = at.Sub(c.at), now.Last-min(c.last, now.Last)
	c.at, c.last = at, now.Last
	c.halfSpan = (now.Last - min(now.First, now.Last)) / 2
}

// pause returns the time to the next check: checkInterval, or less if at the
// present rate half of the log is replaced sooner, perhaps by rooms that are
// not open on this node.
func (st *store) pause(c *streamCheck) time.Duration {
	next := st.nextCheckSeq.Load()
	left := float64(next-min(c.last, next)) / float64(max(c.newEvents, 1)) * float64(c.interval)
	return time.Duration(min(max(left, float64(st.eng.cfg.tuning.checkLeast)), float64(st.eng.cfg.tuning.check)))
}

// onDelivered is called for each event that is delivered.
func (st *store) onDelivered(seq uint64) {
	for {
		next := st.nextCheckSeq.Load()
		switch {
		case next == math.MaxUint64: // a check is due; it may not see this event
			st.deliveredSince.Store(seq)
			if st.nextCheckSeq.Load() == next {
				return
			}
		case seq < next:
			return
		case st.nextCheckSeq.CompareAndSwap(next, math.MaxUint64):
			st.wakeCheck()
			return
		}
	}
}

func (st *store) wakeCheck() {
	select {
	case st.seqReached <- struct{}{}:
	default: // already woken
	}
}

// checkAtSeq sets the sequence whose delivery starts the next check.
func (st *store) checkAtSeq(seq uint64) {
	st.nextCheckSeq.Store(seq)
	if st.deliveredSince.Load() >= seq {
		st.wakeCheck()
	}
}

func (st *store) checkStream(c *streamCheck) {
	st.counters.checks.Add(1)
	at := time.Now()
	st.deliveredSince.Store(0)
	begun := 0
	if st.space == wire.SpaceTables {
		begun = st.eng.begun.beforeAsking()
		st.eng.cfg.tuning.stateAsked(false)
	}
	ctx, cancel := context.WithTimeout(st.eng.ctx, eventlog.RequestTimeout)
	defer cancel()
	asked := st.eng.tableClock.own()
	now, err := st.log.State(ctx)
	if err == nil {
		if st.space == wire.SpaceTables {
			st.eng.cfg.tuning.stateAsked(true)
			st.eng.begun.told(begun, now.Subjects, now.Last)
			st.eng.tableClock.compare(asked, st.eng.tableClock.own(), now.Told(), &st.eng.cfg.Log)
		}
		c.record(at, now)
		st.state.Store(&now)
		st.adjustLimit(ctx, now)
	}
	defer func() { st.checkAtSeq(max(c.announcedTo, c.last-min(c.halfSpan, c.last)) + c.halfSpan + 1) }()
	switch {
	case st.eng.closed():
	case eventlog.IsStreamNotFound(err):
		st.restoreStream(ctx)
	case err != nil:
		st.eng.warnUnlessUnready().Err(err).Msg("the log does not say where it stands; trying again at the next check")
	case st.detectRecreated(now):
		c.upToDate, c.announcedTo = false, 0
	case now.Last == c.logEnd && c.upToDate:
	case st.receivedSpan().covers(c.comparedTo, c.logEnd): // nothing was lost, so no room need be compared
		c.announcedTo = max(c.announcedTo, c.logEnd)
		c.compared(now.Last)
	case c.announceDue(now) && !st.receivedSpan().covers(c.announcedTo, c.announcedTo): // else the copies since then say the same
		if st.checkInBatches(true, c.logEnd) {
			c.announcedTo = now.Last
		}
	case st.checkSince(ctx, c.comparedTo, now.Last, c.logEnd):
		c.compared(now.Last)
	}
}

// compared records that all rooms have every event up to last.
func (c *streamCheck) compared(last uint64) {
	c.upToDate = last == c.logEnd
	c.comparedTo, c.logEnd = c.logEnd, last
}

// announceDue reports whether half of the log has been replaced since its end
// was last announced to every room. A room that hears of it in time knows that
// it has missed nothing, even after its own last event was discarded.
func (c *streamCheck) announceDue(now eventlog.StreamState) bool {
	return now.Last-min(c.announcedTo, now.Last) > c.halfSpan
}

// adjustLimit records the stream's limit per room in its metadata and adjusts
// it: anybody may publish to many rooms and inboxes, and must not push out the
// events of others.
func (st *store) adjustLimit(ctx context.Context, now eventlog.StreamState) {
	if st.space == wire.SpaceTables {
		return // a table's steps are dropped below its snapshots only, however many they are
	}
	err := st.log.RecordLimit(ctx, now)
	if err == nil {
		var limit int64
		var changed bool
		if limit, changed, err = st.log.AdjustLimit(ctx, now); changed && err == nil {
			st.eng.stats.HistoryLimits.Add(1)
			st.eng.cfg.Log.Warn().Str("stream", st.log.Name()).Int64("limit", limit).
				Msg("the log is filling up, or has place again: each room, or inbox, keeps another number of events (see --history-bytes and --inbox-bytes)")
		}
	}
	if err != nil && !st.eng.closed() {
		st.eng.cfg.Log.Warn().Err(err).Str("stream", st.log.Name()).Msg("a change of the log's limit per room could not be made, or noted in the stream's metadata; trying again at the next check")
	}
}

// checkSince compares the rooms that have an event after `after`, up to `upto`,
// with a replica that has everything up to least; it reports whether it could.
func (st *store) checkSince(ctx context.Context, after, upto, least uint64) bool {
	if upto <= after || upto-after > eventlog.MaxUnfiltered || upto-after >= uint64(st.handles.count()) {
		return st.checkInBatches(false, least)
	}
	tokens, err := st.log.Tokens(ctx, after, upto)
	if err != nil {
		return st.checkInBatches(false, least)
	}
	var list []*handle
	for token := range tokens {
		if h := st.handles.get(token); h != nil {
			list = append(list, h)
		}
	}
	_, ok := st.check(list, false, least)
	return ok
}

// restoreStream creates the stream again after it was deleted, or lost with a
// NATS server that kept it in memory. The next check finds its new epoch.
func (st *store) restoreStream(ctx context.Context) {
	err := st.log.Restore(ctx)
	st.eng.restoreSecret(ctx)
	st.eng.cfg.Log.Error().AnErr("restoring", err).Str("stream", st.log.Name()).Msg("the stream with the log of every room is gone: it is made anew and empty; was it deleted, or kept in memory by a server that was restarted?")
}

// detectRecreated reports whether the stream was created again, and tells the
// rooms: old positions mean nothing then.
func (st *store) detectRecreated(now eventlog.StreamState) bool {
	epoch := now.Epoch
	if epoch == st.Epoch() {
		return false
	}
	st.copies.onRecreated(now.Created())
	st.eng.cfg.Log.Warn().Str("stream", st.log.Name()).Str("was", st.Epoch()).Str("is", epoch).Msg("the log was made anew; the members of all its rooms are told to refresh")
	st.epoch.Store(&epoch)
	for _, h := range st.handles.all() {
		st.eng.post(h.self, renewed{})
	}
	st.doubtSteps()
	return true
}

// checkSoon makes checkLoop compare all rooms as soon as it can.
func (st *store) checkSoon() {
	select {
	case st.checkNow <- struct{}{}:
	default: // already requested
	}
}

// suspectAll is called when the log may have been rolled back: each room asks
// the leader before it delivers its next event, and all rooms are compared with
// the log soon, including those that have nothing to deliver.
func (st *store) suspectAll() {
	st.markSuspect()
	st.suspect.Store(true)
	st.checkSoon()
}

// checkInBatches compares every open room with the log, checkRooms of them per
// interval.
func (st *store) checkInBatches(tell bool, least uint64) bool {
	list := st.handles.all()
	for most := st.eng.cfg.tuning.checkRooms; len(list) > most; {
		if _, ok := st.check(list[:most], tell, least); !ok {
			return false
		}
		list = list[most:]
		select {
		case <-time.After(st.eng.cfg.tuning.check):
		case <-st.checkNow:
			return st.checkAll(least)
		case <-st.eng.ctx.Done():
			return false
		}
	}
	_, ok := st.check(list, tell, least)
	return ok
}

// checkOpened compares rooms with the log a moment after they were opened, and
// again until that succeeded with a replica that has everything the leader had
// at the first attempt it answered: the last copy may have come before their
// subscriptions were active, and an earlier check did not include them yet.
func (st *store) checkOpened(list []*handle, after time.Duration, least uint64) {
	time.AfterFunc(after, func() {
		last, ok := st.check(list, false, least)
		list = slices.DeleteFunc(list, func(h *handle) bool { return st.handles.get(h.token()) != h })
		if ok || len(list) == 0 || st.eng.closed() {
			return
		}
		if last != 0 {
			least = min(least, last)
		}
		st.checkOpened(list, st.eng.cfg.tuning.check, least)
	})
}

// checkAll compares every open room with the log and reports whether it could.
// Events since the last check are compared at the next, with a replica that has
// them.
func (st *store) checkAll(least uint64) bool {
	suspect := st.suspect.Swap(false)
	_, ok := st.check(st.handles.all(), suspect, least)
	if suspect && !ok {
		st.suspect.Store(true)
	}
	return ok
}

// upToLeader is for check: everything that the leader has when the check
// begins.
const upToLeader = math.MaxUint64

// check compares the last sequences of rooms with the log and tells those that
// differ, or, with tell, all. It returns the leader's last sequence, 0 if that
// is unknown, and whether the comparison was made with a replica that had
// everything up to least: a replica that lags proves nothing.
func (st *store) check(list []*handle, tell bool, least uint64) (last uint64, ok bool) {
	if len(list) == 0 || st.eng.closed() {
		return 0, true
	}
	names, at := make([]wire.Room, len(list)), make([]uint64, len(list))
	for i, h := range list {
		names[i], at[i] = h.name, h.last.Load()
	}
	ctx, cancel := context.WithTimeout(st.eng.ctx, st.eng.cfg.tuning.open)
	defer cancel()
	checks, last, err := st.log.Checks(ctx, names)
	if err != nil {
		if !st.eng.closed() {
			st.eng.warnUnlessUnready().Err(err).Int("rooms", len(list)).Msg("the last sequences of rooms could not be compared with the log; trying again at the next check")
		}
		return last, false
	}
	st.eng.awaitDispatched(ctx)
	heard := st.receivedSpan()
	st.counters.compared.Add(int64(len(list)))
	ok = true
	for i, h := range list {
		c := checks[h.token()]
		ok = ok && c.HighWatermark >= min(least, last)
		h.known.Store(c.Last)
		if tell || c.Last > h.last.Load() || c.Last < at[i] {
			st.eng.post(h.self, checked{Check: c, at: at[i], received: heard})
		}
	}
	return last, ok
}

// onDisconnect runs on nats.go's goroutine, as do onReconnect and onAsyncError.
// The log may have been rolled back by the time the connection is back.
func (e *Engine) onDisconnect(nc *nats.Conn, err error) {
	if !e.closed() {
		e.cfg.Log.Warn().Err(err).Msg("the engine's NATS connection is lost; reconnecting")
	}
	for _, st := range e.stores {
		st.markSuspect()
	}
}

func (st *store) markSuspect() {
	st.copies.generation.Add(1)
	for _, h := range st.handles.all() {
		h.suspect.Store(true)
	}
	st.doubtSteps()
}

func (e *Engine) onReconnect(nc *nats.Conn) {
	if e.connected.Load() {
		together(e.pubs)
		e.revived.now()
	}
	e.forward.reconnected()
	e.cfg.Log.Info().Str("url", nc.ConnectedUrlRedacted()).Msg("the engine's NATS connection is back; comparing all rooms with the log")
	for _, st := range e.stores {
		st.suspectAll()
	}
	e.sendHeartbeat(true)
	e.postAll(resync{})
}

// onAsyncError is called by nats.go, mainly when copies for a subscription were
// dropped because the channel was full. All rooms are compared: when one has
// lost copies, most have.
func (e *Engine) onAsyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if sub != nil && errors.Is(err, nats.ErrSlowConsumer) {
		e.stats.SlowConsumer.Add(1)
		for _, st := range e.stores {
			st.checkSoon()
		}
		return
	}
	e.cfg.Log.Warn().Err(err).Msg("NATS reports an error on the engine's connection")
}
