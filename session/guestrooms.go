package session

import (
	"slices"
	"sync"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/internal/budget"
)

const (
	// newRoomRate is how many rooms per second the guests of one address may
	// bring into being on a node, newRoomBurst how many at once: two full
	// connections that come back to a node that was restarted, four times over.
	newRoomRate  = 4
	newRoomBurst = 256
	// guestRoomSettles is how long a room that a guest enters counts although it
	// is not open: it may be on its way.
	guestRoomSettles = 10 * time.Second
	// guestRoomSweep is the least time between two looks at which rooms have ended.
	guestRoomSweep = time.Second
)

// guestRooms are the open rooms of this node that only guests have entered since
// they were opened. Rooms that a program or a token's owner uses are not among
// them, nor those that guests may enter by their full name: somebody wanted
// those. Its methods may be called from any goroutine.
type guestRooms struct {
	// fixed
	most    int                    // 0: no limit
	isOpen  func(room string) bool // on this node
	general string                 // the room that everybody begins in
	byDoor  *budget.Table          // new rooms by address

	mu    sync.Mutex
	open  map[string]time.Duration // when a guest entered first, by room
	swept time.Duration
}

func newGuestRooms(cfg Config, isOpen func(string) bool) *guestRooms {
	return &guestRooms{
		most: cfg.MaxGuestRooms, isOpen: isOpen, general: cfg.DefaultRoom,
		byDoor: budget.NewTable(budget.Rate{PerSecond: newRoomRate, Burst: newRoomBurst}, budget.Rate{}, maxStrangers),
		open:   make(map[string]time.Duration),
	}
}

// admit lets a client enter a room, which a guest may not bring into being
// beyond the limits.
func (g *guestRooms) admit(c *Client, room string) error {
	if g.most == 0 {
		return nil
	}
	if !c.who.Guest {
		g.claim(room)
		return nil
	}
	if room == g.general || named(c.who, room) {
		return nil
	}
	if _, inbox := wire.InboxOwner(room); inbox {
		return nil
	}
	return g.enter(room, c)
}

// mayName refuses a guest a room whose name shows otherwise than it is written
// (auth.CleanName), so that no guest makes one that looks like another's: what
// cannot be seen, changes direction, or is white space too much. One that others
// are in, or that has events, is somebody else's and may be entered.
func (c *Client) mayName(room string) error {
	if !c.who.Guest || room == c.m.cfg.DefaultRoom || room == c.inbox() || auth.CleanName(room) == room || named(c.who, room) {
		return nil
	}
	if info, _ := c.m.eng.RoomHere(room); info.Users > 0 {
		return nil
	}
	ctx, cancel := c.request()
	defer cancel()
	page, err := c.m.eng.History(ctx, room, 0, 1)
	if err != nil || len(page.Events) > 0 {
		return err
	}
	c.m.stats.RefusedGuestNames.Add(1)
	return wire.Errorf(wire.BadRoom, "a guest cannot open a room whose name has characters that are not seen, change the direction of the text, or are white space too much")
}

// named reports whether a guest is granted a room by its full name.
func named(who auth.Identity, room string) bool { return slices.Contains(who.Rooms, room) }

// claim notes that the room is not guests' alone any more.
func (g *guestRooms) claim(room string) {
	g.mu.Lock()
	delete(g.open, room)
	g.mu.Unlock()
}

func (g *guestRooms) enter(room string, c *Client) error {
	now, stats := c.m.now(), &c.m.stats
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, counted := g.open[room]; counted || g.isOpen(room) {
		return nil
	}
	if len(g.open) >= g.most && !g.sweep(now) {
		stats.RefusedGuestRooms.Add(1)
		return wire.Errorf(wire.Busy, "guests have opened as many rooms here as they may; enter one that others are in, or try again later")
	}
	if !c.from.exempt && !g.byDoor.Get(c.from.key, now).Take(budget.First, now, 1) {
		stats.LimitedGuestRooms.Add(1)
		return wire.Errorf(wire.Busy, "too many new rooms from your address; try again in a moment")
	}
	g.open[room] = now
	return nil
}

// sweep forgets the rooms that have ended, and reports whether there is a place
// now. It needs mu.
func (g *guestRooms) sweep(now time.Duration) bool {
	if now-g.swept < guestRoomSweep && g.swept > 0 {
		return false
	}
	g.swept = now
	for room, since := range g.open {
		if now-since > guestRoomSettles && !g.isOpen(room) {
			delete(g.open, room)
		}
	}
	return len(g.open) < g.most
}
