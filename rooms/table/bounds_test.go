package table_test

import (
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// TestManyIDs: so many commands with an id are remembered and no more; one more is
// not decided until the first are forgotten, and one without an id is.
func TestManyIDs(t *testing.T) {
	log := table.NewLog(table.Of(yes{}), "n", 0)
	now, seq := int64(1_800_000_000_000), uint64(0)
	decide := func(at int64, list ...table.Request) (undecided []table.Undecided) {
		t.Helper()
		for len(list) > 0 {
			step, answers, err := log.Decide(at, list)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range answers {
				undecided = append(undecided, a.Undecided)
			}
			list = log.Left()
			if step != nil {
				seq++
				log.Stored(seq)
			}
		}
		return undecided
	}
	request := func(key int, at int64) table.Request {
		return table.Request{Command: table.Command{Type: "x", User: table.User{From: table.FromUser}}, Key: table.Key(key), At: at, Ref: key}
	}
	var list []table.Request
	for key := range table.MaxKeys {
		list = append(list, request(key+1, now))
	}
	if got := decide(now, list...); len(got) > 0 || log.Keys() != table.MaxKeys {
		t.Fatalf("%d are undecided, %d remembered", len(got), log.Keys())
	}
	if got := decide(now, request(table.MaxKeys+1, now)); len(got) != 1 || got[0] != table.TooMany {
		t.Errorf("one more: %v", got)
	}
	if got := decide(now, request(0, now)); len(got) > 0 {
		t.Errorf("one without an id: %v", got)
	}
	if got := decide(now, request(1, now)); len(got) != 1 || got[0] != table.Decided {
		t.Errorf("the first again: %v", got)
	}
	later := now + table.Memory.Milliseconds() + 1
	if got := decide(later, request(table.MaxKeys+1, later)); len(got) > 0 {
		t.Errorf("later: %v", got)
	}
}

// TestTooLate: what has waited for MaxWait is not decided; what was injected waits
// as long as it must.
func TestTooLate(t *testing.T) {
	log := table.NewLog(table.Of(yes{}), "n", 0)
	const now = 1_800_000_000_000
	wait := table.MaxWait.Milliseconds()
	user := table.Command{Type: "x", User: table.User{From: table.FromUser}}
	step, answers, err := log.Decide(now, []table.Request{
		{Command: user, At: now - wait - 1, Ref: "late"},
		{Command: user, At: now - wait, Ref: "in time"},
		{Command: user, At: now - wait - 1, Taken: 7, Ref: "injected"},
	})
	if err != nil || step == nil || step.Taken != 7 {
		t.Fatalf("%+v %v", step, err)
	}
	if len(answers) != 1 || answers[0].Ref != "late" || answers[0].Undecided != table.TooLate {
		t.Errorf("undecided: %+v", answers)
	}
	if stored := log.Stored(1); len(stored) != 2 {
		t.Errorf("decided: %+v", stored)
	}
}

// yes are rules that take everything, and count it.
type yes struct{ no }

func (yes) Decide(int, table.Command) ([]table.Event, error) {
	return []table.Event{table.Happened("counted", 1)}, nil
}
func (yes) Apply(s int, _ table.Event) (int, error) { return s + 1, nil }
