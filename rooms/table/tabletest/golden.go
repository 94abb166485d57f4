package tabletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// golden is a log that a version of rules has written, and states that it led to.
type golden struct {
	Version int           `json:"version"`
	Binary  bool          `json:"binary"` // states are no JSON, but base64 here
	Events  []goldenEvent `json:"events"`
	States  []goldenState `json:"states"` // the last one is that at the end
}

type goldenEvent struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	To      []string        `json:"to,omitzero"`
	Sealed  bool            `json:"sealed,omitempty"`
}

type goldenState struct {
	After int             `json:"after"` // so many events
	State json.RawMessage `json:"state"`
}

// Goldens fails t when rules do not understand what they, or an earlier version of
// them, have written. In dir is a log-v1.json for version 1, and so on, each with
// events and with states on the way and at the end:
//
//   - each state is what Apply makes of the events before it, and with those behind
//     it leads to the end; of an earlier version it may be written down otherwise
//     now;
//   - after the end, strange commands break nothing, as in Run.
//
// Where the log of the present version is missing, it is written, from a game that
// is played by the script, and t fails: look at it, and keep it with the code. So
// a change that Goldens finds wants a higher Version, a second file, and an Apply
// and a Decode that know both; only what no table has stored yet is made anew, by
// deleting its file. Have the script come to every type of event and every field of
// the state.
func Goldens[S any](t *testing.T, rules table.Rules[S], dir string, script ...Line) {
	t.Helper()
	if err := bubble(t, func() error { return goldens(rules, dir, script) }); err != nil {
		t.Error(err)
	}
}

func goldens[S any](rules table.Rules[S], dir string, script []Line) error {
	if _, err := os.Stat(goldenName(dir, rules.Version())); os.IsNotExist(err) {
		g := newGame(rules)
		if err := g.play(script); err != nil {
			return err
		}
		if err := WriteGolden(rules, dir, g.log...); err != nil {
			return err
		}
		return fmt.Errorf("tabletest: there was no log of version %d: %s is written now; look at it, and keep it with the code", rules.Version(), goldenName(dir, rules.Version()))
	}
	names, err := filepath.Glob(filepath.Join(dir, "log-v*.json"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := understood(rules, name, script); err != nil {
			return fmt.Errorf("tabletest: %s: %w", name, err)
		}
	}
	return nil
}

func goldenName(dir string, version int) string {
	return filepath.Join(dir, fmt.Sprintf("log-v%d.json", version))
}

// WriteGolden writes the log of the present version for Goldens, from events that
// no script comes to. It overwrites the file, and makes dir.
func WriteGolden[S any](rules table.Rules[S], dir string, events ...table.Event) error {
	g, state := golden{Version: rules.Version()}, rules.New()
	data, err := rules.Encode(state)
	if err != nil {
		return err
	}
	g.Binary = !json.Valid(data)
	seen := make(map[string]bool)
	for i, ev := range events {
		g.Events = append(g.Events, goldenEvent{ev.Type, ev.Payload, ev.To, ev.Sealed})
		if state, err = rules.Apply(state, fromLog(ev)); err != nil {
			return err
		}
		if data, err = rules.Encode(state); err != nil {
			return err
		}
		isLast := i == len(events)-1
		if !g.tellsMore(data, seen) && !isLast {
			continue
		}
		written, err := g.written(data)
		if err != nil {
			return err
		}
		g.States = append(g.States, goldenState{i + 1, written})
	}
	text, err := g.text()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(goldenName(dir, g.Version), text, 0o644)
}

// text is the file, with a line for each event and state.
func (g *golden) text() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // states and payloads stay what they are
	fmt.Fprintf(&b, "{\"version\":%d,\"binary\":%v,\n\"events\":[\n", g.Version, g.Binary)
	for i, ev := range g.Events {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(ev); err != nil {
			return nil, err
		}
	}
	b.WriteString("],\n\"states\":[\n")
	for i, s := range g.States {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(s); err != nil {
			return nil, err
		}
	}
	b.WriteString("]}\n")
	return b.Bytes(), nil
}

