package presence

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxPredecessors is how many earlier processes of a node are remembered:
	// delayed messages come from the last one or two.
	maxPredecessors = 4
	// heartbeatsToReturn is how many heartbeats of a process that was thought
	// dead, with none of the current one between them, make it the current one
	// again.
	heartbeatsToReturn = 2
)

// Peers tracks which other nodes are alive, and which process of each. The zero
// value knows none. It is pure, and not safe for concurrent use.
//
// Which process owns a node's name follows from heartbeats alone, not from
// clocks:
//
//   - A heartbeat of an unknown boot means a new process. The previous one has
//     ended, and its delayed messages are recognised as [Stale].
//   - A node that subscribes just as another one restarts may receive the old
//     process's last heartbeat after the new one's first, and choose wrongly. A
//     dead process sends no more and a live one does: two heartbeats in a row of
//     a process that was thought dead make it the current one again.
//
// Different subscriptions have no common order, so a message about a room may
// arrive before the heartbeat that announces its process. It is Stale then, and
// the caller asks again once that heartbeat is there ([Restarted]).
type Peers struct {
	alive map[string]*peer
}

type peer struct {
	identity
	lastSeen     time.Time
	predecessors []predecessor // oldest first
}

// identity identifies the process that sent a message. In version 0 only
// heartbeats do, by the start time, which is only compared for equality.
type identity struct {
	boot    Boot
	started int64 // 0 with a boot, and until the first heartbeat of a node of version 0
}

type predecessor struct {
	identity
	heartbeats int // since the last one of the current process
}

// Observation is a sign of life of a node: the sender of a message that was
// just received.
type Observation struct {
	Node      string
	Boot      Boot
	Started   int64 // of a heartbeat; only used without a Boot
	Heartbeat bool  // it is a heartbeat, not a message about a room
}

// PeerEvent is what [Peers.Observe] concludes from an Observation.
type PeerEvent uint8

const (
	Known     PeerEvent = iota // no change
	NewNode                    // the node was unknown, or considered dead: request its states
	Restarted                  // another process has the name now: request its states
	Stale                      // the process has ended, or is not announced yet: ignore the message
)

// Process identifies one process that runs, or ran, under a node's name.
type Process struct {
	Node           string
	Boot           Boot
	MaxIncarnation uint64 // higher incarnations are another process's; tells two processes of version 0 apart
}

// Observe handles an Observation. With Restarted, previous is the process that
// was replaced; [Table.DropProcess] removes its users, after its clients had
// time to reconnect and unless [Peers.Lives] is true by then.
func (p *Peers) Observe(o Observation, now time.Time) (what PeerEvent, previous Process) {
	from := identity{boot: o.Boot}
	if o.Heartbeat && o.Boot == 0 {
		from.started = o.Started
	}
	current, known := p.alive[o.Node]
	switch {
	case !known:
		if p.alive == nil {
			p.alive = make(map[string]*peer)
		}
		p.alive[o.Node] = &peer{identity: from, lastSeen: now}
		return NewNode, Process{}
	case from == current.identity || from == identity{} && current.boot == 0:
	case from.boot == 0 && current.identity == identity{}:
		current.started = from.started
	case !o.Heartbeat || from == identity{} || !current.acceptsHeartbeatOf(from):
		return Stale, Process{}
	default:
		previous = current.replaceWith(from, o.Node)
		current.lastSeen = now
		return Restarted, previous
	}
	current.lastSeen = now
	if o.Heartbeat {
		for i := range current.predecessors {
			current.predecessors[i].heartbeats = 0
		}
	}
	return Known, Process{}
}

// acceptsHeartbeatOf reports whether this heartbeat of another process makes it
// the current one.
func (p *peer) acceptsHeartbeatOf(sender identity) bool {
	for i := range p.predecessors {
		if known := &p.predecessors[i]; known.identity == sender {
			known.heartbeats++
			return known.heartbeats >= heartbeatsToReturn
		}
	}
	return true
}

// replaceWith makes next the current process, and returns the one it replaces.
func (p *peer) replaceWith(next identity, node string) Process {
	previous := Process{Node: node, Boot: p.boot, MaxIncarnation: math.MaxUint64}
	if p.boot == 0 && next.boot == 0 {
		previous.MaxIncarnation = uint64(next.started) - 1
	}
	p.predecessors = slices.DeleteFunc(p.predecessors, func(past predecessor) bool { return past.identity == next })
	if len(p.predecessors) == maxPredecessors {
		p.predecessors = slices.Delete(p.predecessors, 0, 1)
	}
	p.predecessors = append(p.predecessors, predecessor{identity: p.identity})
	p.identity = next
	return previous
}

// Lives reports whether a process that was thought to have ended is the current
// one after all.
func (p *Peers) Lives(q Process) bool {
	is, known := p.alive[q.Node]
	return known && is.boot == q.Boot && q.MaxIncarnation == math.MaxUint64
}

// Silent removes and returns the nodes without an Observation after since,
// sorted.
func (p *Peers) Silent(since time.Time) (dead []Process) {
	for node, last := range p.alive {
		if last.lastSeen.Before(since) {
			dead = append(dead, Process{Node: node, Boot: last.boot, MaxIncarnation: math.MaxUint64})
			delete(p.alive, node)
		}
	}
	slices.SortFunc(dead, func(a, b Process) int { return strings.Compare(a.Node, b.Node) })
	return dead
}

// Names returns the nodes that are alive, sorted.
func (p *Peers) Names() []string {
	names := make([]string, 0, len(p.alive))
	for node := range p.alive {
		names = append(names, node)
	}
	slices.Sort(names)
	return names
}

// Len returns how many nodes are alive.
func (p *Peers) Len() int { return len(p.alive) }

// Boot identifies a process among all that have run under the same node name.
// It is drawn at random when the process starts, so it depends on no clock, and
// says nothing about which of two processes is newer: that is for [Peers]. Zero
// is a node of version 0, which has none.
//
// In JSON it is sixteen hexadecimal digits, because not every JSON parser keeps
// all 64 bits of a number.
type Boot uint64

// MarshalText writes b in hexadecimal.
func (b Boot) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(b)), nil }

// UnmarshalText reads what MarshalText wrote.
func (b *Boot) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil {
		return fmt.Errorf("presence: a boot of %d characters: it must be up to 16 hexadecimal digits", len(text))
	}
	*b = Boot(n)
	return nil
}
