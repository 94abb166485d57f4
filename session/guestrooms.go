package session

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

const (
	// newRoomRate is how many rooms per second the guests of one address may open
	// on a node, newRoomBurst how many at once: enough for two clients in
	// MaxRooms rooms each that reconnect to a restarted node four times.
	newRoomRate  = 4
	newRoomBurst = 256
	// guestRoomGrace is how long a room that a guest enters counts although it
	// is not open: it may still be opening.
	guestRoomGrace = 10 * time.Second
	// guestRoomSweep is the least time between two checks for rooms that have
	// ended.
	guestRoomSweep = time.Second
)

// guestRooms are the open rooms of this node that only guests have entered
// since they were opened. Rooms that a program or a user with a token uses do
// not count, nor those that guests are granted by their full name. Its methods
// may be called from any goroutine.
type guestRooms struct {
	// fixed
	maxRooms     int                       // 0: no limit
	isOpen       func(room wire.Room) bool // on this node
	general      wire.Room                 // Config.DefaultRoom
	newByAddress *budget.Table             // rate of new rooms

	mu    sync.Mutex
	open  map[wire.Room]time.Duration // when the first guest entered, by room
	swept time.Duration
}

func newGuestRooms(cfg Config, isOpen func(wire.Room) bool) *guestRooms {
	return &guestRooms{
		maxRooms: cfg.MaxGuestRooms, isOpen: isOpen, general: cfg.DefaultRoom,
		newByAddress: budget.NewTable(budget.Rate{PerSecond: newRoomRate, Burst: newRoomBurst}, budget.Rate{}, maxIdleAccounts),
		open:         make(map[wire.Room]time.Duration),
	}
}

// admit lets a client enter a room; a guest may not open new ones beyond the
// limits.
func (g *guestRooms) admit(c *Client, room wire.Room) error {
	if g.maxRooms == 0 {
		return nil
	}
	if !c.who.Guest {
		g.claim(room)
		return nil
	}
	if room == g.general || grantedByName(c.who, room) {
		return nil
	}
	if _, inbox := wire.InboxOwner(room); inbox {
		return nil
	}
	return g.enter(room, c)
}

// checkRoomName refuses a guest a new room whose name looks different from what
// it is (auth.CleanName), so that no guest opens one that looks like another: a
// name with invisible characters, changes of direction, or superfluous white
// space. A room that others are in, or that has events, exists already and may
// be entered.
func (m *Manager) checkRoomName(who auth.Identity, room wire.Room) error {
	if !who.Guest || room == m.cfg.DefaultRoom || room == wire.Inbox(who.UID) || auth.CleanName(string(room)) == string(room) || grantedByName(who, room) {
		return nil
	}
	if info, _ := m.eng.RoomHere(room); info.Users > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(m.ctx, requestTimeout)
	defer cancel()
	page, err := m.eng.History(ctx, room, 0, 1)
	if err != nil || len(page.Events) > 0 {
		return err
	}
	m.stats.RefusedGuestNames.Add(1)
	return wire.Errorf(wire.BadRoom, "a guest cannot open a room whose name has characters that are not seen, change the direction of the text, or are white space too much")
}

// grantedByName reports whether a guest is granted a room by its full name.
func grantedByName(who auth.Identity, room wire.Room) bool {
	return slices.Contains(who.Rooms, string(room))
}

// claim records that the room is no longer used by guests alone.
func (g *guestRooms) claim(room wire.Room) {
	g.mu.Lock()
	delete(g.open, room)
	g.mu.Unlock()
}

func (g *guestRooms) enter(room wire.Room, c *Client) error {
	now, stats := c.m.now(), &c.m.stats
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, counted := g.open[room]; counted || g.isOpen(room) {
		return nil
	}
	if len(g.open) >= g.maxRooms && !g.sweep(now) {
		stats.RefusedGuestRooms.Add(1)
		return wire.Errorf(wire.Busy, "guests have opened as many rooms here as they may; enter one that others are in, or try again later")
	}
	if !c.from.exempt && !g.newByAddress.Get(c.from.key, now).Take(budget.First, now, 1) {
		stats.LimitedGuestRooms.Add(1)
		return wire.Errorf(wire.Busy, "too many new rooms from your address; try again in a moment")
	}
	g.open[room] = now
	return nil
}

// sweep forgets the rooms that have ended, and reports whether another one may
// be opened. The caller holds mu.
func (g *guestRooms) sweep(now time.Duration) bool {
	if now-g.swept < guestRoomSweep && g.swept > 0 {
		return false
	}
	g.swept = now
	for room, since := range g.open {
		if now-since > guestRoomGrace && !g.isOpen(room) {
			delete(g.open, room)
		}
	}
	return len(g.open) < g.maxRooms
}
