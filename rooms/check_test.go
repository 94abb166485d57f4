package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// TestLostTailAmongManyRooms: the check finds it by the new events when they
// are fewer than the open rooms, and else although the rooms take turns.
func TestLostTailAmongManyRooms(t *testing.T) {
	const others = 30
	for name, events := range map[string]int{"few events": 3, "more events than rooms": 3 * others} {
		t.Run(name, func(t *testing.T) {
			l, eng, _, m, w := lossy(t, func(c *rooms.Config) {
				c.CheckEvery(20 * time.Millisecond)
				c.CheckRooms(others / 4)
			})
			for i := range others {
				join(t, eng, fmt.Sprint("other", i), "o", rooms.Since{})
			}
			for round := range 3 { // the first checks have nothing to go by
				seqs := l.publishLost(t, eng, w, round*events, (round+1)*events)
				m.awaitSeq(t, seqs[len(seqs)-1])
			}
			if s := eng.Stats(); s.Repairs.Load() == 0 || s.Resets.Load() != 0 {
				t.Errorf("%d repairs, %d resets", s.Repairs.Load(), s.Resets.Load())
			}
		})
	}
}
