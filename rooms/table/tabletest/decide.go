package tabletest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// repeats is how often a decision is taken again. In Go the order of a map with
// two entries changes in every eighth loop over it at the least.
const repeats = 32

// decide takes a decision on the state, and, if g is thorough, again, later, and
// on a copy. err is what is wrong with the rules.
func (g *game[S]) decide(c table.Command) (events []table.Event, refusal, err error) {
	events, refusal = g.rules.Decide(g.state, own(c))
	if !g.thorough {
		return events, refusal, nil
	}
	before, err := g.encode(g.state)
	if err != nil {
		return nil, nil, err
	}
	if err := sameBytes("after Decide of "+c.Type+" the state that it was given", before, g.end()); err != nil {
		return nil, nil, fmt.Errorf("%w: only Apply may change it", err)
	}
	twin, err := g.copy()
	if err != nil {
		return nil, nil, err
	}
	want := written(events, refusal)
	for i := range repeats {
		what, state := "taken again", g.state
		if i%2 == 1 {
			what, state = "taken again by a table that was written down and read", twin
		}
		later()
		mine := own(c)
		again, why := g.rules.Decide(state, mine)
		if err := sameBytes("the decision of "+c.Type+", "+what+",", written(again, why), want); err != nil {
			return nil, nil, err
		}
		if !bytes.Equal(mine.Payload, c.Payload) {
			return nil, nil, fmt.Errorf("rules.Decide changes the payload of %s", c.Type)
		}
	}
	return events, refusal, nil
}

// own is the command with bytes of its own.
func own(c table.Command) table.Command {
	c.Payload = bytes.Clone(c.Payload)
	return c
}

// written is a decision as text. That a payload is no JSON is found elsewhere.
func written(events []table.Event, refusal error) []byte {
	var b bytes.Buffer
	if refusal != nil {
		fmt.Fprintf(&b, "refused: %v", refusal)
	}
	for _, ev := range events {
		fmt.Fprintf(&b, "%s %s to %q sealed %v\n", ev.Type, ev.Payload, ev.To, ev.Sealed)
	}
	return b.Bytes()
}

// shown asks for all that a state shows, twice and of a copy.
func (g *game[S]) shown() error {
	if !g.thorough {
		return nil
	}
	want, err := g.shows(g.state)
	if err != nil {
		return err
	}
	twin, err := g.copy()
	if err != nil {
		return err
	}
	for i := range repeats {
		what, state := "asked again", g.state
		if i%2 == 1 {
			what, state = "of a table that was written down and read", twin
		}
		later()
		got, err := g.shows(state)
		if err != nil {
			return err
		}
		for k := range want {
			if err := sameBytes(fmt.Sprintf("%s, %s,", want[k].what, what), got[k].data, want[k].data); err != nil {
				return err
			}
		}
	}
	after, err := g.encode(g.state)
	if err != nil {
		return err
	}
	if err := sameBytes("after View, Label, Timer, Busy and Admit the state", after, g.end()); err != nil {
		return fmt.Errorf("%w: only Apply may change it", err)
	}
	return nil
}

// shows is all that a state shows, by what it is.
func (g *game[S]) shows(s S) (list []shownValue, err error) {
	add := func(what string, v any) {
		data, failed := json.Marshal(v)
		if failed != nil && err == nil {
			err = fmt.Errorf("%s is not JSON: %v", what, failed)
		}
		if what == "Label" && len(data) > table.MaxLabel && err == nil {
			err = fmt.Errorf("rules.Label has %d bytes, and may have %d: %s", len(data), table.MaxLabel, data)
		}
		list = append(list, shownValue{what, data})
	}
	for _, uid := range []string{"", "nobody"} {
		add("View of "+uid, g.rules.View(s, uid))
	}
	for _, uid := range sortedKeys(g.present) {
		add("View of "+uid, g.rules.View(s, uid))
		add("Admit of "+uid, errorText(g.rules.Admit(s, table.User{From: table.FromUser, UID: uid})))
	}
	add("Label", g.rules.Label(s))
	add("Timer", g.rules.Timer(s))
	add("Busy", g.rules.Busy(s))
	add("Version", g.rules.Version())
	return list, err
}

type shownValue struct {
	what string
	data []byte
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
