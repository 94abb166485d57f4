package rooms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// healthInterval is how often it is checked whether the log takes events; a
	// check takes eventlog.RequestTimeout at most. So Ready changes within 5 s,
	// both ways.
	healthInterval = time.Second
	// slowPublish is how long a publish may wait, while none is stored, before
	// the log counts as not ready: a little more than one attempt.
	slowPublish = 2500 * time.Millisecond
	// writeProbeEvery is how often a probe is written while no publish shows that
	// writing works.
	writeProbeEvery = 2 * time.Second

	// ProofRoom is the room, and the user of the inbox, to which a node without
	// an embedded server publishes one event after publishes have failed and
	// there are no others: a NATS server whose disk was full answers all other
	// requests but stores nothing until it is restarted.
	ProofRoom = "roomd-health"
	// typeWritable is that event's type. It holds nothing that members of the
	// room may not see.
	typeWritable = "log_writable"
)

// Reason is why the log takes no events, as a word for programs.
type Reason string

const (
	ReasonStopped      Reason = "stopped"      // Close was called
	ReasonDisconnected Reason = "disconnected" // NATS cannot be reached
	ReasonStore        Reason = "store"        // the embedded server cannot write to its directory
	ReasonNoAnswer     Reason = "no_answer"    // the log has no leader, or it does not answer
	ReasonNoMajority   Reason = "no_majority"  // its leader is alone
	ReasonNotStored    Reason = "not_stored"   // publishes are not acknowledged
)

// Reasons lists all reasons.
var Reasons = []Reason{ReasonStopped, ReasonDisconnected, ReasonStore, ReasonNoAnswer, ReasonNoMajority, ReasonNotStored}

// reasonTexts are the sentences for the reasons, and what to do; see
// UnreadyError.
var reasonTexts = map[Reason]struct{ what, todo string }{
	ReasonStopped:      {"this node is stopping", "connect to another"},
	ReasonDisconnected: {"NATS cannot be reached", "look whether it runs and can be reached from here; it is tried again all the time"},
	ReasonStore:        {"the store of the embedded NATS cannot be written to", ""},
	ReasonNoAnswer:     {"NATS or the log on it does not answer", "look whether a majority of the NATS servers runs, and with JetStream: one that had a full disk has to be restarted when there is space"},
	ReasonNoMajority:   {"the log has lost its majority of servers", "start the NATS servers that are down"},
	ReasonNotStored:    {"NATS does not store events", "look at the disk and the log of the NATS server that leads the stream; one that had a full disk has to be restarted when there is space"},
}

// UnreadyError says why the log takes no events.
type UnreadyError struct {
	Reason Reason
	Since  time.Time // when it was first noticed
	Err    error     // the cause, for the log: it may name files and servers
}

// Error returns a sentence that may be shown to anybody.
func (e *UnreadyError) Error() string { return reasonTexts[e.Reason].what }
func (e *UnreadyError) Unwrap() error { return e.Err }

// Todo returns what an operator can do about it.
func (e *UnreadyError) Todo() string {
	var more interface{ Todo() string }
	if errors.As(e.Err, &more) {
		return more.Todo()
	}
	return reasonTexts[e.Reason].todo
}

// Ready returns nil when the log takes events, as far as is known, else an
// *UnreadyError. It returns the result of the last check and does not block.
func (e *Engine) Ready() error {
	if e.closed() {
		return &UnreadyError{Reason: ReasonStopped, Err: errClosed}
	}
	if unready := e.unready.Load(); unready != nil {
		return unready
	}
	return nil
}

// StoreMonitor is a Connector that monitors the store of its own NATS server,
// as embedded.Server does: with it no write probes are needed.
type StoreMonitor interface {
	Health() error            // nil: it accepts writes; must not block
	JetStreamRestarts() int64 // each may have lost copies and acks
}

// observation is the result of one check of a stream. A nil error means that
// there is nothing wrong.
type observation struct {
	at           time.Time
	disconnected error // why a connection is down
	store        error // as the server beside says
	monitored    bool  // there is one
	write        error // beside the streams
	quorum       error
	flow         eventlog.Flow
}

