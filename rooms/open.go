package rooms

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// openBatch is how many rooms are opened by one round of requests, openQueue
// how many may wait; the joins of one more are refused as unavailable.
const (
	openBatch = eventlog.MaxLasts
	openQueue = 1 << 17
)

// opener is the actor that opens rooms: it subscribes all that wait, then asks
// the log once where they stand. A storm of reconnects costs a few requests.
type opener struct {
	eng  *Engine
	subs map[*room]*roomSubscriptions // of the batch in hand
}

func (o *opener) Receive(b *actor.Batch[*room]) {
	rooms := make([]*room, 0, b.Len())
	o.subs = make(map[*room]*roomSubscriptions, b.Len())
	for r, ok := b.Next(); ok; r, ok = b.Next() {
		rooms = append(rooms, r)
		o.subs[r] = new(roomSubscriptions)
	}
	at, err := o.open(rooms)
	for _, r := range rooms {
		subs := *o.subs[r]
		delete(o.subs, r) // they are the room's to end now
		o.eng.post(r.h.self, opened{of: r, subs: subs, at: at[r.h.token()], err: err})
	}
	o.subs = nil
	if err == nil {
		time.AfterFunc(o.eng.cfg.tuning.afterOpen, func() { o.eng.check(handlesOf(rooms), false) })
	}
}

// Failed tells the rooms in hand, which would wait for ever.
func (o *opener) Failed(cause any) {
	for r, subs := range o.subs {
		o.eng.post(r.h.self, opened{of: r, subs: *subs, err: fmt.Errorf("opening rooms panicked: %v", cause)})
	}
}

func handlesOf(rooms []*room) []*handle {
	list := make([]*handle, len(rooms))
	for i, r := range rooms {
		list[i] = r.h
	}
	return list
}

// open subscribes first and looks at the log after that, by the same
// connection, so that no event falls in between.
func (o *opener) open(rooms []*room) (map[string]follow.Opening, error) {
	ctx, cancel := context.WithTimeout(o.eng.ctx, o.eng.cfg.tuning.open)
	defer cancel()
	for _, r := range rooms {
		// The room does not read its subscriptions before it gets opened.
		subs := o.subs[r]
		err := o.eng.subs.open(subs, r.h.name, r.h.inbox)
		if err != nil {
			return nil, err
		}
		r.h.shares.Store(subs.shares)
	}
	names := make([]string, len(rooms))
	for i, r := range rooms {
		names[i] = r.h.name
	}
	return o.eng.log.Openings(ctx, names)
}

// dispatch hands live copies to their rooms: the fifth station of a message, on
// every node that has members of the room. It is one goroutine for all rooms, so
// the order of each subject is kept.
func (e *Engine) dispatch() {
	for {
		select {
		case msg := <-e.live:
			if msg.Subject == markSubject {
				e.reachedMark(msg)
				continue
			}
			if lose := e.cfg.tuning.lose; lose == nil || !lose(msg) {
				e.dispatchOne(msg)
			}
		case <-e.ctx.Done():
			return
		}
	}
}

// markSubject is of what catchUp puts between the copies.
const markSubject = "mark"

