package rooms

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// effects executes what the room's follower asks for: it implements
// follow.Effects.
type effects struct{ r *room }

// parsedBody is the result of parsing a body. It is kept while its copy is
// handled, so that an event that is validated and delivered is parsed once.
type parsedBody struct {
	body   []byte
	stored wire.Stored
	err    error
}

// of is the result for a body, if that is the one that was parsed: the same
// bytes in the same place.
func (p *parsedBody) of(body []byte) (stored wire.Stored, err error, known bool) {
	if p == nil || len(body) == 0 || len(body) != len(p.body) || &body[0] != &p.body[0] {
		return wire.Stored{}, nil, false
	}
	return p.stored, p.err, true
}

// parse is wire.ReadStored, and verifies who the event is from.
func (r *room) parse(e follow.Event) (wire.Stored, error) {
	body := e.Body
	stored, err, known := r.parsed.of(body)
	if !known {
		stored, err = wire.ReadStored(body)
	}
	if err == nil && stored.Marked() {
		author := r.eng.secret.Load().storedAuthor(e.By, r.h.name, body, e.Time)
		stored.SetAuthor(r.eng.countUnsigned(author, e.By))
	}
	return stored, err
}

// inspect rejects an invalid event, where that is this node's task.
func (r *room) inspect(msg *nats.Msg) {
	stored, err := wire.ReadStored(msg.Data)
	if err != nil {
		r.eng.rejectCopy(msg, err)
	}
	if r.parsed == nil {
		r.parsed = new(parsedBody)
	}
	*r.parsed = parsedBody{msg.Data, stored, err}
}

// onLive takes one copy from the stream's republish.
func (r *room) onLive(msg *nats.Msg) {
	if r.eng.cfg.HearAll && !r.table { // what a table tells, nodes wrote
		r.inspect(msg)
		defer func() { *r.parsed = parsedBody{} }()
	}
	c, err := eventlog.Copy(msg)
	if err != nil {
		r.eng.stats.Forged.Add(1)
		r.eng.roomLog(r.h.name).Debug().Err(err).Str("subject", msg.Subject).Msg("a message on a room's log subject is not from the stream and was ignored; who publishes there?")
		return
	}
	if r.table {
		c.Event = inPlace(c.Event, c.Prev)
	}
	c.From = r.h.store.receivedFrom(c.Seq, r.h.since.Load(), r.follower.Position().Epoch)
	r.follower.Live(c)
}

// onReceived tells the follower which copies of the whole stream this node has
// received.
func (r *room) onReceived(s span) {
	if s.to != 0 && s.epoch == r.follower.Position().Epoch {
		r.follower.Received(max(s.from, r.h.since.Load()), s.to)
	}
}

// onChecked compares the room with what the log had. There is nothing to compare if
// the room has delivered events since, up to what the log had then or beyond: they
// came one behind the other, so none is missing between them. In a busy room that is
// so at almost every check, and to have the leader, or the log, asked about it would
// hold up all that is said meanwhile.
func (r *room) onChecked(m checked) {
	if newest := r.follower.Newest(); newest != m.at && m.at <= m.Last && m.Last <= newest {
		return
	}
	r.onReceived(m.received)
	r.follower.Check(m.Check)
}

// Deliver implements follow.Effects.
func (x effects) Deliver(e follow.Event) ([]byte, *follow.Apart) { return x.r.deliver(e) }

// Frame implements follow.Effects.
func (x effects) Frame(e follow.Event) ([]byte, *follow.Apart) {
	var (
		stored wire.Stored
		shown  *shownStep
		ok     bool
	)
	if x.r.table {
		stored, shown, ok = x.r.readShown(e)
	} else {
		stored, ok = x.r.storedEvent(everybody, e)
	}
	switch {
	case !ok:
		return nil, nil
	case shown != nil:
		return shown.frame(x.r.label, everybody), shown.remembered()
	}
	frame := make([]byte, 0, stored.FrameSize(x.r.label, e.Time))
	return stored.AppendFrame(frame, x.r.label, e.Seq, e.Time), nil
}

