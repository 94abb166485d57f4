package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestOldStepsAreDroppedInTurn: while the server drops the steps of one table, what
// others have to drop waits, and is then dropped at once; the tables go on.
func TestOldStepsAreDroppedInTurn(t *testing.T) {
	const tables, history, most = 4, 32, 400
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) { tallies(sums{})(c); c.TableHistory = history })
	stream := streamOf(t, outsider(t, srv), eventlog.StepsStream)
	release := eng.HoldDrops()
	name := func(i int) wire.Room { return wire.Room(fmt.Sprint("tally-", i)) }
	more := func(room wire.Room) {
		eventually(t, "it is decided", func() bool {
			_, err := command(t, eng, room, "", aService, "add", "1")
			return err == nil
		})
	}
	eventually(t, "all are written down again and again", func() bool {
		for i := range tables {
			more(name(i))
		}
		return eng.TableStats().Snapshots.Load() > 8*tables
	})
	if n := eng.TableStats().StepDrops.Load(); n != 0 {
		t.Errorf("%d drops out of turn", n)
	}
	release()
	for i := range tables {
		eventually(t, "old steps are dropped", func() bool {
			return countOf(t, stream, wire.SpaceTables.Capture(name(i))) < most
		})
	}
	if n := eng.TableStats().StepDrops.Load(); n > 2*tables {
		t.Errorf("steps of %d tables were dropped %d times", tables, n)
	}
}

// TestOldStepsAreGathered: the server is not asked to drop few steps before a
// minute has passed, unless the log is full.
func TestOldStepsAreGathered(t *testing.T) {
	const steps = 400
	eng, srv := start(t, tallies(sums{}))
	for range steps {
		add(t, eng, "tally-1", 1)
	}
	stream := streamOf(t, outsider(t, srv), eventlog.StepsStream)
	if n := countOf(t, stream, "room.tally-1.step"); n < steps {
		t.Fatalf("%d steps are stored", n)
	}
	eventually(t, "the engine knows how many there are", func() bool { return !eng.OldStepsDue(steps/16, false, 0) })
	for name, c := range map[string]struct {
		steps int64
		full  bool
		after time.Duration
		due   bool
	}{
		"few":                        {steps / 16, false, 0, false},
		"few for less than a minute": {steps / 16, false, 50 * time.Second, false},
		"few for a minute":           {steps / 16, false, time.Minute, true},
		"few, and the log is full":   {steps / 16, true, 0, true},
		"many":                       {steps / 4, false, 0, true},
	} {
		if due := eng.OldStepsDue(c.steps, c.full, c.after); due != c.due {
			t.Errorf("%s: they are due: %v", name, due)
		}
	}
}

// TestRestAfterDrop: the log takes steps between two drops, for less time the
// fuller it is, and never for so long that the server forgets what it has read.
func TestRestAfterDrop(t *testing.T) {
	for _, c := range []struct {
		took time.Duration
		full float64
		want time.Duration
	}{
		{20 * time.Millisecond, 0.5, 60 * time.Millisecond},
		{20 * time.Millisecond, 0.875, 30 * time.Millisecond},
		{20 * time.Millisecond, 1, 0},
		{time.Second, 0, 500 * time.Millisecond},
	} {
		if rest := rooms.RestAfterDrop(c.took, c.full); rest != c.want {
			t.Errorf("after %s, with the log %.3f full, the node rests for %s, want %s", c.took, c.full, rest, c.want)
		}
	}
}
