package node

import (
	"slices"
	"testing"
)

func TestStorm(t *testing.T) {
	for _, c := range []struct {
		name      string
		connected []int64 // once per pause
		want      []int   // the pauses after which memory is given back
	}{
		{"nobody", []int64{0, 0, 0}, nil},
		{"a few", []int64{10, 900, 900, 900}, nil},
		{"a storm, once", []int64{400, 3000, 5000, 5000, 5000, 5001, 5001}, []int{3}},
		{"two storms", []int64{2000, 2000, 2500, 3100, 3100, 3100}, []int{1, 4}},
		{"one that does not end", []int64{2000, 3000, 4000, 5000}, nil},
		{"in drops", []int64{500, 500, 999, 999, 1000, 1000, 1000}, []int{5}},
	} {
		var s storm
		var got []int
		for i, connected := range c.connected {
			if s.over(connected) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: memory is given back after %v, want %v", c.name, got, c.want)
		}
	}
}
