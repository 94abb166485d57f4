package verify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/cli"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// verdict is the result of a run, so far or at its end.
type verdict struct {
	Phase          string  `json:"phase"` // waiting, joining, sending, settling; verdict at the end
	Run            string  `json:"run"`   // its rooms are named after it
	Seconds        float64 `json:"seconds"`
	SendSeconds    float64 `json:"send_seconds,omitempty"`
	Clients        int     `json:"clients"`
	Sent           int64   `json:"sent"`
	Acknowledged   int64   `json:"acknowledged"`
	Duplicates     int64   `json:"duplicates"` // acks of what was stored before, under the same id
	Unacknowledged int64   `json:"unacknowledged"`
	Delivered      int64   `json:"delivered"`
	Foreign        int64   `json:"foreign"` // events in our rooms that are not ours
	Lost           int     `json:"lost"`
	Repeated       int     `json:"repeated"`
	OutOfOrder     int     `json:"out_of_order"`
	Disagreements  int     `json:"disagreements"` // places in a log where members or acks name different events
	Refreshes      int64   `json:"refreshes"`     // came back with recovered=false
	Reconnects     int64   `json:"reconnects"`
	Away           int     `json:"away"` // clients without a connection at the end

	Answers map[wire.Code]int64 `json:"errors"` // error answers by code
	GaveUp  string              `json:"gave_up,omitempty"`
	Waiting string              `json:"waiting,omitempty"` // which nodes are not ready, and why

	// At the end: held, broken, or unverified, and that in words.
	Outcome string `json:"outcome,omitempty"`
	Words   string `json:"words,omitempty"`

	// The longest time without any delivery in a room, and to a member.
	LongestPause   pause `json:"longest_pause"`
	LongestSilence pause `json:"longest_silence"`
}

// Outcomes of a run.
const (
	held       = "held"
	broken     = "broken"
	unverified = "unverified"
)

// fault is why a run has failed.
func (d verdict) fault() error {
	switch {
	case d.Lost+d.Repeated+d.OutOfOrder+d.Disagreements > 0:
		return fmt.Errorf("%w: %d lost, %d repeated, %d out of order, %d disagreements", ErrBroken, d.Lost, d.Repeated, d.OutOfOrder, d.Disagreements)
	case d.Away > 0:
		return fmt.Errorf("%d clients have no connection; what they missed cannot be judged", d.Away)
	case d.Acknowledged == 0:
		return errors.New("not one event was acknowledged; nothing was verified")
	}
	return nil
}

// conclude sets the conclusion in words.
func (d *verdict) conclude() {
	d.Outcome, d.Words = conclude(d.fault(),
		fmt.Sprintf("%d acknowledged events, each heard once and in one order by everybody in its room", d.Acknowledged),
		d.Unacknowledged, "got no ack, so nothing was promised of them")
}

// conclude is the outcome of a run, and its words: what has failed, or what was
// shown, with how many were not acknowledged.
func conclude(fault error, shown string, open int64, but string) (outcome, words string) {
	switch {
	case errors.Is(fault, ErrBroken):
		return broken, fault.Error()
	case fault != nil:
		return unverified, fault.Error()
	}
	words = "the promise held: " + shown
	if open > 0 {
		words += fmt.Sprintf("; %d %s", open, but)
	}
	return held, words
}

// judge computes the verdict.
func (v *verification) judge(phase string, start time.Time) verdict {
	d := verdict{
		Phase: phase, Run: v.name, Seconds: time.Since(start).Seconds(), Clients: len(v.peers),
		Sent: v.sent.Load(), Acknowledged: v.acked.Load(), Duplicates: v.duplicates.Load(),
		Delivered: v.delivered.Load(), Foreign: v.foreign.Load(), Refreshes: v.refreshes.Load(), Reconnects: v.reconnects.Load(),
	}
	d.Unacknowledged = d.Sent - d.Acknowledged
	end := phase == "verdict"
	away := make(map[*reader]bool)
	v.eachPeer(func(p *peer) {
		if end && !p.connected {
			d.Away++
			away[p.reader] = true
		}
		d.LongestSilence = longer(d.LongestSilence, p.quiet.soFar(end, p.name+" in "+p.room.name))
	})
	var found findings
	v.eachRoom(func(r *watchedRoom) {
		for epoch, l := range r.epochs {
			// Events of the current epoch may still come; those of older ones
			// do not.
			found.add(l.judge(func(x *reader) bool { return end && epoch == r.latest && !away[x] }))
		}
		d.LongestPause = longer(d.LongestPause, r.quiet.soFar(end, r.name))
	})
	d.Lost, d.Repeated, d.OutOfOrder, d.Disagreements = found.Lost, found.Repeated, found.OutOfOrder, found.Disagreements
	v.mu.Lock()
	defer v.mu.Unlock()
	d.Answers = maps.Clone(v.answers)
	if v.last != nil {
		d.GaveUp = v.last.Error()
	}
	return d
}

