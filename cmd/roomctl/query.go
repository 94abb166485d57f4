package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

type membersCmd struct {
	server
	Room string `arg:"" help:"The room."`
	JSON bool   `name:"json" help:"Print every person as JSON, one per line."`
}

func (cmd *membersCmd) run(ctx context.Context, t terminal) error {
	c, err := cmd.dial(ctx, t, cmd.Room, client.Config{})
	if err != nil {
		return err
	}
	defer c.Close()
	out := &printer{out: t.stdout}
	for after, more := "", true; more && out.err == nil; {
		payload := map[string]any{"name": cmd.Room, "limit": maxPage, "after": after}
		answer, err := ask(ctx, c, cmd.Timeout, wire.TypeGetOnlineUsers, cmd.Room, payload)
		if err != nil {
			return err
		}
		var page wire.OnlineUsers
		if err := json.Unmarshal(answer.Payload, &page); err != nil || answer.Type != wire.TypeOnlineUsers {
			return fmt.Errorf("the server answered get_online_users with %q: %.200s", answer.Type, answer.Payload)
		}
		for _, u := range page.List {
			if cmd.JSON {
				out.line(string(wire.MarshalPayload(u)))
				continue
			}
			out.line(cli.Plain(u.UID) + "\t" + cli.Plain(u.Username))
		}
		more = page.Next != "" && page.Next != after
		after = page.Next
	}
	return out.err
}

type historyCmd struct {
	server
	Room   string `arg:"" help:"The room."`
	Limit  int    `default:"50" help:"How many events."`
	Before uint64 `placeholder:"SEQ" help:"Only events before this sequence."`
	JSON   bool   `name:"json" help:"Print every event as JSON, one per line."`
}

func (cmd *historyCmd) run(ctx context.Context, t terminal) error {
	if cmd.Limit < 1 {
		return fmt.Errorf("--limit is %d; it must be at least 1", cmd.Limit)
	}
	c, err := cmd.dial(ctx, t, cmd.Room, client.Config{})
	if err != nil {
		return err
	}
	defer c.Close()
	var pages [][]wire.Event
	for left, before, more := cmd.Limit, cmd.Before, true; more && left > 0; {
		answer, err := requestHistory(ctx, c, cmd.Room, min(left, maxPage), before, cmd.Timeout)
		if err != nil {
			return err
		}
		var events []wire.Event
		if events, more, err = historyPage(answer); err != nil {
			return err
		}
		if len(events) == 0 {
			break
		}
		pages = append(pages, events)
		left -= len(events)
		before = events[0].Seq
	}
	out := &printer{out: t.stdout, asJSON: cmd.JSON}
	for _, events := range slices.Backward(pages) {
		for _, ev := range events {
			out.event(ev)
		}
	}
	return out.err
}

func requestHistory(ctx context.Context, c *client.Client, room string, limit int, before uint64, timeout time.Duration) (wire.Event, error) {
	payload := map[string]any{"name": room, "limit": limit}
	if before > 0 {
		payload["before"] = before
	}
	return ask(ctx, c, timeout, wire.TypeGetHistory, room, payload)
}

// historyPage reads an answer: its events, and whether there are older ones.
func historyPage(answer wire.Event) (events []wire.Event, more bool, err error) {
	var page wire.History
	if err := json.Unmarshal(answer.Payload, &page); err != nil || answer.Type != wire.TypeHistory {
		return nil, false, fmt.Errorf("the server answered get_history with %q: %.200s", answer.Type, answer.Payload)
	}
	for _, raw := range page.Events {
		ev, err := wire.DecodeServer(raw)
		if err != nil {
			return nil, false, fmt.Errorf("the history holds what is no event: %w", err)
		}
		events = append(events, ev)
	}
	return events, page.More, nil
}

func ask(ctx context.Context, c *client.Client, timeout time.Duration, typ, room string, payload any) (wire.Event, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within --timeout %v", timeout))
	defer cancel()
	return c.Request(ctx, wire.Event{Type: typ, Room: room, Payload: wire.MarshalPayload(payload)})
}
