package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// TestCoalesce: a large room sends what comes close together in one burst, in
// order and without losing the last; who joins meanwhile gets no event twice.
func TestCoalesce(t *testing.T) {
	const events = 400 // a join replays 500 at most
	eng, _ := start(t, nil)
	var members []*member
	for i := range 200 {
		members = append(members, join(t, eng, "x", fmt.Sprint("m", i), rooms.Since{}))
	}
	bursts := eng.Stats().Bursts.Load()
	seqs := publish(t, eng, "x", 0, events)
	late := join(t, eng, "x", "late", from(eng, seqs[0]))
	for _, m := range members {
		m.awaitSeq(t, seqs[events-1])
		wantSeqs(t, m, seqs)
	}
	late.awaitSeq(t, seqs[events-1])
	wantSeqs(t, late, seqs[1:])
	perMember := float64(eng.Stats().Bursts.Load()-bursts) / float64(len(members))
	t.Logf("%d events came in %.0f bursts", events, perMember)
	if perMember >= events/2 {
		t.Errorf("%d events came in %.0f bursts", events, perMember)
	}
}

func TestCoalesceDelay(t *testing.T) {
	for members, want := range map[int]time.Duration{
		1: 0, 32: 0, 33: 330 * time.Microsecond, 1000: 10 * time.Millisecond, 5000: 20 * time.Millisecond, 50000: 20 * time.Millisecond,
	} {
		if got := rooms.CoalesceDelay(members); got != want {
			t.Errorf("%d members: bursts are %s apart, want %s", members, got, want)
		}
	}
}
