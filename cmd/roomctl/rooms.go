package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

type roomsCmd struct {
	api
	Prefix string `help:"Only rooms whose names begin so."`
	JSON   bool   `name:"json" help:"Print every room as JSON, one per line."`
}

func (cmd *roomsCmd) run(ctx context.Context, t terminal) error {
	rooms, err := cmd.below(t, "/api/rooms")
	if err != nil {
		return err
	}
	defer rooms.close()
	out := &printer{out: t.stdout}
	for after, more := "", true; more && out.err == nil; {
		var page struct {
			Rooms []json.RawMessage `json:"rooms"`
			Next  string            `json:"next"`
		}
		query := url.Values{"prefix": {cmd.Prefix}, "limit": {strconv.Itoa(maxPage)}, "after": {after}}
		if err := rooms.get(ctx, "", query, &page); err != nil {
			return err
		}
		for _, raw := range page.Rooms {
			line, err := cmd.line(raw)
			if err != nil {
				return err
			}
			out.line(line)
		}
		more = page.Next != "" && page.Next != after
		after = page.Next
	}
	return out.err
}

// line is one room, as the API tells it, for people or for a program.
func (cmd *roomsCmd) line(raw json.RawMessage) (string, error) {
	var room wire.ListedRoom
	if err := json.Unmarshal(raw, &room); err != nil {
		return "", fmt.Errorf("the list holds what is no room: %w", err)
	}
	if cmd.JSON {
		var line bytes.Buffer
		if err := json.Compact(&line, raw); err != nil {
			return "", fmt.Errorf("the list holds what is no room: %w", err)
		}
		return line.String(), nil
	}
	line := cli.Plain(room.Name) + "\t" + strconv.FormatInt(room.Count, 10)
	if room.Label != nil {
		line += "\t" + cli.Plain(string(room.Label))
	}
	return line, nil
}
