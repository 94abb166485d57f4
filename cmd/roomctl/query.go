package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

type membersCmd struct {
	api
	Room string `arg:"" help:"The room."`
	JSON bool   `name:"json" help:"Print every person as JSON, one per line."`
}

func (cmd *membersCmd) run(ctx context.Context, t terminal) error {
	room, err := cmd.room(t, cmd.Room)
	if err != nil {
		return err
	}
	defer room.close()
	out := &printer{out: t.stdout}
	for after, more := "", true; more && out.err == nil; {
		var page wire.OnlineUsers
		query := url.Values{"limit": {strconv.Itoa(maxPage)}, "after": {after}}
		if err := room.get(ctx, "/members", query, &page); err != nil {
			return err
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
	api
	Room   string `arg:"" help:"The room."`
	Limit  int    `default:"50" help:"How many events."`
	Before uint64 `placeholder:"SEQ" help:"Only events before this sequence."`
	JSON   bool   `name:"json" help:"Print every event as JSON, one per line."`
}

func (cmd *historyCmd) run(ctx context.Context, t terminal) error {
	if cmd.Limit < 1 {
		return fmt.Errorf("--limit is %d; it must be at least 1", cmd.Limit)
	}
	room, err := cmd.room(t, cmd.Room)
	if err != nil {
		return err
	}
	defer room.close()
	var pages [][]wire.Event
	for left, before, more := cmd.Limit, cmd.Before, true; more && left > 0; {
		var page wire.History
		query := url.Values{"limit": {strconv.Itoa(min(left, maxPage))}, "before": {strconv.FormatUint(before, 10)}}
		if err := room.get(ctx, "/events", query, &page); err != nil {
			return err
		}
		events, err := decodeAll(page.Events)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			break
		}
		pages = append(pages, events)
		more = page.More
		left -= len(events)
		before = events[0].Seq
	}
	out := &printer{out: t.stdout, asJSON: cmd.JSON, layout: time.DateTime}
	for _, events := range slices.Backward(pages) {
		for _, ev := range events {
			out.event(ev)
		}
	}
	return out.err
}

// decodeAll reads the events of a page of history.
func decodeAll(page []json.RawMessage) ([]wire.Event, error) {
	var events []wire.Event
	for _, raw := range page {
		ev, err := wire.DecodeServer(raw)
		if err != nil {
			return nil, fmt.Errorf("the history holds what is no event: %w", err)
		}
		events = append(events, ev)
	}
	return events, nil
}
