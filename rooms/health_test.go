package rooms_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/embedded/smalldisk"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// logbook is a log that is written and read at the same time.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines are those that hold text.
func (l *logbook) lines(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// wantTurns asserts that a log of n outages tells each end of them once.
func (l *logbook) wantTurns(t *testing.T, n int, parts ...string) {
	t.Helper()
	bad, good := l.lines(`"message":"not ready: `), l.lines(`"message":"ready again: `)
	if len(bad) != n || len(good) != n {
		t.Errorf("of %d outages the log says:\n%s%s", n, strings.Join(bad, ""), strings.Join(good, ""))
	}
	for _, line := range bad {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				t.Errorf("the line does not say %q: %s", part, line)
			}
		}
	}
}

// TestFullDisk: while the disk under an embedded server is full the engine is
// not ready, members stay and history is read; when there is space, what was
// published meanwhile is stored once, and everybody hears it.
func TestFullDisk(t *testing.T) {
	dir := smalldisk.New(t, 8)
	log := &logbook{}
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	eng := startEngine(t, srv, func(c *rooms.Config) {
		c.PublishTimes(patience, time.Second, 50*time.Millisecond)
		c.Log = zerolog.New(log)
	})
	m := join(t, eng, "x", "m", rooms.Since{})
	seqs := publish(t, eng, "x", 0, 50)
	for round := range 2 {
		free := smalldisk.Fill(t, dir)
		waiting := make(chan commandReply, 20)
		for i := range cap(waiting) {
			ev := wire.Event{Type: "note", Payload: wire.MarshalPayload(strings.Repeat("x", 4000))}
			publishAsync(t, eng, "x", fmt.Sprint("id-", round, "-", i), ev, func(s rooms.PubAck, err error) { waiting <- commandReply{s, err} })
		}
		eventually(t, "not ready", func() bool { return eng.Ready() != nil })
		var unready *rooms.UnreadyError
		if err := eng.Ready(); !errors.As(err, &unready) || strings.Contains(unready.Error(), dir) {
			t.Errorf("it says %v", err)
		}
		if _, err := eng.History(within(t), "x", 0, 10); err != nil {
			t.Errorf("history: %v", err)
		}
		free()
		eventually(t, "ready again", func() bool { return eng.Ready() == nil })
		for range cap(waiting) {
			o := <-waiting
			if o.err != nil {
				t.Fatal(o.err)
			}
			seqs = append(seqs, o.stored.Seq)
		}
	}
	seqs = append(seqs, publish(t, eng, "x", 0, 5)...)
	m.awaitSeq(t, seqs[len(seqs)-1])
	slices.Sort(seqs)
	wantSeqs(t, m, seqs)
	log.wantTurns(t, 2, "no space left on device", "free space on the file system of "+dir, `"reason":"store"`)
	if eng.Stats().Unready.Load() != 2 {
		t.Errorf("%d outages counted", eng.Stats().Unready.Load())
	}
}

// TestDuplicatesProveNothing: where the disk of an external NATS is full and
// all that is published was stored before, each ack is only remembered: the
// engine is not ready all the same.
func TestDuplicatesProveNothing(t *testing.T) {
	dir := smalldisk.New(t, 8)
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	eng := startEngine(t, embedded.Remote{URL: srv.URL()}, func(c *rooms.Config) { c.HealthEvery(500 * time.Millisecond) }) // in which there is always an ack
	again := func() {
		t.Helper()
		if _, err := publishOne(within(t), eng, "x", "id", note(1)); err != nil {
			t.Fatal(err)
		}
	}
	again()
	eventually(t, "the disk is full", func() bool { smalldisk.Fill(t, dir); return srv.Health() != nil })
	eventually(t, "not ready", func() bool { again(); return eng.Ready() != nil })
}

// TestProofThatIsADuplicate: when the log has the event that was to prove it,
// which it has from before, the next is another one.
func TestProofThatIsADuplicate(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.HealthEvery(time.Hour) })
	since := time.Now()
	eng.Prove(since)
	eventually(t, "it is stored", func() bool { return eng.Stored() == 1 })
	eventually(t, "another one is stored", func() bool { eng.Prove(since); return eng.Stored() > 1 })
}

// TestProof: when publishes to an external NATS have failed and nobody
// publishes any more, the engine is not ready until one event of its own, in a
// room of its own, is stored, and that is all that it leaves.
func TestProof(t *testing.T) {
	r := startRestartable(t)
	log := &logbook{}
	eng := startEngine(t, r, func(c *rooms.Config) {
		c.PublishTimes(3*time.Second, time.Second, 10*time.Millisecond)
		c.HealthEvery(50 * time.Millisecond)
		c.Log = zerolog.New(log)
	})
	publish(t, eng, "x", 0, 1)
	r.down()
	eventually(t, "not ready", func() bool { return eng.Ready() != nil }) // a look has seen the ack
	if _, err := publishOne(within(t), eng, "x", "id", note(1)); code(err) != wire.Unavailable {
		t.Fatal(err)
	}
	r.up()
	eventually(t, "ready again", func() bool { return eng.Ready() == nil })
	page, err := eng.History(within(t), rooms.ProofRoom, 0, 10)
	if err != nil || len(page.Events) != 1 || !strings.Contains(string(page.Events[0]), `"log_writable"`) {
		t.Errorf("the room %s holds %s, %v", rooms.ProofRoom, page.Events, err)
	}
	if page, err := eng.History(within(t), "x", 0, 10); err != nil || len(page.Events) != 1 {
		t.Errorf("the room x holds %s, %v", page.Events, err)
	}
	log.wantTurns(t, 1)
}

// TestIdleReadiness: an engine on which nobody publishes stays ready, and
// writes nothing to the log.
func TestIdleReadiness(t *testing.T) {
	r := startRestartable(t)
	eng := startEngine(t, r, func(c *rooms.Config) { c.HealthEvery(10 * time.Millisecond) })
	other, srv := start(t, func(c *rooms.Config) { c.HealthEvery(10 * time.Millisecond) })
	seen := publish(t, eng, "x", 0, 1)[0]
	here := publish(t, other, "x", 0, 1)[0]
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 50 {
		<-tick.C
		if err := errors.Join(eng.Ready(), other.Ready()); err != nil {
			t.Fatal(err)
		}
	}
	if after := publish(t, eng, "x", 0, 1)[0]; after != seen+1 {
		t.Errorf("between two events the log went from %d to %d", seen, after)
	}
	if after := publish(t, other, "x", 0, 1)[0]; after != here+1 {
		t.Errorf("between two events the log went from %d to %d", here, after)
	}
	if srv.JetStreamRestarts() != 0 || other.Stats().ProbesFailed.Load() != 0 {
		t.Error("something failed")
	}
}
