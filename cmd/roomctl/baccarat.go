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
	checker := baccarat.NewChecker(wire.IsGuest)
	for _, ev := range events {
		checker.Take(ev.Seq, ev.At, ev.Type, ev.Payload)
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
	for _, remark := range remarks(r) {
		out.line("  " + remark)
	}
	for _, fault := range r.Faults {
		out.line("  " + cli.Plain(fault))
	}
	if cmd.Shoe == 0 {
		return
	}
	for i, row := range road(r.Results) {
		if i == 0 {
			out.line("  big road; P player, B banker, with the number of ties after it (T: before the first of them):")
		}
		out.line("  " + row)
	}
}

// remarks are what is no fault, and what nobody can tell by the log.
func remarks(r *baccarat.ShoeReport) (list []string) {
	switch {
	case r.Early && r.OtherDealer:
		list = append(list, "it ended early, before its last round: a service sent new_shoe, or the table was run with another --dealer")
	case r.Early:
		list = append(list, "it ended early, before its last round: a service sent new_shoe")
	}
	if r.Late > 0 {
		list = append(list, fmt.Sprintf("in %d rounds a step with bets was stored after betting was to end; it was decided before if the log took nothing meanwhile", r.Late))
	}
	if r.Forgotten > 0 {
		full := ""
		if !r.FromFirst {
			full = " that the table was full, as the log does not reach back to its first shoe, and"
		}
		list = append(list, fmt.Sprintf("%d stacks of guests were forgotten; not checked:%s that they had gone, and for the longest", r.Forgotten, full))
	}
	return list
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

// read reads the log backwards until the shoe has begun, or all that there is.
func (cmd *baccaratVerifyCmd) read(ctx context.Context, t terminal) ([]wire.Event, error) {
	room, err := cmd.room(t, cmd.Room)
	if err != nil {
		return nil, err
	}
	defer room.close()
	var pages [][]wire.Event
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
		var single []wire.Event
		for _, ev := range events {
			list, err := wire.EachOf(ev)
			if err != nil {
				return nil, err
			}
			single = append(single, list...)
		}
		pages = append(pages, single)
		before, more = events[0].Seq, page.More && !cmd.begun(single)
	}
	slices.Reverse(pages)
	return slices.Concat(pages...), nil
}

// begun reports whether the shoe that is asked for begins here.
func (cmd *baccaratVerifyCmd) begun(events []wire.Event) bool {
	return cmd.Shoe != 0 && slices.ContainsFunc(events, func(ev wire.Event) bool {
		var started struct{ Shoe int }
		return ev.Type == "shoe_started" && json.Unmarshal(ev.Payload, &started) == nil && started.Shoe <= cmd.Shoe
	})
}
