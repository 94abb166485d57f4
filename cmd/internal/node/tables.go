package node

import (
	"fmt"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/session"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// Values of --dealer.
const (
	dealerAuto = "auto"
	dealerLive = "live"
)

// Limits of --bet-time and --deal-time.
const (
	minTableTime = 10 * time.Millisecond // what a test may want
	maxTableTime = time.Hour
)

// showTime is for how many cards' time a result is shown before the next round.
const showTime = 5

// hosting returns the rooms at which a game is played; none with --tables -.
func (c Config) hosting() (list []rooms.Hosting, err error) {
	if len(c.Tables) == 1 && (c.Tables[0] == "" || c.Tables[0] == auth.NoRoom) {
		return nil, nil
	}
	games := map[string]table.Game{
		"baccarat": table.Of(baccarat.New(baccarat.Config{
			Live: c.Dealer == dealerLive, BetTime: c.BetTime, DealTime: c.DealTime, ShowTime: showTime * c.DealTime,
		})),
	}
	settings := fmt.Sprintf("--dealer %s --bet-time %s --deal-time %s", c.Dealer, c.BetTime, c.DealTime)
	for _, text := range c.Tables {
		cut := strings.LastIndexByte(text, '=')
		if cut < 0 {
			return nil, fmt.Errorf("%q names no game; write ROOM=GAME, such as baccarat-*=baccarat, or - for none", text)
		}
		game := games[text[cut+1:]]
		if game == nil {
			return nil, fmt.Errorf("there is no game %q; write baccarat, as in baccarat-*=baccarat", text[cut+1:])
		}
		pattern, err := auth.ParsePatterns([]string{text[:cut]})
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s; write a room, or a prefix and *, such as baccarat-*=baccarat", strings.TrimPrefix(err.Error(), "auth: "))
		case len(pattern) == 0 || strings.HasPrefix(pattern[0], "@"):
			return nil, fmt.Errorf("%q is no room at which somebody can play; write one such as baccarat-*=baccarat", text[:cut])
		}
		list = append(list, rooms.Hosting{Rooms: pattern[0], Game: game, Settings: settings})
	}
	return list, nil
}

func checkTables(c Config) *FlagError {
	list, err := c.hosting()
	if err != nil {
		return wrong("tables", "%v", err)
	}
	for _, h := range list {
		if lobby := session.DefaultConfig().DefaultRoom; h.Covers(lobby) {
			return wrong("tables", "%q makes a table of the room %s, in which everybody starts; write a longer prefix, such as baccarat-*=baccarat", h.Rooms, lobby)
		}
	}
	switch {
	case c.Dealer != dealerAuto && c.Dealer != dealerLive:
		return wrong("dealer", "%q is unknown; write auto, or live for a program that sends the cards", c.Dealer)
	case c.MaxTables < 0:
		return wrong("max-tables", "%d is negative; write a number such as 10000, or 0 for none", c.MaxTables)
	case c.BetTime < minTableTime || c.BetTime > maxTableTime:
		return wrong("bet-time", "%s is out of range; write a duration from %s to %s, such as 15s", c.BetTime, minTableTime, maxTableTime)
	case c.DealTime < minTableTime || c.DealTime > maxTableTime:
		return wrong("deal-time", "%s is out of range; write a duration from %s to %s, such as 1s", c.DealTime, minTableTime, maxTableTime)
	}
	return nil
}

// tables is what hosting returns for settings that were validated.
func (n *Node) tables() []rooms.Hosting {
	list, err := n.cfg.hosting()
	if err != nil {
		panic("node: --tables was not validated: " + err.Error())
	}
	return list
}
