package rooms

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestTurns: three nodes decide for a table in a world that delays messages, keeps
// some of them from each other, and pauses them. Whatever it does, the table goes on
// within a bounded time, and every command is decided; when nothing changes any more,
// and nodes reach each other even if they do not hear each other's heartbeats, one of
// them decides and meets nobody.
func TestTurns(t *testing.T) {
	longest := make(map[string]int)
	for seed := range uint64(10) {
		for fault, befalls := range turnFaults {
			w := newTurnWorld(t, fmt.Sprintf("%s, seed %d", fault, seed), seed)
			w.run(5_000)
			settles := befalls(w, w.names[w.rnd.IntN(3)], w.names[w.rnd.IntN(3)])
			w.run(40_000)
			if settles {
				w.settled()
			}
			w.heal()
			w.run(40_000)
			w.settled()
			if w.open > 0 && w.now-w.oldest() > 5_000 {
				t.Errorf("%s: a command waits for %d ms", w.what, w.now-w.oldest())
			}
			longest[fault] = max(longest[fault], w.gap)
			if t.Failed() {
				return
			}
		}
	}
	for fault, gap := range longest {
		t.Logf("%s: the longest pause was %d ms", fault, gap)
		if gap > 4_000 {
			t.Errorf("%s: the table took no step for %d ms", fault, gap)
		}
	}
}

// turnFaults befall two nodes, which may be the same one; each reports whether one
// node is to decide undisturbed while it lasts.
var turnFaults = map[string]func(w *turnWorld, a, b string) bool{
	"two do not hear each other": func(w *turnWorld, a, b string) bool {
		w.deaf[[2]string{a, b}], w.deaf[[2]string{b, a}] = true, true
		return true
	},
	"one does not hear the other": func(w *turnWorld, a, b string) bool {
		w.deaf[[2]string{a, b}] = true
		return true
	},
	"two do not reach each other": func(w *turnWorld, a, b string) bool {
		w.cut[[2]string{a, b}], w.cut[[2]string{b, a}] = a != b, a != b
		return a == b
	},
	"one does not reach the other": func(w *turnWorld, a, b string) bool {
		w.cut[[2]string{a, b}] = a != b
		return a == b
	},
	"one is paused": func(w *turnWorld, a, _ string) bool {
		w.nodes[a].paused = true
		return true
	},
	"one is paused for a while": func(w *turnWorld, a, _ string) bool {
		w.nodes[a].paused = true
		w.at(w.rnd.IntN(20_000), func() { w.resume(a) })
		return true
	},
	"messages are slow": func(w *turnWorld, _, _ string) bool {
		w.slow = 100
		return false
	},
}

// turnWorld is some nodes and a log, with a time of its own in ms.
type turnWorld struct {
	t     *testing.T
	what  string
	rnd   *rand.Rand
	now   int
	todo  turnQueue
	names []string
	nodes map[string]*turnNode
	deaf  map[[2]string]bool // heartbeats from one to the other are lost
	cut   map[[2]string]bool // all messages are
	slow  int                // more delay of messages

	log     []string // who wrote each step
	wrote   int      // when the last one was written
	gap     int      // the longest time between two
	refused []int    // when steps were refused
	writes  []turnWrite
	began   map[int]int // when commands began that are not decided
	open    int
	id      int
}

type turnWrite struct {
	at   int
	node string
}

// turnNode is a node, and its owner of the table if it has one.
type turnNode struct {
	w      *turnWorld
	name   string
	places *placement
	owner  *turnOwner
	heard  map[string]int // last heartbeats
	silent map[string]int // since when a node does not answer pings
	knows  string         // whose turn it was when it last looked
	paused bool
	later  []func() // what came while it was paused
}

// turnOwner does what owner does, with commands that are only counted.
type turnOwner struct {
	n       *turnNode
	turn    turn
	last    int
	loading bool
	busy    bool
	waiting []func(*moved) // nil: decided
}

const turnRoom wire.Room = "table-1"

func newTurnWorld(t *testing.T, what string, seed uint64) *turnWorld {
	w := &turnWorld{
		t: t, what: what, rnd: rand.New(rand.NewPCG(seed, 1)), names: []string{"a", "b", "c"}, nodes: map[string]*turnNode{},
		deaf: map[[2]string]bool{}, cut: map[[2]string]bool{}, began: map[int]int{},
	}
	for _, name := range w.names {
		n := &turnNode{w: w, name: name, places: newPlacement(name), heard: map[string]int{}, silent: map[string]int{}}
		w.nodes[name] = n
		for _, other := range w.names {
			if other != name {
				n.places.heard(other, true)
				n.heard[other] = 0
			}
		}
		n.every(watchEvery, n.watch)
		n.every(heartbeatInterval, n.beat)
		n.every(20*time.Millisecond, n.command)
	}
	return w
}

func (w *turnWorld) clock() time.Time { return time.UnixMilli(int64(w.now)) }

// turnQueue is what is to be done, by time.
type (
	turnQueue []turnTask
	turnTask  struct {
		at, order int
		do        func()
	}
)

