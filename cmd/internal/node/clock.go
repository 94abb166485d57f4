package node

import (
	"context"
	"time"
)

const (
	// clockEvery is how often the clock is checked, clockJump the smallest step
	// that is logged: NTP slews by far less.
	clockEvery = 10 * time.Second
	clockJump  = 5 * time.Second
)

// jump returns by how much the wall clock was set, from its own and the
// monotonic time that have passed; 0 if it was not.
func jump(passed, shown time.Duration) time.Duration {
	if by := shown - passed; by > clockJump || by < -clockJump {
		return by
	}
	return 0
}

// watchClock logs when the wall clock is set, until ctx ends.
func (n *Node) watchClock(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-tick.C:
			now := time.Now()
			// Round strips the monotonic clock reading.
			n.tellJump(jump(now.Sub(last), now.Round(0).Sub(last.Round(0))))
			last = now
		case <-ctx.Done():
			return
		}
	}
}

// tellJump logs the consequences of a clock that was set. After a suspend it
// seems to have been set forward.
func (n *Node) tellJump(by time.Duration) {
	switch {
	case by > 0:
		n.log.Warn().Stringer("by", by.Round(time.Millisecond)).Msg("the clock was set forward, or this machine slept: events older than --history-age by the new time are dropped, tokens and tickets end by it")
	case by < 0:
		n.log.Warn().Stringer("by", by.Round(time.Millisecond)).Msg("the clock was set back: events are kept, and tokens and tickets are good, for so much longer; the order of events stays")
	}
}