// tellsMore reports whether a state has fields that those before it had not, and
// notes them. Each that is not JSON does.
func (g *golden) tellsMore(state []byte, seen map[string]bool) (more bool) {
	var v any
	if g.Binary || json.Unmarshal(state, &v) != nil {
		return true
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if !seen[path] {
			seen[path], more = true, true
		}
		switch v := v.(type) {
		case map[string]any:
			for name, field := range v {
				walk(path+"."+name, field)
			}
		case []any:
			for _, element := range v {
				walk(path+"[]", element)
			}
		}
	}
	walk("", v)
	return more
}

// written is a state as the file has it, and read the other way round.
func (g *golden) written(state []byte) (json.RawMessage, error) {
	if g.Binary {
		return json.Marshal(state)
	}
	return state, nil
}

func (g *golden) read(written json.RawMessage) (state []byte, err error) {
	if g.Binary {
		return state, json.Unmarshal(written, &state)
	}
	var b bytes.Buffer
	err = json.Compact(&b, written)
	return b.Bytes(), err
}

// lateBy is how much later strange commands come than the events of a golden, in ms.
const lateBy = 365 * 24 * 3600 * 1000

func understood[S any](rules table.Rules[S], name string, script []Line) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		return err
	}
	switch n := len(g.States); {
	case g.Version > rules.Version():
		return fmt.Errorf("it is of version %d; the rules have version %d", g.Version, rules.Version())
	case n == 0 || g.States[n-1].After != len(g.Events):
		return fmt.Errorf("it has %d events and no state at their end", len(g.Events))
	}
	last, end, err := stateOf(rules, &g, g.States[len(g.States)-1])
	if err != nil {
		return err
	}
	for _, s := range g.States {
		state, want, err := stateOf(rules, &g, s)
		if err != nil {
			return err
		}
		if err := replayed(rules, fmt.Sprintf("from the first event the state after event %d", s.After), rules.New(), g.Events[:s.After], want); err != nil {
			return err
		}
		if err := replayed(rules, fmt.Sprintf("from the state after event %d the end", s.After), state, g.Events[s.After:], end); err != nil {
			return err
		}
	}
	next := newGame(rules)
	next.state = last
	next.now += lateBy
	if err := next.walk(rand.New(rand.NewPCG(2, 14)), commands(script)); err != nil {
		return fmt.Errorf("after its end: %w", err)
	}
	return nil
}

// stateOf reads a state of the file, and returns how it is written down now. In the
// present version that must be the same.
func stateOf[S any](rules table.Rules[S], g *golden, s goldenState) (state S, now []byte, err error) {
	data, err := g.read(s.State)
	if err != nil {
		return state, nil, err
	}
	if state, err = rules.Decode(g.Version, bytes.Clone(data)); err != nil {
		return state, nil, fmt.Errorf("the state after event %d is not read: %w", s.After, err)
	}
	if now, err = rules.Encode(state); err != nil || g.Version != rules.Version() {
		return state, now, err
	}
	written, err := g.written(now)
	if err != nil {
		return state, nil, err
	}
	again, err := g.read(written)
	if err != nil {
		return state, nil, err
	}
	if err := sameBytes(fmt.Sprintf("the state after event %d, read and written down again,", s.After), again, data); err != nil {
		return state, nil, fmt.Errorf("%w: what version %d writes has changed; raise Version, and have Decode read both", err, g.Version)
	}
	return state, now, nil
}

// replayed fails when events do not make of a state what is written down as want.
func replayed[S any](rules table.Rules[S], what string, state S, events []goldenEvent, want []byte) error {
	for i, ev := range events {
		var err error
		if state, err = rules.Apply(state, fromLog(table.Event{Type: ev.Type, Payload: ev.Payload, To: ev.To, Sealed: ev.Sealed})); err != nil {
			return fmt.Errorf("%s: %s, event %d of %d, is not applied: %w", what, ev.Type, i+1, len(events), err)
		}
	}
	got, err := rules.Encode(state)
	if err != nil {
		return err
	}
	return sameBytes(what, got, want)
}
