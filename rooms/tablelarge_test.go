package rooms_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestLargestRound: a round in which 500 users have five bets each is stored,
// reaches a member whole, and is in the history. Where a machine is too slow to
// place them all in one round, it tries with the next.
func TestLargestRound(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) {
		c.Tables = []rooms.Hosting{rooms.Host("baccarat-*", baccarat.New(baccarat.Config{BetTime: 3 * time.Second, DealTime: time.Millisecond}))}
	})
	const room = "baccarat-1"
	m := join(t, eng, room, "m", rooms.Since{})
	for round := 1; ; round++ {
		m.awaitTold(t, round, "round_opened")
		stored := make(chan error, baccarat.MaxBettors*len(baccarat.Spots))
		for i := range baccarat.MaxBettors {
			who := table.User{From: table.FromUser, UID: fmt.Sprintf("%063d", i)}
			for _, on := range baccarat.Spots {
				ev := wire.Event{Type: "place_bet", Payload: json.RawMessage(fmt.Sprintf(`{"round":%d,"on":%q,"amount":20}`, round, on))}
				eng.Command(room, ev, rooms.CommandOptions{ID: fmt.Sprint(round, i, on), User: who}, func(_ rooms.Decision, err error) { stored <- err })
			}
		}
		late := 0
		for range cap(stored) {
			switch err := <-stored; {
			case err == nil:
			case wire.AsError(err).Code == wire.Refused, wire.AsError(err).Code.Retryable():
				late++
			default:
				t.Fatal(err)
			}
		}
		if late > 0 {
			t.Logf("%d bets came too late for round %d", late, round)
			continue
		}
		_, err := command(t, eng, room, "", table.User{From: table.FromUser, UID: "one-more"}, "place_bet", fmt.Sprintf(`{"round":%d,"on":"tie","amount":20}`, round))
		if err == nil || wire.AsError(err).Code != wire.Refused {
			t.Errorf("one bettor more: %v", err)
		}
		m.awaitTold(t, round, "round_settled")
		history, err := eng.History(t.Context(), room, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range append(m.events("round_settled"), decoded(t, history.Events)...) {
			var settled struct {
				Round int
				Paid  []any
			}
			if raw.Type == "round_settled" && json.Unmarshal(raw.Payload, &settled) == nil && settled.Round == round {
				if len(settled.Paid) != cap(stored) {
					t.Errorf("%d bets are settled", len(settled.Paid))
				}
				late-- // both have it
			}
		}
		if late != -2 {
			t.Errorf("of the member and the history %d have the end of round %d", -late, round)
		}
		return
	}
}

func decoded(t *testing.T, raw []json.RawMessage) (list []wire.Event) {
	t.Helper()
	for _, one := range raw {
		ev, err := wire.DecodeServer(one)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, ev)
	}
	return list
}
