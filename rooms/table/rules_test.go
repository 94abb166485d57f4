package table_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// TestLongRefusal: what is kept with a command does not grow with what was sent.
func TestLongRefusal(t *testing.T) {
	for _, said := range []string{strings.Repeat("x", 20_000), strings.Repeat("龍", 20_000), "\xff" + strings.Repeat("龍", 20_000)} {
		reason := table.Refuse("not on %s", said).Error()
		if len(reason) > table.MaxRefusal || len(reason) < table.MaxRefusal-8 || !utf8.ValidString(reason) || !strings.HasSuffix(reason, "…") {
			t.Errorf("%d bytes: %q", len(reason), reason)
		}
	}
	if reason := table.Refuse("no").Error(); reason != "no" {
		t.Errorf("%q", reason)
	}
	if at := table.RefuseAt("players", "%s", strings.Repeat("x", 20_000)); len(at.Error()) != table.MaxRefusal {
		t.Errorf("at a bound it has %d bytes", len(at.Error()))
	}
}

// no refuses everything, with as much as it may say.
type no struct{ table.Defaults[int] }

func (no) New() int { return 0 }
func (no) Decide(int, table.Command) ([]table.Event, error) {
	return nil, table.Refuse("%s", strings.Repeat("x", table.MaxRefusal))
}
func (no) Apply(s int, _ table.Event) (int, error) { return s, nil }

// TestManyRefusals: refusals are in the steps and are remembered, so they have
// bounds as events have.
func TestManyRefusals(t *testing.T) {
	log := table.NewLog(table.Of(no{}), "n", 0)
	now, sent, busy := int64(1_800_000_000_000), 0, 0
	var waiting []table.Request
	for seq := uint64(1); busy == 0 && seq < 1000; seq++ {
		for len(waiting) < 1000 {
			sent++
			waiting = append(waiting, table.Request{Command: table.Command{Type: "x", User: table.User{From: table.FromUser}}, Key: table.Key(sent), At: now, Ref: sent})
		}
		step, answers, err := log.Decide(now, waiting)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			if a.Undecided == table.TooMany {
				busy++
			}
		}
		waiting = log.Left()
		if step == nil {
			continue
		}
		if body, err := json.Marshal(step); err != nil || len(body) > table.StepBytes+2*table.MaxRefusal {
			t.Fatalf("a step of %d bytes, %v", len(body), err)
		}
		log.Stored(seq)
	}
	if least := table.MaxRefused / table.MaxRefusal; busy == 0 || sent < least || sent > least+3000 {
		t.Errorf("after %d refusals %d are told that it is busy", sent, busy)
	}
	if data, err := log.Snapshot(); err != nil || len(data) > 2*table.MaxRefused {
		t.Errorf("a snapshot has %d bytes, %v", len(data), err)
	}
	step, answers, err := log.Decide(now+table.Memory.Milliseconds()+1, []table.Request{{Key: 1, At: now + table.Memory.Milliseconds(), Ref: "later"}})
	if err != nil || step == nil || len(answers) > 0 {
		t.Errorf("later: %v %v %v", fmt.Sprint(step != nil), answers, err)
	}
}

// TestGuestsLeaveRoom: however much guests send, a user with a token is heard.
func TestGuestsLeaveRoom(t *testing.T) {
	log := table.NewLog(table.Of(no{}), "n", 0)
	const now = 1_800_000_000_000
	key, seq := table.Key(0), uint64(0)
	ask := func(guest bool) table.Undecided {
		key++
		step, answers, err := log.Decide(now, []table.Request{
			{Command: table.Command{Type: "x", User: table.User{From: table.FromUser, Guest: guest}}, Key: key, At: now, Ref: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		if step != nil {
			seq++
			answers = append(answers, log.Stored(seq)...)
		}
		return answers[0].Undecided
	}
	for ask(true) == table.Decided {
		if key > table.MaxKeys {
			t.Fatal("guests are never told that it is busy")
		}
	}
	if was := ask(false); was != table.Decided {
		t.Errorf("a user with a token is undecided as well: %d", was)
	}
}
