package node

import (
	"context"
	"runtime/debug"
	"time"
)

// Opening a connection needs several times the memory and the stack that an idle one keeps. After a storm of them the
// runtime would hold on to that until the next collection, which an idle server does not come to by itself.
const (
	stormConnections = 1000        // since memory was last given back
	stormPause       = time.Second // without a new connection: the storm is over
)

// storm decides when to give memory back. Owned by the goroutine of watchMemory.
type storm struct {
	freed int64 // connections ever accepted when memory was given back
	last  int64 // and one pause ago
}

// over reports whether a storm has just ended; connected is how many connections were ever accepted.
func (s *storm) over(connected int64) bool {
	quiet := connected == s.last
	s.last = connected
	if !quiet || connected-s.freed < stormConnections {
		return false
	}
	s.freed = connected
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
			if s.over(n.sessions.Stats().Connected.Load()) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return
		}
	}
}
