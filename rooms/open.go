package rooms

import (
	"context"
	"fmt"
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