// health is what is remembered of one stream from check to check. It is owned
// by healthLoop.
type health struct {
	flow         eventlog.Flow // of the last look
	lastProgress time.Time     // when something was last seen to be stored
	failing      bool          // publishes have failed, and nothing has shown since that they would not
}

// evaluate returns why the log takes no events; "" when it does.
func (h *health) evaluate(s observation) (Reason, error) {
	progressed := s.flow.Acked > h.flow.Acked
	failed := s.flow.Expired > h.flow.Expired && !progressed
	h.flow = s.flow
	if progressed {
		h.lastProgress, h.failing = s.at, false
	}
	stalled := !s.flow.Oldest.IsZero() && s.at.Sub(s.flow.Oldest) >= slowPublish && s.at.Sub(h.lastProgress) >= slowPublish
	switch {
	case stalled || failed:
		h.failing = true
	case s.monitored && s.store == nil && s.flow.Oldest.IsZero():
		h.failing = false // the server beside knows better than the last who tried
	}
	switch {
	case s.disconnected != nil:
		return ReasonDisconnected, s.disconnected
	case s.store != nil:
		return ReasonStore, s.store
	case errors.Is(s.quorum, eventlog.ErrNoQuorum):
		return ReasonNoMajority, s.quorum
	case s.quorum != nil:
		return ReasonNoAnswer, s.quorum
	case h.failing && s.flow.Why != nil:
		return ReasonNotStored, s.flow.Why
	case h.failing:
		return ReasonNotStored, errors.New("publishes get no answer")
	case errors.Is(s.write, context.DeadlineExceeded):
		return ReasonNoAnswer, s.write
	case s.write != nil:
		return ReasonNotStored, s.write
	}
	return "", nil
}

// prober is the state of healthLoop.
type prober struct {
	streams  [wire.Spaces]health
	restarts int64
	wrote    time.Time // when the last write probe was
}

// healthLoop checks the log until the engine is closed.
func (e *Engine) healthLoop(ctx context.Context) {
	tick := time.NewTicker(e.cfg.tuning.health)
	defer tick.Stop()
	var p prober
	for space, flow := range e.pub.Flow() {
		p.streams[space].flow = flow
	}
	if e.storeMonitor != nil {
		p.restarts = e.storeMonitor.JetStreamRestarts()
	}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		seen := e.observe(ctx, &p)
		if ctx.Err() != nil {
			return
		}
		e.evaluate(&p, seen)
	}
}

// evaluate decides for all streams together whether they take events: a client
// that cannot send private messages is not well served either.
func (e *Engine) evaluate(p *prober, observed [wire.Spaces]observation) {
	var why Reason
	var cause error
	for space, s := range observed {
		reason, err := p.streams[space].evaluate(s)
		if why != "" || reason == "" {
			continue
		}
		if why, cause = reason, err; reason == ReasonNoMajority || reason == ReasonNotStored {
			cause = fmt.Errorf("the stream %s: %w", e.stores[space].log.Name(), err)
		}
	}
	e.setUnready(observed[0].at, why, cause)
	for space, s := range observed {
		if p.streams[space].failing && why == ReasonNotStored && !s.monitored && s.flow.Oldest.IsZero() {
			e.publishProof(wire.Space(space))
		}
	}
}

