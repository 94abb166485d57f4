package rooms

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// openBatch is how many rooms are opened by one round of requests, openQueue
// how many may wait; the joins of one more are refused as unavailable.
const (
	// openBatch is how many rooms are opened by one round of requests,
	// openQueue how many may be queued; the joins of one more are refused as
	// unavailable.
	openBatch = eventlog.MaxLasts
	openQueue = 1 << 17
)

// opener is the actor that opens rooms: it subscribes all that are queued, then
// asks the log once where they stand. So a reconnect storm costs few requests.
type opener struct {
	eng  *Engine
	subs map[*room]*roomSubscriptions // of the present batch
}

func (o *opener) Receive(b *actor.Batch[*room]) {
	rooms := make([]*room, 0, b.Len())
	o.subs = make(map[*room]*roomSubscriptions, b.Len())
	for r, ok := b.Next(); ok; r, ok = b.Next() {
		rooms = append(rooms, r)
		o.subs[r] = o.eng.subs.ofRoom()
	}
	o.openAll(rooms)
	o.subs = nil
}

// openAll makes all subscriptions first and reads the logs after that, on the
// same connection, so that no event is missed in between.
func (o *opener) openAll(rooms []*room) {
	ctx, cancel := context.WithTimeout(o.eng.ctx, o.eng.cfg.tuning.open)
	defer cancel()
	err := o.subscribe(rooms)
	for _, st := range o.eng.stores {
		if of := roomsOf(st, rooms); len(of) > 0 {
			o.openIn(ctx, st, of, err)
		}
	}
}

// openIn opens rooms of one store, or, with an error, refuses them.
func (o *opener) openIn(ctx context.Context, st *store, rooms []*room, err error) {
	var at map[string]follow.Opening
	if err == nil {
		at, err = st.log.Openings(ctx, namesOf(rooms))
	}
	for _, r := range rooms {
		subs := o.subs[r]
		delete(o.subs, r) // the room owns them now
		o.eng.post(r.h.self, opened{of: r, subs: subs, at: at[r.h.token()], err: err})
	}
	if err == nil {
		st.checkOpened(handlesOf(rooms), o.eng.cfg.tuning.afterOpen, upToLeader)
	}
}

// Failed answers the rooms of the present batch, which would else wait for
// ever.
func (o *opener) Failed(cause any) {
	for r, subs := range o.subs {
		o.eng.post(r.h.self, opened{of: r, subs: subs, err: fmt.Errorf("opening rooms panicked: %v", cause)})
	}
}

func roomsOf(st *store, rooms []*room) (of []*room) {
	for _, r := range rooms {
		if r.h.store == st {
			of = append(of, r)
		}
	}
	return of
}

func namesOf(rooms []*room) []wire.Room {
	names := make([]wire.Room, len(rooms))
	for i, r := range rooms {
		names[i] = r.h.name
	}
	return names
}

func handlesOf(rooms []*room) []*handle {
	list := make([]*handle, len(rooms))
	for i, r := range rooms {
		list[i] = r.h
	}
	return list
}

func (o *opener) subscribe(rooms []*room) error {
	for _, r := range rooms {
		// The room does not use its subscriptions before it gets opened.
		subs := o.subs[r]
		if err := o.eng.subs.open(subs, r.h.name, r.h.inbox); err != nil {
			return err
		}
		r.h.wildcard.Store(subs != nil && subs.wildcard)
	}
	return nil
}

// dispatch hands live copies to their rooms: the fifth station of a message, on
// every node that has members of the room. It is one goroutine for all rooms,
// so the order of each subject is kept.
func (e *Engine) dispatch() {
	for {
		select {
		case msg := <-e.live:
			if msg.Subject == markSubject {
				e.onMark(msg)
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

// markSubject is the subject of the marks that awaitDispatched queues between
// the copies.
const markSubject = "mark"

// awaitDispatched waits until the dispatcher has handed over the copies that
// were queued before. Answers of the log come by the same connection as the
// copies: by the time an answer is posted to a room, the copies before it are
// in the room's mailbox too.
func (e *Engine) awaitDispatched(ctx context.Context) {
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

func (e *Engine) onMark(mark *nats.Msg) {
	if done, ok := e.marks.LoadAndDelete(mark); ok {
		close(done.(chan struct{}))
	}
}

// The last letter of a subject tells what is published on it.
const (
	verbLog      = 'g'
	verbSignal   = 'l'
	verbPresence = 'e'
)

func (e *Engine) dispatchOne(msg *nats.Msg) {
	space, token, _ := wire.SubjectToken(msg.Subject)
	st := e.stores[space]
	if len(e.cfg.Tables) > 0 && space == wire.SpaceRooms && eventlog.OfStream(msg, eventlog.StepsStream) {
		st = e.stores[wire.SpaceTables]
	}
	verb := msg.Subject[len(msg.Subject)-1]
	if verb == verbLog {
		st.dispatchLive(token, msg)
		return
	}
	h := e.handleAt(token)
	if h == nil || !e.subs.listensOn(h, msg.Sub) {
		return
	}
	switch verb {
	case verbSignal:
		if e.handOver(h, liveSignal{msg}, msg) == actor.ErrFull {
			e.stats.SignalFull.Add(1)
		}
	case verbPresence:
		e.deliverGossip(h, msg)
	}
}

// handleAt is the handle of the open room, no inbox, with that token.
func (e *Engine) handleAt(token string) *handle {
	if h := e.stores[wire.SpaceRooms].handles.get(token); h != nil || len(e.cfg.Tables) == 0 {
		return h
	}
	return e.stores[wire.SpaceTables].handles.get(token)
}

// handOver hands an event or a signal from NATS to its room, within
// Config.CopyBytes.
func (e *Engine) handOver(h *handle, m message, msg *nats.Msg) error {
	n := copyCost(msg)
	if !e.limits.Copies.Take(n) {
		return actor.ErrFull
	}
	err := h.self.Send(m)
	if err != nil {
		e.limits.Copies.Give(n)
	}
	return err
}

// releaseCopy gives back the memory that handOver has counted.
func (e *Engine) releaseCopy(m message) {
	switch m := m.(type) {
	case liveEvent:
		e.limits.Copies.Give(copyCost(m.msg))
	case liveSignal:
		e.limits.Copies.Give(copyCost(m.msg))
	}
}

// dispatchLive hands a copy to its room, which validates it. If the room is not
// open, or its mailbox is full, the copy is validated here.
func (st *store) dispatchLive(token string, msg *nats.Msg) {
	e := st.eng
	if e.cfg.HearAll {
		st.copies.add(msg)
		defer func() { st.copies.handedTo.Store(st.copies.to.Load()) }()
	}
	if h := st.handles.get(token); h != nil {
		err := e.handOver(h, liveEvent{msg}, msg)
		if err == nil {
			return
		}
		if err == actor.ErrFull {
			e.stats.LiveFull.Add(1)
			h.missedBefore(st.copies.to.Load() + 1)
			h.miss()
		}
	}
	if len(e.cfg.Tables) > 0 && st.space == wire.SpaceRooms {
		e.tellOwner(token, msg) // a table's room has no handle in this store
	}
	e.inspectUnread(msg)
}
