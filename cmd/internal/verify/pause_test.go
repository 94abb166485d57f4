package verify

import (
	"testing"
	"time"
)

func TestQuiet(t *testing.T) {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	tests := []struct {
		name     string
		heard    []int // before the load begins at 10 and after it ends at 20 too
		from, to int
	}{
		{"steady", []int{11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, 10, 11},
		{"what is before the load does not count", []int{1, 9, 11, 12, 14, 15, 16, 17, 18, 19}, 12, 14},
		{"a pause in the middle", []int{11, 12, 17, 18, 19}, 12, 17},
		{"late at the beginning", []int{16, 18, 20}, 10, 16},
		{"over the end", []int{11, 12, 13, 14, 15, 16, 25, 90}, 16, 25},
		{"until the end", []int{11, 12}, 12, 20},
		{"nothing at all", nil, 10, 20},
		{"what is between two after the end does not count", []int{12, 14, 16, 18, 20, 21, 60}, 10, 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, begun, ended := quiet{}, false, false
			for _, s := range append(tt.heard, 100) {
				if s >= 10 && !begun {
					q.begin(at(10))
					begun = true
				}
				if s > 20 && !ended {
					q.stop(at(20))
					ended = true
				}
				if s < 100 {
					q.heard(at(s))
				}
			}
			got := q.result("x")
			if !got.From.Equal(at(tt.from)) || !got.To.Equal(at(tt.to)) || got.Seconds != float64(tt.to-tt.from) || got.Where != "x" {
				t.Errorf("from %v to %v, %gs", got.From.Sub(start), got.To.Sub(start), got.Seconds)
			}
		})
	}
}
