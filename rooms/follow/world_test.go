package follow_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// world is a stream with replicas that may be behind by any amount, and what
// the network makes of its copies. Everything that was ever stored stays in
// timeline, so that a view can be compared with it.
type world struct {
	r *rand.Rand

	epoch    int
	states   []state        // of the stream, after each change; replicas and stale leaders are at any of them
	timeline []follow.Event // of the room, discarded ones too, of the present life of the log
	clock    int            // makes every event's time its own
	bytes    int            // limit of the stream, in events of any room
	limit    int64          // of the room
	raised   uint64         // last sequence at that raise: before it nothing is claimed
	quiet    bool           // the room: most events are of others, and turn the stream over
	nodes    []*node
	clients  []*client
	lie      lie
	problems []string
}

// state is the stream at one moment.
type state struct {
	first, last uint64
	room        []follow.Event // what is stored of the room
	mine        map[uint64]bool
	others      map[uint64]bool // stored sequences of other rooms
}

// lie makes the world answer as the code did before this package was written
// believed it; the model must find out.
type lie uint8

const (
	honest        lie = iota
	farEnough         // a page counts as complete whoever gave it
	openAhead         // a room is opened at the leader's end with a replica's events
	anyLimit          // the limit per room is believed to have always been what it is
	nothingGone       // a copy counts as the next whatever the log has dropped
	staleBeyond       // a leader that is none any more is believed that the log ends
	neverDoubted      // nobody notices a new leader
	noGaps            // who hears the whole stream is taken to have heard all of it
	beforeOpening     // and to have handed over what came before the room was there
)

func newWorld(seed1, seed2 uint64, l lie) *world {
	w := &world{r: rand.New(rand.NewPCG(seed1, seed2)), lie: l}
	w.bytes, w.limit = 20+w.r.IntN(60), int64(2+w.r.IntN(20))
	if w.quiet = seed1%4 == 0; w.quiet {
		w.bytes = 2 + w.r.IntN(4)
	}
	w.states = []state{{first: 1, mine: map[uint64]bool{}, others: map[uint64]bool{}}}
	for i := range 2 {
		n := &node{w: w, id: i}
		n.heard.all, n.heard.epoch = i == 1, w.epochName()
		w.nodes = append(w.nodes, n)
		n.start()
	}
	for i := range 4 {
		w.clients = append(w.clients, &client{w: w, id: i})
	}
	return w
}

// seldom is how seldom something befalls a copy. Beside a quiet room it is more
// seldom, or nobody would ever hear many copies in a row.
func (w *world) seldom(n int) int {
	if w.quiet {
		return 6 * n
	}
	return n
}

func (w *world) epochName() string { return fmt.Sprint("e", w.epoch) }
func (w *world) now() *state       { return &w.states[len(w.states)-1] }
func (w *world) some() *state      { return &w.states[w.r.IntN(len(w.states))] }

func (w *world) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

func name(e follow.Event) string { return fmt.Sprint(e.Seq, "@", e.Time) }

func (s *state) clone() state {
	c := state{first: s.first, last: s.last, room: slices.Clone(s.room), mine: map[uint64]bool{}, others: map[uint64]bool{}}
	for k := range s.mine {
		c.mine[k] = true
	}
	for k := range s.others {
		c.others[k] = true
	}
	return c
}

// drop discards the room's oldest events until n are left.
func (s *state) drop(n int64) {
	for int64(len(s.room)) > n {
		delete(s.mine, s.room[0].Seq)
		s.room = s.room[1:]
	}
	s.settle()
}

// settle moves the first sequence over what is not there any more.
func (s *state) settle() {
	for s.first <= s.last && !s.mine[s.first] && !s.others[s.first] {
		s.first++
	}
}

// dropFirst discards the oldest event of the stream.
func (s *state) dropFirst() {
	if s.mine[s.first] {
		delete(s.mine, s.first)
		s.room = s.room[1:]
	}
	delete(s.others, s.first)
	s.first++
	s.settle()
}

// append stores an event and puts its copies on their way.
func (w *world) append(ofRoom bool) {
	s := w.now().clone()
	prev := s.lastOfRoom().Seq
	s.last++
	if !ofRoom {
		s.others[s.last] = true
		for _, n := range w.nodes {
			n.send(follow.Copy{Event: follow.Event{Seq: s.last}})
		}
	} else {
		w.clock++
		e := follow.Event{Seq: s.last, Time: fmt.Sprint("t", w.clock), Body: fmt.Append(nil, s.last)}
		s.room = append(s.room, e)
		s.mine[e.Seq] = true
		w.timeline = append(w.timeline, e)
		for _, n := range w.nodes {
			n.send(follow.Copy{Event: e, Prev: prev})
		}
	}
	w.evict(&s)
	w.states = append(w.states, s)
}

// evict keeps the limits. After a rollback it waits until every node has asked
// the leader: what would show a node that it was misled is still there then.
func (w *world) evict(s *state) {
	if slices.ContainsFunc(w.nodes, func(n *node) bool { return n.unsure }) {
		return
	}
	s.drop(w.limit)
	for len(s.mine)+len(s.others) > w.bytes {
		s.dropFirst()
	}
}