func (q turnQueue) Len() int { return len(q) }
func (q turnQueue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), cmp.Compare(q[i].order, q[j].order)) < 0
}
func (q turnQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *turnQueue) Push(x any)   { *q = append(*q, x.(turnTask)) }
func (q *turnQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (w *turnWorld) at(in int, do func()) {
	w.id++
	heap.Push(&w.todo, turnTask{w.now + in, w.id, do})
}

func (w *turnWorld) run(ms int) {
	for end := w.now + ms; len(w.todo) > 0 && w.todo[0].at <= end; {
		task := heap.Pop(&w.todo).(turnTask)
		w.now = task.at
		task.do()
	}
}

func (w *turnWorld) oldest() int {
	oldest := w.now
	for _, at := range w.began {
		oldest = min(oldest, at)
	}
	return oldest
}

// settled: one node has decided of late, and none was refused.
func (w *turnWorld) settled() {
	w.t.Helper()
	since := w.now - 8_000
	var who []string
	for _, x := range w.writes {
		if x.at >= since && !slices.Contains(who, x.node) {
			who = append(who, x.node)
		}
	}
	if len(who) != 1 {
		w.t.Errorf("%s: %q decide", w.what, who)
	}
	if n := len(w.refused); n > 0 && w.refused[n-1] >= since {
		w.t.Errorf("%s: a step is refused after %d ms", w.what, w.refused[n-1]-since)
	}
}

func (w *turnWorld) heal() {
	clear(w.deaf)
	clear(w.cut)
	w.slow = 0
	for _, name := range w.names {
		w.resume(name)
	}
}

func (w *turnWorld) resume(name string) {
	n := w.nodes[name]
	if !n.paused {
		return
	}
	n.paused = false
	for other := range n.heard {
		n.heard[other] = w.now // see heartbeatLoop: it waits for new ones
	}
	clear(n.silent) // see wakeUp
	later := n.later
	n.later = nil
	for _, do := range later {
		do()
	}
}

// delay is how long something takes.
func (w *turnWorld) delay(most int) int { return 1 + w.rnd.IntN(most) + w.rnd.IntN(w.slow+1) }

// in does something on a node after a while, and when it is not paused.
func (n *turnNode) in(ms int, do func()) {
	n.w.at(ms, func() {
		if n.paused {
			n.later = append(n.later, do)
			return
		}
		do()
	})
}

func (n *turnNode) every(d time.Duration, do func()) {
	ms := int(d.Milliseconds())
	var again func()
	again = func() {
		do()
		n.in(ms, again)
	}
	n.in(n.w.rnd.IntN(ms), again)
}

// tell does something on another node, unless the message is lost.
func (n *turnNode) tell(to string, do func(*turnNode)) {
	other := n.w.nodes[to]
	if !n.w.cut[[2]string{n.name, to}] {
		other.in(n.w.delay(3), func() { do(other) })
	}
}

// answers reports whether a node answers pings within some time.
func (n *turnNode) answers(to string) bool {
	w := n.w
	return to == n.name || !w.cut[[2]string{n.name, to}] && !w.cut[[2]string{to, n.name}] && !w.nodes[to].paused
}

func (n *turnNode) beat() {
	for _, other := range n.w.names {
		if other != n.name && !n.w.deaf[[2]string{n.name, other}] {
			n.tell(other, func(to *turnNode) {
				to.heard[n.name] = to.w.now
				to.places.heard(n.name, true)
				to.look()
			})
		}
	}
	for other, at := range n.heard {
		if n.w.now-at > missedHeartbeats*int(heartbeatInterval.Milliseconds()) {
			delete(n.heard, other)
			n.places.lost(other)
		}
	}
	n.places.beat()
	if o := n.owner; o != nil && n.places.ownerOf(turnRoom, nil) != n.name {
		o.review()
	}
	n.look()
}

// watch is watchOpen of a node on which somebody looks at the table.
func (n *turnNode) watch() {
	for _, node := range append(n.places.unheardNodes(), n.places.ownerOf(turnRoom, nil)) {
		n.ping(node)
	}
	n.look()
}

func (n *turnNode) ping(node string) (gone bool) {
	switch {
	case node == "" || n.answers(node):
		delete(n.silent, node)
		return false
	case n.silent[node] == 0:
		n.silent[node] = n.w.now
	}
	if n.w.now-n.silent[node] <= int(silentAfter.Milliseconds()) {
		return false
	}
	delete(n.silent, node)
	n.places.suspect(node)
	n.look()
	return true
}

// look is watchOwners after a change.
func (n *turnNode) look() {
	select {
	case <-n.places.changed:
		if n.owner != nil {
			n.owner.review()
		}
	default:
	}
	if owner := n.places.ownerOf(turnRoom, nil); owner != n.knows {
		var gone []string
		if n.places.suspected(n.knows) {
			gone = []string{n.knows}
		}
		n.knows = owner
		n.send(&sending{c: forwarded{Wake: true, Gone: gone}}, func() {})
	}
}

// command is one that a client sends here, of which some wait at most.
func (n *turnNode) command() {
	if w := n.w; w.open < 40 {
		w.id++
		id := w.id
		w.began[id] = w.now
		w.open++
		n.send(&sending{}, func() { delete(w.began, id); w.open-- })
	}
}

// send is forwarder.dispatch.
func (n *turnNode) send(s *sending, done func()) {
	to := cmp.Or(s.ask, n.places.ownerOf(turnRoom, s.c.Gone))
	s.ask = ""
	if to == "" || s.moves > maxMoves {
		s.moves, s.c.Gone, s.c.Insist = 0, nil, false
		n.in(int(forwardTick.Milliseconds()), func() { n.send(s, done) })
		return
	}
	s.to = to
	attempt := s.here.Add(1)
	over := func() bool { return !s.here.CompareAndSwap(attempt, attempt+1) }
	answer := func(m *moved) {
		switch {
		case over():
		case m == nil:
			done()
		default:
			s.follow(m, n.places)
			n.look()
			s.moves++
			n.send(s, done)
		}
	}
	if to == n.name {
		n.decideHere(route{gone: s.c.Gone, insist: s.c.Insist}, s.c.Wake, answer)
		return
	}
	s.c.Gone = n.places.without(s.c.Gone)
	way := route{gone: s.c.Gone, insist: s.c.Insist}
	if way.insist {
		way.by = n.name
	}
	n.tell(to, func(other *turnNode) {
		other.decideHere(way, s.c.Wake, func(m *moved) { other.tell(n.name, func(*turnNode) { answer(m) }) })
	})
	began := n.w.now
	var probe func()
	probe = func() {
		switch {
		case s.here.Load() != attempt:
		case n.ping(to):
			if !over() {
				s.c.Gone, s.c.Insist = append(slices.Clip(s.c.Gone), to), false
				n.send(s, done)
			}
		case n.w.now-began > int(repeatAfter.Milliseconds()) && n.answers(to):
			if !over() {
				s.ask = to
				n.send(s, done)
			}
		default:
			n.in(int(forwardTick.Milliseconds()), probe)
		}
	}
	n.in(int(probeAfter.Milliseconds()), probe)
}

func (n *turnNode) decideHere(r route, wake bool, answer func(*moved)) {
	if to := n.places.ownerOf(turnRoom, r.gone); to != n.name && to != "" && !r.insist {
		answer(&moved{To: to})
		return
	}
	o := n.owner
	if o == nil {
		o = &turnOwner{n: n, turn: newTurn(turnRoom, n.name, n.places)}
		n.owner = o
		o.load()
	}
	leave, again := o.turn.comes(r, n.w.clock())
	if again {
		o.load()
	}
	if leave {
		answer(&moved{To: o.turn.writer, Writer: true, Alive: o.turn.alive})
	} else {
		o.waiting = append(o.waiting, answer)
	}
	n.look()
	o.decide()
}

func (o *turnOwner) load() {
	o.loading = true
	o.n.in(o.n.w.delay(15), func() {
		o.loading, o.last = false, len(o.n.w.log)
		o.decide()
	})
}

func (o *turnOwner) review() {
	o.turn.review(o.n.w.clock())
	o.decide()
}

func (o *turnOwner) answer(m *moved) {
	list := o.waiting
	o.waiting = nil
	for _, answer := range list {
		o.n.in(0, func() { answer(m) })
	}
}

func (o *turnOwner) decide() {
	n := o.n
	switch {
	case n.owner != o: // it has ended
		o.answer(&moved{To: o.turn.next})
	case o.turn.next != "" && !o.busy:
		n.owner = nil
		n.send(&sending{c: forwarded{Wake: true, Gone: []string{n.name}}}, func() {})
		o.answer(&moved{To: o.turn.next})
	case o.turn.writer != "" || o.loading || o.busy || len(o.waiting) == 0:
	default:
		o.append()
	}
}

// append is of all that waits.
func (o *turnOwner) append() {
	n, w := o.n, o.n.w
	hand := o.waiting
	o.waiting, o.busy = nil, true
	w.at(w.delay(3), func() { // at the log, whatever becomes of the node
		writer := ""
		if len(w.log) == o.last {
			w.log = append(w.log, n.name)
			w.gap, w.wrote = max(w.gap, w.now-w.wrote), w.now
			w.writes = append(w.writes, turnWrite{w.now, n.name})
		} else {
			writer = w.log[len(w.log)-1]
			w.refused = append(w.refused, w.now)
		}
		seq := len(w.log)
		n.in(w.delay(3), func() {
			o.busy = false
			if writer == "" {
				o.turn.stored()
				o.last = seq
				o.waiting, hand = hand, o.waiting
				o.answer(nil)
				o.waiting = hand
			} else {
				o.waiting = append(hand, o.waiting...)
				if o.turn.refused(writer, w.clock()) {
					o.answer(&moved{To: writer, Writer: true})
				} else {
					o.load()
				}
			}
			n.look()
			o.decide()
		})
	})
}
