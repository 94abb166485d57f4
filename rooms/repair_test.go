package rooms_test

import (
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// noCheck leaves finding lost copies to everything but the clock.
const noCheck = time.Hour

// loss loses live copies of one room as a test says.
type loss struct{ losing atomic.Bool }

func (l *loss) of(room wire.Room) func(*nats.Msg) bool {
	subject := wire.LogSubject(room)
	return func(m *nats.Msg) bool { return m.Subject == subject && l.losing.Load() }
}

// publishLost publishes events whose live copies are all lost.
func (l *loss) publishLost(t *testing.T, eng *rooms.Engine, witness *member, from, to int) []uint64 {
	t.Helper()
	l.losing.Store(true)
	defer l.losing.Store(false)
	seqs := publish(t, eng, "x", from, to)
	// The dispatcher is one goroutine: what another room got came after.
	end := publish(t, eng, "witness", from, from+1)
	witness.awaitSeq(t, end[0])
	return seqs
}

// lossy is an engine with a member in x whose copies l loses.
func lossy(t *testing.T, change func(*rooms.Config)) (l *loss, eng *rooms.Engine, srv *embedded.Server, m, witness *member) {
	t.Helper()
	l, srv = &loss{}, startServer(t)
	eng = startEngine(t, srv, func(c *rooms.Config) {
		c.Lose(l.of("x"))
		c.CheckEvery(noCheck)
		c.CheckAfterOpen(noCheck)
		c.PresenceInterval = time.Hour // nothing wakes the room
		if change != nil {
			change(c)
		}
	})
	m, witness = join(t, eng, "x", "m", rooms.Since{}), join(t, eng, "witness", "w", rooms.Since{})
	witness.awaitSeq(t, publish(t, eng, "witness", 0, 1)[0]) // a room's first event may need a look at the log
	return l, eng, srv, m, witness
}

// TestHolesEverywhere loses a third of all copies.
func TestHolesEverywhere(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) {
		c.Lose(func(m *nats.Msg) bool { return rand.IntN(3) == 0 })
	})
	a, b := join(t, eng, "x", "a", rooms.Since{}), join(t, eng, "y", "b", rooms.Since{})
	var x, y []uint64
	for i := range 40 {
		x = append(x, publish(t, eng, "x", i, i+10)...)
		y = append(y, publish(t, eng, "y", i, i+3)...)
	}
	a.awaitSeq(t, x[len(x)-1])
	b.awaitSeq(t, y[len(y)-1])
	wantSeqs(t, a, x)
	wantSeqs(t, b, y)
	if s := eng.Stats(); s.Repairs.Load() == 0 || s.Resets.Load() != 0 {
		t.Errorf("%d repairs, %d resets", s.Repairs.Load(), s.Resets.Load())
	}
}

// TestLostTail: a copy that is lost with nothing after it is found in each of
// these ways.
func TestLostTail(t *testing.T) {
	for _, tc := range []struct {
		name  string
		check time.Duration
		do    func(*testing.T, *rooms.Engine)
	}{
		{"by the check", 20 * time.Millisecond, func(*testing.T, *rooms.Engine) {}},
		{"by the check after opening", noCheck, func(*testing.T, *rooms.Engine) {}},
		{"by a reconnect", noCheck, func(t *testing.T, eng *rooms.Engine) {
			if err := eng.LoseConnection(); err != nil {
				t.Fatal(err)
			}
		}},
		{"by a slow consumer", noCheck, func(_ *testing.T, eng *rooms.Engine) { eng.SlowConsumer("room.y.log") }},
		{"by a mailbox that was full and is empty now", noCheck, func(_ *testing.T, eng *rooms.Engine) { eng.Miss("x") }},
		{"by the next event", noCheck, func(t *testing.T, eng *rooms.Engine) { publish(t, eng, "x", 99, 100) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			afterOpen := noCheck
			if tc.name == "by the check after opening" {
				afterOpen = time.Second
			}
			for !lostTail(t, tc.check, afterOpen, tc.do) {
				afterOpen *= 2
			}
		})
	}
}

// lostTail is false where it shows nothing: there is one check after opening,
// and it must come after the loss.
func lostTail(t *testing.T, check, afterOpen time.Duration, do func(*testing.T, *rooms.Engine)) bool {
	t.Helper()
	began := time.Now()
	l, eng, _, m, w := lossy(t, func(c *rooms.Config) {
		c.CheckEvery(check)
		c.CheckAfterOpen(afterOpen)
	})
	seqs := publish(t, eng, "x", 0, 5)
	m.awaitSeq(t, seqs[4])
	seqs = append(seqs, l.publishLost(t, eng, w, 5, 10)...)
	if time.Since(began) >= afterOpen {
		return false
	}
	do(t, eng)
	m.awaitSeq(t, seqs[9])
	seqs = append(seqs, m.seqs()[min(10, len(m.seqs())):]...)
	wantSeqs(t, m, seqs)
	return true
}

