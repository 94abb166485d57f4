package baccarat_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
)

// roads are the vectors that the page's roads are tested by as well. A result is
// written as P, B or T, with p and b behind it for the pairs.
type roads struct {
	Name    string   `json:"name"`
	Results string   `json:"results"`
	Bead    []string `json:"bead"` // the rows, a result in each cell, - where there is none
	Big     []string `json:"big"`  // the same, with the number of ties behind it
}

func results(t testing.TB, text string) (list baccarat.Results) {
	for i, s := range strings.Fields(text) {
		r := baccarat.Result{Round: i + 1, PlayerPair: strings.Contains(s, "p"), BankerPair: strings.Contains(s, "b")}
		r.Winner = map[byte]baccarat.Spot{'P': baccarat.Player, 'B': baccarat.Banker, 'T': baccarat.Tie}[s[0]]
		if r.Winner == "" {
			t.Fatalf("%q is no result", s)
		}
		list = append(list, r)
	}
	return list
}

func mark(winner baccarat.Spot, playerPair, bankerPair bool) string {
	s := strings.ToUpper(string(winner[:1]))
	if playerPair {
		s += "p"
	}
	if bankerPair {
		s += "b"
	}
	return s
}

// grid writes cells as rows.
func grid(put func(at func(col, row int, text string))) []string {
	var cells [baccarat.RoadRows][]string
	put(func(col, row int, text string) {
		for r := range cells {
			for len(cells[r]) <= col {
				cells[r] = append(cells[r], "-")
			}
		}
		if cells[row][col] != "-" {
			text += "+" + cells[row][col] // two in one cell: no vector has that
		}
		cells[row][col] = text
	})
	rows := make([]string, len(cells))
	for r := range cells {
		rows[r] = strings.Join(cells[r], " ")
	}
	return rows
}

func drawn(r baccarat.Results) (bead, big []string) {
	bead = grid(func(at func(int, int, string)) {
		for _, b := range baccarat.BeadPlate(r) {
			at(b.Col, b.Row, mark(b.Winner, b.PlayerPair, b.BankerPair))
		}
	})
	big = grid(func(at func(int, int, string)) {
		for _, c := range baccarat.BigRoad(r) {
			text := mark(c.Winner, c.PlayerPair, c.BankerPair)
			if c.Ties > 0 {
				text += fmt.Sprint(c.Ties)
			}
			at(c.Col, c.Row, text)
		}
	})
	return bead, big
}

// TestRoads draws those of testdata/roads.json, which were drawn by hand.
func TestRoads(t *testing.T) {
	data, err := os.ReadFile("testdata/roads.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []roads
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) < 9 {
		t.Fatalf("only %d vectors", len(list))
	}
	for _, v := range list {
		bead, big := drawn(results(t, v.Results))
		if !reflect.DeepEqual(bead, v.Bead) {
			t.Errorf("%s: bead plate\n%s\nwant\n%s", v.Name, strings.Join(bead, "\n"), strings.Join(v.Bead, "\n"))
		}
		if !reflect.DeepEqual(big, v.Big) {
			t.Errorf("%s: big road\n%s\nwant\n%s", v.Name, strings.Join(big, "\n"), strings.Join(v.Big, "\n"))
		}
	}
}

// TestBigRoadOfAnyShoe: whatever the results, each winner has a cell of its own,
// which touches that of the one before where they are alike, and begins a run at
// the top where they are not; and the ties are all there.
func TestBigRoadOfAnyShoe(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 14))
	for range 3000 {
		var text []string
		letter, ties, wins := "P", 0, 0
		for range rng.IntN(90) {
			switch rng.IntN(12) {
			case 0:
				ties++
				text = append(text, "T")
				continue
			case 1, 2:
				letter = map[string]string{"P": "B", "B": "P"}[letter]
			}
			wins++
			text = append(text, letter)
		}
		cells := baccarat.BigRoad(results(t, strings.Join(text, " ")))
		seen := map[[2]int]bool{}
		for i, c := range cells {
			ties -= c.Ties
			if c.Winner != baccarat.Tie {
				wins--
			}
			if at := [2]int{c.Col, c.Row}; seen[at] || c.Row < 0 || c.Row >= baccarat.RoadRows {
				t.Fatalf("%v: cell %d lies at %v", text, i, at)
			} else {
				seen[at] = true
			}
			if i == 0 {
				continue
			}
			last := cells[i-1]
			if below, right := c.Col == last.Col && c.Row == last.Row+1, c.Col == last.Col+1 && c.Row == last.Row; c.Winner == last.Winner && !below && !right || c.Winner != last.Winner && c.Row != 0 {
				t.Fatalf("%v: cell %d lies at %d,%d, the one before at %d,%d", text, i, c.Col, c.Row, last.Col, last.Row)
			}
		}
		if ties != 0 || wins != 0 {
			t.Fatalf("%v: %d ties and %d winners have no place", text, ties, wins)
		}
	}
}