// catchUp waits until the dispatcher has handed over the copies that have come.
// What the log says of a room comes by the same connection as its copies: what
// it says then finds them in the room's mailbox, and not still on their way.
func (e *Engine) catchUp(ctx context.Context) {
	mark, done := &nats.Msg{Subject: markSubject}, make(chan struct{})
	e.marks.Store(mark, done)
	defer e.marks.Delete(mark)
	select {
	case e.live <- mark:
	case <-ctx.Done():
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (e *Engine) reachedMark(mark *nats.Msg) {
	if done, ok := e.marks.LoadAndDelete(mark); ok {
		close(done.(chan struct{}))
	}
}

// Last letters of the verbs of subjects, which tell them apart.
const (
	lastOfLog      = 'g'
	lastOfSignal   = 'l'
	lastOfPresence = 'e'
)

func (e *Engine) dispatchOne(msg *nats.Msg) {
	token, _ := wire.SubjectToken(msg.Subject)
	verb := msg.Subject[len(msg.Subject)-1]
	if verb == lastOfLog {
		e.handLive(token, msg)
		return
	}
	h := e.handles.get(token)
	if h == nil || !e.subs.listensOn(h, msg.Sub) {
		return
	}
	switch verb {
	case lastOfSignal:
		if h.self.Send(liveSignal{msg}) == actor.ErrFull {
			e.stats.SignalFull.Add(1)
		}
	case lastOfPresence:
		e.handShared(h, msg)
	}
}

// handLive gives a copy to its room, which looks whether it is valid; where
// there is none, or it takes no more, somebody else has to.
func (e *Engine) handLive(token string, msg *nats.Msg) {
	if e.cfg.HearAll {
		e.copies.hear(msg)
		defer func() { e.copies.handed.Store(e.copies.to.Load()) }()
	}
	if h := e.handles.get(token); h != nil {
		err := h.self.Send(liveEvent{msg})
		if err == nil {
			return
		}
		if err == actor.ErrFull {
			e.stats.LiveFull.Add(1)
			h.handedSince(e.copies.to.Load() + 1)
			h.miss()
		}
	}
	e.inspectUnread(token, msg)
}

// heardCopies is what a node that hears all rooms has heard of the stream without
// a gap. It shows a room without events that it has missed none, and that the
// first copy it gets is its first event, and nobody has to be asked.
type heardCopies struct {
	run follow.Run // owned by the dispatcher

	// Written by the dispatcher, of a copy before it is handed over:
	from, to atomic.Uint64 // the run
	of       atomic.Uint64 // the life it is of
	// and after:
	handed atomic.Uint64 // to; 0: the run is over

	life atomic.Uint64          // is another one when what was heard counts no more
	born atomic.Pointer[string] // a copy of that second or before may be of the stream before; nil: there was none
}

func (h *heardCopies) hear(msg *nats.Msg) {
	c, err := eventlog.Copy(msg)
	if err != nil {
		return // its room says so
	}
	if life := h.life.Load(); life != h.of.Load() {
		h.forget()
		h.of.Store(life)
	}
	if born := h.born.Load(); born != nil && toSecond(c.Time) <= *born {
		h.forget()
		return
	}
	h.from.Store(h.run.Hear(c.Seq))
	h.to.Store(c.Seq)
}

// forget is for the dispatcher.
func (h *heardCopies) forget() {
	h.run = follow.Run{}
	h.from.Store(math.MaxUint64)
	h.to.Store(0)
}

// renewed is for a stream that was made at that time.
func (h *heardCopies) renewed(made time.Time) {
	born := toSecond(made.UTC().Format(time.RFC3339))
	h.born.Store(&born)
	h.life.Add(1)
}

// toSecond is a time in RFC 3339 without what comes after the second.
func toSecond(t string) string { return t[:min(len(t), len("2006-01-02T15:04:05"))] }

// span is a run of the stream whose copies were all handed to their rooms, if to
// is not 0.
type span struct {
	epoch    string
	from, to uint64
}

// covers reports whether everything after one sequence up to another was handed
// over.
func (s span) covers(after, upto uint64) bool {
	return s.to != 0 && s.from <= after+1 && s.to >= upto
}

// heardSpan is what was handed over when it is called: before what is posted
// then.
func (e *Engine) heardSpan() span {
	epoch, life := e.Epoch(), e.copies.life.Load()
	to := e.copies.handed.Load()
	from := e.copies.from.Load() // after to: a run that has begun since is beyond it
	if !e.cfg.HearAll || to == 0 || from > to || e.copies.of.Load() != life || e.Epoch() != epoch {
		return span{}
	}
	return span{epoch, from, to}
}

// heardFrom is follow.Copy.From for a copy that came to a room which is handed
// all copies from since on.
func (e *Engine) heardFrom(seq, since uint64, epoch string) uint64 {
	if !e.cfg.HearAll || e.Epoch() != epoch || e.copies.of.Load() != e.copies.life.Load() {
		return seq
	}
	// The run may have ended since: then it says less, and nothing wrong.
	return min(max(e.copies.from.Load(), since), seq)
}
