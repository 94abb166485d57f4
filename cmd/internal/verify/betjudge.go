package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Kinds of faults that are found by comparing what bots have seen.
const (
	missed     book.Kind = "missed" // a bot has not seen a step of the log
	disordered book.Kind = "order"  // a bot has seen another step, or it again
)

// judge reads the logs at every node and compares them with what everybody was
// told. Its error says why that is not possible.
func (r *betting) judge(ctx context.Context, logs *logReader, d *betVerdict) error {
	for _, t := range r.tables {
		j := judgement{run: r, table: t}
		if err := j.read(ctx, logs); err != nil {
			return err
		}
		j.commands()
		j.money()
		for _, b := range r.bots {
			if b.table == t {
				j.steps(b)
			}
		}
		d.Settled += j.book.Settled
		d.Voided += j.book.Voided
		for _, f := range j.faults {
			d.found(f.Kind, t.name+": "+f.Text)
		}
	}
	return nil
}

// judgement is that of one table.
type judgement struct {
	run    *betting
	table  *betTable
	log    []wire.Event
	book   *book.Book
	faults []book.Fault
}

func (j *judgement) fault(kind book.Kind, format string, args ...any) {
	j.faults = append(j.faults, book.Fault{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// read reads the log at every node; all must have the same.
func (j *judgement) read(ctx context.Context, logs *logReader) error {
	j.table.mu.Lock()
	upto := j.table.newest
	for _, b := range j.run.bots {
		for _, x := range b.shown {
			if b.table == j.table {
				upto = max(upto, x.seq)
			}
		}
	}
	j.table.mu.Unlock()
	for i, node := range slices.Compact(slices.Sorted(slices.Values(j.run.cfg.URL))) {
		log, err := logs.whole(ctx, node, j.table.name, upto)
		if err != nil {
			return err
		}
		if i == 0 {
			j.log = log
			continue
		}
		for n := range min(len(log), len(j.log)) {
			if a, b := j.log[n], log[n]; markOf(j.run.seed, a) != markOf(j.run.seed, b) {
				j.fault(disordered, "%s has %s at %d where another node has %s at %d", node, b.Type, b.Seq, a.Type, a.Seq)
				break
			}
		}
		if len(log) > len(j.log) {
			j.log = log
		}
	}
	for _, ev := range j.log {
		for _, one := range eventsOf(ev) {
			if one.Type == "round_opened" && !strings.Contains(string(one.Payload), `"round":1,`) {
				return fmt.Errorf("the log of %s does not reach back to its first round (steps are purged?); make --duration shorter", j.table.name)
			} else if one.Type == "round_opened" {
				return nil
			}
		}
	}
	return nil
}

// commands compares what was answered with what the log has.
func (j *judgement) commands() {
	j.table.mu.Lock()
	defer j.table.mu.Unlock()
	j.faults = append(j.faults, j.table.faults...)
	ledger := book.NewLedger()
	for _, b := range j.run.bots {
		for _, x := range b.shown {
			if b.table == j.table {
				ledger.Player(x.uid)
			}
		}
	}
	for _, x := range j.table.results {
		if x.seq > 0 {
			ledger.Acked(x.seq, x.fact)
		} else {
			ledger.Unknown(x.fact)
		}
	}
	for _, ev := range j.log {
		j.faults = append(j.faults, ledger.Take(ev.Seq, eventsOf(ev))...)
	}
	j.faults = append(j.faults, ledger.Rest()...)
}

// money plays the log again, and compares what everybody was shown of the state
// at each position.
func (j *judgement) money() {
	j.book = book.New(func(uid string) bool { return wire.IsGuest(uid) })
	type view struct {
		shown
		name string
	}
	var views []view
	j.table.mu.Lock()
	defer j.table.mu.Unlock()
	for _, b := range j.run.bots {
		for _, x := range b.shown {
			if b.table == j.table {
				views = append(views, view{x, b.name})
			}
		}
	}
	slices.SortStableFunc(views, func(a, b view) int { return cmp.Compare(a.seq, b.seq) })
	compare := func(below uint64) {
		for len(views) > 0 && views[0].seq < below {
			j.book.Compare(views[0].uid, views[0].view)
			views = views[1:]
		}
	}
	for _, ev := range j.log {
		compare(ev.Seq)
		j.book.Take(ev.Seq, eventsOf(ev))
	}
	compare(^uint64(0))
	j.faults = append(j.faults, j.book.Faults...)
	if j.book.Staked() {
		j.fault(book.Round, "round %d has bets and is never settled", j.book.Open())
	}
	for _, b := range j.run.bots {
		if b.table == j.table && b.connected && !j.book.Staked() && b.purse.stack != j.book.Stack(b.uid) {
			j.fault(book.Money, "%s has seen that it has %d in the end, and has %d", b.name, b.purse.stack, j.book.Stack(b.uid))
		}
	}
}

// steps compares what a bot has seen, in its order, with the log.
func (j *judgement) steps(b *bot) {
	j.table.mu.Lock()
	defer j.table.mu.Unlock()
	if b.repeats > 0 {
		j.fault(disordered, "%s was sent %d steps again or out of order", b.name, b.repeats)
	}
	upto := j.table.upto
	if !b.connected {
		upto = b.last // the verdict says that it is away
	}
	seen := b.seen
	for _, ev := range j.log {
		want := markOf(j.run.seed, ev)
		switch {
		case len(seen) > 0 && seen[0] == want:
			seen = seen[1:]
		case len(seen) > 0 && seen[0].seq <= want.seq:
			j.fault(disordered, "%s has seen another step %d than the log has there", b.name, seen[0].seq)
			return
		case want.seq <= b.from || want.seq > upto || slices.ContainsFunc(b.skips, func(s span) bool { return s.from < want.seq && want.seq <= s.to }):
		default:
			j.fault(missed, "%s has not seen step %d: %s %.100s", b.name, want.seq, ev.Type, ev.Payload)
		}
	}
	if len(seen) > 0 {
		j.fault(disordered, "%s has seen step %d, which the log does not have", b.name, seen[0].seq)
	}
}