// observe collects one observation of each stream. It sends no requests about a
// stream whose publishes are being stored, unless the engine was not ready:
// then everything is checked before it is ready again.
func (e *Engine) observe(ctx context.Context, p *prober) (observed [wire.Spaces]observation) {
	common := observation{at: time.Now(), monitored: e.storeMonitor != nil}
	if common.monitored {
		common.store = e.storeMonitor.Health()
		e.checkRestarts(p)
	}
	for _, nc := range []*nats.Conn{e.nc, e.pubs} {
		if !nc.IsConnected() {
			common.disconnected = fmt.Errorf("the NATS connection %q is %s", nc.Opts.Name, nc.Status())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	flows, quiet, ready := e.pub.Flow(), true, e.unready.Load() == nil
	for space, flow := range flows {
		observed[space] = common
		observed[space].flow = flow
		if ready && flow.Acked > p.streams[space].flow.Acked {
			quiet = false
		} else if common.disconnected == nil {
			observed[space].quorum = e.countFailed(e.stores[space].log.Quorum(ctx))
		}
	}
	if quiet && common.disconnected == nil && e.writeProbe != nil && common.at.Sub(p.wrote) >= writeProbeEvery-healthInterval/2 { // a tick may come early
		p.wrote = common.at
		err := e.countFailed(e.writeProbe.Write(ctx))
		if err != nil {
			p.wrote = time.Time{} // until it succeeds every look tries
		}
		for space := range observed {
			if !errors.Is(err, eventlog.ErrProbeNoLeader) {
				observed[space].write = err
			}
		}
	}
	return observed
}

// countFailed counts a probe that failed.
func (e *Engine) countFailed(err error) error {
	if err != nil {
		e.stats.ProbesFailed.Add(1)
	}
	return err
}

// checkRestarts compares all rooms with the log after JetStream was restarted:
// copies and acks may have been lost without a connection being lost.
func (e *Engine) checkRestarts(p *prober) {
	restarts := e.storeMonitor.JetStreamRestarts()
	if restarts == p.restarts {
		return
	}
	p.restarts = restarts
	e.resendNow()
	for _, st := range e.stores {
		st.suspectAll()
	}
}

// setUnready stores the result of a check, and logs it when it has changed.
func (e *Engine) setUnready(at time.Time, reason Reason, err error) {
	was := e.unready.Load()
	switch {
	case reason == "" && was != nil:
		e.unready.Store(nil)
		e.cfg.Log.Info().Str("was", string(was.Reason)).Stringer("after", at.Sub(was.Since).Round(time.Millisecond)).
			Msg("ready again: the rooms' log takes events")
		e.resendNow()
	case reason != "" && was == nil:
		now := &UnreadyError{Reason: reason, Since: at, Err: err}
		e.unready.Store(now)
		e.stats.Unready.Add(1)
		e.cfg.Log.Error().Err(err).Str("reason", string(reason)).Str("todo", now.Todo()).
			Msgf("not ready: the rooms' log takes no events: %s; clients are answered %s meanwhile", now, wire.Unavailable)
	case reason != "" && reason != was.Reason:
		e.unready.Store(&UnreadyError{Reason: reason, Since: was.Since, Err: err}) // the same trouble, seen otherwise
	}
}

// publishProof publishes the event that shows whether a stream takes any. Its
// id stays the same until it is stored. An ack that says it is a duplicate
// proves nothing, because a log that cannot write sends it too; so the next
// event has another id.
func (e *Engine) publishProof(space wire.Space) {
	unready := e.unready.Load()
	room := wire.Room(ProofRoom)
	if space == wire.SpaceInboxes {
		room = wire.Inbox(ProofRoom)
	}
	body, err := wire.NewBody(wire.Event{Type: typeWritable, Payload: wire.MarshalPayload(map[string]any{"node": e.cfg.Node, "since": unready.Since.UnixMilli()})})
	if err != nil {
		panic("rooms: the event that proves a log is not one: " + err.Error())
	}
	id := fmt.Sprintf("%s-%s-%d-%d", typeWritable, e.cfg.Node, unready.Since.UnixNano(), e.proofs.Load())
	e.PublishAsync(room, body, PublishOptions{ID: id}, func(s PubAck, _ error) {
		// The next look sees by the publisher's counters what else came of it.
		if s.Duplicate {
			e.proofs.Add(1)
		}
	})
}

// warnUnlessUnready returns a log event at warning level, or at debug level
// while the log takes no events: that was logged already, and this follows from
// it again and again.
func (e *Engine) warnUnlessUnready() *zerolog.Event {
	if e.unready.Load() != nil {
		return e.cfg.Log.Debug()
	}
	return e.cfg.Log.Warn()
}
