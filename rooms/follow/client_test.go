package follow_test

import (
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// client is a member of the room on some node, or away. What it has been given
// must be a run of the log.
type client struct {
	w     *world
	id    int
	at    *node // nil: away
	asked bool  // its join has not been answered
	epoch string
	pos   uint64
	known bool // it has a position
	// misled: it was given what is not in the log. It must be told to refresh,
	// unless it resumed meanwhile: nobody can know then.
	misled, resumed bool
	fakes           fakes
}

func (w *world) genuine(e follow.Event) bool {
	_, ok := slices.BinarySearchFunc(w.timeline, e, func(a, b follow.Event) int { return int(a.Seq) - int(b.Seq) })
	return ok && slices.ContainsFunc(w.timeline, func(t follow.Event) bool { return t.Seq == e.Seq && t.Time == e.Time })
}

// next is the room's first event after a sequence, discarded or not.
func (w *world) next(after uint64) (follow.Event, bool) {
	for _, e := range w.timeline {
		if e.Seq > after {
			return e, true
		}
	}
	return follow.Event{}, false
}

func (c *client) stranded(was []follow.Event) {
	if c.known && (c.epoch != c.w.epochName() || c.pos > c.w.now().last) {
		c.misled = true
		c.fakes = append(c.fakes, stranded(c.pos, was))
		c.resumed = c.at == nil
	}
}

// take is the next event of the view.
func (c *client) take(e follow.Event) {
	if c.asked {
		c.w.problem("client %d was given %s before it was admitted", c.id, name(e))
	}
	if !c.w.genuine(e) {
		c.misled = true
		c.fakes = append(c.fakes, e)
	}
	if c.at != nil && c.at.misled {
		c.misled = true
	}
	if !c.misled {
		if e.Seq <= c.pos {
			c.w.problem("client %d was given %s again: it is at %d", c.id, name(e), c.pos)
		}
		if next, _ := c.w.next(c.pos); next.Seq != e.Seq {
			c.w.problem("client %d was given %s after %d and never %s", c.id, name(e), c.pos, name(next))
		}
	}
	c.pos = e.Seq
}

func (c *client) refresh(p follow.Position) {
	c.epoch, c.pos, c.misled, c.resumed, c.fakes = p.Epoch, p.Seq, false, false, nil
	if p.Epoch != c.w.epochName() {
		c.misled = true
	}
}

// join asks the node; with the position that it has, or for the newest n.
func (c *client) join(n *node) {
	j := &follow.Join{Ref: c}
	if c.known && c.w.r.IntN(4) > 0 {
		j.Since = &follow.Position{Epoch: c.epoch, Seq: c.pos}
	} else {
		j.Last = c.w.r.IntN(9)
	}
	c.at, c.asked = n, true
	n.note("client %d joins %v %d", c.id, j.Since, j.Last)
	n.f.Join(j)
}

func (c *client) leave() {
	n := c.at
	n.members = slices.DeleteFunc(n.members, func(m *client) bool { return m == c })
	n.f.RemoveJoins(func(j *follow.Join) bool { return j.Ref.(*client) == c })
	c.at, c.asked = nil, false
}

func (c *client) admitted(n *node, j *follow.Join, a follow.Admission) {
	c.asked = false
	n.members = append(n.members, c)
	if a.Recovered {
		c.resumed = c.resumed || c.misled
		if j.Since.Epoch != c.epoch || j.Since.Seq != a.Seq {
			c.w.problem("client %d asked for what follows %v and was admitted at %d", c.id, *j.Since, a.Seq)
		}
	} else {
		c.wasDue(n, j)
		c.refresh(follow.Position{Epoch: n.f.Position().Epoch, Seq: a.Seq})
		c.known = true
		if n.misled {
			c.misled = true
		}
	}
	for _, e := range a.Replay {
		var ev follow.Event
		ev.Seq = e.Seq
		for _, t := range c.w.timeline {
			if name(t) == string(e.Frame) {
				ev = t
			}
		}
		c.take(ev)
	}
}

// wasDue complains when a client is told to refresh although its event is in
// every replica's log and it has not missed too much.
func (c *client) wasDue(n *node, j *follow.Join) {
	if j.Since == nil || c.misled || n.misled || j.Since.Epoch != c.w.epochName() || n.f.Position().Epoch != j.Since.Epoch {
		return
	}
	s := c.w.now()
	after := 0
	for _, e := range c.w.timeline {
		if e.Seq > j.Since.Seq {
			after++
		}
	}
	if s.mine[j.Since.Seq] && after <= modelLimits.Replay {
		c.w.problem("client %d was told to refresh at %d, of which the log has everything", c.id, j.Since.Seq)
	}
}

// judgeHistory: a page is a run of the log, and holds what is known.
func (w *world) judgeHistory(n *node, h *follow.History, names []string) {
	if n.misled || n.f.Position().Epoch != w.epochName() {
		return
	}
	var want []string
	for _, e := range w.timeline {
		want = append(want, name(e))
	}
	if len(names) == 0 {
		return
	}
	i := slices.Index(want, names[0])
	if i < 0 || i+len(names) > len(want) || !slices.Equal(want[i:i+len(names)], names) {
		w.problem("a page of history before %d is no run of the log: %v", h.Before, names)
		return
	}
	end := w.timeline[i+len(names)-1].Seq
	if next, ok := w.next(end); ok && h.Known >= next.Seq && (h.Before == 0 || h.Before > next.Seq) && w.now().mine[next.Seq] {
		w.problem("a page of history before %d ends at %d and lacks %s, which was known up to %d", h.Before, end, name(next), h.Known)
	}
}
