package tabletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// game is one table on which a script is played.
type game[S any] struct {
	rules    table.Rules[S]
	state    S
	now      int64
	present  map[string]bool
	order    func(line, n int) []int // of the lines of Together; nil: as they stand
	thorough bool                    // each decision is compared with others
	probes   bool                    // each line is preceded by commands that make no sense

	log       []table.Event
	snapshots [][]byte // before each event, and at the end
}

func newGame[S any](rules table.Rules[S]) *game[S] {
	return &game[S]{rules: rules, state: rules.New(), now: 1_800_000_000_000, present: map[string]bool{}}
}

// end is the state after the last event.
func (g *game[S]) end() []byte { return g.snapshots[len(g.snapshots)-1] }

func (g *game[S]) play(script []Line) error {
	if err := g.snapshot(); err != nil {
		return err
	}
	for i, l := range script {
		if err := g.line(script, i, l); err != nil {
			return fmt.Errorf("tabletest: line %d of the script (%s): %w", i, l.text(), err)
		}
	}
	return nil
}

func (l Line) text() string {
	switch {
	case l.together != nil:
		return "Together"
	case l.typ == "":
		return "Wait " + l.wait.String()
	}
	return fmt.Sprintf("%s %s %s", l.who.UID, l.typ, l.payload)
}

func (g *game[S]) line(script []Line, i int, l Line) error {
	if g.probes {
		if err := g.probe(script, i); err != nil {
			return err
		}
	}
	switch {
	case l.together != nil:
		order := inOrder(len(l.together))
		if g.order != nil {
			order = g.order(i, len(l.together))
		}
		for _, k := range order {
			if err := g.say(l.together[k], 1000*i+k); err != nil {
				return fmt.Errorf("%s: %w", l.together[k].text(), err)
			}
		}
		return nil
	case l.typ == "":
		return g.wait(i, l.wait)
	}
	return g.say(l, 1000*i)
}

// maxAtOnce is how often a table may want to be called at one time.
const maxAtOnce = 100

// wait lets time pass, and calls the table when it wants to be.
func (g *game[S]) wait(line int, d time.Duration) error {
	until, atOnce := g.now+d.Milliseconds(), 0
	for n := 1; ; n++ {
		due := g.rules.Timer(g.state)
		if due == 0 || due > until {
			g.now = until
			return nil
		}
		if due > g.now {
			g.now, atOnce = due, 0
		}
		if atOnce++; atOnce > maxAtOnce {
			return fmt.Errorf("the timer has come %d times at %d, and Timer says %d again: it would come for ever", maxAtOnce, g.now, due)
		}
		if _, err := g.send(table.Command{Type: table.TypeTimer, Seed: seed(1000*line + n)}); err != nil {
			return fmt.Errorf("timer: %w", err)
		}
	}
}

