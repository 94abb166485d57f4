package rooms_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// tiny is a log that five large events fill.
func tiny(c *rooms.Config) { c.HistoryBytes = 1 << 20 }

// large stores n events that drop older ones of all rooms.
func large(t *testing.T, eng *rooms.Engine, room wire.Room, n int) []uint64 {
	t.Helper()
	return store(t, eng, room, n, 200<<10)
}

// stored reports whether the log has an event of the room.
func stored(t *testing.T, srv *embedded.Server, room wire.Room) bool {
	t.Helper()
	js, _ := stream(t, srv)
	s, err := js.Stream(within(t), eventlog.RoomsStream)
	if err != nil {
		t.Fatal(err)
	}
	switch _, err := s.GetLastMsgForSubject(within(t), wire.EventSubject(room)); {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false
	case err != nil:
		t.Fatal(err)
	}
	return true
}

// TestHoleThatWasEvicted: events that a node did not hear and that are gone
// when it looks are never skipped in silence: the members are told to refresh,
// once, between what they had and what comes.
func TestHoleThatWasEvicted(t *testing.T) {
	for _, tc := range []struct {
		name         string
		heard, small int
		large, other int // events of the room, and of another one
	}{
		{"with all of the room", 3, 130, 0, 8},
		{"but for the newest", 3, 130, 8, 0},
		{"and nothing was heard before", 0, 130, 0, 8},
		{"and nothing was heard before, but for the newest", 0, 130, 8, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, eng, srv, m, w := lossy(t, tiny)
			before := publish(t, eng, "x", 0, tc.heard)
			if tc.heard > 0 {
				m.awaitSeq(t, before[tc.heard-1])
			}
			l.losing.Store(true)
			lost := publish(t, eng, "x", 3, 3+tc.small)
			lost = append(lost, large(t, eng, "x", tc.large)...)
			large(t, eng, "other", tc.other)
			w.awaitSeq(t, publish(t, eng, "witness", 1, 2)[0])
			l.losing.Store(false)
			if got := stored(t, srv, "x"); got != (tc.large > 0) {
				t.Fatalf("the log has events of the room: %t", got)
			}
			after := publish(t, eng, "x", 200, 203)
			m.awaitSeq(t, after[2])
			after = append(after, publish(t, eng, "x", 203, 206)...)
			m.awaitSeq(t, after[5])

			var order []string
			var seqs []uint64
			for _, ev := range m.events("note", wire.TypeRoomJoined) {
				kind := ev.Type
				if ev.Seq > 0 {
					seqs = append(seqs, ev.Seq)
					kind = map[bool]string{true: "heard", false: "after"}[slices.Contains(before, ev.Seq)]
				}
				order = append(order, kind)
			}
			want := slices.Concat([]string{wire.TypeRoomJoined}, slices.Repeat([]string{"heard"}, tc.heard), []string{wire.TypeRoomJoined})
			for len(want) < len(order) {
				want = append(want, "after")
			}
			if !slices.Equal(order, want) {
				t.Fatalf("the member got %v of %v", order, seqs)
			}
			if told := m.joined(t, 1); told.Recovered || told.Seq < last64(before) {
				t.Errorf("told %+v", told)
			}
			if !slices.IsSorted(seqs) || !slices.Equal(seqs[len(seqs)-6:], after) {
				t.Errorf("got %v, want the last of %v and then %v", seqs, lost, after)
			}
			kept := seqs[tc.heard : len(seqs)-6]
			if !slices.Equal(kept, lost[len(lost)-len(kept):]) || (len(kept) > 0) != (tc.large > 0) {
				t.Errorf("of what was not heard came %v", kept)
			}
		})
	}
}

func last64(list []uint64) uint64 {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}

// TestQuietRoomIsToldHowFarTheLogIs: a room whose last event was dropped long
// ago goes on without a refresh, because it was told all the time that nothing
// came.
func TestQuietRoomIsToldHowFarTheLogIs(t *testing.T) {
	eng, srv := start(t, func(c *rooms.Config) {
		tiny(c)
		c.CheckEvery(10 * time.Millisecond)
		c.PresenceInterval = time.Hour
	})
	m := join(t, eng, "x", "stays", rooms.Since{})
	empty := join(t, eng, "never an event", "stays", rooms.Since{})
	seqs := publish(t, eng, "x", 0, 3)
	m.awaitSeq(t, seqs[2])
	checks := func(n int64) {
		t.Helper()
		calls := eng.Checks()
		eventually(t, "checks", func() bool { return eng.Checks() >= calls+n })
	}
	for round := 0; round < 3; round++ { // and again, after it has spoken
		checks(3)
		for gone := 0; gone < 6; {
			large(t, eng, "busy", 1)
			checks(3)
			if !stored(t, srv, "x") {
				gone++
			}
		}
		next := publish(t, eng, "x", 10*round, 10*round+1)
		m.awaitSeq(t, next[0])
		seqs = append(seqs, next...)
		more := publish(t, eng, "x", 10*round+1, 10*round+3)
		m.awaitSeq(t, more[1])
		seqs = append(seqs, more...)
	}
	first := publish(t, eng, "never an event", 0, 1)
	empty.awaitSeq(t, first[0])
	wantSeqs(t, m, seqs)
	wantSeqs(t, empty, first)
	for _, m := range []*member{m, empty} {
		if n := len(m.events(wire.TypeRoomJoined)); n != 1 {
			t.Errorf("%s was told to refresh %d times", m.id, n-1)
		}
	}
	if n := eng.Stats().Resets.Load(); n != 0 {
		t.Errorf("%d resets", n)
	}
}
