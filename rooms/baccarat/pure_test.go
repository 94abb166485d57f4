package baccarat_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table/tabletest"
)

func bet(uid string, round int, on baccarat.Spot, amount int) tabletest.Line {
	return tabletest.User(uid, "place_bet", fmt.Sprintf(`{"round":%d,"on":%q,"amount":%d}`, round, on, amount))
}

// TestPure plays through the test kit a table that deals itself: bets, takeovers, a
// voided round, a pause, a new shoe, and an empty table.
func TestPure(t *testing.T) {
	script := []tabletest.Line{
		tabletest.Joined("ann"), tabletest.Joined("bob"), tabletest.Joined("guest-cy").Guest(),
		tabletest.Together(bet("ann", 1, "player", 100), bet("bob", 1, "tie", 40), bet("guest-cy", 1, "banker", 60).Guest(), bet("bob", 1, "player_pair", 20)),
		bet("ann", 1, "banker", 30).Refused(), bet("ann", 2, "banker", 20).Refused(),
		tabletest.User("bob", "clear_bets", `{"round":1}`), tabletest.User("bob", "refill", "").Refused(),
		tabletest.User("ann", "send_message", `{"message":"good luck"}`),
		tabletest.Wait(14 * time.Second), tabletest.TookOver(), bet("bob", 1, "banker_pair", 1000),
		tabletest.Wait(8 * time.Second), bet("ann", 1, "banker", 20).Refused(), tabletest.TookOver(),
		tabletest.Left("guest-cy").Guest(), tabletest.Wait(20 * time.Second), tabletest.Joined("guest-cy").Guest(),
		bet("ann", 2, "tie", 1000), tabletest.Service("void", `{"round":2,"reason":"a card fell"}`), tabletest.Service("void", `{"round":2}`).Refused(),
		tabletest.Wait(5 * time.Second), tabletest.Service("pause", `{"reason":"tea"}`), tabletest.Wait(time.Minute),
		tabletest.Service("new_shoe", ""), tabletest.Service("new_shoe", `{"first":"8H"}`).Refused(), tabletest.Service("deal", `{"card":"8H"}`).Refused(),
		tabletest.Service("resume", ""), tabletest.Wait(8 * time.Minute),
		tabletest.Left("ann"), tabletest.Left("bob"), tabletest.Left("guest-cy").Guest(), tabletest.Wait(time.Hour), tabletest.Joined("ann"),
	}
	tabletest.Run(t, baccarat.New(baccarat.Config{}), script...)
}

// TestPureLive does the same at a table with a dealer's program.
func TestPureLive(t *testing.T) {
	card := func(c string) tabletest.Line { return tabletest.Service("deal", fmt.Sprintf(`{"card":%q}`, c)) }
	tabletest.Run(t, baccarat.New(baccarat.Config{Live: true}),
		tabletest.Service("new_shoe", `{"first":"8H"}`), tabletest.Joined("ann"), tabletest.Joined("bob"),
		tabletest.Together(bet("ann", 1, "player", 100), bet("bob", 1, "tie", 40)), card("9S").Refused(),
		tabletest.Wait(15*time.Second), card("9S"), card("2S"), tabletest.TookOver(), card("9S"), card("2H"), tabletest.Wait(10*time.Second),
		card("9S").Refused(), tabletest.Service("new_shoe", "").Refused(), tabletest.Service("void", `{"round":2,"reason":"dealt twice"}`),
		tabletest.Service("new_shoe", ""), tabletest.Wait(30*time.Second), tabletest.Left("ann"), tabletest.Left("bob"), card("8S"), card("7S"), card("KS"), card("JS"), tabletest.Wait(time.Hour),
	)
}