// Refresh implements follow.Effects: the members get a room_joined with
// recovered=false.
func (x effects) Refresh() {
	r := x.r
	r.flush()
	r.h.last.Store(r.follower.Newest())
	r.eng.stats.Resets.Add(1)
	if r.table {
		r.refreshMembers()
		return
	}
	r.deliverBurst(r.joinedBurst(nil, r.follower.Position().Seq, false, 0), "")
}

// Read implements follow.Effects. The log is read on a background goroutine,
// which posts the page to the room.
func (x effects) Read(q follow.Range) {
	r := x.r
	r.h.store.counters.reads.Add(1)
	r.background(q.Attempt, func(ctx context.Context) message {
		if gate := r.eng.cfg.tuning.gate; gate != nil {
			gate.RLock()
			defer gate.RUnlock()
		}
		page, err := r.h.store.log.Read(ctx, r.h.name, q)
		if err != nil {
			r.warn(err, "a room's log could not be read; reading it again, or refusing who waits for it as unavailable")
			page = follow.Page{Op: q.Op, Failed: true}
		}
		if r.table {
			chain(&page, q)
		}
		return pageRead{r, page}
	})
}

// Ask implements follow.Effects.
func (x effects) Ask(op, seq uint64, attempt int) {
	r := x.r
	r.h.store.counters.asks.Add(1)
	r.background(attempt, func(ctx context.Context) message {
		verdict, err := r.h.store.log.Ask(ctx, r.h.name, seq)
		if err != nil {
			r.warn(err, "the log's leader could not be asked about a room; asking again")
			verdict = follow.Verdict{Failed: true}
		}
		verdict.Op = op
		r.eng.awaitDispatched(ctx)
		return verdictGiven{r, verdict, r.h.store.receivedSpan()}
	})
}

// background runs fn on a goroutine of its own, for tuning.open at most, and
// posts its result to the room.
func (r *room) background(attempt int, fn func(context.Context) message) {
	r.eng.background(func(ctx context.Context) {
		_ = eventlog.Pause(ctx, attempt) // fn fails at once when ctx has ended
		ctx, cancel := context.WithTimeout(ctx, r.eng.cfg.tuning.open)
		defer cancel()
		r.eng.post(r.h.self, fn(ctx))
	})
}

func (r *room) warn(err error, text string) {
	if !r.eng.closed() {
		r.eng.roomLog(r.h.name).Warn().Err(err).Msg(text)
	}
}

// Admit implements follow.Effects.
func (x effects) Admit(j *follow.Join, a follow.Admission) { x.r.admit(j.Ref.(*joinRequest), a) }

// Refuse implements follow.Effects.
func (x effects) Refuse(j *follow.Join, h *follow.History) {
	err := wire.Errorf(wire.Unavailable, "the room's history is out of reach; try again")
	if j != nil {
		reply(j.Ref.(*joinRequest).done, error(err))
	}
	if h != nil {
		reply(h.Ref.(*historyRequest).done, historyAnswer{err: err})
	}
}

// Report implements follow.Effects.
func (x effects) Report(what follow.Incident, seq uint64) {
	r := x.r
	stats := r.eng.Stats()
	switch what {
	case follow.Repair:
		stats.Repairs.Add(1)
	case follow.HeldDropped:
		stats.HeldDropped.Add(1)
	case follow.TooMuch:
		stats.ReplayCut.Add(1)
	case follow.PageCut:
		stats.HistoryCut.Add(1)
	case follow.Forged:
		stats.Forged.Add(1)
		r.eng.roomLog(r.h.name).Warn().Uint64("seq", seq).Msg("a copy on a room's log subject is, or follows, an event that the log does not have, and was dropped; who publishes there?")
	case follow.Lost:
		r.eng.roomLog(r.h.name).Warn().Uint64("upto", seq).Msg("the log has dropped events that this node has not seen; the members are told to refresh")
	case follow.RolledBack, follow.Renewed:
		r.h.acked.Store(0)
		r.h.known.Store(0)
		r.eng.roomLog(r.h.name).Warn().Uint64("was_at", seq).Bool("anew", what == follow.Renewed).
			Msg("the log does not have what a room has delivered: it was rolled back or made anew, or a copy was forged; the members are told to refresh")
	}
}
