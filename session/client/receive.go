package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// maxReconnectAfter bounds the delay that a reconnect event can ask for.
const maxReconnectAfter = time.Minute

// read handles the events of a connection until it has ended.
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
	answered, outcome := c.match(ev)
	gap, missed, err := c.track(l, ev)
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
	// Last, so that everything before the answer has been delivered when the
	// caller continues.
	if answered != nil {
		answered.finish(outcome)
	}
	return err
}

// match finds the request that an event answers, and removes it from the outbox
// if the event completes it. c.mu is held.
func (c *Client) match(ev wire.Event) (closed *request, outcome error) {
	r := c.outbox.byID[ev.ID]
	if ev.ID == "" || r == nil {
		return nil, nil
	}
	switch ev.Type {
	case wire.TypeAck:
		r.ack = ev
		c.applyAck(r)
	case wire.TypeError:
		if outcome = errorOf(ev); r.repeated() && !decided(outcome) {
			outcome = r.failed(outcome) // an earlier copy may have been stored
		}
	default:
		r.answer = &ev
		return nil, nil
	}
	c.outbox.remove(r)
	return r, outcome
}

// decided reports whether an error is the answer of a table's rules, which is the
// same for every copy of an event.
func decided(err error) bool {
	var said *wire.Error
	return errors.As(err, &said) && said.Code == wire.Refused
}

// applyAck updates the rooms after an acknowledged request. c.mu is held.
func (c *Client) applyAck(r *request) {
	switch {
	case r.event.Type == wire.TypeLeaveRoom:
		c.rooms.leave(trackName(r.event.Room))
	case r.event.Type == wire.TypeChangeRoom && r.answer != nil:
		c.rooms.current = trackName(r.answer.Room)
	}
}

// track applies what an event says about rooms and the connection. c.mu is
// held.
func (c *Client) track(l *link, ev wire.Event) (gap Gap, missed bool, err error) {
	switch ev.Type {
	case wire.TypeRoomJoined:
		var p wire.RoomJoined
		if err := json.Unmarshal(ev.Payload, &p); err != nil {
			return gap, false, finalError{fmt.Errorf("the server sent a room_joined that cannot be read: %w", err)}
		}
		room := trackName(nonEmpty(ev.Room, p.RoomID))
		gap, missed = c.rooms.join(room, p, c.joinCause(l, ev.ID, room))
		l.settled(room)
	case wire.TypeRoomLeft:
		c.rooms.leave(trackName(ev.Room))
		l.settled(trackName(ev.Room))
	case wire.TypeError:
		room := l.refusedBy(ev.ID)
		if named := trackName(ev.Room); ev.ID == "" && l.missing[named] {
			room = named
		}
		if room != "" {
			return gap, false, c.notJoined(l, room, errorOf(ev))
		}
	case wire.TypeReconnect:
		var p wire.Reconnect
		if err := json.Unmarshal(ev.Payload, &p); err != nil {
			return gap, false, finalError{fmt.Errorf("the server sent a reconnect that cannot be read: %w", err)}
		}
		after := time.Duration(min(max(p.AfterMS, 0), maxReconnectAfter.Milliseconds())) * time.Millisecond
		l.reconnectAt = time.Now().Add(after)
		c.notBefore = l.reconnectAt
		c.poke()
	}
	return gap, missed, nil
}

// joinCause returns which request, if any, a room_joined answers. c.mu is held.
func (c *Client) joinCause(l *link, id, room string) joinCause {
	if id == "" {
		return joinCause{}
	}
	_, member := c.rooms.joined[room]
	why := joinCause{again: member && !l.missing[room] && l.refused[room] == nil}
	// The request has been removed if its context has ended.
	if r := c.outbox.byID[id]; r != nil && r.event.Type == wire.TypeJoinRoom {
		var request wire.RoomRequest
		// The server cannot have acted on a payload that cannot be decoded.
		if json.Unmarshal(r.event.Payload, &request) == nil && request.Since != nil && *request.Since != (wire.Position{}) {
			why.since = request.Since
		}
	}
	return why
}

// settled marks a room as answered: joined again, left or refused. c.mu is held.
func (l *link) settled(room string) {
	delete(l.missing, room)
	delete(l.refused, room)
	if len(l.missing) == 0 {
		l.client.poke()
	}
}

// trackName normalizes a room's name: the server may name our inbox by its
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
