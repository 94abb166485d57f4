package follow_test

import (
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
)

// sink is a room without members.
type sink struct{ follow.Effects }

func (sink) Deliver(e follow.Event) ([]byte, *follow.Apart) { return e.Body, nil }
func (sink) Read(follow.Range)                              {}
func (sink) Report(follow.Incident, uint64)                 {}

// opened is a room that stands at sequence 1.
func opened(l *follow.Limits) *follow.Follower {
	f := follow.New(sink{}, l)
	f.Open(follow.Opening{Epoch: "e", Last: 1, LastTime: "t", HighWatermark: 1, First: 1})
	return f
}

func live(f *follow.Follower, seq uint64, size int) {
	f.Live(follow.Copy{Event: follow.Event{Seq: seq, Time: "t", Body: make([]byte, size)}, Prev: seq - 1, From: seq})
}

// The rings of all rooms share a budget: a large one pays for what it takes, a
// small one does not, and all of it is given back.
func TestRingsShareABudget(t *testing.T) {
	const budget = 1 << 20
	l := &follow.Limits{Replay: 500, RingBytes: 4 << 20, Held: 10, HeldBytes: 1 << 20, Rings: follow.NewBudget(budget)}
	loud, quiet := opened(l), opened(l)
	for seq := uint64(2); seq < 300; seq++ {
		live(loud, seq, 10_000)
		if used := l.Rings.Used(); used > budget || used != int64(loud.RingBytes()) {
			t.Fatalf("%d bytes are used, %d by the only room with events, of %d", used, loud.RingBytes(), budget)
		}
	}
	live(quiet, 2, l.SmallRing()-100)
	if got := quiet.RingBytes(); got < l.SmallRing()-100 {
		t.Errorf("a small ring was cut to %d", got)
	}
	if over := l.Rings.Over(); over == 0 {
		t.Fatal("the budget was not full, so nothing was tested")
	}
	live(loud, 300, 100)
	if over := l.Rings.Over(); over != 0 {
		t.Errorf("the large ring left %d too much", over)
	}
	if !loud.Trim(0) || loud.RingBytes() != 0 || l.Rings.Used() != int64(quiet.RingBytes()) {
		t.Errorf("after it was to forget all, the large ring has %d of %d", loud.RingBytes(), l.Rings.Used())
	}
	live(loud, 301, 1000)
	loud.Close()
	quiet.Close()
	if used := l.Rings.Used(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}

// Copies that wait for a read of the log count against a budget of all rooms;
// one that finds no place is read from the log.
func TestHeldCopiesShareABudget(t *testing.T) {
	l := &follow.Limits{Replay: 500, RingBytes: 1 << 20, Held: 100, HeldBytes: 1 << 20, Copies: follow.NewBudget(10_000)}
	a, b := opened(l), opened(l)
	for seq := uint64(3); seq < 20; seq++ { // 2 is missing
		live(a, seq, 1000)
	}
	if used := l.Copies.Used(); used > 10_000 || used < 8_000 {
		t.Errorf("%d bytes are held", used)
	}
	before := l.Copies.Used()
	live(b, 3, 2000)
	if used := l.Copies.Used(); used != before {
		t.Errorf("a copy for which there was no place changed %d bytes to %d", before, used)
	}
	a.Close()
	b.Close()
	if used := l.Copies.Used(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}
