//go:build unix

package cluster

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// figures are what many trips came to.
type figures struct {
	mu            sync.Mutex
	trips         int
	acked         int
	first, second findings
	refreshed     int // nothing in a trip makes that due
	pages, wrong  int // pages of history, and how many of them were wrong
	again         int // resumes that had to be tried again
	times         []time.Duration
	told          int
}

// mostTold is how many faults are told in full.
const mostTold = 10

// add judges a trip that is over.
func (f *figures) add(t *testing.T, g *trip) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trips++
	f.acked += len(g.acked)
	fault := false
	for m, sum := range map[*returner]*findings{g.first: &f.first, g.second: &f.second} {
		found := judgeResume(g.since.Seq, g.acked, m.came, m.refreshed)
		sum.add(found)
		f.refreshed += len(m.refreshed)
		f.again += len(m.again)
		fault = fault || found != findings{} || m.refreshed != nil
		if m.wrong != nil {
			t.Errorf("%s: it was told %q", g, m.wrong)
		}
	}
	for _, p := range g.pages {
		f.pages++
		if err := judgePage(p.upto, g.acked, p.events); err != nil {
			f.wrong++
			if f.tells() {
				t.Errorf("%s: history, which must go up to %d: %v", g, p.upto, err)
			}
		}
	}
	f.times = append(f.times, g.took())
	if fault && f.tells() {
		t.Errorf("%s: since %v, acknowledged %v, up to %d before it came back\n  the first got %v, refreshed %v, came back again because %q\n  the second got %v, refreshed %v, came back again because %q",
			g, g.since, g.acked, g.before, g.first.came, g.first.refreshed, g.first.again, g.second.came, g.second.refreshed, g.second.again)
	}
}

func (f *figures) tells() bool {
	f.told++
	return f.told <= mostTold
}

// took is the time of the resume: until the room was joined and everything had
// come that was acknowledged before it.
func (g *trip) took() time.Duration {
	m := g.first
	end := m.joined
	for i, ev := range m.came {
		if ev.seq <= g.before && m.times[i].After(end) {
			end = m.times[i]
		}
	}
	return end.Sub(m.asked)
}

// report prints the figures and fails when something was lost, came twice or
// out of order, or anybody had to refresh.
func (f *figures) report(t *testing.T) {
	t.Helper()
	if len(f.times) == 0 {
		t.Fatal("no trip was made")
	}
	slices.Sort(f.times)
	at := func(q float64) float64 { return f.times[int(q*float64(len(f.times)-1))].Seconds() * 1000 }
	t.Logf("%d resumes into rooms that were not open, and %d from memory; %d events acknowledged", f.trips, f.trips, f.acked)
	t.Logf("not open: lost %d, repeated %d, out of order %d; from memory: lost %d, repeated %d, out of order %d",
		f.first.Lost, f.first.Repeated, f.first.OutOfOrder, f.second.Lost, f.second.Repeated, f.second.OutOfOrder)
	t.Logf("refreshed %d, of them not due %d; tried again %d; pages of history %d, of them wrong %d", f.refreshed, f.refreshed, f.again, f.pages, f.wrong)
	t.Logf("a resume took %.1f ms in the median, %.1f ms p99, %.1f ms at the longest", at(0.5), at(0.99), at(1))
	all := f.first
	all.add(f.second)
	if all != (findings{}) || f.refreshed > 0 || f.wrong > 0 {
		t.Errorf("all clients: %+v, refreshed %d, wrong pages %d", all, f.refreshed, f.wrong)
	}
}
