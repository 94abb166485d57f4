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

// naive is one node's sessions kept the simplest way there is: a list that is
// searched from end to end.
type naive struct {
	sessions []naiveSession
	names    map[string]presence.User // the last record of each user
}

type naiveSession struct {
	id, uid  string
	away     bool
	since    int // order of being cut off
	deadline time.Time
}

func (n *naive) find(match func(s naiveSession) bool) int {
	return slices.IndexFunc(n.sessions, match)
}

func (n *naive) remove(i int) { n.sessions = slices.Delete(n.sessions, i, i+1) }

func (n *naive) join(id string, u presence.User) {
	if i := n.find(func(s naiveSession) bool { return s.id == id }); i >= 0 {
		if n.sessions[i].uid == u.UID {
			n.sessions[i].away = false
			n.names[u.UID] = u
			return
		}
		n.remove(i)
	}
	last := -1
	for i, s := range n.sessions {
		if s.uid == u.UID && s.away && (last < 0 || s.since > n.sessions[last].since) {
			last = i
		}
	}
	if last >= 0 {
		n.remove(last)
	}
	n.sessions = append(n.sessions, naiveSession{id: id, uid: u.UID})
	n.names[u.UID] = u
}

func (n *naive) leave(id string) {
	n.sessions = slices.DeleteFunc(n.sessions, func(s naiveSession) bool { return s.id == id })
}

func (n *naive) away(id string, deadline time.Time, step int) {
	for i := range n.sessions {
		if s := &n.sessions[i]; s.id == id {
			if !s.away {
				s.since = step
			}
			s.away, s.deadline = true, deadline
		}
	}
}

func (n *naive) expire(now time.Time) {
	n.sessions = slices.DeleteFunc(n.sessions, func(s naiveSession) bool { return s.away && !s.deadline.After(now) })
}

func (n *naive) users() map[string]presence.User {
	us := map[string]presence.User{}
	for _, s := range n.sessions {
		us[s.uid] = n.names[s.uid]
	}
	return us
}

// member is a node of the simulation: the table, its model, and what its room
// was told.
type member struct {
	table       *presence.Table
	model       naive
	name        string
	incarnation uint64
	told        map[string]presence.User
}

// world is several nodes and a network that loses, repeats and reorders.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	step    int
	nodes   []*member
	wires   [][]presence.Diff                                 // by receiver
	history map[presence.NodeVersion]map[string]presence.User // what each version of a node was
}

func newWorld(t *testing.T, seed uint64, nodes int) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), history: map[presence.NodeVersion]map[string]presence.User{}}
	w.nodes, w.wires = make([]*member, nodes), make([][]presence.Diff, nodes)
	for i := range nodes {
		w.start(i, uint64(1+w.rnd.IntN(3)))
	}
	return w
}

// start makes node i anew, as after kill -9.
func (w *world) start(i int, incarnation uint64) {
	name := string(rune('a' + i))
	w.nodes[i] = &member{
		table: presence.New(name, incarnation), model: naive{names: map[string]presence.User{}},
		name: name, incarnation: incarnation, told: map[string]presence.User{},
	}
	w.history[w.nodes[i].table.Local()] = nil
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
		switch w.rnd.IntN(8) {
		case 0:
			w.start(i, m.incarnation+uint64(w.rnd.IntN(2))+1)
		case 1, 2:
			m.table.DropNode(w.nodes[w.rnd.IntN(len(w.nodes))].name)
		case 3, 4:
			w.send(i, m.table.LocalState())
		}
	}
	w.check(w.nodes[i])
}

// publish sends node i's diff to the others.
func (w *world) publish(i int) {
	m := w.nodes[i]
	d, any := m.table.LocalDiff()
	if !any {
		return
	}
	w.history[m.table.Local()] = m.model.users()
	w.send(i, d)
}

func (w *world) send(from int, d presence.Diff) {
	for to := range w.nodes {
		if to != from && w.rnd.IntN(10) > 0 {
			w.wires[to] = append(w.wires[to], d.Split(200+w.rnd.IntN(800))...)
		}
	}
}

// deliver hands node i one message: mostly the next, sometimes another, and
// sometimes it stays to come again.
func (w *world) deliver(i int) {
	wire := w.wires[i]
	if len(wire) == 0 {
		return
	}
	k := 0
	if w.rnd.IntN(4) == 0 {
		k = w.rnd.IntN(len(wire))
	}
	d := wire[k]
	if w.rnd.IntN(6) > 0 {
		w.wires[i] = slices.Delete(wire, k, k+1)
	}
	from := w.nodes[d.Node[0]-'a']
	if w.nodes[i].table.Apply(d) && w.rnd.IntN(3) > 0 {
		w.wires[i] = append(w.wires[i], from.table.LocalState().Split(300)...)
	}
}

// want is what m must show: its own sessions, and of every other node exactly
// the version it says it knows.
func (w *world) want(m *member) map[string]presence.User {
	ns := m.table.Nodes()
	slices.SortFunc(ns, func(a, b presence.NodeVersion) int { // the one that is shown last
		return cmp.Or(cmp.Compare(a.Incarnation, b.Incarnation), cmp.Compare(a.Node, b.Node))
	})
	all := map[string]presence.User{}
	for _, n := range ns {
		if n.Node == m.name {
			maps.Copy(all, m.model.users())
			continue
		}
		part, known := w.history[n]
		if !known {
			w.t.Fatalf("step %d: %s claims to know %+v, which never was", w.step, m.name, n)
		}
		maps.Copy(all, part)
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
		w.t.Fatalf("step %d: %s shows %v, want %v", w.step, m.name, got, want)
	}
}

// hear asks for the changes, which must lead from what was told to what is.
func (w *world) hear(m *member) {
	joined, left, changed := m.table.Changes()
	for _, u := range joined {
		if m.told[u.UID] == u {
			w.t.Fatalf("step %d: %s is told that %v joined, who was here", w.step, m.name, u)
		}
		m.told[u.UID] = u
	}
	for _, u := range left {
		if m.told[u.UID] != u {
			w.t.Fatalf("step %d: %s is told that %v left, known as %v", w.step, m.name, u, m.told[u.UID])
		}
		delete(m.told, u.UID)
	}
	if want := w.want(m); !maps.Equal(m.told, want) {
		w.t.Fatalf("step %d: %s was told %v, want %v", w.step, m.name, m.told, want)
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
			m.table.Apply(d)
		}
		w.wires[to] = nil
		for _, from := range w.nodes {
			if m.table.Behind(from.table.Local()) {
				for _, d := range from.table.LocalState().Split(250) {
					m.table.Apply(d)
				}
			}
		}
		w.check(m)
		w.hear(m)
	}
	first, _ := w.nodes[0].table.List("", 1000)
	for _, m := range w.nodes[1:] {
		if users, _ := m.table.List("", 1000); !slices.Equal(users, first) {
			w.t.Fatalf("step %d: %s has %v, %s has %v", w.step, w.nodes[0].name, first, m.name, users)
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
