package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// maxFindings is how many faults a verdict describes; it counts all.
const maxFindings = 20

// betVerdict is the result of a run with --tables, so far or at its end.
type betVerdict struct {
	Phase          string  `json:"phase"` // waiting, joining, sending, settling; verdict at the end
	Run            string  `json:"run"`   // its tables are named after it
	Seconds        float64 `json:"seconds"`
	SendSeconds    float64 `json:"send_seconds,omitempty"`
	Tables         int     `json:"tables"`
	Bots           int     `json:"bots"`
	Sent           int64   `json:"sent"`         // commands
	Acknowledged   int64   `json:"acknowledged"` // of them
	Bets           int64   `json:"bets"`         // acknowledged ones
	Refused        int64   `json:"refused"`      // by the rules
	Unacknowledged int64   `json:"unacknowledged"`
	Again          int64   `json:"again"`     // sent again after the answer, and answered the same
	Delivered      int64   `json:"delivered"` // steps
	Ended          int     `json:"ended"`     // rounds that bots have seen end
	Settled        int     `json:"settled"`   // rounds in the logs, at the end
	Voided         int     `json:"voided"`
	Refreshes      int64   `json:"refreshes"` // came back with recovered=false
	Reconnects     int64   `json:"reconnects"`
	Away           int     `json:"away"` // bots without a connection at the end

	Faults   map[book.Kind]int   `json:"faults"`
	Findings []string            `json:"findings,omitempty"` // the first faults, in words
	Answers  map[wire.Code]int64 `json:"errors"`             // error answers by code
	GaveUp   string              `json:"gave_up,omitempty"`
	Waiting  string              `json:"waiting,omitempty"` // which nodes are not ready, and why

	// At the end: held, broken, or unverified, and that in words.
	Outcome string `json:"outcome,omitempty"`
	Words   string `json:"words,omitempty"`

	// The longest time between a command and its answer where the connection
	// stayed, also by the node that it was sent at, and where it was lost meanwhile.
	LongestPause pause            `json:"longest_pause"`
	Pauses       map[string]pause `json:"pauses"`
	LostPause    pause            `json:"lost_pause"`
	Waits        []pause          `json:"waits,omitempty"` // at the end: all of 0.1 s and more
}

func (d *betVerdict) found(kind book.Kind, text string) {
	d.Faults[kind]++
	if len(d.Findings) < maxFindings {
		d.Findings = append(d.Findings, string(kind)+": "+text)
	}
}

// sum is how it stands.
func (r *betting) sum(phase string, start time.Time) betVerdict {
	d := betVerdict{
		Phase: phase, Run: r.name, Seconds: time.Since(start).Seconds(), Tables: len(r.tables), Bots: len(r.bots), Sent: r.sent.Load(),
		Acknowledged: r.acked.Load(), Bets: r.bets.Load(), Refused: r.refused.Load(), Unacknowledged: r.unknown.Load(), Again: r.again.Load(),
		Delivered: r.delivered.Load(), Refreshes: r.refreshes.Load(), Reconnects: r.reconnects.Load(), Faults: make(map[book.Kind]int),
	}
	for _, t := range r.tables {
		t.mu.Lock()
		d.Ended += len(t.ended)
		for _, b := range r.bots {
			if phase == "verdict" && b.table == t && !b.connected {
				d.Away++
			}
		}
		t.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	d.Answers, d.Pauses, d.LongestPause = maps.Clone(r.answers), maps.Clone(r.delays.byNode), r.delays.longest()
	d.LostPause = r.delays.lost
	if phase == "verdict" {
		d.Waits = r.delays.long
	}
	if r.last != nil {
		d.GaveUp = r.last.Error()
	}
	return d
}

// fault is why a run has failed.
func (d betVerdict) fault() error {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(d.Faults)) {
		parts = append(parts, fmt.Sprintf("%d of %s", d.Faults[kind], kind))
	}
	switch {
	case len(parts) > 0:
		return fmt.Errorf("%w: %s; the first: %s", ErrBroken, strings.Join(parts, ", "), d.Findings[0])
	case d.Away > 0:
		return fmt.Errorf("%d bots have no connection; what they missed cannot be judged", d.Away)
	case d.Bets == 0:
		return errors.New("not one bet was acknowledged; nothing was verified")
	case d.Settled == 0:
		return errors.New("not one round was settled; make --duration longer")
	}
	return nil
}

