package node

import (
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// tables are the rooms at which a game is played.
func (n *Node) tables() (list []rooms.Hosting) {
	game := table.Of(baccarat.New(baccarat.Config{Live: n.cfg.Dealer == "live", BetTime: n.cfg.BetTime, DealTime: n.cfg.DealTime}))
	for _, t := range n.cfg.Tables {
		if room, _, ok := strings.Cut(t, "="); ok {
			list = append(list, rooms.Hosting{Rooms: room, Game: game})
		}
	}
	return list
}
