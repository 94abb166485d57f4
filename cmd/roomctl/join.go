package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// maxPage is the most events in one answer of get_history.
const maxPage = 100

type joinCmd struct {
	server
	Room string `arg:"" help:"The room."`
	Last int    `placeholder:"N" help:"Show the last N events first (at most 100)."`
	JSON bool   `name:"json" help:"Print every event of the server as JSON, one per line."`
}

func (cmd *joinCmd) run(ctx context.Context, t terminal) error {
	if cmd.Last < 0 || cmd.Last > maxPage {
		return fmt.Errorf("--last is %d; it must be from 0 to %d", cmd.Last, maxPage)
	}
	user := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	show := &joinView{printer: printer{out: t.stdout, asJSON: cmd.JSON, layout: time.TimeOnly, failed: cancel}, t: t, backlog: cmd.Last > 0}
	c, err := cmd.dial(ctx, t, cmd.Room, client.Config{OnEvent: show.event, OnGap: show.gap, OnStatus: show.status})
	if err != nil {
		return err
	}
	defer c.Close()
	if cmd.Last > 0 {
		if err := requestHistory(ctx, c, cmd.Room, cmd.Last, cmd.Timeout); err != nil {
			return err
		}
	}
	// It ends with stdin, or with the process: a read cannot be called off.
	go cmd.typed(ctx, c, t)
	select {
	case <-c.Done():
	case <-ctx.Done():
	}
	switch {
	case user.Err() != nil: // Ctrl-C
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return c.Err()
}

// typed sends every line of stdin. Its end only ends the sending.
func (cmd *joinCmd) typed(ctx context.Context, c *client.Client, t terminal) {
	lines := bufio.NewScanner(t.stdin)
	for lines.Scan() {
		if lines.Text() == "" {
			continue
		}
		err := publish(ctx, c, cmd.Timeout, message(c, cmd.Room, lines.Text()), nil)
		if c.Err() != nil || ctx.Err() != nil {
			return
		}
		if err != nil {
			fmt.Fprintln(t.stderr, "not sent:", err)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(t.stderr, "stdin:", err)
	}
}

// requestHistory returns when the last events have come, which joinView shows.
func requestHistory(ctx context.Context, c *client.Client, room string, limit int, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within --timeout %v", timeout))
	defer cancel()
	payload := wire.MarshalPayload(map[string]any{"name": room, "limit": limit})
	_, err := c.Request(ctx, wire.Event{Type: wire.TypeGetHistory, Room: room, Payload: payload})
	return err
}

// historyPage reads the answer.
func historyPage(answer wire.Event) ([]wire.Event, error) {
	var page wire.History
	if err := json.Unmarshal(answer.Payload, &page); err != nil || answer.Type != wire.TypeHistory {
		return nil, fmt.Errorf("the server answered get_history with %q: %.200s", answer.Type, answer.Payload)
	}
	return decodeAll(page.Events)
}

// joinView is what joinCmd prints. All of it runs on the client's reader.
type joinView struct {
	printer
	t       terminal
	backlog bool         // the answer with the last events has not come yet
	held    []wire.Event // what came before it
}

func (v *joinView) event(ev wire.Event) {
	switch {
	case !v.backlog:
		v.printer.event(ev)
	case ev.Type == wire.TypeHistory:
		v.release(ev)
	case ev.Type == wire.TypeError && ev.ID != "":
		v.release(wire.Event{})
		v.printer.event(ev)
	default:
		v.held = append(v.held, ev)
	}
}

// release prints the page, then what was held back and is not on it.
func (v *joinView) release(page wire.Event) {
	var last uint64
	if page.Payload != nil {
		if v.asJSON {
			v.printer.event(page)
		}
		events, err := historyPage(page)
		if err != nil {
			fmt.Fprintln(v.t.stderr, err)
		}
		for _, ev := range events {
			if last = ev.Seq; !v.asJSON {
				v.printer.event(ev)
			}
		}
	}
	for _, ev := range v.held {
		if v.asJSON || ev.Seq == 0 || ev.Seq > last {
			v.printer.event(ev)
		}
	}
	v.backlog, v.held = false, nil
}

func (v *joinView) gap(g client.Gap) {
	fmt.Fprintf(v.t.stderr, "some events of %q after %d are missing here; see roomctl history\n", g.Room, g.From.Seq)
}

func (v *joinView) status(s client.Status) {
	switch s.State {
	case client.Connected:
		fmt.Fprintln(v.t.stderr, "connected")
	case client.Reconnecting:
		fmt.Fprintf(v.t.stderr, "%v; connecting again in %v\n", s.Err, s.Delay.Round(10*time.Millisecond))
	}
}
