package table_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// counted are rules that count how often an event is applied.
type counted struct {
	table.Defaults[string]
	size  int
	calls *int
}

func (c counted) New() string { return strings.Repeat("s", c.size) }
func (counted) Decide(string, table.Command) ([]table.Event, error) {
	return []table.Event{table.Happened("x", nil)}, nil
}
func (c counted) Apply(s string, _ table.Event) (string, error) {
	*c.calls++
	return s, nil
}

// TestWhichDecisionsAreChecked: of a small state each of the first 16 since the table
// was loaded, of a large one none of them, and then each 64th.
func TestWhichDecisionsAreChecked(t *testing.T) {
	var first []int
	for n := range 16 {
		first = append(first, n+1)
	}
	for size, want := range map[int][]int{4000: append(first, 64, 128), 5000: {64, 128}} {
		calls := 0
		game := table.Of(counted{size: size, calls: &calls})
		written, err := table.NewLog(game, "n", 64).Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		log := table.NewLog(game, "n", 64)
		if err := log.Restore(written); err != nil {
			t.Fatal(err)
		}
		var got []int
		for n := 1; n <= 130; n++ {
			before := calls
			if _, _, err := log.Decide(1_800_000_000_000, []table.Request{{Command: table.Command{Type: "x"}, At: 1_800_000_000_000}}); err != nil {
				t.Fatal(err)
			}
			log.Stored(uint64(n))
			if calls-before == 2 {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %d bytes %v are checked, want %v", size, got, want)
		}
	}
}
