//go:build unix

package cluster

import (
	"fmt"
	"slices"
	"testing"
)

// stored is an event of a room that was acknowledged. No two have the same
// text.
type stored struct {
	seq  uint64
	text string
}

// heard is an event as it came to a client, and the position that the client
// had then: a client drops what lies at or before it.
type heard struct {
	stored
	at uint64
}

// span is what lies above from, up to and with to.
type span struct{ from, to uint64 }

// findings are the faults of what came.
type findings struct {
	Lost, Repeated, OutOfOrder int
	Strange                    int // not what was acknowledged at that place
}

func (f *findings) add(g findings) {
	f.Lost += g.Lost
	f.Repeated += g.Repeated
	f.OutOfOrder += g.OutOfOrder
	f.Strange += g.Strange
}

// judgeResume compares what came to a client that resumed after since with
// what was acknowledged. What it was told to refresh is not lost: that is
// counted as a refresh.
func judgeResume(since uint64, acked []stored, came []heard, refreshed []span) findings {
	var f findings
	place := make(map[string]uint64, len(acked))
	for _, ev := range acked {
		place[ev.text] = ev.seq
	}
	seen := make(map[string]bool, len(came))
	for _, h := range came {
		switch seq, known := place[h.text]; {
		case seen[h.text], h.seq <= since: // also one that was stored twice
			f.Repeated++
		case !known || seq != h.seq:
			f.Strange++
		case h.seq <= h.at:
			f.OutOfOrder++
		}
		seen[h.text] = true
	}
	for _, ev := range acked {
		told := slices.ContainsFunc(refreshed, func(s span) bool { return s.from < ev.seq && ev.seq <= s.to })
		if ev.seq > since && !seen[ev.text] && !told {
			f.Lost++
		}
	}
	return f
}

// judgePage looks at the newest page of a room that fits on one: it has what
// is stored up to some point, without a hole, and that point is not before
// upto.
func judgePage(upto uint64, acked, page []stored) error {
	end := upto
	for _, ev := range page {
		end = max(end, ev.seq)
	}
	var want []stored
	for _, ev := range acked {
		if ev.seq <= end {
			want = append(want, ev)
		}
	}
	slices.SortFunc(want, func(a, b stored) int { return int(a.seq) - int(b.seq) })
	if !slices.Equal(page, want) {
		return fmt.Errorf("the page has %v, want %v", page, want)
	}
	return nil
}

func TestJudgeResume(t *testing.T) {
	acked := []stored{{3, "a"}, {5, "b"}, {6, "c"}, {9, "d"}}
	ev := func(seq uint64, text string, at uint64) heard { return heard{stored{seq, text}, at} }
	b, c, d := ev(5, "b", 3), ev(6, "c", 5), ev(9, "d", 6)
	for _, tt := range []struct {
		name      string
		came      []heard
		refreshed []span
		want      findings
	}{
		{name: "all", came: []heard{b, c, d}},
		{name: "nothing", want: findings{Lost: 3}},
		{name: "a hole", came: []heard{b, ev(9, "d", 5)}, want: findings{Lost: 1}},
		{name: "the newest is missing", came: []heard{b, c}, want: findings{Lost: 1}},
		{name: "one again", came: []heard{b, c, d, ev(9, "d", 9)}, want: findings{Repeated: 1}},
		{name: "one that it had", came: []heard{ev(3, "a", 3), b, c, d}, want: findings{Repeated: 1}},
		{name: "stored twice", came: []heard{b, c, d, ev(10, "d", 9)}, want: findings{Repeated: 1}},
		{name: "late", came: []heard{b, ev(9, "d", 5), ev(6, "c", 9)}, want: findings{OutOfOrder: 1}},
		{name: "before the position in room_joined", came: []heard{ev(5, "b", 6), ev(6, "c", 6), d}, want: findings{OutOfOrder: 2}},
		{name: "another event there", came: []heard{ev(5, "x", 3), c, d}, want: findings{Lost: 1, Strange: 1}},
		{name: "at another place", came: []heard{ev(4, "b", 3), c, d}, want: findings{Strange: 1}},
		{name: "refreshed", came: []heard{d}, refreshed: []span{{3, 6}}},
		{name: "refreshed too little", came: []heard{d}, refreshed: []span{{3, 5}}, want: findings{Lost: 1}},
	} {
		if got := judgeResume(3, acked, tt.came, tt.refreshed); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestJudgePage(t *testing.T) {
	a, b, c, d := stored{3, "a"}, stored{5, "b"}, stored{6, "c"}, stored{9, "d"}
	acked := []stored{a, b, d, c} // in the order of the acks
	for _, tt := range []struct {
		name  string
		upto  uint64
		page  []stored
		right bool
	}{
		{"all", 9, []stored{a, b, c, d}, true},
		{"more than it must have", 5, []stored{a, b, c, d}, true},
		{"less than there is", 5, []stored{a, b}, true},
		{"nothing yet", 0, nil, true},
		{"less than it must have", 6, []stored{a, b}, false},
		{"a hole", 0, []stored{a, b, d}, false},
		{"without the first", 0, []stored{b, c}, false},
		{"one twice", 0, []stored{a, b, b}, false},
		{"in another order", 0, []stored{b, a}, false},
		{"another event there", 0, []stored{a, {5, "x"}}, false},
	} {
		if err := judgePage(tt.upto, acked, tt.page); (err == nil) != tt.right {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
