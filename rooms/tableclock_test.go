package rooms_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestSkew(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	for _, tt := range []struct {
		asked, answered, want time.Duration // against the server's time
	}{
		{-time.Millisecond, time.Millisecond, 0},
		{-time.Second, time.Second, 0},
		{-3 * time.Second, 3 * time.Second, 0}, // a slow answer proves nothing
		{999 * time.Millisecond, 1200 * time.Millisecond, 0},
		{time.Minute, time.Minute + time.Second, time.Minute},
		{-time.Minute - time.Second, -time.Minute, -time.Minute},
	} {
		if got := rooms.SkewOf(at.Add(tt.asked), at.Add(tt.answered), at); got != tt.want {
			t.Errorf("asked %v, answered %v: %v, want %v", tt.asked, tt.answered, got, tt.want)
		}
	}
	if got := rooms.SkewOf(at, at, time.Time{}); got != 0 {
		t.Errorf("of a server that does not say the time: %v", got)
	}
}

// A node whose clock is wrong takes over, and loses again: what was acknowledged
// before counts once, and the round does not wait for that clock.
func TestTakeoverByAWrongClock(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			srv := startServer(t)
			right := startEngine(t, srv, func(c *rooms.Config) { baccaratTables(c); c.Node = "right" })
			wrong := startEngine(t, srv, func(c *rooms.Config) {
				baccaratTables(c)
				c.Node = "wrong"
				c.TableClock(func() time.Time { return time.Now().Add(ahead) })
			})
			eventually(t, "they know of each other", func() bool { return len(right.Peers()) == 1 && len(wrong.Peers()) == 1 })
			room := roomOwnedBy(t, right, "right")
			ann := table.User{From: table.FromUser, UID: "ann"}
			const bet = `{"round":1,"on":"tie","amount":20}`
			join(t, wrong, room, "watcher", rooms.Since{})
			eventually(t, "a round is open", func() bool {
				_, err := command(t, wrong, room, "", table.User{From: table.FromUser, UID: "probe"}, "place_bet", bet)
				return err == nil
			})
			first, err := command(t, wrong, room, "b-1", ann, "place_bet", bet)
			if err != nil {
				t.Fatal(err)
			}
			right.Kill()
			eventually(t, "the other one decides", func() bool {
				_, err := command(t, wrong, room, "b-2", ann, "place_bet", bet)
				return err == nil
			})
			if again, err := command(t, wrong, room, "b-1", ann, "place_bet", bet); err != nil || again != first {
				t.Errorf("a bet stored at %d, sent again: %d, %v", first, again, err)
			}
			if has := stackOf(t, wrong, room, "ann"); has != 10_000-2*20 {
				t.Errorf("ann has %d after two bets of 20", has)
			}
			if off := time.Duration(shownNow(t, wrong, room)-time.Now().UnixMilli()) * time.Millisecond; off.Abs() > ahead.Abs()/2 {
				t.Errorf("the table's clock differs by %v", off)
			}
		})
	}
}

// shownNow is the time that room_joined of a table says.
func shownNow(t *testing.T, eng *rooms.Engine, room wire.Room) int64 {
	t.Helper()
	m := join(t, eng, room, "looks at the clock", rooms.Since{})
	var p wire.RoomJoined
	if err := json.Unmarshal(roomJoined(t, m).Payload, &p); err != nil {
		t.Fatal(err)
	}
	return p.Now
}

// roomOwnedBy is a table that a node decides for.
func roomOwnedBy(t *testing.T, eng *rooms.Engine, node string) wire.Room {
	t.Helper()
	for i := range 100 {
		if room := wire.Room(fmt.Sprint("baccarat-", i)); eng.OwnerOf(room) == node {
			return room
		}
	}
	t.Fatalf("%s decides for no table", node)
	return ""
}
