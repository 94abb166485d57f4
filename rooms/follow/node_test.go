package follow_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// node has the room open: a Follower, what is on its way to it, and its
// members.
type node struct {
	w       *world
	id      int
	f       *follow.Follower
	net     []follow.Copy // those of other rooms have no time
	heard   heard
	reads   []follow.Range
	asks    []ask
	members []*client
	// misled: it has delivered what is not in the log, and has not found out.
	misled bool
	fakes  fakes
	unsure bool // it has not asked the leader since the log changed
	trace  []string
}

// heard is what the node has heard of the whole stream, if it hears all of it.
type heard struct {
	all   bool
	epoch string // of what it has heard
	run   follow.Run
	last  uint64
	since uint64 // the room is handed all that comes from there on
}

// take completes a copy, or takes one that is for another room.
func (h *heard) take(c *follow.Copy, epoch string, l lie) (ours bool) {
	c.From = c.Seq
	if h.all {
		from, since := h.run.Add(c.Seq), h.since
		switch l {
		case noGaps:
			from = 1
		case beforeOpening:
			since = 1
		}
		if epoch == h.epoch {
			c.From = min(max(from, since), c.Seq)
		}
		h.last = c.Seq
	}
	return c.Time != ""
}

type ask struct {
	op, seq uint64
	since   bool // asked since the log changed
}

// fakes are events that were delivered and are not in the log. When the last of
// them bears the sequence of an event that is, it passes for that, and nobody
// can find it out if the copy of the true one is lost.
type fakes []follow.Event

// rolledBack marks one that was in the log. The leader tells it from the event
// that has taken its place, for as long as that is not discarded. place marks
// where the log stood and had no event: that it does not any more matters when
// it has one before.
const (
	rolledBack = "rolled back"
	place      = "place"
)

func stranded(seq uint64, was []follow.Event) follow.Event {
	if slices.ContainsFunc(was, func(e follow.Event) bool { return e.Seq == seq }) {
		return follow.Event{Seq: seq, Time: rolledBack}
	}
	return follow.Event{Seq: seq, Time: place}
}

func (f fakes) mustShow(w *world) bool {
	for i, e := range f {
		replaced := slices.ContainsFunc(w.timeline, func(t follow.Event) bool { return t.Seq == e.Seq })
		switch {
		case e.Time == rolledBack:
			if !replaced || w.now().mine[e.Seq] {
				return true
			}
		case e.Time == place:
			if s := w.now(); len(s.room) > 0 && s.room[0].Seq <= e.Seq {
				return true
			}
		case i == len(f)-1 && !replaced && (e.Seq > w.now().last || w.now().others[e.Seq]):
			return true // else the log has dropped what could show it
		}
	}
	return false
}

var modelLimits = follow.Limits{Replay: 6, RingBytes: 1 << 20, Held: 4, HeldBytes: 1 << 20}

// start opens the room; whoever was a member has lost its connection.
func (n *node) start() {
	for _, c := range n.members {
		c.at = nil
	}
	n.members, n.reads, n.asks, n.misled, n.fakes, n.unsure = nil, nil, nil, false, nil, false
	if !n.heard.all {
		n.net = nil // the subscription was the room's
	}
	n.heard.since = n.heard.last + 1
	n.f = follow.New(n, &modelLimits)
	n.note("start")
	i := n.w.r.IntN(len(n.w.states))
	s := &n.w.states[i]
	later := &n.w.states[i+n.w.r.IntN(len(n.w.states)-i)]
	o := follow.Opening{Epoch: n.w.epochName(), First: later.first, Last: s.lastOfRoom().Seq, LastTime: s.lastOfRoom().Time, HighWatermark: s.last}
	if n.w.lie == openAhead {
		o.HighWatermark = n.w.now().last
	}
	n.note("open %+v", o)
	n.f.Open(o)
}

func (n *node) note(format string, args ...any) {
	n.trace = append(n.trace, fmt.Sprintf(format, args...))
}

// send puts a copy on its way: it may be lost or come twice.
func (n *node) send(c follow.Copy) {
	switch n.w.r.IntN(n.w.seldom(8)) {
	case 0:
	case 1:
		n.net = append(n.net, c, c)
	default:
		n.net = append(n.net, c)
	}
}

// forget is for a log that is not what it was. Who hears it all has one server,
// which has not rolled back while it ran, and tells by their time the copies of
// a log that was made anew from those before.
func (n *node) forget() {
	if n.heard.all {
		n.net, n.heard.run, n.heard.last, n.heard.epoch = nil, follow.Run{}, 0, n.w.epochName()
	}
}

// stranded is after a change of the log: what was delivered and is not in it
// any more must be found out.
func (n *node) stranded(was []follow.Event) {
	p := n.f.Position()
	n.note("log changed at %v", p)
	last := n.w.now().last
	if p.Epoch != n.w.epochName() || p.Seq > last {
		n.misled = true
		n.fakes = append(n.fakes, stranded(p.Seq, was))
	}
}

