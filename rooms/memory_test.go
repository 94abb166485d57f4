package rooms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// store puts n events of so many bytes into the room's log and returns their
// sequences.
func store(t *testing.T, eng *rooms.Engine, room wire.Room, n, bytes int) []uint64 {
	t.Helper()
	text := json.RawMessage(`"` + strings.Repeat("x", bytes) + `"`)
	seqs := make([]uint64, n)
	for i := range seqs {
		s, err := publishOne(within(t), eng, room, "", wire.Event{Type: "note", Payload: text})
		if err != nil {
			t.Fatal(err)
		}
		seqs[i] = s.Seq
	}
	return seqs
}

// What all rooms remember stays within the budget. Those that nobody asks for
// are cut first, and what they had comes from the log.
func TestRingsOfAllRoomsShareABudget(t *testing.T) {
	const budget = 1 << 20
	eng, _ := start(t, func(c *rooms.Config) { c.RingBytes = budget })
	seqs := make(map[string][]uint64)
	for i := range 10 {
		room := fmt.Sprint("r", i)
		m := join(t, eng, wire.Room(room), "m"+room, rooms.Since{})
		seqs[room] = store(t, eng, wire.Room(room), 20, 15_000)
		m.awaitSeq(t, seqs[room][19])
		wantSeqs(t, m, seqs[room])
		if used := eng.RingBytes(); used > budget+budget/8 { // small ones wait for the sweeper
			t.Fatalf("the rings cost %d, want about %d at most", used, budget)
		}
	}
	eventually(t, "a ring is cut", func() bool { return eng.Stats().RingsCut.Load() > 0 })
	for room, want := range seqs {
		m := join(t, eng, wire.Room(room), "again "+room, from(eng, want[0]))
		if j := m.joined(t, 0); !j.Recovered || j.Replayed != 19 {
			t.Errorf("%s: recovered %t, %d replayed", room, j.Recovered, j.Replayed)
		}
		m.awaitSeq(t, want[19])
		wantSeqs(t, m, want[1:])
		if got := pages(t, eng, wire.Room(room), 0, 100); !slices.Equal(got, want) {
			t.Errorf("history of %s: %s", room, firstDifference(got, want))
		}
	}
	eventually(t, "the rings cost no more than they may", func() bool { return eng.RingBytes() <= budget })
}

// Rooms that are closed cost nothing.
func TestClosedRoomsGiveTheirMemoryBack(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.IdleAfter, c.PresenceGrace = 50*time.Millisecond, 0 })
	m := join(t, eng, "x", "m", rooms.Since{})
	seqs := store(t, eng, "x", 10, 1000)
	m.awaitSeq(t, seqs[9])
	if used := eng.RingBytes(); used < 10_000 {
		t.Errorf("ten events of 1000 bytes cost %d", used)
	}
	eng.Leave("x", m, rooms.LeaveClosed)
	eventually(t, "the ring is given back", func() bool { return eng.RingBytes() == 0 && eng.CopyBytes() == 0 })
}

// The rooms of one handshake share an allowance.
func TestResumedRoomsShareAnAllowance(t *testing.T) {
	eng, _ := start(t, nil)
	const each = 900_000
	allowed := rooms.MaxResumeBytes / each
	allowance := rooms.NewAllowance()
	for i := range allowed + 2 {
		room := fmt.Sprint("r", i)
		seqs := store(t, eng, wire.Room(room), 10, each/10)
		since := from(eng, seqs[0]-1)
		since.Allowance = allowance
		m := join(t, eng, wire.Room(room), "m", since)
		j := m.joined(t, 0)
		if want := i < allowed; j.Recovered != want || (j.Replayed == 10) != want {
			t.Errorf("room %d: recovered %t, %d replayed", i, j.Recovered, j.Replayed)
		}
		if i >= allowed && j.Seq != seqs[9] {
			t.Errorf("room %d: told position %d, want that of the last event, %d", i, j.Seq, seqs[9])
		}
	}
	if n := eng.Stats().ReplayCut.Load(); n != 2 {
		t.Errorf("%d replays were counted as cut, want 2", n)
	}
}

// What waits for rooms that stand still is bounded in bytes; what found no
// place comes from the log, once and in order.
func TestCopiesThatWaitAreBounded(t *testing.T) {
	const budget = 1 << 20
	eng, _ := start(t, func(c *rooms.Config) { c.CopyBytes = budget; undisturbed(c) })
	seqs := make(map[string][]uint64)
	members, releases := make(map[string]*member), []func(){}
	for i := range 4 {
		room := fmt.Sprint("r", i)
		members[room] = join(t, eng, wire.Room(room), "m"+room, rooms.Since{})
		releases = append(releases, standStill(t, eng, wire.Room(room), members[room]))
	}
	for room := range members {
		seqs[room] = store(t, eng, wire.Room(room), 30, 20_000)
		if used := eng.CopyBytes(); used > budget {
			t.Errorf("copies cost %d, want %d at most", used, budget)
		}
	}
	eventually(t, "copies find no place", func() bool { return eng.Stats().LiveFull.Load() > 0 })
	for _, release := range releases {
		release()
	}
	for room, m := range members {
		m.awaitSeq(t, seqs[room][29])
		if got := m.seqs(); !slices.Equal(got[len(got)-30:], seqs[room]) {
			t.Errorf("%s: %s", room, firstDifference(got, seqs[room]))
		}
	}
	eventually(t, "nothing waits any more", func() bool { return eng.CopyBytes() == 0 })
}

// A burst counts once, however many hold it, and calls Written when the last
// one has let go.
func TestWaitingCountsABurstOnce(t *testing.T) {
	w := rooms.NewQueuedBytes(100)
	written, full := 0, 0
	w.OnFull(func() { full++ })
	b := rooms.EventBurst(note(1))
	b.Written = func() { written++ }
	for range 3 {
		b.Hold(w)
	}
	if w.Bytes() != int64(b.Bytes) {
		t.Errorf("%d bytes wait, want %d", w.Bytes(), b.Bytes)
	}
	other := &rooms.Burst{Bytes: 101}
	other.Hold(w)
	if w.Over() != int64(b.Bytes)+1 {
		t.Errorf("over by %d", w.Over())
	}
	if full != 1 {
		t.Errorf("told %d times that it is full, want once", full)
	}
	other.Release(w)
	for range 3 {
		if written != 0 {
			t.Error("written while somebody held it")
		}
		b.Release(w)
	}
	if written != 1 || w.Bytes() != 0 {
		t.Errorf("written %d times, %d bytes wait", written, w.Bytes())
	}
}
