package wire

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// inflated is what a peer makes of the frames, by the standard library alone:
// the payloads, each with whether it was compressed.
func inflated(t *testing.T, data []byte) (payloads []string, compressed []bool) {
	t.Helper()
	for len(data) > 0 {
		header, size := frameSizes(data)
		payload := data[header : header+size]
		packed := data[0]&Deflated != 0
		if packed {
			r := flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
			var err error
			if payload, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		payloads, compressed = append(payloads, string(payload)), append(compressed, packed)
		data = data[header+size:]
	}
	return payloads, compressed
}

func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.N(256))
	}
	return string(b)
}

func TestDeflaterAppend(t *testing.T) {
	long := strings.Repeat(benchEvent, 1000)
	cases := []struct {
		name, payload string
		op            Opcode
		compressed    bool
	}{
		{"long text", long, OpText, true},
		{"an event", benchEvent + benchEvent, OpText, true},
		{"of 64 KiB and more", strings.Repeat(noise(100), 1000), OpText, true},
		{"short text", benchEvent[:deflateAbove-1], OpText, false},
		{"noise", noise(500), OpText, false},
		{"empty", "", OpText, false},
		{"a pong", strings.Repeat("x", 125), OpPong, false},
	}
	var data []byte
	for _, c := range cases {
		data = AppendFrame(data, c.op, []byte(c.payload))
	}
	before := bytes.Clone(data)
	out := NewDeflater().Append([]byte("head"), data)
	if !bytes.Equal(data, before) {
		t.Error("the frames that members share were changed")
	}
	if string(out[:4]) != "head" {
		t.Errorf("begins with %q, want what was there", out[:4])
	}
	payloads, compressed := inflated(t, out[4:])
	if len(payloads) != len(cases) {
		t.Fatalf("%d frames came out, want %d", len(payloads), len(cases))
	}
	for i, c := range cases {
		if payloads[i] != c.payload || compressed[i] != c.compressed {
			t.Errorf("%s: %d bytes, compressed %v; want %d, %v", c.name, len(payloads[i]), compressed[i], len(c.payload), c.compressed)
		}
	}
}

// deflatedMessage is a compressed payload as a client sends it.
func deflatedMessage(t testing.TB, text string, final bool) *bytes.Buffer {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, text) // a bytes.Buffer takes everything
	if final {
		_ = w.Close()
		b.WriteByte(0)
		return &b
	}
	_ = w.Flush()
	b.Truncate(b.Len() - 4)
	return &b
}

func TestInflate(t *testing.T) {
	for _, text := range []string{"", "x", benchEvent, strings.Repeat(benchEvent, 100), noise(10_000)} {
		for _, final := range []bool{false, true} {
			var got bytes.Buffer
			if err := NewInflater().Append(&got, deflatedMessage(t, text, final), int64(len(text))); err != nil || got.String() != text {
				t.Errorf("%d bytes, final block %v: got %d bytes, %v", len(text), final, got.Len(), err)
			}
		}
	}
}

// A message that inflates to very much more than it may costs no more than the
// limit.
func TestInflateBomb(t *testing.T) {
	bomb := deflatedMessage(t, strings.Repeat("\x00", 100<<20), false)
	const limit = 16 << 10
	var got bytes.Buffer
	if err := NewInflater().Append(&got, bomb, limit); !errors.Is(err, ErrInflated) {
		t.Errorf("ended with %v, want ErrInflated", err)
	}
	if got.Cap() > 8*limit {
		t.Errorf("%d bytes were taken for it, want some %d", got.Cap(), limit)
	}
}

func TestInflateGarbage(t *testing.T) {
	good := deflatedMessage(t, benchEvent, false).String()
	for _, packed := range []string{"\xff\xff\xff", good[:len(good)/2], "\x07" + noise(300)} {
		var got bytes.Buffer
		if err := NewInflater().Append(&got, bytes.NewBufferString(packed), 1<<20); !errors.Is(err, ErrInflate) && !errors.Is(err, ErrInflated) {
			t.Errorf("%.20q ended with %v, want ErrInflate", packed, err)
		}
	}
}

// What cannot be compressed fits into MaxDeflated.
func TestMaxDeflated(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 16 << 10, 1 << 20} {
		if got := deflatedMessage(t, noise(n), true).Len(); int64(got) > MaxDeflated(int64(n)) {
			t.Errorf("%d bytes of noise are %d, want at most %d", n, got, MaxDeflated(int64(n)))
		}
	}
}

// What one event costs that is compressed, for all members together.
func BenchmarkDeflater(b *testing.B) {
	for name, text := range map[string]string{"event": benchEvent + benchEvent, "4KiB": strings.Repeat(benchEvent, 32)} {
		b.Run(name, func(b *testing.B) {
			frame := AppendFrame(nil, OpText, []byte(text))
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			var out []byte
			d := NewDeflater()
			for b.Loop() {
				out = d.Append(out[:0], frame)
			}
			b.ReportMetric(float64(len(out))/float64(len(frame)), "ratio")
		})
	}
}
