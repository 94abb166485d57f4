package session

import (
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// resolve turns a name as a client writes it into a room, and checks
// that the client may enter the room.
func (c *Client) resolve(name string) (wire.Room, error) { return resolve(c.who, name) }

func joinRoom(r *Request) error {
	room, p, err := r.target()
	if err != nil {
		return err
	}
	since := rooms.Since{Position: p.Since, Last: p.Last}
	if since != (rooms.Since{}) {
		if err := r.client.checkAnswers(); err != nil {
			return err
		}
	}
	if err := r.client.mayEnter(room, p.Since != nil); err != nil {
		return err
	}
	return r.client.join(room, r.Event.ID, since, false, "")
}

// changeRoom joins the new room before it leaves the old one, so that a refused
// join changes nothing.
func changeRoom(r *Request) error {
	room, _, err := r.target()
	if err != nil {
		return err
	}
	if room == r.client.inbox() {
		return wire.Errorf(wire.Forbidden, "an inbox cannot be the current room")
	}
	if err := r.client.mayEnter(room, false); err != nil {
		return err
	}
	_, old := r.client.Rooms()
	if err := r.client.join(room, r.Event.ID, rooms.Since{}, true, old); err != nil {
		return err
	}
	if old == "" || old == room {
		return nil
	}
	return r.client.leave(old, "")
}

func leaveRoom(r *Request) error {
	var p wire.RoomRequest
	if err := r.Bind(&p); err != nil {
		return err
	}
	if p.Name == "" {
		p.Name = r.Event.Room
	}
	room, err := r.memberOf(p.Name)
	if err != nil {
		return err
	}
	if room == r.client.inbox() {
		return wire.Errorf(wire.Forbidden, "an inbox cannot be left")
	}
	return r.client.leave(room, r.Event.ID)
}

// target parses the payload of an event that names a room to enter.
func (r *Request) target() (room wire.Room, p wire.RoomRequest, err error) {
	if err := r.Bind(&p); err != nil {
		return "", p, err
	}
	if p.Name == "" {
		p.Name = r.Event.Room
	}
	if p.Last < 0 {
		return "", p, wire.Errorf(wire.BadPayload, "last must not be negative")
	}
	room, err = r.client.resolve(p.Name)
	return room, p, err
}

// join makes the client a member of the room. It records that before, so that
// the room can already remove it again. The room becomes the current one if
// there is none, or if makeCurrent; `instead` is the one that will be left.
func (c *Client) join(room wire.Room, id string, since rooms.Since, makeCurrent bool, instead wire.Room) error {
	was := c.isIn(room)
	if !was {
		if err := c.admitRoom(room, since); err != nil {
			return err
		}
		if err := c.m.checkRoomName(c.who, room); err != nil {
			return err
		}
	}
	if room != c.inbox() {
		if err := c.addRoom(room, instead); err != nil {
			return err
		}
	}
	ctx, cancel := c.request()
	defer cancel()
	if err := c.awaitWritten(ctx, since); err != nil {
		c.removeRoomUnless(was, room)
		return err
	}
	if err := c.m.eng.Join(ctx, room, c.member(), id, since); err != nil {
		c.removeRoomUnless(was, room)
		return err
	}
	c.setCurrent(room, makeCurrent)
	return nil
}

// removeRoomUnless undoes addRoom after a failed join, unless the client was in
// the room before.
func (c *Client) removeRoomUnless(was bool, room wire.Room) {
	if !was {
		c.removeRoom(room)
	}
}

func (c *Client) leave(room wire.Room, id string) error {
	ctx, cancel := c.request()
	defer cancel()
	c.removeRoom(room)
	return c.m.eng.LeaveAsked(ctx, room, c.member(), id)
}

// maySpeak returns why the client may not publish to a room, or to the inbox of
// a user; nil if it may.
func (c *Client) maySpeak(room wire.Room) error {
	if c.who.MaySpeak(room) {
		return nil
	}
	c.m.stats.RefusedSpeak.Add(1)
	if uid, inbox := wire.InboxOwner(room); inbox {
		return wire.Errorf(wire.Forbidden, "you may not send private messages to %q", uid)
	}
	return wire.Errorf(wire.Forbidden, "you may not speak in the room %q, only listen", room)
}
