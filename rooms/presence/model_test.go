package presence_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// member is a node of the simulation: the table, its model, and what its room
// was told.
type member struct {
	table *presence.Table
	model naive
	self  presence.NodeVersion // version is of no meaning
	part  int                  // bytes; one node cuts one state always at the same places
	told  map[string]presence.User

	peers  presence.Peers
	over   []presence.Process // processes whose users' time is not up yet
	former []naiveFormer
}

// naiveFormer is a process that was before another of its node, and those of
// its users who are not back.
type naiveFormer struct {
	was  presence.NodeVersion
	left map[string]presence.User
}

// sent is a message on its way: a Diff, or a heartbeat.
type sent struct {
	diff presence.Diff
	beat bool
}

// world is several nodes and a network that loses, repeats and reorders.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	step    int
	nodes   []*member
	wires   [][]sent                                          // by receiver
	history map[presence.NodeVersion]map[string]presence.User // what each version of a node was
}

func newWorld(t *testing.T, seed uint64, nodes int) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), history: map[presence.NodeVersion]map[string]presence.User{}}
	w.nodes, w.wires = make([]*member, nodes), make([][]sent, nodes)
	for i := range nodes {
		var boot presence.Boot // some begin as version 0
		if w.rnd.IntN(3) > 0 {
			boot = presence.Boot(1 + w.rnd.Uint64N(1<<40))
		}
		w.start(i, boot, uint64(1000+w.rnd.IntN(3)))
	}
	return w
}

// start makes node i anew, as after kill -9, or when its room is opened again.
func (w *world) start(i int, boot presence.Boot, incarnation uint64) {
	name := string(rune('a' + i))
	m := &member{
		table: presence.New(name, boot, incarnation), model: naive{names: map[string]presence.User{}},
		told: map[string]presence.User{}, part: 200 + w.rnd.IntN(800),
	}
	if was := w.nodes[i]; was != nil && was.self.Boot == boot && boot != 0 {
		m.peers, m.over = was.peers, was.over // of the process, not of the room
	}
	m.self = m.table.Local()
	w.nodes[i] = m
	w.history[m.self] = nil
	w.beat(i)
}

// restart makes node i anew as another process, with a clock that is right or
// wrong; in version 0 it has to be right.
func (w *world) restart(i int) {
	was := w.nodes[i].self
	if was.Boot == 0 && w.rnd.IntN(2) == 0 {
		w.start(i, 0, was.Incarnation+uint64(w.rnd.IntN(3))+1)
		return
	}
	w.start(i, presence.Boot(1+w.rnd.Uint64N(1<<40)), uint64(1+w.rnd.IntN(2000)))
}

func (w *world) beat(i int) {
	for to := range w.nodes {
		if to != i && w.rnd.IntN(10) > 0 {
			w.wires[to] = append(w.wires[to], w.nodes[i].heartbeat())
		}
	}
}

func (m *member) heartbeat() sent {
	return sent{presence.Diff{Node: m.self.Node, Boot: m.self.Boot, Incarnation: m.self.Incarnation}, true}
}

func (w *world) now() time.Time { return at(time.Duration(w.step) * time.Second) }

func (w *world) act() {
	w.step++
	i := w.rnd.IntN(len(w.nodes))
	m := w.nodes[i]
	session := fmt.Sprint("s", w.rnd.IntN(12))
	switch w.rnd.IntN(16) {
	case 0, 1, 2, 3:
		u := named(fmt.Sprint("u", w.rnd.IntN(10)), fmt.Sprint("name ", w.rnd.IntN(3)))
		join(w.t, m.table, session, u)
		m.model.join(session, u)
	case 4, 5:
		m.table.Leave(session)
		m.model.leave(session)
	case 6, 7:
		deadline := w.now().Add(time.Duration(w.rnd.IntN(20)) * time.Second)
		m.table.Away(session, deadline)
		m.model.away(session, deadline, w.step)
	case 8:
		m.table.Expire(w.now())
		m.model.expire(w.now())
	case 9, 10:
		w.publish(i)
	case 11:
		w.hear(m)
	case 12, 13, 14:
		w.deliver(i)
	case 15:
		switch w.rnd.IntN(10) {
		case 0:
			w.restart(i)
		case 1:
			w.start(i, m.self.Boot, m.self.Incarnation+1) // its room was unloaded, or failed
		case 2, 3:
			gone := w.nodes[w.rnd.IntN(len(w.nodes))].self.Node
			m.table.DropNode(gone)
			m.forget(func(was presence.NodeVersion) bool { return was.Node == gone })
		case 4, 5:
			w.send(i, m.table.LocalState())
		case 6:
			m.giveUp()
		case 7, 8, 9:
			w.beat(i)
		}
	}
	w.check(w.nodes[i])
}

