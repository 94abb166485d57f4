package rooms_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func deleteStreams(t testing.TB, nc *nats.Conn, names ...string) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := js.DeleteStream(within(t), name); err != nil {
			t.Fatal(err)
		}
	}
}

func exists(t testing.TB, nc *nats.Conn, name string) bool {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.Stream(within(t), name)
	return err == nil
}

// trimmed is a table of which the first steps are dropped.
func trimmed(t testing.TB, nc *nats.Conn, eng *rooms.Engine, room wire.Room) (sum int) {
	t.Helper()
	steps := streamOf(t, nc, eventlog.StepsStream)
	eventually(t, "old steps are dropped", func() bool {
		for range 50 {
			sum++
			addPlain(t, eng, room, sum)
		}
		return countOf(t, steps, wire.SpaceTables.Capture(room)) < uint64(sum)/2
	})
	return sum
}

func fewSteps(node string) func(*rooms.Config) {
	return func(c *rooms.Config) { watchful(node)(c); c.History, c.TableHistory = 12, 100 }
}

// TestSnapshotsMadeAnew: what nodes keep of tables beside the steps is made again when
// it is gone, and a table that is loaded is written down and noted there again.
func TestSnapshotsMadeAnew(t *testing.T) {
	const room = "tally-1"
	srv := startServer(t)
	nc := outsider(t, srv)
	eng := startEngine(t, srv, fewSteps("one"))
	sum := trimmed(t, nc, eng, room)
	acknowledged(t, eng, room, aService, "wind", "3600000")
	eventually(t, "it is noted", func() bool { return len(notesIn(t, srv)) == 1 })
	deleteStreams(t, nc, eventlog.SnapshotsStream, "KV_"+rooms.TableBucket)
	eventually(t, "they are made anew", func() bool {
		return exists(t, nc, eventlog.SnapshotsStream) && exists(t, nc, "KV_"+rooms.TableBucket)
	})
	eventually(t, "it is written down, and noted", func() bool {
		return countOf(t, streamOf(t, nc, eventlog.SnapshotsStream), "room.tally-1.snapshot") > 0 && len(notesIn(t, srv)) == 1
	})
	eng.Kill()
	again := startEngine(t, srv, fewSteps("again"))
	awaitSum(t, again, room, sum)
}

// TestStoppedTableStartsAnew: a table that was trimmed and has no snapshot stands still
// until its steps are purged.
func TestStoppedTableStartsAnew(t *testing.T) {
	const room = "tally-1"
	for name, forget := range map[string]func(t *testing.T, nc *nats.Conn, eng *rooms.Engine){
		"steps are purged": func(t *testing.T, nc *nats.Conn, eng *rooms.Engine) {
			if err := streamOf(t, nc, eventlog.StepsStream).Purge(within(t), jetstream.WithPurgeSubject(wire.SpaceTables.Capture(room))); err != nil {
				t.Fatal(err)
			}
			if err := eng.ResumeTable(within(t), room); err != nil {
				t.Fatal(err)
			}
		},
		"STEPS is deleted, and nodes start again": func(t *testing.T, nc *nats.Conn, eng *rooms.Engine) {
			closeEngine(t, eng)
			deleteStreams(t, nc, eventlog.StepsStream)
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			nc := outsider(t, srv)
			eng := startEngine(t, srv, fewSteps("one"))
			trimmed(t, nc, eng, room)
			closeEngine(t, eng)
			deleteStreams(t, nc, eventlog.SnapshotsStream)
			eng = startEngine(t, srv, fewSteps("two"))
			if err := eng.Join(within(t), room, newMember("looks"), "", rooms.Since{}); err == nil || wire.AsError(err).Code != wire.Internal {
				t.Fatalf("who joins is answered %v", err)
			}
			eventually(t, "it is noted", func() bool { return eng.TablesStopped() == 1 })
			forget(t, nc, eng)
			eng = startEngine(t, srv, fewSteps("three"))
			add(t, eng, room, 7)
			awaitSum(t, eng, room, 7)
		})
	}
}
