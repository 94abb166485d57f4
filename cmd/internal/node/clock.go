package node

import (
	"context"
	"time"
)

const (
	// clockEvery is how often the clock is looked at, clockJump by how much it must have been set since to be told of: what keeps a
	// clock right moves it by far less.
	clockEvery = 10 * time.Second
	clockJump  = 5 * time.Second
)

// jump is by how much a clock was set that shows so much more than has passed; 0 when it was not.
func jump(passed, shown time.Duration) time.Duration {
	if by := shown - passed; by > clockJump || by < -clockJump {
		return by
	}
	return 0
}

// watchClock tells of a clock that was set, until ctx ends.
func (n *Node) watchClock(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-tick.C:
			now := time.Now()
			// Round takes away the reading of the clock that cannot be set.
			n.tellJump(jump(now.Sub(last), now.Round(0).Sub(last.Round(0))))
			last = now
		case <-ctx.Done():
			return
		}
	}
}

// tellJump says what a clock that was set means here. A machine that slept seems to have its clock set forward.
func (n *Node) tellJump(by time.Duration) {
	switch {
	case by > 0:
		n.log.Warn().Stringer("by", by.Round(time.Millisecond)).Msg("the clock was set forward, or this machine slept: events older than --history-age by the new time are dropped, tokens and tickets end by it")
	case by < 0:
		n.log.Warn().Stringer("by", by.Round(time.Millisecond)).Msg("the clock was set back: events are kept, and tokens and tickets are good, for so much longer; the order of events stays")
	}
}