func (s *state) lastOfRoom() follow.Event {
	if len(s.room) == 0 {
		return follow.Event{}
	}
	return s.room[len(s.room)-1]
}

// setLimit changes the limit per room. A raise is noted, as a node does that
// sees it, for as long as the limit is not lowered.
func (w *world) setLimit(limit int64) {
	s := w.now().clone()
	if limit > w.limit {
		w.raised = s.last
	}
	w.limit = limit
	w.evict(&s)
	w.states = append(w.states, s)
}

// rollBack takes the newest events back, as a server does that lost its disk's
// last writes. Everybody is told that the leader is another one.
func (w *world) rollBack() {
	keep := max(1, len(w.states)-1-w.r.IntN(6))
	w.states = w.states[:keep]
	last, was := w.now().last, w.timeline
	i := slices.IndexFunc(was, func(e follow.Event) bool { return e.Seq > last })
	if i >= 0 {
		w.timeline = slices.Clone(was[:i])
	}
	w.raised = min(w.raised, last)
	w.leaderChanged(was)
}

// renew makes the stream anew.
func (w *world) renew() {
	w.epoch++
	was := w.timeline
	w.timeline, w.raised = nil, 0
	w.states = []state{{first: 1, mine: map[uint64]bool{}, others: map[uint64]bool{}}}
	w.leaderChanged(was)
}

// leaderChanged tells everybody; was is the timeline before.
func (w *world) leaderChanged(was []follow.Event) {
	for _, n := range w.nodes {
		n.forget()
		n.stranded(was)
		if w.lie != neverDoubted {
			n.f.Suspect()
			n.unsure = true
		}
		if w.r.IntN(2) == 0 {
			n.f.Missed()
		}
	}
	for _, c := range w.clients {
		c.stranded(was)
	}
}

// page answers a read from one state.
func (w *world) page(q follow.Range, s *state) follow.Page {
	p := follow.Page{Op: q.Op}
	missing := false
	p.ContiguousFrom = q.After + 1
	for seq := max(q.After, 1); seq <= q.Upto && seq <= s.last; seq++ {
		switch {
		case s.mine[seq]:
			i := slices.IndexFunc(s.room, func(e follow.Event) bool { return e.Seq == seq })
			if seq == q.After {
				p.Start, p.StartTime = true, s.room[i].Time
				break
			}
			missing = true
			p.Events = append(p.Events, s.room[i])
		case !s.others[seq] && !missing:
			p.ContiguousFrom = seq + 1
		}
		if s.mine[seq] || s.others[seq] {
			p.HighWatermark = seq
		}
	}
	if w.r.IntN(2) == 0 {
		p.ContiguousFrom = 0 // a filtered read does not know
		if len(p.Events) > 0 {
			p.HighWatermark = p.Events[len(p.Events)-1].Seq
		}
	}
	if s.first > q.Upto || q.From == follow.Leader || w.r.IntN(3) == 0 {
		p.HighWatermark = s.last // of which an answer may tell
	}
	if p.HighWatermark < q.Upto {
		p.ContiguousFrom = 0
	}
	w.cut(q, &p)
	if w.lie == farEnough {
		p.HighWatermark = max(p.HighWatermark, q.Upto)
	}
	return p
}

func (w *world) cut(q follow.Range, p *follow.Page) {
	if q.Newest > 0 && len(p.Events) > q.Newest {
		p.Events, p.Cut, p.Start, p.ContiguousFrom = p.Events[len(p.Events)-q.Newest:], true, false, 0
		if q.All {
			p.Events = nil
		}
	}
	if q.Newest == 0 && len(p.Events) > 3 {
		p.Events, p.Cut = p.Events[:3], true
	}
}

// verdict is what a leader says that is at a state, which may be stale.
func (w *world) verdict(op, seq uint64, s *state) follow.Verdict {
	v := follow.Verdict{Op: op, Seq: seq, Epoch: w.epochName(), First: s.first, HighWatermark: s.last, Count: int64(len(s.room))}
	v.Last, v.LastTime = s.lastOfRoom().Seq, s.lastOfRoom().Time
	if len(s.room) > 0 {
		v.Oldest = s.room[0].Seq
	}
	v.Limit, v.LimitSince = w.limit, w.raised
	if w.lie == anyLimit {
		v.LimitSince = 0
	}
	stale := s != w.now()
	switch {
	case seq == 0:
	case s.mine[seq]:
		i := slices.IndexFunc(s.room, func(e follow.Event) bool { return e.Seq == seq })
		v.State, v.Time = follow.Present, s.room[i].Time
	case s.others[seq]:
		v.State = follow.OtherRoom
	case seq <= s.last:
		v.State = follow.Discarded
	case stale && w.lie != staleBeyond:
		return follow.Verdict{Op: op, Failed: true} // nobody follows this leader
	default:
		v.State = follow.PastEnd
	}
	return v
}
