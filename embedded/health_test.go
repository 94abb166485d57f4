package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded/smalldisk"
)

// writer publishes to a stream and knows what was acknowledged.
type writer struct {
	t      *testing.T
	js     jetstream.JetStream
	stream jetstream.Stream
	acked  map[uint64]string
}

func newWriter(t *testing.T, s *Server) *writer {
	t.Helper()
	nc, err := s.Connect("writer")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, js: js, acked: map[uint64]string{}}
	if w.stream, err = js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "T", Subjects: []string{"t.*"}, MaxMsgsPerSubject: 10_000}); err != nil {
		t.Fatal(err)
	}
	return w
}

// write publishes until n are acknowledged or one is not.
func (w *writer) write(n int) error {
	for i := range n {
		ctx, cancel := context.WithTimeout(w.t.Context(), 500*time.Millisecond)
		body := fmt.Sprint(len(w.acked), strings.Repeat("x", 2000))
		ack, err := w.js.Publish(ctx, fmt.Sprint("t.", i%5), []byte(body), jetstream.WithRetryAttempts(0))
		cancel()
		if err != nil {
			return err
		}
		w.acked[ack.Sequence] = body
	}
	return nil
}

func (w *writer) verify() {
	w.t.Helper()
	for seq, body := range w.acked {
		msg, err := w.stream.GetMsg(w.t.Context(), seq)
		if err != nil || string(msg.Data) != body {
			w.t.Fatalf("sequence %d, which was acknowledged: %v", seq, err)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	patience := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("it did not come about: %s", what)
		}
	}
}

// A full disk is known at once, says what to do, lets the log be read, and is
// over when there is space: without a restart, without a lost connection, and
// with all that was acknowledged.
func TestFullDisk(t *testing.T) {
	dir := smalldisk.New(t, 8)
	buf := &syncBuffer{}
	s := start(t, Config{Addr: "127.0.0.1:0", StoreDir: dir, Log: zerolog.New(buf)})
	w := newWriter(t, s)
	for round := range 3 {
		if err := w.write(300); err != nil {
			t.Fatal(err)
		}
		free := smalldisk.Fill(t, dir)
		if err := w.write(300); err == nil {
			t.Fatal("a full disk takes 300 messages; this test would prove nothing")
		}
		eventually(t, "the full disk is known", func() bool { return s.Health() != nil })
		var store *StoreError
		if err := s.Health(); !errors.As(err, &store) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(store.Todo(), "free space on the file system of "+dir) {
			t.Errorf("health is %v", err)
		}
		w.verify()
		free()
		eventually(t, "it is well again", func() bool { return s.Health() == nil })
		if err := w.write(10); err != nil {
			t.Errorf("after the disk had space again: %v", err)
		}
		w.verify()
		if got := s.JetStreamRestarts(); got != int64(round+1) {
			t.Errorf("JetStream was started again %d times in %d rounds", got, round+1)
		}
		if got := strings.Count(buf.String(), "the NATS store takes writes again"); got != round+1 {
			t.Errorf("the log says %d times in %d rounds that the store takes writes again", got, round+1)
		}
	}
	if got := w.js.Conn().Stats().Reconnects; got != 0 {
		t.Errorf("the connection was lost %d times", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w = &writer{t: t, acked: w.acked, js: newWriter(t, start(t, Config{Addr: "127.0.0.1:0", StoreDir: dir})).js}
	var err error
	if w.stream, err = w.js.Stream(t.Context(), "T"); err != nil {
		t.Fatal(err)
	}
	w.verify()
}

// A full disk is known where nobody writes, too, and JetStream is left alone.
func TestFullDiskOfAnIdleServer(t *testing.T) {
	dir := smalldisk.New(t, 4)
	s := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	free := smalldisk.Fill(t, dir)
	eventually(t, "the full disk is known", func() bool { return errors.Is(s.Health(), syscall.ENOSPC) })
	free()
	eventually(t, "it is well again", func() bool { return s.Health() == nil })
	if got := s.JetStreamRestarts(); got != 0 {
		t.Errorf("JetStream was started again %d times", got)
	}
	if left, err := filepath.Glob(filepath.Join(dir, probePattern)); len(left) > 1 || err != nil { // one may be under way
		t.Errorf("probes were left: %v %v", left, err)
	}
}

// JetStream that was switched off, as nats-server does itself when it may not
// write, comes back.
func TestJetStreamComesBack(t *testing.T) {
	s := start(t, Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()})
	w := newWriter(t, s)
	if err := w.write(10); err != nil {
		t.Fatal(err)
	}
	if err := s.ns.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "JetStream runs", func() bool { return s.JetStreamRestarts() == 1 && s.Health() == nil })
	if err := w.write(10); err != nil {
		t.Error(err)
	}
	w.verify()
}

