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
	// healthInterval is between two looks at whether the log takes events; a
	// look takes eventlog.RequestTimeout at most. So Ready follows what is
	// within 5 s, both ways.
	healthInterval = time.Second
	// slowPublish is how long a publish may wait, while none is stored, before
	// the log counts as not taking any: one attempt and a bit.
	slowPublish = 2500 * time.Millisecond
	// writeProbeEvery is how often something is written where no publish says
	// that it can be.
	writeProbeEvery = 2 * time.Second

	// ProofRoom is the room, and the user whose inbox it is, into which a node
	// without an embedded server publishes one event after publishes have
	// failed and nobody publishes any more: a NATS server whose disk was full
	// answers all questions and stores nothing until it is restarted.
	ProofRoom = "roomd-health"
	// typeWritable is that event. Everybody may see it.
	typeWritable = "log_writable"
)

// Reason is why the log takes no events, in a word.
type Reason string

const (
	ReasonStopped      Reason = "stopped"      // Close was called
	ReasonDisconnected Reason = "disconnected" // NATS cannot be reached
	ReasonStore        Reason = "store"        // the embedded server cannot write to its directory
	ReasonNoAnswer     Reason = "no_answer"    // the log has no leader, or it does not answer
	ReasonNoMajority   Reason = "no_majority"  // its leader is alone
	ReasonNotStored    Reason = "not_stored"   // publishes are not acknowledged
)

// Reasons are all of them.
var Reasons = []Reason{ReasonStopped, ReasonDisconnected, ReasonStore, ReasonNoAnswer, ReasonNoMajority, ReasonNotStored}

