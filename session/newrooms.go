package session

import (
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

// Limits on users with a token; those on guests are newRoomRate and
// Config.MaxGuestRooms. A room costs memory until nobody has used it for a
// while, so whoever enters a new one each moment would have thousands open.
const (
	// userRoomRate is how many rooms per second that nobody has open on the node
	// one user may enter with all connections, userRoomBurst how many at once.
	userRoomRate  = 1
	userRoomBurst = 100
	// addressRooms is how many times as many all users of an address may enter.
	addressRooms = 10

	// resumedRoomRate and resumedRoomBurst are the same for rooms that the
	// handshake names in ?resume=: after a restart of the node hardly any is
	// open, and all come at once. The burst is 20 connections in MaxRooms rooms
	// each.
	resumedRoomRate  = 4
	resumedRoomBurst = 20 * MaxRooms
	// addressResumed is how many times as many all users of an address may
	// resume.
	addressResumed = 32
)

// Meanings of the two kinds of budgets in the accounts of newRooms.
const (
	roomsEntered = budget.First
	roomsResumed = budget.Second
)

// newRooms limits how many rooms that are not open users with a token open. Its
// methods may be called from any goroutine.
type newRooms struct {
	users, addresses *budget.Table
}

func newNewRooms() newRooms {
	entered := budget.Rate{PerSecond: userRoomRate, Burst: userRoomBurst}
	resumed := budget.Rate{PerSecond: resumedRoomRate, Burst: resumedRoomBurst}
	return newRooms{
		users:     budget.NewTable(entered, resumed, maxIdleAccounts),
		addresses: budget.NewTable(entered.Times(addressRooms), resumed.Times(addressResumed), maxIdleAccounts),
	}
}

// admit lets a user with a token enter a room that is not open, if the user and
// its address have not opened too many. Only what the handshake resumes has an
// Allowance.
func (n *newRooms) admit(c *Client, since rooms.Since) error {
	kind := roomsEntered
	if since.Allowance != nil {
		kind = roomsResumed
	}
	now := c.m.now()
	user := n.users.Get(c.who.UID, now)
	if !user.Take(kind, now, 1) {
		c.m.stats.LimitedUserRooms.Add(1)
		return wire.Errorf(wire.Busy, "you have opened too many new rooms; enter one that others are in, or try again in a moment")
	}
	if c.from.exempt || n.addresses.Get(c.from.key, now).Take(kind, now, 1) {
		return nil
	}
	user.GiveBack(kind, 1)
	c.m.stats.LimitedAddressRooms.Add(1)
	return wire.Errorf(wire.Busy, "too many new rooms from your address; try again in a moment")
}

// admitRoom lets the client enter a room, or says why it may not open it. What
// the site names, in a token or as the room for all, is never refused.
func (c *Client) admitRoom(room wire.Room, since rooms.Since) error {
	if err := c.m.guestRooms.admit(c, room); err != nil {
		return err
	}
	if c.who.Guest || room == c.m.cfg.DefaultRoom || room == c.inbox() || c.m.roomIsOpen(room) || grantedByName(c.who, room) {
		return nil
	}
	return c.m.newRooms.admit(c, since)
}

// roomIsOpen reports whether this node has the room open.
func (m *Manager) roomIsOpen(room wire.Room) bool {
	_, open := m.eng.RoomHere(room)
	return open
}
