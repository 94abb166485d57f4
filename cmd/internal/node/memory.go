package node

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
)

// What the process may take. A container's limit, or GOMEMLIMIT, is the whole;
// without one the runtime is told to keep the garbage of a flood from piling
// up, but not to fight for what many connections and rooms need.
const (
	// limitPart, in tenths, of a container's limit becomes GOMEMLIMIT: the rest
	// is for memory that the runtime does not manage.
	limitPart = 9
	// plainLimit is the runtime's limit without a container's, plainConnection
	// and plainRoom what each connection and each open room adds: some twice
	// what a connection takes, and four times what a room does.
	plainLimit      = 352 << 20
	plainConnection = 16 << 10
	plainRoom       = 12 << 10
)

// LimitMemory sets the Go runtime's memory limit by that of the process's
// container, unless GOMEMLIMIT is set. Call it once, before New.
func LimitMemory(log zerolog.Logger) {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		log.Info().Stringer("memory_limit", Size(limit)).Msg("GOMEMLIMIT is set; the budgets of memory follow from it")
		return
	}
	limit, file := containerLimit(os.DirFS("/"))
	if limit == 0 {
		log.Info().Msg("no memory limit: neither GOMEMLIMIT nor one of a container; the budgets of memory are as the flags say")
		return
	}
	debug.SetMemoryLimit(limit / 10 * limitPart)
	log.Info().Stringer("container_limit", Size(limit)).Str("file", file).Stringer("memory_limit", Size(limit/10*limitPart)).
		Msg("the container has a memory limit; GOMEMLIMIT is set to nine tenths of it, and the budgets of memory follow from that")
}

// budgets are parts of memory, in bytes.
type budgets struct {
	rings    int64 // cached events of rooms; negative: no limit
	waiting  int64 // queues to clients
	copies   int64 // copies waiting for rooms
	publish  int64 // unacknowledged publishes
	messages int64 // incomplete messages
	requests int64 // incomplete HTTP requests
	nats     int64 // not yet stored by the embedded server, per stream
}

// Budgets as they are where there is memory enough, and the part of the limit
// that each may be.
const (
	waitingBudget = 64 << 20
	copiesBudget  = 32 << 20
	publishBudget = 32 << 20
	natsBudget    = 32 << 20
	halfBudget    = 32 << 20 // messages, and requests
	leastBudget   = 1 << 20

	ringsPart   = 4
	waitingPart = 8
	otherPart   = 16
)

// budgetsFor divides a memory limit; math.MaxInt64 is none. rings is the value
// of the flag, 0: no limit.
func budgetsFor(limit, rings int64) budgets {
	atMost := func(budget, part int64) int64 { return max(leastBudget, min(budget, limit/part)) }
	b := budgets{
		rings: -1, waiting: atMost(waitingBudget, waitingPart), copies: atMost(copiesBudget, otherPart),
		publish: atMost(publishBudget, otherPart), nats: atMost(natsBudget, otherPart),
		messages: atMost(halfBudget, otherPart), requests: atMost(halfBudget, otherPart),
	}
	if rings > 0 {
		b.rings = atMost(rings, ringsPart)
	}
	return b
}

// logBytes is how large the log, the inboxes and the steps of tables may be that
// are kept in this process's memory: together some third of the limit, whatever
// the flags say.
func logBytes(limit, log, inboxes, tables int64) (int64, int64, int64) {
	return max(leastBudget, min(log, limit/4)), max(leastBudget, min(inboxes, limit/16)), max(leastBudget, min(tables, limit/16))
}

// Opening a connection or a room needs several times the memory and the stack
// that an idle one keeps. After a storm of them the runtime would hold on to
// that until the next collection, which an idle server does not come to by
// itself.
const (
	stormSize  = 1000        // opened since memory was last given back
	stormPause = time.Second // without a new one: the storm is over
)

// storm decides when to return memory to the system. It is owned by the
// goroutine of watchMemory.
type storm struct {
	freed int64 // opened ever when memory was given back
	last  int64 // and one pause ago
}

// over reports whether a storm has just ended; opened is how many connections
// and rooms were ever opened.
func (s *storm) over(opened int64) bool {
	quiet := opened == s.last
	s.last = opened
	if !quiet || opened-s.freed < stormSize {
		return false
	}
	s.freed = opened
	return true
}

// watchMemory returns memory to the system after each storm, and, if there is
// no limit, adjusts the runtime's to what is open, until ctx ends.
func (n *Node) watchMemory(ctx context.Context) {
	tick := time.NewTicker(stormPause)
	defer tick.Stop()
	limit, free := int64(0), debug.SetMemoryLimit(-1) == math.MaxInt64
	if free {
		limit = n.plainLimit()
		debug.SetMemoryLimit(limit)
		defer debug.SetMemoryLimit(math.MaxInt64)
	}
	var s storm
	for {
		select {
		case <-tick.C:
			if now := n.plainLimit(); free && now != limit {
				limit = now
				debug.SetMemoryLimit(limit)
			}
			if s.over(n.sessions.Stats().Connected.Load() + n.engine.Stats().Opened.Load()) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			return
		}
	}
}

// plainLimit is the runtime's limit where nobody has set one. It moves in
// steps.
func (n *Node) plainLimit() int64 {
	const step = 32 << 20
	open := int64(n.sessions.Count())*plainConnection + int64(n.engine.OpenRoomsHere())*plainRoom
	return plainLimit + open/step*step
}