// TestCheckDuringRepair: what a check finds while the room reads a hole is not
// forgotten when it has read it.
func TestCheckDuringRepair(t *testing.T) {
	l, eng, _, m, w := lossy(t, func(c *rooms.Config) { c.CheckEvery(20 * time.Millisecond) })
	release := eng.HoldReads()
	seqs := l.publishLost(t, eng, w, 0, 1)
	seqs = append(seqs, publish(t, eng, "x", 1, 2)...)
	eventually(t, "a repair", func() bool { return eng.Stats().Repairs.Load() > 0 })
	seqs = append(seqs, l.publishLost(t, eng, w, 2, 5)...)
	calls := eng.Checks()
	eventually(t, "three checks", func() bool { return eng.Checks() >= calls+3 })
	release()
	m.awaitSeq(t, seqs[len(seqs)-1])
	wantSeqs(t, m, seqs)
}

// TestMailboxFull: copies that the room had no place for are read from the log
// as soon as it has, the last ones too.
func TestMailboxFull(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { undisturbed(c); c.Mailbox = 16 })
	m, slow := join(t, eng, "x", "m", rooms.Since{}), newMember("slow")
	if err := eng.Join(within(t), "x", slow, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	release := slow.hold()
	seqs := publish(t, eng, "x", 0, 1)
	m.awaitSeq(t, seqs[0]) // which is given it first: now the room stands before the slow one
	seqs = append(seqs, publish(t, eng, "x", 1, 300)...)
	eventually(t, "the mailbox is full", func() bool { return eng.Stats().LiveFull.Load() > 0 })
	if _, err := eng.Online(within(t), "x", "", 1); wire.AsError(err).Code != wire.Busy {
		t.Errorf("a list from a busy room: %v", err)
	}
	if err := eng.Join(within(t), "x", newMember("late"), "", rooms.Since{}); wire.AsError(err).Code != wire.Busy {
		t.Errorf("a join into a busy room: %v", err)
	}
	eng.Leave("x", slow, rooms.LeaveClosed) // is never refused
	release()
	m.awaitSeq(t, seqs[299])
	wantSeqs(t, m, seqs)
	eventually(t, "the slow one has left", func() bool {
		online, err := eng.Online(within(t), "x", "", 10)
		return err == nil && online.Count == 1
	})
}

// TestHeldOverflow: beyond what a room holds while it reads the log, the log
// has it.
func TestHeldOverflow(t *testing.T) {
	l, eng, _, m, w := lossy(t, func(c *rooms.Config) { c.HeldEvents(10) })
	release := eng.HoldReads()
	seqs := l.publishLost(t, eng, w, 0, 1)
	seqs = append(seqs, publish(t, eng, "x", 1, 60)...)
	eventually(t, "copies are dropped", func() bool { return eng.Stats().HeldDropped.Load() > 0 })
	release()
	m.awaitSeq(t, seqs[59])
	wantSeqs(t, m, seqs)
}

// TestLongHole is longer than what is read of a hole at once.
func TestLongHole(t *testing.T) {
	const n = 2*rooms.RepairPage + 100
	l, eng, _, m, w := lossy(t, func(c *rooms.Config) { c.History = 2 * n })
	seqs := l.publishLost(t, eng, w, 0, n)
	seqs = append(seqs, publish(t, eng, "x", n, n+5)...)
	m.awaitSeq(t, seqs[n+4])
	wantSeqs(t, m, seqs)
}

// TestHoleThatTheLogNoLongerFills: the members are told, once, and go on.
func TestHoleThatTheLogNoLongerFills(t *testing.T) {
	for _, history := range []int64{1, 10} {
		t.Run(strconv.FormatInt(history, 10), func(t *testing.T) {
			l, eng, srv, m, w := lossy(t, func(c *rooms.Config) { c.History = history })
			before := publish(t, eng, "x", 0, 3)
			m.awaitSeq(t, before[2])
			lost := l.publishLost(t, eng, w, 3, 40)
			after := publish(t, eng, "x", 40, 41)
			told := m.joined(t, 1)
			if told.Recovered || told.Epoch != eng.Epoch() {
				t.Errorf("told %+v", told)
			}
			after = append(after, publish(t, eng, "x", 41, 44)...)
			m.awaitSeq(t, after[3])
			kept := lost[len(lost)-int(history)+1:]
			if s := eng.Stats(); s.Resets.Load() != 1 {
				t.Errorf("%d resets", s.Resets.Load())
			}
			got := m.seqs()
			if len(got) < 3+len(kept)+4 && history > 1 {
				t.Errorf("got %v", got)
			}
			// Whoever comes back from before the hole is told too, and from
			// after it is not.
			for _, eng := range []*rooms.Engine{eng, startEngine(t, srv, func(c *rooms.Config) { c.History = history })} {
				if again := join(t, eng, "x", "from before", from(eng, before[2])).joined(t, 0); again.Recovered {
					t.Errorf("from before the hole: %+v", again)
				}
				if again := join(t, eng, "x", "from after", from(eng, after[3])).joined(t, 0); !again.Recovered {
					t.Errorf("from after the hole: %+v", again)
				}
			}
		})
	}
}