// send has the rules decide, and takes what comes of it. It returns their refusal,
// and what is wrong with them.
func (g *game[S]) send(c table.Command) (refusal, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the rules panic at %s %.200s of %q: %v\n%s", c.Type, c.Payload, c.User.UID, v, debug.Stack())
		}
	}()
	switch {
	case c.User.From != table.FromEngine:
	case c.Type == table.TypeJoined:
		g.present[c.User.UID] = true
	case c.Type == table.TypeLeft:
		delete(g.present, c.User.UID)
	}
	c.Now, c.Present = g.now, len(g.present)
	events, refusal, err := g.decide(c)
	if refusal != nil || err != nil {
		return refusal, err
	}
	for _, ev := range events {
		if err := g.take(ev); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// say sends a line of the script, which is refused or not as it says.
func (g *game[S]) say(l Line, n int) error {
	refusal, err := g.send(l.command(n))
	switch {
	case err != nil:
		return err
	case refusal == nil && l.refused:
		return errors.New("it is not refused")
	case refusal != nil && !l.refused && l.who.From != table.FromEngine: // which nobody answers
		return fmt.Errorf("it is refused: %w", refusal)
	}
	return nil
}

// take applies an event as the log has it to the table, and to one that was
// written down right before.
func (g *game[S]) take(ev table.Event) error {
	if ev.Type == "" || !json.Valid(ev.Payload) {
		return fmt.Errorf("rules.Decide returns an event %q whose payload is not JSON: %.100q", ev.Type, ev.Payload)
	}
	twin, err := g.copy()
	if err != nil {
		return err
	}
	stored := fromLog(ev)
	if g.state, err = g.rules.Apply(g.state, stored); err != nil {
		return fmt.Errorf("rules.Apply does not take what Decide has decided, %s %.200s: %v", ev.Type, ev.Payload, err)
	}
	if !bytes.Equal(stored.Payload, ev.Payload) {
		return fmt.Errorf("rules.Apply changes the payload of %s", ev.Type)
	}
	want, err := g.encode(g.state)
	if err != nil {
		return fmt.Errorf("after %s: %w", ev.Type, err)
	}
	scribble(stored.Payload)
	if got, err := g.rules.Encode(g.state); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("the state differs once the bytes of the payload of %s were overwritten, which are not its own: copy them (or Encode goes by the order of a map)", ev.Type)
	}
	if g.thorough {
		later()
	}
	if twin, err = g.rules.Apply(twin, fromLog(ev)); err != nil {
		return fmt.Errorf("rules.Apply does not take %s %.200s at a table that was written down and read before: %v", ev.Type, ev.Payload, err)
	}
	got, err := g.encode(twin)
	if err != nil {
		return fmt.Errorf("after %s: %w", ev.Type, err)
	}
	if err := sameBytes("written down and read before "+ev.Type+", the table", got, want); err != nil {
		return err
	}
	g.log = append(g.log, ev)
	if err := g.snapshot(); err != nil {
		return err
	}
	return g.shown()
}

func (g *game[S]) snapshot() error {
	data, err := g.encode(g.state)
	g.snapshots = append(g.snapshots, data)
	return err
}

// encode writes a state down, and, if g is thorough, again.
func (g *game[S]) encode(s S) ([]byte, error) {
	data, err := g.rules.Encode(s)
	if err != nil {
		return nil, fmt.Errorf("rules.Encode: %w", err)
	}
	for range repeats / 8 { // it is called several times with each event
		if !g.thorough {
			break
		}
		again, err := g.rules.Encode(s)
		if err != nil {
			return nil, fmt.Errorf("rules.Encode: %w", err)
		}
		if err := sameBytes("Encode of the same state", again, data); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// copy is the state, written down and read. Neither shares memory with the other.
func (g *game[S]) copy() (twin S, err error) {
	data, err := g.encode(g.state)
	if err != nil {
		return twin, err
	}
	read := bytes.Clone(data)
	if twin, err = g.rules.Decode(g.rules.Version(), read); err != nil {
		return twin, fmt.Errorf("rules.Decode does not read what Encode has written, %.200s: %v", data, err)
	}
	scribble(read)
	back, err := g.encode(twin)
	if err != nil {
		return twin, err
	}
	return twin, sameBytes("written down and read, the state", back, data)
}

// scribble overwrites bytes that rules were lent.
func scribble(data []byte) {
	for i := range data {
		data[i] = '#'
	}
}

// fromLog is the event as a node reads it: with bytes of its own.
func fromLog(ev table.Event) table.Event {
	stored := table.Event{Type: ev.Type, Payload: bytes.Clone(ev.Payload), To: ev.To, Sealed: ev.Sealed}
	if ev.Sealed {
		stored.To = []string{}
	}
	return stored
}

func sameBytes(what string, got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-60)
	return fmt.Errorf("%s differs: …%.160s, want …%.160s", what, got[min(from, len(got)):], want[min(from, len(want)):])
}
