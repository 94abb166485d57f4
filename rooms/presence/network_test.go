package presence_test

import (
	"maps"
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

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
			for _, part := range d.Split(w.nodes[from].part) {
				w.wires[to] = append(w.wires[to], sent{diff: part})
			}
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
	from := w.nodes[d.diff.Node[0]-'a']
	if w.receive(w.nodes[i], d) && w.rnd.IntN(3) > 0 {
		for _, part := range from.table.LocalState().Split(from.part) {
			w.wires[i] = append(w.wires[i], sent{diff: part})
		}
	}
}

// receive does what a room does with a message, and reports whether it asks.
func (w *world) receive(m *member, s sent) (ask bool) {
	sign := presence.Observation{Node: s.diff.Node, Boot: s.diff.Boot, Heartbeat: s.beat}
	if s.beat {
		sign.Started = int64(s.diff.Incarnation)
	}
	what, over := m.peers.Observe(sign, time.Time{})
	switch {
	case what == presence.Stale:
		return false
	case what == presence.Restarted:
		m.over = append(m.over, over)
		return true
	case s.beat:
		return what == presence.NewNode
	}
	return w.apply(m, s.diff)
}

// apply hands a Diff to the table and to the model of former processes.
func (w *world) apply(m *member, d presence.Diff) (ask bool) {
	before, was := m.knows(d.Node)
	ask = m.table.Apply(d)
	after, is := m.knows(d.Node)
	if was && is && before.Boot != after.Boot {
		m.forget(func(was presence.NodeVersion) bool { return was.Node == after.Node && was.Boot == after.Boot })
		m.former = append(m.former, naiveFormer{before, maps.Clone(w.history[before])})
	}
	for _, f := range m.former {
		for uid := range w.history[after] {
			if f.was.Node == after.Node {
				delete(f.left, uid)
			}
		}
	}
	return ask
}

func (m *member) knows(node string) (presence.NodeVersion, bool) {
	for _, n := range m.table.Nodes() {
		if n.Node == node {
			return n, true
		}
	}
	return presence.NodeVersion{}, false
}

func (m *member) forget(which func(was presence.NodeVersion) bool) {
	m.former = slices.DeleteFunc(m.former, func(f naiveFormer) bool { return which(f.was) })
}

// giveUp is when the users of processes that are over had their time.
func (m *member) giveUp() {
	for _, part := range m.over {
		if m.peers.Lives(part) {
			continue
		}
		m.table.DropProcess(part)
		m.forget(func(was presence.NodeVersion) bool {
			return was.Node == part.Node && was.Boot == part.Boot && was.Incarnation <= part.MaxIncarnation
		})
	}
	m.over = nil
}
