package client

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// rejoin is a room that the server refused to join again for the moment, as that
// of a table that has stopped. It says nothing of the other rooms, so the
// connection stays.
type rejoin struct {
	pause  backoff
	at     time.Time // of the next join_room
	id     string    // of the join_room that is not answered; "" for none
	sentAt time.Time // of that
}

// notJoined handles a room that the server refuses to join again. After a
// retryable error it is tried again later; otherwise the room is left. Without
// the inbox, which no other user can break, the connection is ended: another
// node may be better. c.mu is held.
func (c *Client) notJoined(l *link, room string, err error) error {
	var said *wire.Error
	if !errors.As(err, &said) || !said.Code.Retryable() {
		c.rooms.leave(room)
		l.settled(room)
		return nil
	}
	if room == wire.InboxAlias {
		return fmt.Errorf("join room %q again: %w", room, err)
	}
	r := l.refused[room]
	l.settled(room)
	if r == nil {
		r = &rejoin{pause: backoff{min: c.cfg.MinBackoff, max: c.cfg.MaxBackoff}}
	}
	r.id, r.at = "", time.Now().Add(r.pause.next())
	l.refused[room] = r
	l.elsewhere = l.elsewhere || room == c.rooms.current
	c.poke()
	return nil
}

// refusedBy returns the refused room whose join_room had the id, or "". c.mu is
// held.
func (l *link) refusedBy(id string) string {
	for room, r := range l.refused {
		if id != "" && r.id == id {
			return room
		}
	}
	return ""
}

// rejoin returns the join_room of a refused room whose time has come, or nil and
// how long to wait. c.mu is held.
func (l *link) rejoin(now time.Time) (*request, time.Duration, error) {
	c, wait := l.client, time.Hour
	for room, r := range l.refused {
		position, joined := c.rooms.joined[room]
		left := r.at.Sub(now)
		switch {
		case !joined && room != c.rooms.current: // left meanwhile
			delete(l.refused, room)
			continue
		case r.id != "":
			if left = c.cfg.AckTimeout - now.Sub(r.sentAt); left <= 0 {
				return nil, 0, fmt.Errorf("the server did not answer a join_room for %v", c.cfg.AckTimeout)
			}
		case left <= 0:
			if left = l.pace.wait(now); left > 0 {
				break
			}
			l.pace.take()
			r.id, r.sentAt = c.nextID(), now
			ask := map[string]any{"name": room}
			if joined { // not the first room, if it never was
				ask["since"] = position
			}
			ev := wire.Event{Type: wire.TypeJoinRoom, ID: r.id, Payload: wire.MarshalPayload(ask)}
			return &request{event: ev, text: wire.AppendEvent(nil, ev)}, 0, nil
		}
		wait = min(wait, left)
	}
	return nil, wait, nil
}

// held reports whether a request waits until its room is joined again. c.mu is
// held.
func (l *link) held(r *request) bool {
	if len(l.refused) == 0 || !inRoom(r) {
		return false
	}
	return l.refused[trackName(nonEmpty(r.event.Room, l.client.rooms.current))] != nil
}

// misplaced reports whether a request means the server's current room, and that
// is not ours: when the server refused ours it took another. c.mu is held.
func (l *link) misplaced(r *request) bool {
	return l.elsewhere && r.event.Room == "" && inRoom(r)
}

// inRoom reports whether a request is of the room that it names, or else of the
// current one, and has to wait for it.
func inRoom(r *request) bool {
	switch r.event.Type {
	case wire.TypeChangeRoom:
		return true
	case wire.TypePrivateMessage, wire.TypeGetRooms:
		return false
	}
	return storesEvent(r.event.Type)
}

// nextID returns an id for a request. c.mu is held.
func (c *Client) nextID() string {
	c.ids++
	return c.idPrefix + strconv.FormatUint(c.ids, 36)
}
