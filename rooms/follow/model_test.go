package follow_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// run plays one random schedule and returns what went wrong.
func run(seed1, seed2 uint64, l lie) *world {
	w := newWorld(seed1, seed2, l)
	for range 150 {
		w.step()
		if len(w.problems) > 0 {
			return w
		}
	}
	w.rest()
	return w
}

// step does one thing that may happen.
func (w *world) step() {
	n := w.nodes[w.r.IntN(len(w.nodes))]
	c := w.clients[w.r.IntN(len(w.clients))]
	switch k := w.r.IntN(100); {
	case k < 22:
		w.append(!w.quiet || w.r.IntN(8) == 0)
	case k < 34:
		w.append(false)
	case k < 66:
		n.step()
	case k < 82:
		w.move(n, c)
	case k < 86 && w.quiet:
		n.start()
	case k < 86:
		h := &follow.History{Limit: 1 + w.r.IntN(8)}
		if w.r.IntN(2) == 0 {
			h.Before = n.f.Position().Seq + 1 - min(n.f.Position().Seq, uint64(w.r.IntN(12)))
		}
		if last := w.now().lastOfRoom().Seq; w.r.IntN(2) == 0 && n.f.Position().Epoch == w.epochName() {
			h.Known = last
		}
		n.note("history %+v", *h)
		n.f.History(h)
	case k < 92:
		n.check(w.r.IntN(len(w.states)))
	case k < 93:
		n.forge()
	case k < 94:
		n.note("missed")
		n.f.Missed()
	case k < 96:
		w.setLimit(int64(1 + w.r.IntN(20)))
	case k < 98:
		n.start()
	default:
		w.misfortune()
	}
}

func (w *world) move(n *node, c *client) {
	if c.at == nil {
		c.join(n)
	} else {
		c.leave()
	}
}

func (w *world) misfortune() {
	switch w.r.IntN(12) {
	case 0:
		w.renew()
	case 1:
		w.rollBack()
	case 2:
		for range 25 { // the stream turns over
			w.append(false)
		}
	}
}

// rest lets everything arrive; then every view must end where the log does, and
// nobody may be left with what is not in it.
func (w *world) rest() {
	for range 3 {
		for _, n := range w.nodes {
			n.quiet()
			n.check(0)
			n.quiet()
			n.note("renewed?")
			n.f.Renewed()
			n.quiet()
		}
	}
	last := uint64(0)
	if len(w.timeline) > 0 {
		last = w.timeline[len(w.timeline)-1].Seq
	}
	for _, n := range w.nodes {
		if !n.f.Quiet() {
			w.problem("node %d has not come to rest", n.id)
		}
		if n.misled && n.fakes.mustShow(w) {
			w.problem("node %d has not found out that what it delivered is not in the log", n.id)
		}
		for _, c := range n.members {
			switch {
			case c.misled && !c.resumed && c.fakes.mustShow(w):
				w.problem("client %d was not told that what it was given is not in the log", c.id)
			case !c.misled && c.pos < last:
				w.problem("client %d is at %d, the log at %d", c.id, c.pos, last)
			}
		}
	}
}

const traced = 200 // lines of a node's story that a failure shows

func (w *world) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.Join(w.problems, "\n"))
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "node %d:\n  %s\n", n.id, strings.Join(n.trace[max(0, len(n.trace)-traced):], "\n  "))
	}
	for _, e := range w.timeline {
		fmt.Fprintf(&b, "%s ", name(e))
	}
	return b.String()
}

func TestModel(t *testing.T) {
	schedules := 4_000
	if testing.Short() {
		schedules = 500
	}
	for seed := range uint64(schedules) {
		if w := run(seed, 1, honest); len(w.problems) > 0 {
			t.Fatalf("seed %d: %s", seed, w.report())
		}
	}
}

// TestModelFinds believes what the code before this package believed. Each
// belief must be found out, or the model is worth nothing.
func TestModelFinds(t *testing.T) {
	for name, l := range map[string]lie{
		"a page of a replica that is behind":               farEnough,
		"an opening beyond what the replica had":           openAhead,
		"a limit that was raised":                          anyLimit,
		"a copy that follows what the log has dropped":     nothingGone,
		"a leader that is none any more":                   staleBeyond,
		"a log that was rolled back and has grown past it": neverDoubted,
		"that no copy was lost":                            noGaps,
		"that a room was given what came before it":        beforeOpening,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20_000) {
				if w := run(seed, 2, l); len(w.problems) > 0 {
					t.Logf("found by schedule %d: %s", seed, w.problems[0])
					return
				}
			}
			t.Fatal("not found by 20,000 schedules")
		})
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var seed [16]byte
		copy(seed[:], b)
		if w := run(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:]), honest); len(w.problems) > 0 {
			t.Fatal(w.report())
		}
	})
}