// texts are the sentences for the reasons, and what to do; see UnreadyError.
var texts = map[Reason]struct{ what, todo string }{
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

// Error is a sentence that may be shown to anybody.
func (e *UnreadyError) Error() string { return texts[e.Reason].what }
func (e *UnreadyError) Unwrap() error { return e.Err }

// Todo is what a person can do about it.
func (e *UnreadyError) Todo() string {
	var more interface{ Todo() string }
	if errors.As(e.Err, &more) {
		return more.Todo()
	}
	return texts[e.Reason].todo
}

// Ready is nil when the log takes events, as far as is known, else an
// *UnreadyError. It is answered from memory.
func (e *Engine) Ready() error {
	if e.closed() {
		return &UnreadyError{Reason: ReasonStopped, Err: errClosed}
	}
	if unready := e.unready.Load(); unready != nil {
		return unready
	}
	return nil
}

// Watched is a Connector that knows how its server's store is, as
// embedded.Server does: nothing need be written to find out.
type Watched interface {
	Health() error            // nil: it takes writes; from memory
	JetStreamRestarts() int64 // how often the log was read anew from its files, at which copies and acks may have been lost
}

// look is what was seen of one stream at one moment. The zero errors are good.
type look struct {
	at      time.Time
	lost    error // a connection is down
	store   error // as the server beside says
	watched bool  // there is one
	write   error // beside the streams
	led     error
	flow    eventlog.Flow
}

// health is what is remembered of one stream from look to look. Owned by
// healthLoop.
type health struct {
	flow         eventlog.Flow // of the last look
	lastProgress time.Time     // when something was last seen to be stored
	failing      bool          // publishes have failed, and nothing has shown since that they would not
}

// judge says why the log takes no events; "" when it does.
func (h *health) judge(s look) (Reason, error) {
	stored := s.flow.Acked > h.flow.Acked
	failed := s.flow.Expired > h.flow.Expired && !stored
	h.flow = s.flow
	if stored {
		h.lastProgress, h.failing = s.at, false
	}
	waits := !s.flow.Oldest.IsZero() && s.at.Sub(s.flow.Oldest) >= slowPublish && s.at.Sub(h.lastProgress) >= slowPublish
	switch {
	case waits || failed:
		h.failing = true
	case s.watched && s.store == nil && s.flow.Oldest.IsZero():
		h.failing = false // the server beside knows better than the last who tried
	}
	switch {
	case s.lost != nil:
		return ReasonDisconnected, s.lost
	case s.store != nil:
		return ReasonStore, s.store
	case errors.Is(s.led, eventlog.ErrNoQuorum):
		return ReasonNoMajority, s.led
	case s.led != nil:
		return ReasonNoAnswer, s.led
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

// prober is what healthLoop remembers.
type prober struct {
	streams [wire.Spaces]health
	heals   int64
	wrote   time.Time // when the last write probe was
}

// healthLoop looks until the engine is closed.
func (e *Engine) healthLoop(ctx context.Context) {
	tick := time.NewTicker(e.cfg.tuning.health)
	defer tick.Stop()
	var p prober
	for space, flow := range e.pub.Flow() {
		p.streams[space].flow = flow
	}
	if e.watched != nil {
		p.heals = e.watched.JetStreamRestarts()
	}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		seen := e.look(ctx, &p)
		if ctx.Err() != nil {
			return
		}
		e.judge(&p, seen)
	}
}

// judge says of all streams together whether they take events: who cannot send
// a private message is not well served either.
func (e *Engine) judge(p *prober, seen [wire.Spaces]look) {
	var why Reason
	var cause error
	for space, s := range seen {
		reason, err := p.streams[space].judge(s)
		if why != "" || reason == "" {
			continue
		}
		if why, cause = reason, err; reason == ReasonNoMajority || reason == ReasonNotStored {
			cause = fmt.Errorf("the stream %s: %w", e.stores[space].log.Name(), err)
		}
	}
	e.setUnready(seen[0].at, why, cause)
	for space, s := range seen {
		if p.streams[space].failing && why == ReasonNotStored && !s.watched && s.flow.Oldest.IsZero() {
			e.prove(wire.Space(space))
		}
	}
}

// look asks nobody about a stream while what is published into it is stored:
// that says it all, unless it is to be ready again, with all that belongs to
// it.
func (e *Engine) look(ctx context.Context, p *prober) (seen [wire.Spaces]look) {
	common := look{at: time.Now(), watched: e.watched != nil}
	if common.watched {
		common.store = e.watched.Health()
		e.healed(p)
	}
	for _, nc := range []*nats.Conn{e.nc, e.pubs} {
		if !nc.IsConnected() {
			common.lost = fmt.Errorf("the NATS connection %q is %s", nc.Opts.Name, nc.Status())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, eventlog.RequestTimeout)
	defer cancel()
	flows, quiet, ready := e.pub.Flow(), true, e.unready.Load() == nil
	for space, flow := range flows {
		seen[space] = common
		seen[space].flow = flow
		if ready && flow.Acked > p.streams[space].flow.Acked {
			quiet = false
		} else if common.lost == nil {
			seen[space].led = e.counted(e.stores[space].log.Quorum(ctx))
		}
	}
	if quiet && common.lost == nil && e.writes != nil && common.at.Sub(p.wrote) >= writeProbeEvery-healthInterval/2 { // a tick may come early
		p.wrote = common.at
		err := e.counted(e.writes.Write(ctx))
		if err != nil {
			p.wrote = time.Time{} // until it succeeds every look tries
		}
		for space := range seen {
			if !errors.Is(err, eventlog.ErrProbeNoLeader) {
				seen[space].write = err
			}
		}
	}
	return seen
}

// counted counts a probe that failed.
func (e *Engine) counted(err error) error {
	if err != nil {
		e.stats.ProbesFailed.Add(1)
	}
	return err
}

// healed has all rooms compared with a log that was read anew: copies and acks
// may have been lost with no connection lost.
func (e *Engine) healed(p *prober) {
	heals := e.watched.JetStreamRestarts()
	if heals == p.heals {
		return
	}
	p.heals = heals
	e.pub.ResendNow()
	for _, st := range e.stores {
		st.suspectAll()
	}
}

// setUnready notes what was judged, and says it when it is another than before.
func (e *Engine) setUnready(at time.Time, reason Reason, err error) {
	was := e.unready.Load()
	switch {
	case reason == "" && was != nil:
		e.unready.Store(nil)
		e.cfg.Log.Info().Str("was", string(was.Reason)).Stringer("after", at.Sub(was.Since).Round(time.Millisecond)).
			Msg("ready again: the rooms' log takes events")
		e.pub.ResendNow()
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

// prove publishes the event that shows whether a stream takes any. Its id stays
// the same until it is stored, of which one may hear as of a duplicate; that
// proves nothing, so the next has another.
func (e *Engine) prove(space wire.Space) {
	unready := e.unready.Load()
	room := ProofRoom
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

// troubled is a warning of something that a log which takes no events brings
// about again and again: it has been said then.
func (e *Engine) troubled() *zerolog.Event {
	if e.unready.Load() != nil {
		return e.cfg.Log.Debug()
	}
	return e.cfg.Log.Warn()
}