// step brings one thing of what is on its way.
func (n *node) step() {
	r := n.w.r
	switch k := r.IntN(3); {
	case k == 0 && len(n.reads) > 0:
		i := r.IntN(len(n.reads))
		q := n.reads[i]
		n.reads = slices.Delete(n.reads, i, i+1)
		s := n.w.some()
		if q.From == follow.Leader && r.IntN(3) > 0 {
			s = n.w.now()
		}
		p := n.w.page(q, s)
		n.note("page %+v of %+v", p, q)
		n.f.Page(p)
	case k == 1 && len(n.asks) > 0:
		i := r.IntN(len(n.asks))
		a := n.asks[i]
		n.asks = slices.Delete(n.asks, i, i+1)
		s := n.w.now()
		if r.IntN(4) == 0 {
			s = n.w.some()
		}
		v := n.w.verdict(a.op, a.seq, s)
		n.note("verdict %+v", v)
		n.unsure = n.unsure && !(a.since && !v.Failed)
		n.tellHeard()
		n.f.Verdict(v)
	case len(n.net) > 0:
		i := 0
		if r.IntN(n.w.seldom(6)) == 0 {
			i = r.IntN(len(n.net)) // out of order
		}
		c := n.net[i]
		n.net = slices.Delete(n.net, i, i+1)
		if n.w.lie == nothingGone && c.Prev < n.f.Position().Seq && c.Seq > n.f.Position().Seq {
			c.Prev = n.f.Position().Seq
		}
		n.take(c)
	}
}

// tellHeard tells what was heard, as goes with each message that may need it.
func (n *node) tellHeard() {
	from := max(n.heard.run.From(), n.heard.since)
	if n.heard.all && n.heard.epoch == n.f.Position().Epoch && n.heard.last >= from {
		n.note("heard %d to %d", from, n.heard.last)
		n.f.Received(from, n.heard.last)
	}
}

// take hands over a copy, if it is the room's.
func (n *node) take(c follow.Copy) {
	if n.heard.take(&c, n.f.Position().Epoch, n.w.lie) {
		n.note("live %d<-%d %s, heard from %d", c.Seq, c.Prev, c.Time, c.From)
		n.f.Live(c)
	}
}

// check compares with some replica, as far back as it may be.
func (n *node) check(back int) {
	i := max(0, len(n.w.states)-1-back)
	s, later := &n.w.states[i], &n.w.states[i+n.w.r.IntN(len(n.w.states)-i)]
	c := follow.Check{Last: s.lastOfRoom().Seq, Time: s.lastOfRoom().Time, HighWatermark: s.last, First: later.first}
	n.note("check %+v", c)
	n.tellHeard()
	n.f.Check(c)
}

// forge sends a copy that the stream never made.
func (n *node) forge() {
	n.w.clock++
	at := n.f.Position().Seq + uint64(n.w.r.IntN(6))
	c := follow.Copy{Event: follow.Event{Seq: at + 1, Time: fmt.Sprint("forged", n.w.clock), Body: []byte("forged")}}
	switch n.w.r.IntN(3) {
	case 0:
		c.Prev = n.f.Position().Seq
	case 1:
		c.Prev = at
	}
	n.net = append(n.net, c)
}

// quiet brings everything that is on its way, from an up-to-date log.
func (n *node) quiet() {
	for i := range 2000 {
		switch {
		case len(n.reads) > 0 && (i%2 == 0 || len(n.asks) == 0):
			q := n.reads[0]
			n.reads = n.reads[1:]
			p := n.w.page(q, n.w.now())
			n.note("last page %+v of %+v", p, q)
			n.f.Page(p)
		case len(n.asks) > 0:
			a := n.asks[0]
			n.asks = n.asks[1:]
			v := n.w.verdict(a.op, a.seq, n.w.now())
			n.note("last verdict %+v", v)
			n.tellHeard()
			n.f.Verdict(v)
		case len(n.net) > 0:
			c := n.net[0]
			n.net = n.net[1:]
			n.take(c)
		default:
			return
		}
	}
	n.w.problem("node %d never comes to rest", n.id)
}

// What follows is what the follower wants done.

func (n *node) Deliver(e follow.Event) ([]byte, *follow.Apart) {
	n.note("deliver %s", name(e))
	if !n.w.genuine(e) {
		n.misled = true
		n.fakes = append(n.fakes, e)
	}
	for _, c := range slices.Clone(n.members) {
		c.take(e)
	}
	return []byte(name(e)), nil
}

func (n *node) Frame(e follow.Event) ([]byte, *follow.Apart) { return []byte(name(e)), nil }

func (n *node) Refresh() {
	n.note("refresh at %v", n.f.Position())
	n.misled, n.fakes = false, nil
	for _, c := range n.members {
		c.refresh(n.f.Position())
	}
}

func (n *node) Read(q follow.Range)            { n.reads = append(n.reads, q) }
func (n *node) Ask(op, seq uint64, _ int)      { n.asks = append(n.asks, ask{op, seq, n.unsure}) }
func (n *node) Report(follow.Incident, uint64) {}

func (n *node) Admit(j *follow.Join, a follow.Admission) {
	n.note("admit %v recovered %v at %d with %d", j.Since, a.Recovered, a.Seq, len(a.Replay))
	j.Ref.(*client).admitted(n, j, a)
}

func (n *node) Refuse(j *follow.Join, _ *follow.History) {
	if j != nil {
		j.Ref.(*client).at = nil
	}
}

func (n *node) Page(h *follow.History, frames []follow.Entry, events []follow.Event, more bool) {
	names := make([]string, 0, len(frames)+len(events))
	for _, e := range frames {
		names = append(names, string(e.Frame))
	}
	for _, e := range events {
		names = append(names, name(e))
	}
	n.note("history before %d: %s more %v", h.Before, strings.Join(names, " "), more)
	n.w.judgeHistory(n, h, names)
}
