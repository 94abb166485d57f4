package rooms_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// hands is the state of a table: what its players have chosen, by uid.
type hands map[string]string

// rps is rock, paper, scissors for two.
type rps struct{ table.Defaults[hands] }

var beats = map[string]string{"rock": "scissors", "paper": "rock", "scissors": "paper"}

func (rps) New() hands { return hands{} }

// Decide takes a hand, which only its player is told; the second one ends the round.
func (rps) Decide(chosen hands, c table.Command) ([]table.Event, error) {
	p, err := table.Read[struct{ Hand string }](c)
	me := c.User.UID
	switch {
	case c.User.From == table.FromEngine: // somebody came or went
		return nil, nil
	case c.Type == "send_message":
		return table.Chat(c)
	case c.Type != "choose" || c.User.From != table.FromUser || err != nil || beats[p.Hand] == "":
		return nil, table.Refuse("a player may choose rock, paper or scissors")
	case chosen[me] != "":
		return nil, table.Refuse("you have chosen %s", chosen[me])
	}
	events := []table.Event{table.Happened("chosen", hands{me: p.Hand}).Only(me)}
	for other, hand := range chosen { // one at most
		winner := map[string]string{p.Hand: "nobody", beats[p.Hand]: me}[hand]
		events = append(events, table.Happened("round_over", map[string]any{
			"hands": hands{me: p.Hand, other: hand}, "winner": cmp.Or(winner, other),
		}))
	}
	return events, nil
}

// Apply notes a hand, and forgets all when the round is over.
func (rps) Apply(chosen hands, ev table.Event) (hands, error) {
	switch ev.Type {
	case "chosen":
		err := json.Unmarshal(ev.Payload, &chosen) // adds to those that are there
		return chosen, err
	case "round_over":
		return hands{}, nil
	}
	return chosen, nil // what was said
}

// View shows a player his own hand, and everybody how many have chosen.
func (rps) View(chosen hands, uid string) any {
	return map[string]any{"chosen": len(chosen), "mine": chosen[uid]}
}

// Rock, paper, scissors: rules of one's own decide for the rooms rps-1, rps-2 and so on.
func ExampleHost() {
	ctx := context.Background()
	nats, err := embedded.Start(embedded.Config{Addr: embedded.InProcessOnly, Memory: true})
	check(err)
	defer nats.Close()
	cfg := rooms.DefaultConfig()
	cfg.Memory = true
	cfg.Tables = []rooms.Hosting{rooms.Host("rps-*", rps{})}
	engine, err := rooms.New(ctx, nats, cfg)
	check(err)
	defer engine.Close(ctx)

	// choose is what a session does with an event that a client sends.
	choose := func(uid, hand string) {
		decided := make(chan error)
		ev := wire.Event{Type: "choose", Payload: json.RawMessage(`{"hand":"` + hand + `"}`)}
		who := table.User{From: table.FromUser, UID: uid}
		engine.Command("rps-1", ev, rooms.CommandOptions{User: who}, func(_ rooms.Decision, err error) { decided <- err })
		fmt.Println(uid, hand, <-decided)
	}
	choose("ann", "rock")
	choose("ann", "paper")
	choose("bob", "paper")
	choose("bob", "scissors")
	choose("ann", "scissors")
	history, err := engine.History(ctx, "rps-1", 0, 10)
	check(err)
	for _, raw := range history.Events {
		ev, err := wire.DecodeServer(raw)
		check(err)
		fmt.Println(ev.Type, string(ev.Payload))
	}
	// Output:
	// ann rock <nil>
	// ann paper refused: you have chosen rock
	// bob paper <nil>
	// bob scissors <nil>
	// ann scissors <nil>
	// round_over {"hands":{"ann":"rock","bob":"paper"},"winner":"bob"}
	// round_over {"hands":{"ann":"scissors","bob":"scissors"},"winner":"nobody"}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