// The pauses between restarts that do not help grow; one that helps begins
// anew.
func TestHealPauses(t *testing.T) {
	s := start(t, Config{Addr: InProcessOnly, StoreDir: t.TempDir()})
	s.stopWatch()
	s.watcher.Wait()
	h := &healer{s: s, dir: t.TempDir(), opts: nil}
	now := time.Now()
	if err := h.check(t.Context(), now); err != nil || h.pause != 0 {
		t.Fatal(err, h.pause)
	}
	if err := s.ns.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "JetStream is off", func() bool { return s.ns.JetStreamConfig() == nil })
	bad, err := (&Config{Addr: InProcessOnly}).options("/proc/no/such") // a reload with another directory is refused
	if err != nil {
		t.Fatal(err)
	}
	h.opts = bad
	var pauses []time.Duration
	for range 7 {
		if err := h.check(t.Context(), now); err == nil {
			t.Fatal("JetStream runs")
		}
		if err := h.check(t.Context(), h.next.Add(-1)); err == nil {
			t.Fatal("JetStream runs")
		}
		pauses = append(pauses, h.pause)
		now = h.next
	}
	if got := fmt.Sprint(pauses); got != "[1s 2s 4s 8s 16s 30s 30s]" {
		t.Errorf("pauses %s", got)
	}
}

// A directory that cannot be written to is an error of the start that says so.
func TestReadOnlyStore(t *testing.T) {
	dir := smalldisk.New(t, 4)
	first := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v %s", err, out)
	}
	_, err := Start(Config{Addr: InProcessOnly, StoreDir: dir})
	var store *StoreError
	if !errors.As(err, &store) || !errors.Is(err, syscall.EROFS) || !strings.Contains(store.Todo(), "make "+dir+" writable") {
		t.Errorf("got %v", err)
	}
}

// A stream whose settings are damaged is not made anew over its events: the
// start says what is wrong, and leaves everything as it is.
func TestDamagedStore(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"settings overwritten": func(dir string) error { return os.WriteFile(filepath.Join(dir, "meta.inf"), []byte("{"), 0o600) },
		"settings gone":        func(dir string) error { return os.Remove(filepath.Join(dir, "meta.inf")) },
		"checksum gone":        func(dir string) error { return os.Remove(filepath.Join(dir, "meta.sum")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
			if err := newWriter(t, s).write(10); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			stream := filepath.Join(dir, "jetstream", "$G", "streams", "T")
			if err := damage(stream); err != nil {
				t.Fatal(err)
			}
			before := tree(t, stream)
			_, err := Start(Config{Addr: InProcessOnly, StoreDir: dir})
			var store *StoreError
			if !errors.As(err, &store) || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), stream) || !strings.Contains(store.Todo(), "from a copy") {
				t.Errorf("got %v", err)
			}
			if after := tree(t, stream); after != before {
				t.Errorf("the files were %s\nand are %s", before, after)
			}
		})
	}
}

// tree is what is under dir, by name and size.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&list, strings.TrimPrefix(path, dir), info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
