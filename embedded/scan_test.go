package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// blockOf is the first block of the stream T in dir.
func blockOf(dir string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", "T", "msgs", "1.blk")
}

// stored is a store of a server that was closed in order, with n messages in
// the stream T.
func stored(t *testing.T, n int) (dir string, w *writer) {
	t.Helper()
	dir = t.TempDir()
	s := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	w = newWriter(t, s)
	if err := w.write(n); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, w
}

// One bad byte in the middle of a block would take the messages after it, which
// are whole: the start is refused, and nothing is changed. What the error says
// to do gives up those, and no others.
func TestDamagedMessage(t *testing.T) {
	for name, at := range map[string]func(size, record int) int{
		"in the first length": func(size, record int) int { return 0 },
		"in a length":         func(size, record int) int { return size / 2 / record * record },
		"in a body":           func(size, record int) int { return size/2/record*record + record/2 },
		"in a checksum":       func(size, record int) int { return size/2/record*record + record - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := stored(t, 100)
			block := blockOf(dir)
			data, err := os.ReadFile(block)
			if err != nil {
				t.Fatal(err)
			}
			data[at(len(data), len(data)/100)] ^= 0x40
			if err := os.WriteFile(block, data, 0o600); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			_, err = Start(Config{Addr: InProcessOnly, StoreDir: dir})
			var store *StoreError
			if !errors.As(err, &store) || !strings.Contains(err.Error(), block) || !strings.Contains(err.Error(), "damaged at byte ") {
				t.Fatalf("got %v", err)
			}
			if after := tree(t, dir); after != before {
				t.Errorf("the files were %s\nand are %s", before, after)
			}
			_, repair, _ := strings.Cut(store.Todo(), "give these messages up: ")
			if out, err := exec.Command("sh", "-c", repair).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v %s", repair, err, out)
			}
			s := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
			left := newWriter(t, s)
			info, err := left.stream.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var lost uint64
			if _, rest, ok := strings.Cut(store.Err.Error(), " from sequence "); !ok {
				t.Fatal(store.Err)
			} else if _, err := fmt.Sscan(rest, &lost); err != nil {
				t.Fatal(err)
			}
			// The damaged one itself comes before the first that is whole.
			if info.State.Msgs != lost-2 {
				t.Errorf("%d messages are left, and the first lost one that was whole is %d", info.State.Msgs, lost)
			}
			for seq := range w.acked {
				if seq > lost-2 {
					delete(w.acked, seq)
				}
			}
			w.stream = left.stream
			w.verify()
		})
	}
}

// A block that ends in a piece of a message, or in zeros, is what a power cut
// leaves: that is no reason not to start.
func TestTornMessage(t *testing.T) {
	for name, tear := range map[string]func(data []byte) []byte{
		"a piece":  func(data []byte) []byte { return data[:len(data)-100] },
		"a head":   func(data []byte) []byte { return data[:len(data)-len(data)/100+3] },
		"zeros":    func(data []byte) []byte { clear(data[len(data)-3000:]); return data },
		"more":     func(data []byte) []byte { return append(data, make([]byte, 4096)...) },
		"nothing":  func(data []byte) []byte { return nil },
		"a page":   func(data []byte) []byte { clear(data[len(data)/2/4096*4096:][:4096]); return data },
		"as it is": func(data []byte) []byte { return data },
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := stored(t, 100)
			data, err := os.ReadFile(blockOf(dir))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(blockOf(dir), tear(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := newWriter(t, start(t, Config{Addr: InProcessOnly, StoreDir: dir})).write(1); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file that is gone cannot be brought back, but it is told.
func TestMissingBlock(t *testing.T) {
	dir, _ := stored(t, 100)
	if err := os.Remove(blockOf(dir)); err != nil {
		t.Fatal(err)
	}
	buf := &syncBuffer{}
	start(t, Config{Addr: InProcessOnly, StoreDir: dir, Log: zerolog.New(buf)})
	if got := strings.Count(buf.String(), `"level":"error"`); got != 1 || !strings.Contains(buf.String(), "a file of the NATS store is missing") {
		t.Errorf("the log says %s", buf)
	}
}

// Of a bucket all entries may have expired when the process was killed: its
// file is gone, and nothing is lost.
func TestMissingBlockOfABucket(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	nc, err := s.Connect("bucket")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "short"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "key", "value"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "jetstream", "$G", "streams", "KV_short", "msgs", "1.blk")); err != nil {
		t.Fatal(err)
	}
	buf := &syncBuffer{}
	start(t, Config{Addr: InProcessOnly, StoreDir: dir, Log: zerolog.New(buf)})
	if strings.Contains(buf.String(), `"level":"error"`) || !strings.Contains(buf.String(), "no stream but that bucket is concerned") {
		t.Errorf("the log says %s", buf)
	}
}

// What JetStream writes in a life of every kind is no damage: headers, limits,
// removed and purged messages, rollups, ages, many blocks.
func TestScanKnowsAllRecords(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	nc, err := s.Connect("writer")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "ALL", Subjects: []string{"all.>"}, MaxBytes: 1 << 20, MaxMsgsPerSubject: 50, AllowRollup: true, AllowMsgTTL: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b", History: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		m := &nats.Msg{Subject: fmt.Sprint("all.", i%70), Data: []byte(strings.Repeat("y", i%6000)), Header: nats.Header{}}
		switch i % 10 {
		case 1:
			m.Header.Set("X", strings.Repeat("z", i%300))
		case 2:
			if i%70 < 20 {
				m.Header.Set(jetstream.MsgRollup, "sub")
			}
		case 3:
			m.Header.Set("Nats-TTL", "1s")
		}
		ack, err := js.PublishMsg(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 20 {
		case 5:
			err = stream.DeleteMsg(t.Context(), ack.Sequence)
		case 6:
			err = stream.SecureDeleteMsg(t.Context(), ack.Sequence)
		case 7:
			_, err = kv.PutString(t.Context(), fmt.Sprint("k", i%30), "v")
		case 8:
			err = kv.Delete(t.Context(), fmt.Sprint("k", i%30))
		case 9:
			err = kv.Purge(t.Context(), fmt.Sprint("k", i%30))
		}
		if i == 2000 {
			err = errors.Join(err, stream.Purge(t.Context(), jetstream.WithPurgeSubject("all.1*")))
		}
		if err != nil {
			t.Fatal(i, err)
		}
	}
	check := func() {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "*", "msgs", "*.blk"))
		if err != nil || len(files) < 3 {
			t.Fatalf("%d blocks, %v; this test would prove nothing", len(files), err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b, err := newBlock(file, data)
			if err != nil {
				t.Fatal(err)
			}
			if d := b.damage(); d != nil {
				t.Error(d)
			}
			for at := 0; at < len(data); { // damage takes a bad end for torn
				length, _ := b.record(at)
				if length == 0 {
					t.Fatalf("%s: no message at %d of %d", file, at, len(data))
				}
				at += length
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check()
	s = start(t, Config{Addr: InProcessOnly, StoreDir: dir})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check()
}

func BenchmarkScan(b *testing.B) {
	dir := b.TempDir()
	s, err := Start(Config{Addr: InProcessOnly, StoreDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	for range 4000 {
		if err := storeOne(s, strings.Repeat("x", 500)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(blockOf(dir))
	if err != nil {
		b.Fatal(err)
	}
	blk, err := newBlock(blockOf(dir), data)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := blk.damage(); err != nil {
			b.Fatal(err)
		}
	}
}
