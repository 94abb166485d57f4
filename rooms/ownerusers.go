package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// tellAtOnce is how many users, at most, a step tells the rules of, come or gone;
// the others are told of with the next.
const tellAtOnce = 256

// attendance is who is at a table on all nodes, as its owner knows it, and what
// the rules are still to be told. It is owned by the owner's actor.
type attendance struct {
	there    map[string]table.User // by uid; nil: it was not read yet
	reading  bool                  // readUsers runs
	stale    bool                  // it has changed since that began
	unequal  bool                  // it may differ from what the rules were told
	attempts int                   // to read it, since the last success
	// patient is until when nobody is taken for gone: who was on a node that was
	// lost with the owner before comes back within the grace.
	patient time.Time
	wake    *time.Timer // at patient; nil until it was needed
}

type (
	// rosterChanged says that somebody came or went. It is anew when the room was
	// opened: then those whose connection it lost may come back.
	rosterChanged struct{ anew bool }
	// usersRead is who is there.
	usersRead struct {
		of    *owner
		there map[string]table.User
		err   error
	}
	// patienceOver says that attendance.patient is over.
	patienceOver struct{ of *owner }
)

func (rosterChanged) ownerMessage() {}
func (usersRead) ownerMessage()     {}
func (patienceOver) ownerMessage()  {}

func tableUser(u wire.User) table.User {
	return table.User{UID: u.UID, Name: u.Username, Avatar: u.AvatarID, Guest: wire.IsGuest(u.UID)}
}

// onUsers handles what an owner is told of who is there.
func (o *owner) onUsers(m ownerMessage) {
	switch m := m.(type) {
	case rosterChanged:
		if m.anew {
			o.who.patient = time.Now().Add(o.eng.cfg.PresenceGrace)
		}
		o.readUsers()
	case usersRead:
		if m.of == o {
			o.onUsersRead(m)
		}
	case patienceOver:
		if m.of == o {
			o.who.unequal = true
		}
	}
}

// wakeOwner has the node that decides for a table look after it, where its owner
// may have been lost with all that it was about to do.
func (e *Engine) wakeOwner(room wire.Room) { e.forward.wake(room, 0, nil) }

// readUsers asks the room on this node who is there, beside the owner. The room
// is opened for that if other nodes may have it.
func (o *owner) readUsers() {
	if o.who.reading {
		o.who.stale = true
		return
	}
	o.who.reading, o.who.stale = true, false
	attempt := o.who.attempts
	o.who.attempts++
	revived := o.eng.revived.soon()
	o.eng.background(func(ctx context.Context) {
		_, _ = o.eng.pause(ctx, attempt, revived) // a ctx that has ended fails the read
		ctx, cancel := context.WithTimeout(ctx, o.eng.cfg.tuning.open)
		defer cancel()
		there, err := o.eng.usersOf(ctx, o.room)
		o.post(usersRead{o, there, err})
	})
}

// usersOf is who is in a room, on all nodes.
func (e *Engine) usersOf(ctx context.Context, room wire.Room) (map[string]table.User, error) {
	there := make(map[string]table.User)
	req := &membersRequest{all: true, done: make(chan wire.OnlineUsers, 1)}
	ref, open := e.rooms.Lookup(string(room))
	if !open && e.peers.none() {
		return there, nil
	}
	if err := e.ask(room, req); err != nil {
		return nil, err
	}
	if !open {
		if ref, open = e.rooms.Lookup(string(room)); !open {
			return nil, errClosed
		}
	}
	// A room that ends before it answers is no empty one: it is asked again.
	online, err := await(ctx, ref, req.done, wire.OnlineUsers{})
	if err == nil && online.RoomID == "" {
		err = errClosed
	}
	for _, u := range online.List {
		there[u.UID] = tableUser(u)
	}
	return there, err
}

func (o *owner) onUsersRead(m usersRead) {
	o.who.reading = false
	if m.err != nil {
		o.who.stale = true
		o.eng.roomLog(o.room).Debug().Err(m.err).Msg("it is not known who is at a table; asking again")
	} else {
		o.who.there, o.who.unequal, o.who.attempts = m.there, true, 0
	}
	if o.who.stale {
		o.readUsers()
	}
}

// tellUsers has the rules told who came and went, before what else waits.
func (o *owner) tellUsers() {
	if !o.who.unequal || o.who.there == nil {
		return
	}
	joined, left := o.log.Difference(o.who.there, tellAtOnce)
	o.who.unequal = len(joined)+len(left) == tellAtOnce
	if wait := time.Until(o.who.patient); wait > 0 && len(left) > 0 {
		left = nil
		o.awaitUsers(wait)
	}
	first := make([]table.Request, 0, len(joined)+len(left))
	for _, u := range joined {
		first = append(first, o.engineCommand(table.TypeJoined, u))
	}
	for _, uid := range left {
		first = append(first, o.engineCommand(table.TypeLeft, table.User{UID: uid, Guest: wire.IsGuest(uid)}))
	}
	o.waiting = append(first, o.waiting...)
}

// awaitUsers gives those who are not there any more so much time to come back.
func (o *owner) awaitUsers(d time.Duration) {
	if o.who.wake == nil {
		o.who.wake = time.AfterFunc(d, func() { o.post(patienceOver{o}) })
		return
	}
	o.who.wake.Reset(d)
}

// attended reports whether somebody is there, or the rules believe so.
func (o *owner) attended() bool { return len(o.who.there) > 0 || o.who.reading || o.log.Present() > 0 }

// enter answers those who want to join. The state is given between two steps only.
// It reports false when the table must be loaded first, as others know more of it.
func (o *owner) enter() bool {
	if len(o.entering) > 0 && o.eng.handleOf(o.room) == nil {
		o.readUsers() // opens the room, so that it hears of who comes to other nodes
	}
	if o.stepsDoubted && len(o.entering) > 0 {
		o.lookAtSteps()
		return false
	}
	list, later := o.entering, o.entering[:0:0]
	o.entering = nil
	for i, m := range list {
		switch {
		case m.behind(o.log) && m.tried:
			m.done(decided{Error: wire.Errorf(wire.Unavailable, "the log does not have what was seen of this table; try again")})
		case m.behind(o.log):
			m.tried = true
			later = append(later, m)
		default:
			d, err := o.admit(m)
			if err != nil {
				o.entering = append(later, list[i:]...)
				o.fail(err)
				return false
			}
			m.done(d)
		}
	}
	if o.entering = later; len(later) > 0 {
		o.load()
	}
	return len(later) == 0
}

// admit is the answer to somebody who wants to join.
func (o *owner) admit(m enterRequest) (d decided, err error) {
	if !m.stay {
		err = o.log.Admit(m.user)
	}
	var view json.RawMessage
	if err == nil {
		view, err = o.log.View(m.user.UID)
	}
	var refusal *table.Refusal
	if errors.As(err, &refusal) {
		return decided{Error: wire.Errorf(wire.Refused, "%s", refusal.Reason)}, nil
	}
	return decided{State: &tableState{State: view, Seq: o.log.Last(), Now: o.now()}}, err
}
