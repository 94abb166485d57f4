package rooms_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// totalOf is what a member makes of a ledger: the state of his last room_joined,
// and what was added by the events behind it with a higher seq.
func (m *member) totalOf(t testing.TB) (total int) {
	t.Helper()
	events := m.events()
	at := uint64(0)
	for _, ev := range events {
		switch ev.Type {
		case wire.TypeRoomJoined:
			var s ledgerState
			s, at = ledgerOf(t, ev)
			total = s.Total
		case "added":
			if ev.Seq > at {
				total++
			}
		case wire.TypeBatch:
			var p struct{ Events []wire.BatchedEvent }
			if err := json.Unmarshal(ev.Payload, &p); err != nil {
				t.Fatal(err)
			}
			for _, one := range p.Events {
				if one.Type == "added" && ev.Seq > at {
					total++
				}
			}
		}
	}
	return total
}

// adder adds to a ledger from a node, one after the other, until it is stopped; it
// returns how many were acknowledged.
func adder(t *testing.T, eng *rooms.Engine, room wire.Room, name string, stop <-chan struct{}) (added int) {
	for ; ; added++ {
		select {
		case <-stop:
			return added
		default:
		}
		done := make(chan error, 1)
		for err := error(wire.Errorf(wire.Unavailable, "")); err != nil; {
			opts := rooms.CommandOptions{ID: fmt.Sprint(name, added), User: table.User{From: table.FromUser, UID: name}}
			eng.Command(room, wire.Event{Type: "add"}, opts, func(_ rooms.Decision, err error) { done <- err })
			if err = <-done; err != nil && !wire.AsError(err).Code.Retryable() {
				t.Errorf("%s adds: %v", name, err)
				return added
			}
		}
	}
}

// TestStateAndStream: what a member is told of a table's state, and what it is told
// after that, add up, however and wherever it joins while the table goes on.
func TestStateAndStream(t *testing.T) {
	const room, rounds = "ledger-1", 12
	engines := nodesOf(t, ledgers, "a", "b", "c")
	owner, others := split(t, engines, room)
	nodes := append(others, owner)
	stop := make(chan struct{})
	var adders sync.WaitGroup
	sum := make([]int, 2*len(nodes))
	for i := range sum {
		adders.Go(func() { sum[i] = adder(t, nodes[i%len(nodes)], room, fmt.Sprint("adder", i), stop) })
	}
	var (
		mu      sync.Mutex
		members []*member
		joiners sync.WaitGroup
	)
	for i, eng := range nodes {
		joiners.Go(func() {
			for n := range rounds {
				m := newMember(fmt.Sprint(i, "-", n))
				since := []rooms.Since{{}, {Last: 3}, {Last: 1000}, fromOf(eng, room, 1+uint64(n)), fromOf(eng, room, 1<<40)}[n%5]
				if err := joinSurely(t, eng, room, m, since); err != nil {
					t.Errorf("join %d: %v", n, err)
					return
				}
				if n%3 == 0 { // and once more
					if err := joinSurely(t, eng, room, m, rooms.Since{}); err != nil {
						t.Errorf("join %d again: %v", n, err)
						return
					}
				}
				mu.Lock()
				members = append(members, m)
				mu.Unlock()
			}
		})
	}
	joiners.Wait()
	close(stop)
	adders.Wait()
	want := 0
	for _, n := range sum {
		want += n
	}
	t.Logf("%d members joined while %d were added", len(members), want)
	awaitTotal(t, others[0], room, want)
	for _, m := range members {
		eventually(t, "a member was told all", func() bool { return m.totalOf(t) >= want })
		if total := m.totalOf(t); total != want {
			t.Errorf("%s makes %d of it, and there are %d", m.id, total, want)
		}
	}
}

// joinSurely joins again where a busy machine was too slow.
func joinSurely(t *testing.T, eng *rooms.Engine, room wire.Room, m *member, since rooms.Since) (err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err = eng.Join(within(t), room, m, "j", since); err == nil || !wire.AsError(err).Code.Retryable() {
			break
		}
	}
	return err
}

