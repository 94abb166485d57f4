package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// maxMove bounds the wait that a reconnect event can ask for.
const maxMove = time.Minute

// read handles the events of a connection until it is over.
func (c *Client) read(l *link) error {
	for {
		ev, err := l.next()
		if err != nil {
			return err
		}
		if err := c.receive(l, ev); err != nil {
			return err
		}
	}
}

// receive handles one event. An error ends the connection.
func (c *Client) receive(l *link, ev wire.Event) error {
	c.mu.Lock()
	answered, verdict := c.match(ev)
	gap, missed, err := c.follow(l, ev)
	fresh := c.rooms.see(tracked(ev))
	c.mu.Unlock()
	if missed {
		c.cfg.OnGap(gap)
	}
	if fresh {
		c.cfg.OnEvent(ev)
	} else {
		c.cfg.OnRepeat(ev)
	}
	// Last, so that whoever waits finds all before the answer delivered.
	if answered != nil {
		answered.finish(verdict)
	}
	return err
}

// match finds the request that an event belongs to, and takes it out of the
// outbox when the event closes it. c.mu is held.
func (c *Client) match(ev wire.Event) (closed *request, verdict error) {
	r := c.outbox.byID[ev.ID]
	if ev.ID == "" || r == nil {
		return nil, nil
	}
	switch ev.Type {
	case wire.TypeAck:
		r.ack = ev
		c.moved(r)
	case wire.TypeError:
		if verdict = errorOf(ev); r.repeated() {
			verdict = r.failed(verdict) // it speaks of this copy only
		}
	default:
		r.answer = &ev
		return nil, nil
	}
	c.outbox.remove(r)
	return r, verdict
}

// moved notes what an acknowledged request did to our rooms. c.mu is held.
func (c *Client) moved(r *request) {
	switch {
	case r.event.Type == wire.TypeLeaveRoom:
		c.rooms.leave(trackName(r.event.Room))
	case r.event.Type == wire.TypeChangeRoom && r.answer != nil:
		c.rooms.current = trackName(r.answer.Room)
	}
}

// follow keeps up with what the event says about rooms and the connection.
// c.mu is held.
func (c *Client) follow(l *link, ev wire.Event) (gap Gap, missed bool, err error) {
	switch ev.Type {
	case wire.TypeRoomJoined:
		var p wire.RoomJoined
		if err := json.Unmarshal(ev.Payload, &p); err != nil {
			return gap, false, finalError{fmt.Errorf("the server sent a room_joined that cannot be read: %w", err)}
		}
		room := trackName(nonEmpty(ev.Room, p.RoomID))
		gap, missed = c.rooms.join(room, p, c.asked(l, ev.ID, room))
		l.here(room)
	case wire.TypeRoomLeft:
		c.rooms.leave(trackName(ev.Room))
		l.here(trackName(ev.Room))
	case wire.TypeError:
		if room := trackName(ev.Room); ev.ID == "" && l.missing[room] {
			return gap, false, c.notJoined(l, room, errorOf(ev))
		}
	case wire.TypeReconnect:
		var p wire.Reconnect
		if err := json.Unmarshal(ev.Payload, &p); err != nil {
			return gap, false, finalError{fmt.Errorf("the server sent a reconnect that cannot be read: %w", err)}
		}
		after := time.Duration(min(max(p.AfterMS, 0), maxMove.Milliseconds())) * time.Millisecond
		l.moveAt = time.Now().Add(after)
		c.notBefore = l.moveAt
		c.poke()
	}
	return gap, missed, nil
}

// asked is for which request of ours the server said room_joined. c.mu is
// held.
func (c *Client) asked(l *link, id, room string) asked {
	if id == "" {
		return asked{}
	}
	_, member := c.rooms.joined[room]
	why := asked{again: member && !l.missing[room]}
	// The request is gone when nobody waits for it any more.
	if r := c.outbox.byID[id]; r != nil && r.event.Type == wire.TypeJoinRoom {
		var request wire.RoomRequest
		// A payload that cannot be read the server has not acted on either.
		if json.Unmarshal(r.event.Payload, &request) == nil && request.Since != nil && *request.Since != (wire.Position{}) {
			why.since = request.Since
		}
	}
	return why
}

// notJoined handles a room that the server did not let us into again: for now,
// which another connect may mend, or for good. c.mu is held.
func (c *Client) notJoined(l *link, room string, err error) error {
	var refused *wire.Error
	if errors.As(err, &refused) && refused.Code.Retryable() {
		return fmt.Errorf("join room %q again: %w", room, err)
	}
	c.rooms.leave(room)
	l.here(room)
	return nil
}

// here notes that the fate of a room is known. c.mu is held.
func (l *link) here(room string) {
	delete(l.missing, room)
	if len(l.missing) == 0 {
		l.client.poke()
	}
}

// trackName is what we call a room: the server may call our inbox by its
// owner.
func trackName(room string) string {
	if _, inbox := wire.InboxOwner(wire.Room(room)); inbox {
		return wire.InboxAlias
	}
	if clean, err := wire.ParseRoom(room); err == nil {
		return string(clean)
	}
	return room
}

func tracked(ev wire.Event) wire.Event {
	if _, inbox := wire.InboxOwner(wire.Room(ev.Room)); inbox {
		ev.Room = wire.InboxAlias
	}
	return ev
}

func errorOf(ev wire.Event) error {
	var info wire.ErrorInfo
	if err := json.Unmarshal(ev.Payload, &info); err != nil || info.Code == "" {
		return fmt.Errorf("the server sent an error without a code: %.200s", ev.Payload)
	}
	return &wire.Error{Code: info.Code, Message: info.Message}
}

func nonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
