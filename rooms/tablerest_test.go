package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestLeftAtOnce: who leaves a table as soon as he is in, before anybody was told
// that he came, is not taken for present afterwards.
func TestLeftAtOnce(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) {
		c.Tables = []rooms.Hosting{{Rooms: "bac-*", Game: table.Of(baccarat.New(baccarat.Config{
			BetTime: 20 * time.Millisecond, DealTime: time.Millisecond, ShowTime: 5 * time.Millisecond,
		}))}}
		c.IdleAfter, c.PresenceGrace, c.PresenceInterval = 400*time.Millisecond, 0, 300*time.Millisecond
		c.Heartbeats(50 * time.Millisecond)
	})
	for i, pause := range []time.Duration{0, 100 * time.Millisecond, 600 * time.Millisecond} {
		room := wire.Room(fmt.Sprint("bac-", i))
		m := joinAs(t, eng, room, fmt.Sprint("s", i), "ann")
		<-time.After(pause)
		eng.Leave(room, m, rooms.LeaveClosed)
	}
	eventually(t, "the tables are put away", func() bool {
		shown, err := eng.Lobby(within(t), lobby.Query{})
		return err == nil && len(shown.List) == 0 && eng.TablesOwned() == 0
	})
}