// TestStateOverTakeovers: the same while one node after the other that decides is
// lost.
func TestStateOverTakeovers(t *testing.T) {
	const room = "ledger-1"
	engines := nodesOf(t, func(c *rooms.Config) { ledgers(c); c.Heartbeats(300 * time.Millisecond) }, "a", "b", "c")
	owner, others := split(t, engines, room)
	last := others[0]
	if names := last.Peers(); len(names) != 2 {
		t.Fatal(names)
	}
	stop := make(chan struct{})
	added := make(chan int, 1)
	go func() { added <- adder(t, last, room, "adder", stop) }()
	var members []*member
	for _, lost := range []*rooms.Engine{owner, others[1], nil} {
		for n := range 8 {
			if n == 3 && lost != nil {
				lost.Kill()
			}
			m := newMember(fmt.Sprint("m", len(members)))
			eventually(t, "somebody joins", func() bool {
				err := last.Join(within(t), room, m, "j", rooms.Since{Last: n % 2})
				if err != nil && !wire.AsError(err).Code.Retryable() {
					t.Fatal(err)
				}
				return err == nil
			})
			members = append(members, m)
		}
	}
	close(stop)
	want := <-added
	for _, m := range members {
		eventually(t, "a member was told all", func() bool { return m.totalOf(t) >= want })
		if total := m.totalOf(t); total != want {
			t.Errorf("%s makes %d of it, and there are %d", m.id, total, want)
		}
	}
}

// TestStateOfAnOwnerThatIsBehind: another node has decided without this one, which
// still takes itself for the owner, having heard of it. Who joins sees all of it.
func TestStateOfAnOwnerThatIsBehind(t *testing.T) {
	const room = "ledger-1"
	engines := nodesOf(t, ledgers, "a", "b")
	owner, others := split(t, engines, room)
	m := joinAs(t, owner, room, "s1", "ann")
	m.awaitTold(t, 1, "moved")
	if err := decideAt(t, others[0], room, service, "add"); err != nil {
		t.Fatal(err)
	}
	m.awaitTold(t, 1, "added")
	if s := audit(t, owner, room); s.Total != 1 {
		t.Errorf("the state is %+v", s)
	}
}

// TestStateAfterALoss: when a node has missed steps that the log has no more, its
// members are given the state again.
func TestStateAfterALoss(t *testing.T) {
	const room = "ledger-1"
	var copies atomic.Int64
	eng, srv := start(t, func(c *rooms.Config) {
		ledgers(c)
		c.CheckEvery(noCheck)
		c.CheckAfterOpen(noCheck)
		c.Lose(func(msg *nats.Msg) bool {
			if msg.Subject != wire.LogSubject(room) {
				return false
			}
			n := copies.Add(1)
			return n == 3 || n == 4
		})
	})
	m := joinAs(t, eng, room, "s1", "ann")
	m.awaitTold(t, 1, "moved")
	add := func() (seq uint64) {
		t.Helper()
		seq, err := command(t, eng, room, "", service, "add", "")
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	add()
	m.awaitTold(t, 1, "added")
	add()
	seq := add()
	js, err := jetstream.New(outsider(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), eventlog.StepsStream)
	if err == nil {
		err = stream.Purge(within(t), jetstream.WithPurgeSequence(seq)) // a table keeps its last step
	}
	if err != nil {
		t.Fatal(err)
	}
	add()
	eventually(t, "it has the state again", func() bool { return len(m.events(wire.TypeRoomJoined)) == 2 && m.totalOf(t) == 4 })
	if s, at := ledgerOf(t, m.events(wire.TypeRoomJoined)[1]); s.Total < 3 || at < seq {
		t.Errorf("the state is %+v at %d", s, at)
	}
}

// decideAt has a node decide, whoever's turn it is.
func decideAt(t testing.TB, eng *rooms.Engine, room wire.Room, who table.User, typ string) error {
	t.Helper()
	done := make(chan error, 1)
	eng.DecideHere(room, wire.Event{Type: typ}, who, func(_ rooms.Decision, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-within(t).Done():
		t.Fatal("a command has no answer")
		return nil
	}
}
