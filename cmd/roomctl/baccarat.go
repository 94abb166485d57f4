package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

type baccaratCmd struct {
	Verify baccaratVerifyCmd `cmd:"" help:"Check shoes of a baccarat table from its log alone: seed, shuffle, every card and every chip."`
}

// baccaratVerifyCmd is the check that a player could make.
type baccaratVerifyCmd struct {
	api
	Room string `arg:"" help:"The table's room."`
	Shoe int    `placeholder:"N" help:"Only this shoe, with its road. Without it: each that the log has, or the rest of it."`
}

func (cmd *baccaratVerifyCmd) run(ctx context.Context, t terminal) error {
	if cmd.Shoe < 0 {
		return fmt.Errorf("--shoe is %d; shoes are counted from 1", cmd.Shoe)
	}
	events, err := cmd.read(ctx, t)
	if err != nil {
		return err
	}
	checker := baccarat.NewChecker()
	for _, ev := range events {
		checker.Take(ev.seq, ev.Type, ev.Payload)
	}
	out := &printer{out: t.stdout}
	checked, begun, faults := 0, 0, 0
	for _, r := range checker.Reports() {
		if cmd.Shoe != 0 && r.Shoe != cmd.Shoe {
			continue
		}
		checked++
		if r.FromRound == 0 {
			begun++
		}
		faults += len(r.Faults)
		cmd.show(out, r)
	}
	switch {
	case out.err != nil:
		return out.err
	case faults > 0:
		return fmt.Errorf("%w: %d faults in the log of %s", verify.ErrBroken, faults, cmd.Room)
	case checked == 0 && cmd.Shoe != 0:
		return fmt.Errorf("--shoe %d: the log of %s does not have it: it is too old, or has not come yet", cmd.Shoe, cmd.Room)
	case checked == 0:
		return fmt.Errorf("the log of %s has no shoe; is it a baccarat table?", cmd.Room)
	case begun == 0:
		return fmt.Errorf("the log of %s has no shoe from its beginning on, and only what is left of one was checked; roomd keeps the steps of --table-history and --history-age", cmd.Room)
	}
	return nil
}

// show prints what was found of a shoe.
func (cmd *baccaratVerifyCmd) show(out *printer, r *baccarat.ShoeReport) {
	cards := "its cards are those of its seed"
	switch {
	case r.Live:
		cards = "its cards came from a dealer"
	case !r.Ended:
		cards = "its seed is told when it ends"
	case len(r.Faults) > 0:
		cards = fmt.Sprintf("seed %v", r.Seed)
	}
	verdict := "ok"
	if r.FromRound != 0 {
		verdict = fmt.Sprintf("ok from round %d on", r.FromRound)
	}
	if n := len(r.Faults); n > 0 {
		verdict = fmt.Sprintf("%d faults", n)
		if n == baccarat.MaxFaults {
			verdict = fmt.Sprintf("%d faults or more", n)
		}
	}
	out.line(fmt.Sprintf("shoe %d: %s; %d rounds, %d voided, %d cards, %d bets settled; %s", r.Shoe, verdict, r.Rounds, r.Voided, r.Cards, r.Bets, cards))
	if r.FromRound != 0 {
		out.line("  not checked, as the log does not reach back so far: the rounds before" + cmd.unseen(r))
	}
	for _, fault := range r.Faults {
		out.line("  " + cli.Plain(fault))
	}
	if cmd.Shoe == 0 {
		return
	}
	for _, row := range road(r.Results) {
		out.line("  " + row)
	}
}

// unseen is what else cannot be checked of a shoe whose beginning is not in the log.
func (*baccaratVerifyCmd) unseen(r *baccarat.ShoeReport) string {
	switch {
	case r.Live:
		return ", and whether the last round was called in time"
	case r.Ended:
		return ", and that the seed was fixed before the first card"
	}
	return ", that the seed was fixed before the first card, and, until it is told, whether the cards are those of it"
}

// road is the big road as text, with the number of ties behind a letter.
func road(results baccarat.Results) (rows []string) {
	if len(results) == 0 {
		return nil
	}
	var cells [baccarat.RoadRows][]string
	for _, c := range baccarat.BigRoad(results) {
		for row := range cells {
			for len(cells[row]) <= c.Col {
				cells[row] = append(cells[row], "· ")
			}
		}
		text := strings.ToUpper(string(c.Winner[:1]))
		if c.Ties > 0 {
			text += strconv.Itoa(c.Ties)
		}
		cells[c.Row][c.Col] = fmt.Sprintf("%-2s", text)
	}
	for _, row := range cells {
		rows = append(rows, strings.TrimRight(strings.Join(row, " "), " "))
	}
	return rows
}

// tableEvent is one of a step, with its sequence.
type tableEvent struct {
	wire.BatchedEvent
	seq uint64
}

// read reads the log backwards until the shoe has begun, or all that there is.
func (cmd *baccaratVerifyCmd) read(ctx context.Context, t terminal) ([]tableEvent, error) {
	room, err := cmd.room(t, cmd.Room)
	if err != nil {
		return nil, err
	}
	defer room.close()
	var pages [][]tableEvent
	for before, more := uint64(0), true; more; {
		var page wire.History
		query := url.Values{"limit": {strconv.Itoa(maxPage)}, "before": {strconv.FormatUint(before, 10)}}
		if err := room.get(ctx, "/events", query, &page); err != nil {
			return nil, err
		}
		events, err := decodeAll(page.Events)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			break
		}
		single, err := unpacked(events)
		if err != nil {
			return nil, err
		}
		pages = append(pages, single)
		before, more = events[0].Seq, page.More && !cmd.begun(single)
	}
	slices.Reverse(pages)
	return slices.Concat(pages...), nil
}

// begun reports whether the shoe that is asked for begins here.
func (cmd *baccaratVerifyCmd) begun(events []tableEvent) bool {
	return cmd.Shoe != 0 && slices.ContainsFunc(events, func(ev tableEvent) bool {
		var started struct{ Shoe int }
		return ev.Type == "shoe_started" && json.Unmarshal(ev.Payload, &started) == nil && started.Shoe <= cmd.Shoe
	})
}

// unpacked are the events one by one, those of batches too.
func unpacked(events []wire.Event) (list []tableEvent, err error) {
	for _, ev := range events {
		if ev.Type != wire.TypeBatch {
			list = append(list, tableEvent{wire.BatchedEvent{Type: ev.Type, Payload: ev.Payload}, ev.Seq})
			continue
		}
		var batch struct{ Events []wire.BatchedEvent }
		if err := json.Unmarshal(ev.Payload, &batch); err != nil {
			return nil, fmt.Errorf("the batch at %d is none: %w", ev.Seq, err)
		}
		for _, one := range batch.Events {
			list = append(list, tableEvent{one, ev.Seq})
		}
	}
	return list, nil
}
