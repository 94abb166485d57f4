package session

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// maxVerdicts is how many events of a client may wait for Hooks.Publish; one
// more is answered unavailable, so that reading goes on for the client's other
// rooms.
const maxVerdicts = 64

// verdicts are the events of a client that wait for Hooks.Publish, or for
// earlier events in their room.
type verdicts struct {
	waiting atomic.Int32 // any goroutine

	last map[wire.Room]chan struct{} // owned by the reading goroutine: closed when the newest event of the room is published or refused
}

// queue puts one more event behind those of its room. turn is closed when the
// event may be published; the caller closes done after it was published or
// refused.
func (v *verdicts) queue(room wire.Room) (turn <-chan struct{}, done chan struct{}) {
	if len(v.last) >= 2*maxVerdicts { // at least half of them are over
		for name, ended := range v.last {
			select {
			case <-ended:
				delete(v.last, name)
			default:
			}
		}
	}
	before := v.last[room]
	if before == nil {
		before = alreadyClosed
	}
	done = make(chan struct{})
	v.last[room] = done
	return before, done
}

// consult lets Hooks.Publish decide about an event, and then stores what it makes
// of it, on a goroutine of its own: what, or with a payload of the hook's. shown
// is the event as the hook sees it. It runs on the reading goroutine and does not
// wait.
func consult[T any](r *Request, room wire.Room, shown json.RawMessage, what T, with func(T, json.RawMessage) (T, error), store func(t *pendingAnswer, n int, what T)) error {
	c, id := r.client, r.Event.ID
	c.openWindow()
	if c.verdicts == nil {
		c.verdicts = &verdicts{last: make(map[wire.Room]chan struct{})}
	}
	if c.verdicts.waiting.Load() >= maxVerdicts {
		c.m.stats.HookWaits.Add(1)
		return wire.Errorf(wire.Unavailable, "too many of your events are being looked at; send it again in a moment")
	}
	ctx, cancel := context.WithTimeout(c.m.ctx, requestTimeout)
	verdict := c.m.cfg.Hooks.Publish(ctx, PublishRequest{Who: c.who, Room: room, ID: id, Event: shown})
	c.verdicts.waiting.Add(1)
	t, n := r.addPending()
	turn, done := c.verdicts.queue(room)
	c.m.running.Add(1) // the client's own entry keeps the counter above zero
	go func() {
		defer c.m.running.Done()
		defer c.verdicts.waiting.Add(-1)
		defer close(done)
		payload, err := c.m.hear(verdict)
		if err == nil && payload != nil {
			what, err = applyVerdict(c.m, what, with, payload)
		}
		cancel()
		<-turn
		if err == nil {
			err = c.acquireWindow()
		}
		if err != nil {
			t.published(n, roomLabel(c, room), rooms.PubAck{}, err)
			return
		}
		store(t, n, what)
	}()
	return nil
}

// consultBody is consult about an event for the log of a room.
func (r *Request) consultBody(room wire.Room, body wire.Body, store func(t *pendingAnswer, n int, body wire.Body)) error {
	return consult(r, room, body.Bytes(), body, wire.Body.WithPayload, store)
}

// hear waits for a verdict of Hooks.Publish: the payload that it gives instead, or
// nil.
func (m *Manager) hear(verdict func() (json.RawMessage, error)) (payload json.RawMessage, err error) {
	defer m.recoverHook("Publish", &err)
	if verdict == nil {
		return nil, nil
	}
	payload, err = verdict()
	return payload, wire.ErrorOrNil(err)
}

// applyVerdict returns what is to be stored with the payload that Hooks.Publish
// gave.
func applyVerdict[T any](m *Manager, what T, with func(T, json.RawMessage) (T, error), payload json.RawMessage) (T, error) {
	changed, err := with(what, payload)
	if int64(len(payload)) > m.cfg.MaxMessage {
		err = fmt.Errorf("it has %d bytes; a message has %d at most", len(payload), m.cfg.MaxMessage)
	}
	if err != nil {
		m.stats.HookPayloads.Add(1)
		m.cfg.Log.Error().Err(err).Msg("the payload that a publish hook gave cannot be stored; its event was answered unavailable")
		return what, wire.Errorf(wire.Unavailable, "the event could not be looked at; send it again in a moment")
	}
	return changed, nil
}
