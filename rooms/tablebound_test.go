package rooms_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// bounded refuses everything, at the bound that a command names.
type bounded struct{ table.Defaults[int] }

func (bounded) New() int { return 0 }
func (bounded) Decide(_ int, c table.Command) ([]table.Event, error) {
	if c.User.From == table.FromEngine {
		return nil, nil
	}
	bound, err := table.Read[string](c)
	if err != nil || bound == "" {
		return nil, table.Refuse("no")
	}
	return nil, table.RefuseAt(bound, "no more")
}
func (bounded) Apply(s int, _ table.Event) (int, error) { return s, nil }

// TestBounds: a refusal at a bound of the rules is counted by its name, once
// however often its command comes; so many names, and all others together.
func TestBounds(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.Tables = []rooms.Hosting{rooms.Host("bounded-*", bounded{})} })
	ann := table.User{From: table.FromUser, UID: "ann"}
	send := func(id, payload string) {
		t.Helper()
		if _, err := command(t, eng, "bounded-1", id, ann, "x", payload); err == nil {
			t.Fatalf("%s is not refused", payload)
		}
	}
	send("none", "")
	want := map[string]int64{"seats": 2, "other": 5}
	send("a", `"seats"`)
	send("a", `"seats"`)
	send("b", `"seats"`)
	for i := range rooms.MaxBounds - 1 + 5 {
		bound := fmt.Sprint("bound-", i)
		send(bound, fmt.Sprintf("%q", bound))
		if i < rooms.MaxBounds-1 {
			want[bound] = 1
		}
	}
	got := map[string]int64{}
	eng.TableStats().AtBound.Each(func(bound string, count int64) { got[bound] = count })
	if !maps.Equal(got, want) {
		t.Errorf("counted are %v, want %v", got, want)
	}
}
