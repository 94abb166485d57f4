package rooms

import (
	"strings"
	"sync"
	"sync/atomic"
)

// TableStats are the counters of the tables of this node since it started. Any
// goroutine may read every field; only the engine writes.
type TableStats struct {
	Decided   atomic.Int64 // commands that this node has decided and stored, refused ones included
	Refused   atomic.Int64 // of those, the ones that the rules refused
	AtBound   BoundCounts  // of those, the ones that were refused because of a bound of the rules
	Again     atomic.Int64 // commands that came again and got their first answer
	HandedOn  atomic.Int64 // tables handed to a node whose turn it is: one that has started, or the next when this one stops
	GaveWay   atomic.Int64 // times that this node left a table to the node that had written a step before it
	Conflicts atomic.Int64 // steps that the log did not take because another node had written one there
	Moved     atomic.Int64 // commands that went on to another node
	GivenUp   atomic.Int64 // times that a node did not answer and its tables went to the next one
	Probes    atomic.Int64 // questions to other nodes whether they are there

	Retries    atomic.Int64 // steps sent again because there was no ack
	Stalled    atomic.Int64 // times that the log took no step for longer than commands may wait
	Busy       atomic.Int64 // commands refused because too many wait, for a table or for other nodes
	TooMany    atomic.Int64 // commands refused because a table remembers table.MaxKeys of them
	TooLate    atomic.Int64 // commands that waited for longer than table.MaxWait at this node
	Expired    atomic.Int64 // commands sent back once because they might have been forgotten
	Unanswered atomic.Int64 // commands answered unavailable because no node has answered in time

	RefusedNew atomic.Int64 // joins and commands refused because there are Config.MaxTables tables, or half of it for guests

	Unlabelled atomic.Int64 // times that a table had no label stored because tables have half of all that there may be

	Older   atomic.Int64 // times that this node left a table to others because newer rules than its own had decided
	Stopped atomic.Int64 // tables that stopped here because their rules failed
	Full    atomic.Int64 // steps that were not stored, and their commands refused, because the log of tables is full
	Loaded  atomic.Int64 // tables that were loaded

	Steps            atomic.Int64 // that this node has appended
	StepBytes        atomic.Int64 // of them
	StepsRead        atomic.Int64 // to load tables
	StepDrops        atomic.Int64 // times that old steps of a table were dropped
	Trimmed          atomic.Int64 // tables that nobody uses and of which only what the newest snapshot needs was kept
	Snapshots        atomic.Int64 // that were written and read back
	SnapshotBytes    atomic.Int64 // of them, before they are compressed
	SnapshotsFailed  atomic.Int64 // that could not be written; no step is dropped meanwhile
	SnapshotsDamaged atomic.Int64 // that could not be used; the one before was, or all steps
	NotNoted         atomic.Int64 // times that it could not be noted for other nodes that a table is busy, or has stopped

	Injected    atomic.Int64 // commands taken from the log of rooms
	WakeRetries atomic.Int64 // wake-ups of tables that failed and are tried again
}

// maxBounds is how many bounds of rules are counted by name.
const maxBounds = 32

// BoundCounts count refusals by the bound that rules have named (table.RefuseAt).
// All names after the first 32 that this node has met count as "other": the values
// of a metric's label must be limited.
type BoundCounts struct {
	mu     sync.Mutex
	counts map[string]int64
}

func (c *BoundCounts) add(bound string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[string]int64)
	}
	bound = strings.ToValidUTF8(bound, "?") // else no metric can be shown
	if _, ok := c.counts[bound]; !ok && len(c.counts) >= maxBounds {
		bound = "other"
	}
	c.counts[bound]++
}

// Each calls fn with "other", and with every bound that was reached, and how often,
// in no order: so there is always something to show. Any goroutine may call it; fn
// must not block.
func (c *BoundCounts) Each(fn func(bound string, count int64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn("other", c.counts["other"])
	for bound, count := range c.counts {
		if bound != "other" {
			fn(bound, count)
		}
	}
}

// TableStats returns the counters of the tables. They may be read at any time.
func (e *Engine) TableStats() *TableStats { return &e.tableStats }

// TablesOwned returns how many tables this node decides for.
func (e *Engine) TablesOwned() int { return e.owners.Len() }
