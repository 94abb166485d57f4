package node

import (
	"context"
	"runtime/debug"
	"time"
)

// Opening a connection or a room needs several times the memory and the stack that an idle one keeps. After a storm of
// them the runtime would hold on to that until the next collection, which an idle server does not come to by itself.
const (
	stormSize  = 1000        // opened since memory was last given back
	stormPause = time.Second // without a new one: the storm is over
)

// storm decides when to give memory back. Owned by the goroutine of watchMemory.
type storm struct {
	freed int64 // opened ever when memory was given back
	last  int64 // and one pause ago
}

// over reports whether a storm has just ended; opened is how many connections and rooms were ever opened.
func (s *storm) over(opened int64) bool {
	quiet := opened == s.last
	s.last = opened
	if !quiet || opened-s.freed < stormSize {
		return false
	}
	s.freed = opened
	return true
}

// watchMemory gives memory back to the system after each storm, until ctx ends.
func (n *Node) watchMemory(ctx context.Context) {
	tick := time.NewTicker(stormPause)
	defer tick.Stop()
	var s storm
	for {
		select {
		case <-tick.C:
			if s.over(n.sessions.Stats().Connected.Load() + n.engine.Stats().Opened.Load()) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return
		}
	}
}