// want is what m must show: its own sessions, of every other node exactly the
// version it says it knows, and who is not back of the processes before.
func (w *world) want(m *member) map[string]presence.User {
	parts := slices.Clone(m.former)
	for _, n := range m.table.Nodes() {
		part, known := w.history[n]
		if n.Node == m.self.Node {
			part, known = m.model.users(), true
		}
		if !known {
			w.t.Fatalf("step %d: %s claims to know %+v, which never was", w.step, m.self.Node, n)
		}
		parts = append(parts, naiveFormer{n, part})
	}
	slices.SortFunc(parts, func(a, b naiveFormer) int { // the one that is shown last
		return cmp.Or(cmp.Compare(a.was.Incarnation, b.was.Incarnation), cmp.Compare(a.was.Node, b.was.Node))
	})
	all := map[string]presence.User{}
	for _, p := range parts {
		maps.Copy(all, p.left)
	}
	return all
}

func (w *world) check(m *member) {
	audit(w.t, m.table)
	users, _ := m.table.List("", 1000)
	got := map[string]presence.User{}
	for _, u := range users {
		got[u.UID] = u
	}
	if want := w.want(m); !maps.Equal(got, want) || m.table.Count() != len(want) {
		w.t.Fatalf("step %d: %s shows %v, want %v", w.step, m.self.Node, got, want)
	}
}

// hear asks for the changes, which must lead from what was told to what is.
func (w *world) hear(m *member) {
	joined, left, changed := m.table.Changes()
	for _, u := range joined {
		if m.told[u.UID] == u {
			w.t.Fatalf("step %d: %s is told that %v joined, who was here", w.step, m.self.Node, u)
		}
		m.told[u.UID] = u
	}
	for _, u := range left {
		if m.told[u.UID] != u {
			w.t.Fatalf("step %d: %s is told that %v left, known as %v", w.step, m.self.Node, u, m.told[u.UID])
		}
		delete(m.told, u.UID)
	}
	if want := w.want(m); !maps.Equal(m.told, want) {
		w.t.Fatalf("step %d: %s was told %v, want %v", w.step, m.self.Node, m.told, want)
	}
	if changed != (len(joined)+len(left) > 0) {
		w.t.Fatalf("step %d: changed is %v", w.step, changed)
	}
}

// settle is a quiet time: everyone speaks, and heartbeats lead to states. Then
// all must be equal.
func (w *world) settle() {
	for i := range w.nodes {
		w.publish(i)
	}
	for to, m := range w.nodes {
		for _, d := range w.wires[to] {
			w.receive(m, d)
		}
		w.wires[to] = nil
	}
	for range 2 { // the dead are silent, the living are not
		for _, from := range w.nodes {
			for _, m := range w.nodes {
				if m != from {
					w.receive(m, from.heartbeat())
				}
			}
		}
	}
	for _, m := range w.nodes {
		m.giveUp()
		for _, from := range w.nodes {
			if m.table.Behind(from.table.Local()) {
				for _, d := range from.table.LocalState().Split(from.part) {
					w.apply(m, d)
				}
			}
		}
		w.check(m)
		w.hear(m)
	}
	first, _ := w.nodes[0].table.List("", 1000)
	for _, m := range w.nodes[1:] {
		if users, _ := m.table.List("", 1000); !slices.Equal(users, first) {
			w.t.Fatalf("step %d: %s has %v, %s has %v", w.step, w.nodes[0].self.Node, first, m.self.Node, users)
		}
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed, 2+int(seed%4))
			for range 4 {
				for range 250 {
					w.act()
				}
				w.settle()
			}
		})
	}
}
