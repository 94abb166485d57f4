package rooms

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Hosting binds rooms to the rules that decide for them: such a room is a table.
// All nodes of a cluster must host the same.
type Hosting struct {
	Rooms string // a room's name, or with a * at its end the beginning of names
	Game  table.Game
	// Settings is, as text, what else of the rules must be the same on all nodes. It
	// is compared only.
	Settings string
}

// hosted is a digest of which rooms are tables, by which rules: nodes compare theirs.
func (c *Config) hosted() string {
	sum := sha256.New()
	for _, h := range c.Tables {
		fmt.Fprintf(sum, "%q %d %q\n", h.Rooms, h.Game.Version(), h.Settings)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Host has rules decide for a room, or with a * at the end of its name for all
// rooms whose names begin so: an entry of Config.Tables. It is not a method of an
// Engine because a room is a table from its first event on or never: what is in
// its log would mean something else halfway.
func Host[S any](rooms string, rules table.Rules[S]) Hosting {
	return Hosting{Rooms: rooms, Game: table.Of(rules)}
}

// Covers reports whether a room is one of these.
func (h Hosting) Covers(room wire.Room) bool {
	prefix, wild := strings.CutSuffix(h.Rooms, "*")
	return string(room) == h.Rooms || wild && strings.HasPrefix(string(room), prefix)
}

// tablesNode is the name of this node if it hosts tables.
func (c *Config) tablesNode() string {
	if len(c.Tables) == 0 {
		return ""
	}
	return c.Node
}

// gameOf is what decides for a room; nil: it is not a table.
func (e *Engine) gameOf(room wire.Room) table.Game {
	for _, h := range e.cfg.Tables {
		if h.Covers(room) {
			return h.Game
		}
	}
	return nil
}

// IsTable reports whether rules decide for a room.
func (e *Engine) IsTable(room wire.Room) bool { return len(e.cfg.Tables) > 0 && e.gameOf(room) != nil }

// FirstTables returns a room of each entry of Config.Tables at which to begin: the
// one that it names, or the one with 1 in place of its *. It may be called from
// any goroutine.
func (e *Engine) FirstTables() []wire.Room {
	list := make([]wire.Room, len(e.cfg.Tables))
	for i, h := range e.cfg.Tables {
		list[i] = wire.Room(h.Rooms)
		if prefix, wild := strings.CutSuffix(h.Rooms, "*"); wild {
			list[i] = wire.Room(prefix + "1")
		}
	}
	return list
}

// spaceOf is wire.SpaceOf, and for tables theirs.
func (e *Engine) spaceOf(room wire.Room) wire.Space {
	if space := wire.SpaceOf(room); space != wire.SpaceRooms || !e.IsTable(room) {
		return space
	}
	return wire.SpaceTables
}
