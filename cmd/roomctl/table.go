package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

type tableCmd struct {
	Inspect inspectCmd `cmd:"" help:"Show how a table is: who decides, its state as everybody may see it, its last steps, and why it has stopped."`
	Resume  resumeCmd  `cmd:"" help:"Have a table go on that has stopped because its rules failed."`
}

// table prepares to ask about a table. The caller closes it.
func (a *api) table(t terminal, name string) (*roomAPI, error) {
	room, err := wire.ParseRoom(name)
	if err != nil {
		return nil, fmt.Errorf("ROOM %q: %w", name, err)
	}
	return a.below(t, "/api/tables/"+url.PathEscape(string(room)))
}

type inspectCmd struct {
	api
	Room string `arg:"" help:"The table's room."`
	JSON bool   `name:"json" help:"Print the answer as JSON, on one line."`
}

func (cmd *inspectCmd) run(ctx context.Context, t terminal) error {
	table, err := cmd.table(t, cmd.Room)
	if err != nil {
		return err
	}
	defer table.close()
	var raw json.RawMessage
	if err := table.get(ctx, "", nil, &raw); err != nil {
		return err
	}
	out := &printer{out: t.stdout, layout: "15:04:05"}
	if cmd.JSON {
		var line bytes.Buffer
		if err := json.Compact(&line, raw); err != nil {
			return fmt.Errorf("the answer is no table: %w", err)
		}
		out.line(line.String())
		return out.err
	}
	var info tableInfo
	if err := json.Unmarshal(raw, &info); err != nil {
		return fmt.Errorf("the answer is no table: %w", err)
	}
	info.show(out)
	return out.err
}

// tableInfo is how the API tells of a table: rooms/wire/README.md.
type tableInfo struct {
	Name     string
	Node     string
	Rules    int
	Step     uint64
	Steps    uint64
	Keys     int
	Busy     bool
	Timer    int64
	State    json.RawMessage
	Snapshot *struct {
		Step   uint64
		Behind int
		Bytes  int
	}
	Stopped *struct {
		Node    string
		At      int64
		Version int
		Step    uint64
		Reason  string
	}
	Last []json.RawMessage
}

func (i *tableInfo) show(out *printer) {
	row := func(name, format string, args ...any) {
		out.line(fmt.Sprintf("%-10s", name) + cli.Plain(fmt.Sprintf(format, args...)))
	}
	row("table", "%s, decided by node %s with rules %d", i.Name, i.Node, i.Rules)
	if s := i.Stopped; s != nil {
		row("stopped", "at %s on node %s, by rules %d, after step %d: %s", time.UnixMilli(s.At).Format(time.DateTime), s.Node, s.Version, s.Step, s.Reason)
	} else {
		row("steps", "%d, the last is %d", i.Steps, i.Step)
		if s := i.Snapshot; s != nil {
			row("snapshot", "at step %d, %d before the last, %d bytes", s.Step, s.Behind, s.Bytes)
		} else {
			row("snapshot", "none yet")
		}
		row("commands", "%d are remembered, so that none counts twice", i.Keys)
		rests := "rests until somebody comes"
		switch {
		case i.Timer != 0:
			rests = "goes on by itself at " + time.UnixMilli(i.Timer).Format("15:04:05.000")
		case i.Busy:
			rests = "waits for a command, and is not unloaded"
		}
		row("then", "%s", rests)
		row("state", "%s", i.State)
	}
	for _, raw := range i.Last {
		var ev wire.Event
		if err := json.Unmarshal(raw, &ev); err == nil {
			row(strconv.FormatUint(ev.Seq, 10), "%s %s %s", out.stamp(ev), ev.Type, ev.Payload)
		}
	}
}

type resumeCmd struct {
	api
	Room string `arg:"" help:"The table's room."`
}

func (cmd *resumeCmd) run(ctx context.Context, t terminal) error {
	table, err := cmd.table(t, cmd.Room)
	if err != nil {
		return err
	}
	defer table.close()
	var answer struct{}
	if err := table.ask(ctx, http.MethodDelete, "/stopped", nil, &answer); err != nil {
		return err
	}
	out := &printer{out: t.stdout}
	out.line("resumed; roomctl table inspect " + cli.Plain(cmd.Room) + " shows whether it goes on")
	return out.err
}
