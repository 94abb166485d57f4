package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestTablesAtRestAreTrimmed: a table at which nothing has happened for the age of
// the history keeps its last step, and its state; so does one whose node was lost
// before it was written down. What a table that has stopped has stays, and what
// clients of the others may still be shown.
func TestTablesAtRestAreTrimmed(t *testing.T) {
	const steps = 10
	srv := startServer(t)
	quick := func(c *rooms.Config) { tallies(sums{broken: "decide"})(c); c.IdleAfter = 20 * time.Millisecond }
	eng := startEngine(t, srv, quick)
	stream := streamOf(t, outsider(t, srv), eventlog.StepsStream)
	count := func(i int) uint64 { return countOf(t, stream, fmt.Sprintf("room.tally-%d.step", i)) }
	const rests, lost, stopped = 1, 2, 3
	for range steps {
		add(t, eng, "tally-1", 1)
		add(t, eng, "tally-3", 1)
	}
	snapshots := streamOf(t, outsider(t, srv), eventlog.SnapshotsStream)
	eventually(t, "they are written down", func() bool {
		return countOf(t, snapshots, "room.tally-1.snapshot") > 0 && countOf(t, snapshots, "room.tally-3.snapshot") > 0 && eng.TablesOwned() == 0
	})
	if _, err := command(t, eng, "tally-3", "", aService, "add", "13"); err == nil {
		t.Fatal("the rules have not failed")
	}
	eventually(t, "it stands still", func() bool { return eng.TablesStopped() == 1 && eng.TablesOwned() == 0 })
	closeEngine(t, eng)

	eng = startEngine(t, srv, func(c *rooms.Config) { quick(c); c.IdleAfter = time.Minute })
	for range steps {
		add(t, eng, "tally-2", 1)
	}
	eng.Kill()

	eng = startEngine(t, srv, quick)
	eng.TrimTables(t.Context(), time.Hour)
	for i, want := range map[int]uint64{rests: steps, lost: steps, stopped: steps} {
		if n := count(i); n != want {
			t.Errorf("after an hour tally-%d has %d steps, want %d", i, n, want)
		}
	}
	eventually(t, "they are trimmed", func() bool {
		eng.TrimTables(t.Context(), 25*time.Hour)
		return count(rests) == 1 && count(lost) == 1
	})
	if n := count(stopped); n != steps {
		t.Errorf("the one that has stopped has %d steps, want %d", n, steps)
	}
	if n := eng.TableStats().Trimmed.Load(); n != 2 {
		t.Errorf("%d are counted, want 2", n)
	}
	for _, room := range []wire.Room{"tally-1", "tally-2"} {
		add(t, eng, room, 1)
		if s := tallyOf(t, eng, room); s.Sum != steps+1 {
			t.Errorf("%s: the sum is %d", room, s.Sum)
		}
	}
}

// TestTablesMakePlace: when the log of tables fills up, those that nobody uses give
// up what clients are shown of them.
func TestTablesMakePlace(t *testing.T) {
	const tables, steps = 8, 10
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) {
		tallies(sums{})(c)
		c.TableBytes, c.IdleAfter = 1<<20, 20*time.Millisecond
		c.CheckEvery(20 * time.Millisecond)
		c.Heartbeats(20 * time.Millisecond)
	})
	stream := streamOf(t, outsider(t, srv), eventlog.StepsStream)
	for i := range tables {
		room := wire.Room(fmt.Sprint("tally-", i))
		for range steps {
			eventually(t, "there is place", func() bool {
				_, err := command(t, eng, room, "", aService, "say", string(wire.MarshalPayload(noise(18<<10))))
				if err != nil && wire.AsError(err).Code != wire.Busy {
					t.Fatal(err)
				}
				return err == nil
			})
		}
		add(t, eng, room, i)
	}
	eventually(t, "there is place for one more", func() bool {
		info, err := stream.Info(within(t))
		return err == nil && info.State.Bytes < 1<<20*6/8 && eng.TableStats().Trimmed.Load() > 0
	})
	for i := range tables {
		if s := tallyOf(t, eng, wire.Room(fmt.Sprint("tally-", i))); s.Sum != i {
			t.Errorf("tally-%d: the sum is %d", i, s.Sum)
		}
	}
}
