package readme

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// natsCommand is as much of the nats CLI as the documents use, for machines that do not have it: nats pub SUBJECT BODY,
// nats req SUBJECT BODY, and nats sub SUBJECT, which ends with the first message.
func natsCommand(args []string) error {
	flags := flag.NewFlagSet("nats", flag.ContinueOnError)
	user, password := flags.String("user", "", ""), flags.String("password", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	nc, err := nats.Connect(nats.DefaultURL, nats.UserInfo(*user, *password))
	if err != nil {
		return err
	}
	defer nc.Close()
	switch args := flags.Args(); {
	case len(args) == 3 && args[0] == "pub":
		if err := nc.Publish(args[1], []byte(args[2])); err != nil {
			return err
		}
		return nc.FlushTimeout(10 * time.Second)
	case len(args) == 3 && args[0] == "req":
		return printed(nc.Request(args[1], []byte(args[2]), 10*time.Second))
	case len(args) == 2 && args[0] == "sub":
		sub, err := nc.SubscribeSync(args[1])
		if err != nil {
			return err
		}
		if err := nc.Flush(); err != nil { // what is published from now on is heard
			return err
		}
		fmt.Println("Subscribing on", args[1])
		return printed(sub.NextMsg(boxTime))
	}
	return fmt.Errorf("%q: this one can do no more than pub SUBJECT BODY, req SUBJECT BODY and sub SUBJECT", args)
}

func printed(m *nats.Msg, err error) error {
	if err == nil {
		fmt.Println(string(m.Data))
	}
	return err
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