// reporter prints the progress of a run. The first failed write is kept and
// ends it.
type reporter struct {
	out    io.Writer
	asJSON bool
	err    error
}

func (r *reporter) line(line string) {
	if r.err != nil {
		return
	}
	if _, err := io.WriteString(r.out, line+"\n"); err != nil {
		r.err = fmt.Errorf("write to stdout: %w", err)
	}
}

func (r *reporter) progress(d verdict) {
	if r.asJSON {
		r.json(d)
		return
	}
	if d.Waiting != "" {
		r.line(fmt.Sprintf("%5.1fs %-8s  %s", d.Seconds, d.Phase, cli.Plain(d.Waiting)))
		return
	}
	r.line(fmt.Sprintf("%5.1fs %-8s  sent %d  acked %d  delivered %d  lost %d  repeated %d  out of order %d  reconnects %d  refreshes %d  pause %.2fs",
		d.Seconds, d.Phase, d.Sent, d.Acknowledged, d.Delivered, d.Lost, d.Repeated, d.OutOfOrder+d.Disagreements, d.Reconnects, d.Refreshes, d.LongestPause.Seconds))
}

func (r *reporter) verdict(d verdict) {
	d.conclude()
	if r.asJSON {
		r.json(d)
		return
	}
	for _, row := range []struct {
		name  string
		value any
		note  string
	}{
		{"sent", d.Sent, fmt.Sprintf("by %d clients in %.1fs", d.Clients, d.SendSeconds)},
		{"acknowledged", d.Acknowledged, ""},
		{"  of them duplicates", d.Duplicates, "sent again under the same id, stored once"},
		{"unacknowledged", d.Unacknowledged, cli.Plain(d.GaveUp)},
		{"delivered", d.Delivered, ""},
		{"lost", d.Lost, ""},
		{"repeated", d.Repeated, ""},
		{"out of order", d.OutOfOrder, ""},
		{"disagreements", d.Disagreements, "which event stands where"},
		{"foreign", d.Foreign, "events of others in these rooms"},
		{"reconnects", d.Reconnects, ""},
		{"refreshes", d.Refreshes, "came back with recovered=false"},
		{"away at the end", d.Away, ""},
		{"error answers", describe(d.Answers), ""},
		{"longest pause", fmt.Sprintf("%.3fs", d.LongestPause.Seconds), when(d.LongestPause)},
		{"longest silence", fmt.Sprintf("%.3fs", d.LongestSilence.Seconds), when(d.LongestSilence)},
	} {
		r.line(strings.TrimRight(fmt.Sprintf("%-22s %-10v %s", row.name, row.value, row.note), " "))
	}
	r.line("\n" + strings.ToUpper(d.Outcome) + ": " + d.Words)
}

func when(p pause) string {
	if p.Seconds == 0 {
		return ""
	}
	const clock = "15:04:05.000"
	return fmt.Sprintf("from %s to %s, %s", p.From.Format(clock), p.To.Format(clock), p.Where)
}

func describe(answers map[wire.Code]int64) string {
	if len(answers) == 0 {
		return "0"
	}
	var parts []string
	for _, code := range slices.SortedFunc(maps.Keys(answers), cmp.Compare) {
		parts = append(parts, fmt.Sprintf("%s %d", code, answers[code]))
	}
	return strings.Join(parts, ", ")
}

func (r *reporter) json(d any) {
	text, err := json.Marshal(d)
	if err != nil {
		r.err = fmt.Errorf("encode the verdict: %w", err)
		return
	}
	r.line(string(text))
}
