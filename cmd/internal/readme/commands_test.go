package readme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// natsCommand is as much of the nats CLI as the README uses, for machines that do not have it: nats pub SUBJECT BODY.
func natsCommand(args []string) error {
	if len(args) != 3 || args[0] != "pub" {
		return fmt.Errorf("%q: this one can do no more than pub SUBJECT BODY", args)
	}
	nc, err := nats.Connect(nats.DefaultURL)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.Publish(args[1], []byte(args[2])); err != nil {
		return err
	}
	return nc.FlushTimeout(10 * time.Second)
}

// betCommand places a bet at the README's server, and one that it must refuse.
func betCommand([]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{URL: "ws://localhost:3000/ws", Username: "percy"})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Publish(ctx, client.DefaultRoom, "place_bet", json.RawMessage(`{"amount":5}`)); err != nil {
		return fmt.Errorf("a bet was not stored: %w", err)
	}
	var refused *wire.Error
	_, err = c.Publish(ctx, client.DefaultRoom, "place_bet", json.RawMessage(`{"amount":0}`))
	if !errors.As(err, &refused) || refused.Code != wire.BadPayload {
		return fmt.Errorf("a bet of nothing: %v, want %s", err, wire.BadPayload)
	}
	fmt.Println("the bet stands")
	return nil
}
