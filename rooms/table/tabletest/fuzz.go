package tabletest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

const (
	probesPerLine = 40
	walkCommands  = 1500
)

// probe sends commands that make no sense, as they stand at a line of the script,
// to copies of the table: they may be refused, and must not break anything.
func (g *game[S]) probe(script []Line, line int) error {
	rng := rand.New(rand.NewPCG(uint64(line), 14))
	pool := commands(script)
	for range probesPerLine {
		state, err := g.copy()
		if err != nil {
			return err
		}
		other := &game[S]{rules: g.rules, state: state, now: g.now, present: maps.Clone(g.present)}
		if err := other.snapshot(); err != nil {
			return err
		}
		if err := other.strange(rng, pool); err != nil {
			return err
		}
	}
	return nil
}

// walked sends strange commands one after the other, with all that comes of them,
// and time passes or does not.
func walked[S any](rules table.Rules[S], script []Line, _ *game[S]) error {
	return newGame(rules).walk(rand.New(rand.NewPCG(1, 14)), commands(script))
}

// walk is what walked does, from where the table stands.
func (g *game[S]) walk(rng *rand.Rand, pool []table.Command) error {
	if err := g.snapshot(); err != nil {
		return err
	}
	for n := range walkCommands {
		g.thorough = n%16 == 0
		if due := g.rules.Timer(g.state); due != 0 && rng.IntN(3) == 0 {
			g.now = max(g.now, due)
			if _, err := g.send(table.Command{Type: table.TypeTimer, Seed: seed(n)}); err != nil {
				return fmt.Errorf("tabletest: command %d of a walk: timer: %w", n, err)
			}
			continue
		}
		if rng.IntN(2) == 0 {
			g.now += rng.Int64N(2000)
		}
		if err := g.strange(rng, pool); err != nil {
			return fmt.Errorf("tabletest: command %d of a walk: %w", n, err)
		}
		g.snapshots, g.log = g.snapshots[len(g.snapshots)-1:], nil
	}
	return nil
}

// strange sends one command that a client might, if it were broken or worse.
func (g *game[S]) strange(rng *rand.Rand, pool []table.Command) error {
	c := pool[rng.IntN(len(pool))]
	c.Seed = seed(rng.Int())
	c.Payload = mutated(rng, c.Payload)
	switch rng.IntN(8) {
	case 0:
		c.User = strangers[rng.IntN(len(strangers))]
	case 1:
		c.Type = pool[rng.IntN(len(pool))].Type
	}
	if rng.IntN(40) == 0 {
		g.now += 10 * 365 * 24 * 3600 * 1000 // the table was asleep for ten years
	}
	if _, err := g.send(c); err != nil {
		return fmt.Errorf("%s %.200s of %d %q: %w", c.Type, c.Payload, c.User.From, c.User.UID, err)
	}
	return nil
}

// strangers are senders that no script has.
var strangers = []table.User{
	{From: table.FromUser, UID: "stranger"}, {From: table.FromUser, UID: "guest-stranger", Guest: true},
	{From: table.FromUser, UID: strings.Repeat("\u2028", 42)}, {From: table.FromUser, UID: `<"&\>`, Name: "\x7f"},
	{From: table.FromService}, {From: table.FromService, UID: "named"}, {}, {UID: "stranger", Guest: true},
}

// commands are those of a script, and those of the engine from all kinds of
// senders.
func commands(script []Line) (pool []table.Command) {
	for _, l := range script {
		for _, one := range append(l.together, l) {
			if one.typ != "" {
				pool = append(pool, one.command(0))
			}
		}
	}
	for _, typ := range []string{table.TypeTimer, table.TypeJoined, table.TypeLeft, table.TypeTookOver, "", "unheard_of", "send_message"} {
		pool = append(pool, table.Command{Type: typ}, table.Command{Type: typ, User: table.User{From: table.FromUser, UID: "forger"}}, table.Command{Type: typ, User: table.User{From: table.FromService}})
	}
	return pool
}

// odd are values that a field does not expect.
var odd = []string{
	`null`, `true`, `0`, `-1`, `1`, `0.5`, `1e300`, `-1e300`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `1e-300`,
	`""`, `"x"`, `"null"`, `"20"`, `[]`, `{}`, `[[]]`, `{"":{}}`, `[null]`, "\"\u2028<>&\"", `"` + strings.Repeat("ÿ", 4000) + `"`, strings.Repeat("[", 200) + strings.Repeat("]", 200),
}

// mutated is a payload, or another in its place, or with other fields. It is JSON
// always: the engine passes on nothing else.
func mutated(rng *rand.Rand, payload json.RawMessage) json.RawMessage {
	switch rng.IntN(6) {
	case 0:
		return payload
	case 1:
		return nil
	case 2:
		return json.RawMessage(odd[rng.IntN(len(odd))])
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil || len(fields) == 0 {
		return payload
	}
	names := slices.Sorted(maps.Keys(fields))
	for range 1 + rng.IntN(2) {
		name := names[rng.IntN(len(names))]
		switch rng.IntN(5) {
		case 0:
			delete(fields, name)
		case 1:
			fields[strings.ToUpper(name)] = json.RawMessage(odd[rng.IntN(len(odd))])
		default:
			fields[name] = json.RawMessage(odd[rng.IntN(len(odd))])
		}
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return payload // not reached: the values are JSON
	}
	return data
}

func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
