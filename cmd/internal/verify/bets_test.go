package verify

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/cmd/internal/verify/book"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// quick are rounds of about a second.
var quick = baccarat.Config{BetTime: 600 * time.Millisecond, DealTime: 30 * time.Millisecond, ShowTime: 100 * time.Millisecond}

func hosting(rules table.Rules[*baccarat.State]) rooms.Hosting {
	return rooms.Hosting{Rooms: "baccarat-*", Game: table.Of(rules)}
}

// bets is a small run at url: 2 tables, 4 bots of which each sends 10 commands per second.
func bets(url ...string) Config {
	cfg := load(url...)
	cfg.Tables, cfg.Prefix, cfg.APIKey, cfg.Rate, cfg.Members = true, "baccarat-", apiKey, 40, 2
	return cfg
}

func betVerdicts(t *testing.T, out string) (list []betVerdict) {
	t.Helper()
	for line := range strings.Lines(out) {
		var d betVerdict
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		list = append(list, d)
	}
	return list
}

func TestTablesThatAreRight(t *testing.T) {
	m := startServer(t, hosting(baccarat.New(quick)))
	r := start(t, bets(m.url(), m.url()))
	r.out.wait(t, `"bets":[1-9]`)
	run := betVerdicts(t, strings.TrimSpace(r.out.String()))[0].Run
	for _, client := range []string{"-p0", "-p1", "-m0"} { // some lose their connection in a round
		m.CloseUserHere(run+client, wire.CloseTooSlow)
	}
	if err := <-r.result; err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	list := betVerdicts(t, r.out.String())
	d := list[len(list)-1]
	if d.Outcome != held || !strings.HasPrefix(d.Words, "the promise held: ") || len(d.Faults) > 0 {
		t.Errorf("the verdict is %q: %q", d.Outcome, d.Words)
	}
	if d.Phase != "verdict" || d.Tables != 2 || d.Bots != 6 || d.Bets == 0 || d.Refused == 0 || d.Settled < 2 || d.Ended < d.Settled-2 ||
		d.Acknowledged+d.Refused+d.Unacknowledged != d.Sent || d.Unacknowledged != 0 || d.Away != 0 || d.Refreshes != 0 || d.Reconnects < 3 {
		t.Errorf("%+v", d)
	}
	if p := d.LongestPause; p.Seconds <= 0 || len(d.Pauses) != 1 || !strings.Contains(p.Where, run) {
		t.Errorf("longest pause %+v of %v", p, d.Pauses)
	}
	var phases []string
	for _, d := range list {
		phases = append(phases, d.Phase)
	}
	if got := slices.Compact(phases); !slices.Equal(got, []string{"joining", "sending", "settling", "verdict"}) {
		t.Errorf("phases %q", got)
	}
}

func TestTablesForPeople(t *testing.T) {
	cfg := bets(startServer(t, hosting(baccarat.New(quick))).url())
	cfg.JSON = false
	out, err := run(t, cfg)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`sending +sent`, `(?m)^lost +0 `, `(?m)^rounds settled +[1-9]`, `(?m)^longest pause +\d+\.\d{3}s +for an answer, sent at \S+ from .* to .*, verify-`,
		`\nHELD: the promise held: \d+ acknowledged bets, .*\n$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in:\n%s", want, out)
		}
	}
}

// cheat are rules that spoil what they decide.
type cheat struct {
	baccarat.Rules
	spoil func(events []table.Event) []table.Event
}

func (c cheat) Decide(s *baccarat.State, cmd table.Command) ([]table.Event, error) {
	events, err := c.Rules.Decide(s, cmd)
	return c.spoil(events), err
}

// times has each event of a type that holds part happen n times.
func times(n int, typ, part string) func([]table.Event) []table.Event {
	return func(events []table.Event) (all []table.Event) {
		for _, ev := range events {
			if ev.Type != typ || !strings.Contains(string(ev.Payload), part) {
				all = append(all, ev)
				continue
			}
			for range n {
				all = append(all, ev)
			}
		}
		return all
	}
}

func TestCheatsAreFound(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func([]table.Event) []table.Event
		want  book.Kind
	}{
		"forgets a bet that it has acknowledged": {times(0, "bet_placed", `"on":"tie"`), book.Lost},
		"takes a bet twice":                      {times(2, "bet_placed", `"on":"tie"`), book.Doubled},
		"settles a round twice":                  {times(2, "round_settled", ""), book.Round},
		"keeps what was won": {func(events []table.Event) []table.Event {
			for i, ev := range events {
				if ev.Type == "round_settled" {
					events[i].Payload = regexp.MustCompile(`"paid":\[.*\]`).ReplaceAll(ev.Payload, []byte(`"paid":[]`))
				}
			}
			return events
		}, book.Money},
	} {
		t.Run(name, func(t *testing.T) {
			m := startServer(t, hosting(cheat{baccarat.New(quick), tt.spoil}))
			out, err := run(t, bets(m.url()))
			if !errors.Is(err, ErrBroken) {
				t.Fatalf("it ends with %v\n%s", err, out)
			}
			list := betVerdicts(t, out)
			if d := list[len(list)-1]; d.Faults[tt.want] == 0 || d.Outcome != broken || len(d.Findings) == 0 {
				t.Errorf("nothing of %s is found: %v", tt.want, d.Faults)
			}
		})
	}
}

func TestTablesThatCannotBeJudged(t *testing.T) {
	m := startServer(t, hosting(baccarat.New(quick)))
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no key":   {func(c *Config) { c.APIKey = "" }, "--api-key-file"},
		"no table": {func(c *Config) { c.Prefix, c.Timeout = "chat-", time.Second }, "--table-prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := bets(m.url())
			tt.change(&cfg)
			out, err := run(t, cfg)
			if err == nil || errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), tt.want) || strings.Contains(out, "sending") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