func (d *betVerdict) conclude() {
	d.Outcome, d.Words = conclude(d.fault(),
		fmt.Sprintf("%d acknowledged bets, each in the log once, %d rounds settled once, and everybody's money as the log has it", d.Bets, d.Settled),
		d.Unacknowledged, "commands got no answer, so nothing was promised of them")
}

// bets prints how it goes.
func (r *reporter) bets(d betVerdict) {
	switch {
	case r.asJSON:
		r.json(d)
	case d.Waiting != "":
		r.line(fmt.Sprintf("%5.1fs %-8s  %s", d.Seconds, d.Phase, cli.Plain(d.Waiting)))
	default:
		r.line(fmt.Sprintf("%5.1fs %-8s  sent %d  acked %d  bets %d  refused %d  rounds %d  reconnects %d  refreshes %d  pause %.2fs",
			d.Seconds, d.Phase, d.Sent, d.Acknowledged, d.Bets, d.Refused, d.Ended, d.Reconnects, d.Refreshes, d.LongestPause.Seconds))
	}
}

// betVerdict prints the end.
func (r *reporter) betVerdict(d betVerdict) {
	d.conclude()
	if r.asJSON {
		r.json(d)
		return
	}
	row := func(name string, value any, note string) {
		r.line(strings.TrimRight(fmt.Sprintf("%-22s %-10v %s", name, value, note), " "))
	}
	row("commands", d.Sent, fmt.Sprintf("by %d bots at %d tables in %.1fs", d.Bots, d.Tables, d.SendSeconds))
	row("acknowledged", d.Acknowledged, fmt.Sprintf("%d of them bets", d.Bets))
	row("refused", d.Refused, "by the rules")
	row("unacknowledged", d.Unacknowledged, cli.Plain(d.GaveUp))
	row("sent again", d.Again, "under the same id after the answer, and answered the same")
	row("rounds settled", d.Settled, fmt.Sprintf("%d voided", d.Voided))
	row("steps delivered", d.Delivered, "")
	row("reconnects", d.Reconnects, "")
	row("refreshes", d.Refreshes, "came back with recovered=false")
	row("away at the end", d.Away, "")
	row("error answers", describe(d.Answers), "")
	for _, kind := range []book.Kind{book.Lost, book.Doubled, book.Round, book.Money, book.Malformed, missed, disordered} {
		row(string(kind), d.Faults[kind], kinds[kind])
	}
	for _, node := range slices.Sorted(maps.Keys(d.Pauses)) {
		p := d.Pauses[node]
		row("longest pause", fmt.Sprintf("%.3fs", p.Seconds), cli.Plain("for an answer, sent at "+node+" "+when(p)))
	}
	row("longest, lost", fmt.Sprintf("%.3fs", d.LostPause.Seconds), strings.TrimSpace("of those whose connection was lost; "+when(d.LostPause)))
	for _, text := range d.Findings {
		r.line("  " + cli.Plain(text))
	}
	r.line("\n" + strings.ToUpper(d.Outcome) + ": " + cli.Plain(d.Words))
}

// kinds say what the kinds of faults mean.
var kinds = map[book.Kind]string{
	book.Lost: "acknowledged, and not in the log", book.Doubled: "in the log more often than asked for", book.Round: "settled twice, never, or out of turn",
	book.Money: "stacks and payments that do not follow from the log", book.Malformed: "events and states that cannot be read",
	missed: "steps that a bot did not see", disordered: "steps that bots saw otherwise than the log has them",
}
