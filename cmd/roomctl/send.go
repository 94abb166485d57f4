package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

type sendCmd struct {
	server
	Room    string `arg:"" help:"The room."`
	Message string `arg:"" optional:"" help:"What to say. Without it every line of stdin is sent."`
	Type    string `help:"Type of the event, instead of send_message; with --payload."`
	Payload string `placeholder:"JSON" help:"Payload of the event, instead of MESSAGE."`
	ID      string `name:"id" help:"Id of the event: what is sent twice under the same one is stored once."`
}

func (cmd *sendCmd) run(ctx context.Context, t terminal) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := cmd.dial(ctx, t, cmd.Room, client.Config{})
	if err != nil {
		return err
	}
	defer c.Close()
	switch {
	case cmd.Payload != "" || cmd.Type != "":
		ev := wire.Event{Type: cmd.Type, ID: cmd.ID, Room: cmd.Room}
		if ev.Type == "" {
			ev.Type = wire.TypeSendMessage
		}
		if cmd.Payload != "" {
			ev.Payload = json.RawMessage(cmd.Payload)
		}
		return publish(ctx, c, cmd.Timeout, ev, t.stdout)
	case cmd.Message != "":
		ev := message(c, cmd.Room, cmd.Message)
		ev.ID = cmd.ID
		return publish(ctx, c, cmd.Timeout, ev, t.stdout)
	}
	return cmd.lines(ctx, c, t)
}

func (cmd *sendCmd) check() error {
	switch {
	case cmd.Payload != "" && !json.Valid([]byte(cmd.Payload)):
		return fmt.Errorf("--payload is not JSON: %.100q", cmd.Payload)
	case cmd.Type != "" && !wire.ValidType(cmd.Type):
		return fmt.Errorf("--type %q: a type is 1-%d characters of a-z 0-9 _ . -", cmd.Type, wire.MaxTypeBytes)
	case !wire.ValidID(cmd.ID):
		return fmt.Errorf("--id has at most %d bytes and no control characters", wire.MaxIDBytes)
	case cmd.Message != "" && (cmd.Payload != "" || cmd.Type != ""):
		return errors.New("give either MESSAGE or --type and --payload")
	case cmd.ID != "" && cmd.Message == "" && cmd.Payload == "" && cmd.Type == "":
		return errors.New("--id is for one event: give MESSAGE or --type as well")
	}
	return nil
}

// lines sends stdin line by line and stops at the first that is not stored.
func (cmd *sendCmd) lines(ctx context.Context, c *client.Client, t terminal) error {
	lines := bufio.NewScanner(t.stdin)
	for n := 1; lines.Scan(); n++ {
		if lines.Text() == "" {
			continue
		}
		if err := publish(ctx, c, cmd.Timeout, message(c, cmd.Room, lines.Text()), t.stdout); err != nil {
			return fmt.Errorf("line %d of stdin: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	return nil
}

func message(c *client.Client, room, text string) wire.Event {
	return wire.Event{Type: wire.TypeSendMessage, Room: room,
		Payload: wire.MarshalPayload(map[string]string{"message": text, "from": c.Welcome().Username})}
}

// publish waits until the event is stored and writes its sequence to out, if
// there is one.
func publish(ctx context.Context, c *client.Client, timeout time.Duration, ev wire.Event, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within --timeout %v", timeout))
	defer cancel()
	ack, err := c.Send(ctx, ev)
	if err != nil || out == nil {
		return err
	}
	if _, err := fmt.Fprintln(out, ack.Seq); err != nil {
		return fmt.Errorf("write the sequence: %w", err)
	}
	return nil
}
