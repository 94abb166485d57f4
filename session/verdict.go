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

// consult lets Hooks.Publish decide about an event, and then stores it, on a
// goroutine of its own. It runs on the reading goroutine and does not wait.
func (r *Request) consult(room wire.Room, body wire.Body, store func(t *pendingAnswer, n int, body wire.Body)) error {
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
	verdict := c.m.cfg.Hooks.Publish(ctx, PublishRequest{Who: c.who, Room: room, ID: id, Event: body.Bytes()})
	c.verdicts.waiting.Add(1)
	t, n := r.addPending()
	turn, done := c.verdicts.queue(room)
	c.m.running.Add(1) // the client's own entry keeps the counter above zero
	go func() {
		defer c.m.running.Done()
		defer c.verdicts.waiting.Add(-1)
		defer close(done)
		body, err := c.m.applyVerdict(verdict, body)
		cancel()
		<-turn
		if err == nil {
			err = c.acquireWindow()
		}
		if err != nil {
			t.published(n, roomLabel(c, room), rooms.PubAck{}, err)
			return
		}
		store(t, n, body)
	}()
	return nil
}

// applyVerdict returns the body that is to be stored after a verdict of
// Hooks.Publish.
func (m *Manager) applyVerdict(verdict func() (json.RawMessage, error), body wire.Body) (_ wire.Body, err error) {
	defer m.recoverHook("Publish", &err)
	if verdict == nil {
		return body, nil
	}
	payload, err := verdict()
	if err = wire.ErrorOrNil(err); err != nil || payload == nil {
		return body, err
	}
	changed, err := body.WithPayload(payload)
	if int64(len(payload)) > m.cfg.MaxMessage {
		err = fmt.Errorf("it has %d bytes; a message has %d at most", len(payload), m.cfg.MaxMessage)
	}
	if err != nil {
		m.stats.HookPayloads.Add(1)
		m.cfg.Log.Error().Err(err).Msg("the payload that a publish hook gave cannot be stored; its event was answered unavailable")
		return body, wire.Errorf(wire.Unavailable, "the event could not be looked at; send it again in a moment")
	}
	return changed, nil
}
