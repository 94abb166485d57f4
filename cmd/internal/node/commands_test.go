package node

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

// TestCommandsOverHTTP: what a service posts at a table is a command: stored, known
// under its key when it comes again, or refused by the rules.
func TestCommandsOverHTTP(t *testing.T) {
	s := serve(t, testConfig())
	const events = "/api/rooms/baccarat-1/events"
	const pause = `{"type":"pause","id":"p-1","payload":{"reason":"the shoe is changed"}}`
	s.want(t, 200, "POST", events, pause)
	s.want(t, 200, "POST", events, pause)
	s.want(t, 409, "POST", events, `{"type":"deal","payload":{"card":"8H"}}`)
	s.metricsWith(t, map[string]float64{"roomd_tables_owned": 1, "roomd_table_refused_total": 1, "roomd_table_again_total": 1, "roomd_table_moved_total": 0})
}

// TestBoundsOfRules: who finds a round of baccarat full is counted under that name.
func TestBoundsOfRules(t *testing.T) {
	cfg := testConfig()
	cfg.BetTime = time.Hour
	s := serve(t, cfg)
	const more = 2
	answers := make(chan error, baccarat.MaxBettors+more)
	send := func(from table.From, uid, typ, payload string) {
		ev := wire.Event{Type: typ, Payload: json.RawMessage(payload)}
		s.engine.Command("baccarat-1", ev, rooms.CommandOptions{User: table.User{From: from, UID: uid}}, func(_ rooms.Decision, err error) { answers <- err })
	}
	send(table.FromEngine, "u-0", table.TypeJoined, "null")
	if err := <-answers; err != nil {
		t.Fatal(err)
	}
	for i := range baccarat.MaxBettors + more {
		send(table.FromUser, fmt.Sprint("u-", i), "place_bet", `{"round":1,"on":"tie","amount":20}`)
	}
	refused := 0
	for range baccarat.MaxBettors + more {
		switch err := <-answers; {
		case err == nil:
		case wire.AsError(err).Code == wire.Refused:
			refused++
		default:
			t.Error(err)
		}
	}
	if refused != more {
		t.Errorf("%d are refused, want %d", refused, more)
	}
	s.metricsWith(t, map[string]float64{`roomd_table_at_bound_total{bound="bettors"}`: more, "roomd_table_refused_total": more})
}
