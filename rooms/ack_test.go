package rooms_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestLostAckOfAStep: a step that is stored, and whose ack is lost or says that
// another one is under way, is sent again and found in the log, by its bytes: it is
// decided once, and the table is not read again.
func TestLostAckOfAStep(t *testing.T) {
	for name, err := range map[string]error{"lost": eventlog.ErrNoAck, "in process": eventlog.ErrInProcess} {
		t.Run(name, func(t *testing.T) {
			var lost atomic.Int64
			eng, _ := start(t, func(c *rooms.Config) {
				ledgers(c)
				c.LoseAck(func() error { lost.Add(1); return err })
			})
			const room = "ledger-1"
			first, err := command(t, eng, room, "", service, "add", "")
			if err != nil || first == 0 {
				t.Fatal(first, err)
			}
			if again, err := command(t, eng, room, "id", service, "add", ""); err != nil || again <= first {
				t.Errorf("step %d follows %d, %v", again, first, err)
			}
			stats := eng.TableStats()
			// On a busy machine an ack may be lost by itself, for being late.
			if lost.Load() > 2 || stats.Retries.Load() < 2 || stats.Conflicts.Load() != 0 || stats.Loaded.Load() != 1 {
				t.Errorf("%d acks lost, %d retries, %d conflicts, read %d times", lost.Load(), stats.Retries.Load(), stats.Conflicts.Load(), stats.Loaded.Load())
			}
			if has := audit(t, eng, room).Total; has != 2 {
				t.Errorf("the ledger has %d", has)
			}
		})
	}
}

// TestCommandThatWaitedTooLong: what has waited for table.MaxWait behind a step is
// not decided, and its sender is told so.
func TestCommandThatWaitedTooLong(t *testing.T) {
	var ahead atomic.Int64
	stored, goOn := make(chan bool, 8), make(chan bool, 8)
	eng, _ := start(t, func(c *rooms.Config) {
		ledgers(c)
		c.LoseAck(func() error { stored <- true; <-goOn; return nil }) // it comes late
		c.CheckEvery(time.Hour)                                        // nobody compares the clock
		c.TableClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	})
	const room = "ledger-1"
	held := sendAdd(eng, room, "held")
	<-stored
	late := sendAdd(eng, room, "late")
	ahead.Store(int64(table.MaxWait + time.Second))
	close(goOn)
	if err := result(t, held); err != nil {
		t.Errorf("in the step: %v", err)
	}
	if err := result(t, late); err == nil || wire.AsError(err).Code != wire.Unavailable {
		t.Errorf("behind it: %v", err)
	}
	if n := eng.TableStats().TooLate.Load(); n != 1 {
		t.Errorf("%d were counted", n)
	}
}
