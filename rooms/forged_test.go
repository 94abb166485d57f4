package rooms_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// forge publishes where only the stream should.
func forge(t *testing.T, nc *nats.Conn, seq, prev uint64) {
	t.Helper()
	inject(t, nc, "room.x.log", `{"type":"note","payload":"forged"}`, "Nats-Sequence", strconv.FormatUint(seq, 10),
		"Nats-Last-Sequence", strconv.FormatUint(prev, 10), "Nats-Time-Stamp", time.Now().Format(time.RFC3339Nano))
}

// TestForgedCopies: whoever may publish on a room's log subject can show its
// members something that is not in the log. The room must find back to it: all
// later events arrive, in order, and when one was lost the members were told.
func TestForgedCopies(t *testing.T) {
	for _, tc := range []struct {
		name  string
		forge func(t *testing.T, nc *nats.Conn, last uint64)
		told  bool // the members must be told to refresh
	}{
		{"without headers", func(t *testing.T, nc *nats.Conn, _ uint64) { inject(t, nc, "room.x.log", `{"type":"note"}`) }, false},
		{"far ahead", func(t *testing.T, nc *nats.Conn, last uint64) { forge(t, nc, last+1e15, last) }, true},
		{"after a hole that never was", func(t *testing.T, nc *nats.Conn, last uint64) { forge(t, nc, last+2e15, last+1e15) }, false},
		{"after another room's event", func(t *testing.T, nc *nats.Conn, last uint64) { forge(t, nc, last+2e15, last+1) }, false},
		{"under the next sequence", func(t *testing.T, nc *nats.Conn, last uint64) { forge(t, nc, last+2, last) }, true},
		{"under the last sequence", func(t *testing.T, nc *nats.Conn, last uint64) { forge(t, nc, last, last-1) }, false},
		{"before itself", func(t *testing.T, nc *nats.Conn, last uint64) { forge(t, nc, last+1, last+5) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eng, srv := start(t, nil)
			nc := outsider(t, srv)
			m := join(t, eng, "x", "m", rooms.Since{})
			seqs := publish(t, eng, "x", 0, 5)
			m.awaitSeq(t, seqs[4])
			publish(t, eng, "other", 0, 1) // takes the next sequence of the stream
			tc.forge(t, nc, seqs[4])
			lost := publish(t, eng, "x", 5, 6) // stands where one of the forged ones claimed to
			if tc.told {
				if told := m.joined(t, 1); told.Recovered {
					t.Errorf("told %+v", told)
				}
			}
			later := publish(t, eng, "x", 6, 10)
			m.awaitSeq(t, later[3])
			m.await(t, "the later events", func() bool {
				got := m.eventsLocked([]string{"note"})
				return len(got) >= 4 && got[len(got)-1].Seq == later[3] && got[len(got)-4].Seq == later[0]
			})
			if n := eng.Stats().Resets.Load(); (n > 0) != tc.told {
				t.Errorf("%d resets", n)
			}
			if !tc.told {
				wantSeqs(t, m, slices.Concat(seqs, lost, later))
			}
			if got, want := pages(t, eng, "x", 0, 100), slices.Concat(seqs, lost, later); !slices.Equal(got, want) {
				t.Errorf("history: %s", firstDifference(got, want))
			}
		})
	}
}

// TestStreamMadeAnew: somebody deletes the stream, or the server that kept it
// in memory was restarted. The engine makes it again under a new epoch.
func TestStreamMadeAnew(t *testing.T) {
	eng, srv := start(t, nil)
	m := join(t, eng, "x", "m", rooms.Since{})
	seqs := publish(t, eng, "x", 0, 5)
	m.awaitSeq(t, seqs[4])
	was := eng.Epoch()

	js, err := jetstream.New(outsider(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(within(t), eventlog.RoomsStream); err != nil {
		t.Fatal(err)
	}
	told := m.joined(t, 1)
	if told.Recovered || told.Epoch == was || told.Epoch != eng.Epoch() {
		t.Errorf("told %+v, the epoch was %s", told, was)
	}
	again := publish(t, eng, "x", 5, 8)
	if again[0] > seqs[4] {
		t.Fatalf("the new log begins at %d", again[0])
	}
	m.await(t, "the new log's events", func() bool { return len(m.eventsLocked([]string{"note"})) >= 8 })
	if got := m.events("note")[5:]; got[0].Seq != again[0] || got[2].Seq != again[2] {
		t.Errorf("then came %v", got)
	}
	old := rooms.Since{Position: &wire.Position{Epoch: was, Seq: seqs[2]}}
	if joined := join(t, eng, "x", "from the old log", old).joined(t, 0); joined.Recovered {
		t.Errorf("%+v", joined)
	}
}
