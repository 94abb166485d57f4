package presence

import (
	"math"
	"slices"
	"strings"
	"time"
)

const (
	// pastMax is how many processes that a node's name had before are
	// remembered: late messages are of the last one or two.
	pastMax = 4
	// beatsToReturn is how many heartbeats of a process that was thought over,
	// with none of the present one between them, make it the present one again.
	beatsToReturn = 2
)

// Peers are the other nodes that live, and which process of each. The zero
// value knows none. It is pure, and not safe for concurrent use.
//
// Only heartbeats decide which process has a name, and no clock does:
//
//   - A heartbeat of a process never heard of is of a new one. The one before
//     is over, and what comes late of it is told apart ([Late]).
//   - Whoever starts to listen between two processes may hear the old one's
//     last heartbeat after the new one's first and be wrong. The dead fall
//     silent and the living do not: two heartbeats in a row of a process that
//     was thought over bring it back.
//
// What is said of a room waits for no order between subjects: before the
// heartbeat that announces its process it is Late, and the caller asks again
// when the heartbeat is there ([Restarted]).
type Peers struct {
	alive map[string]*peer
}

type peer struct {
	process
	heard time.Time
	past  []pastProcess // oldest first
}

// process is what a sign of life says of who gave it. In version 0 only
// heartbeats tell, by the time of the start, which is compared for equality.
type process struct {
	boot    Boot
	started int64 // 0 with a boot, and as long as a node of version 0 has not beaten
}

type pastProcess struct {
	process
	beats int // since the last one of the present process
}

// Sign is a sign of life of another node.
type Sign struct {
	Node    string
	Boot    Boot
	Started int64 // of a heartbeat; counts only without a Boot
	Beat    bool  // it is a heartbeat, not something said of a room
}

// Heard is what a sign of life means.
type Heard uint8

const (
	Known     Heard = iota // as before
	Came                   // the node was not known, or had been given up: ask it
	Restarted              // another process has the name now: ask it
	Late                   // of a process that is over, or not announced yet: it must be ignored
)

// Part is what one process said of the rooms.
type Part struct {
	Node string
	Boot Boot
	Upto uint64 // incarnations above are not of it; for two processes of version 0
}

// Hear notes a sign of life. With Restarted, over is what the process before
// has said; [Table.DropPart] ends it, once its clients had their time to come
// back and if [Peers.Lives] does not say otherwise by then.
func (p *Peers) Hear(s Sign, now time.Time) (what Heard, over Part) {
	from := process{boot: s.Boot}
	if s.Beat && s.Boot == 0 {
		from.started = s.Started
	}
	was, known := p.alive[s.Node]
	switch {
	case !known:
		if p.alive == nil {
			p.alive = make(map[string]*peer)
		}
		p.alive[s.Node] = &peer{process: from, heard: now}
		return Came, Part{}
	case from == was.process || from == process{} && was.boot == 0:
	case from.boot == 0 && was.process == process{}:
		was.started = from.started
	case !s.Beat || from == process{} || !was.yields(from):
		return Late, Part{}
	default:
		over = was.replacedBy(from, s.Node)
		was.heard = now
		return Restarted, over
	}
	was.heard = now
	if s.Beat {
		for i := range was.past {
			was.past[i].beats = 0
		}
	}
	return Known, Part{}
}

// yields says whether a heartbeat of another process makes it the present one.
func (p *peer) yields(to process) bool {
	for i := range p.past {
		if past := &p.past[i]; past.process == to {
			past.beats++
			return past.beats >= beatsToReturn
		}
	}
	return true
}

// replacedBy makes another process the present one, and returns what is over.
func (p *peer) replacedBy(by process, node string) Part {
	over := Part{Node: node, Boot: p.boot, Upto: math.MaxUint64}
	if p.boot == 0 && by.boot == 0 {
		over.Upto = uint64(by.started) - 1
	}
	p.past = slices.DeleteFunc(p.past, func(past pastProcess) bool { return past.process == by })
	if len(p.past) == pastMax {
		p.past = slices.Delete(p.past, 0, 1)
	}
	p.past = append(p.past, pastProcess{process: p.process})
	p.process = by
	return over
}

// Lives says whether a part that was over is of the present process after all.
func (p *Peers) Lives(part Part) bool {
	is, known := p.alive[part.Node]
	return known && is.boot == part.Boot && part.Upto == math.MaxUint64
}

// Silent forgets and returns the nodes that were not heard since.
func (p *Peers) Silent(since time.Time) (gone []Part) {
	for node, is := range p.alive {
		if is.heard.Before(since) {
			gone = append(gone, Part{Node: node, Boot: is.boot, Upto: math.MaxUint64})
			delete(p.alive, node)
		}
	}
	slices.SortFunc(gone, func(a, b Part) int { return strings.Compare(a.Node, b.Node) })
	return gone
}

// Names returns the nodes that live, sorted.
func (p *Peers) Names() []string {
	names := make([]string, 0, len(p.alive))
	for node := range p.alive {
		names = append(names, node)
	}
	slices.Sort(names)
	return names
}

// Len returns how many nodes live.
func (p *Peers) Len() int { return len(p.alive) }
