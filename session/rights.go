package session

import "github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"

// maySpeak is why the client may not put an event into a room, or into the
// inbox of a user; nil if it may.
func (c *Client) maySpeak(room string) error {
	if c.who.MaySpeak(room) {
		return nil
	}
	c.m.stats.RefusedSpeak.Add(1)
	if uid, inbox := wire.InboxOwner(room); inbox {
		return wire.Errorf(wire.Forbidden, "you may not send private messages to %q", uid)
	}
	return wire.Errorf(wire.Forbidden, "you may not speak in the room %q, only listen", room)
}
