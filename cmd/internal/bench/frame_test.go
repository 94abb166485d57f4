package bench

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// serverFrame is appendFrame without a mask.
func serverFrame(op byte, data []byte) []byte {
	f := appendFrame(nil, op, data)
	f[1] &^= maskBit
	header := len(f) - len(data) - 4
	return append(f[:header:header], data...)
}

func TestNextFrame(t *testing.T) {
	long := strings.Repeat("x", 300)
	huge := strings.Repeat("y", 70_000)
	for _, tc := range []struct {
		name string
		in   []byte
		op   byte
		data string
		size int
		err  error
	}{
		{name: "nothing"},
		{name: "half a header", in: []byte{0x81}},
		{name: "short", in: []byte("\x81\x02hi"), op: opText, data: "hi", size: 4},
		{name: "more behind", in: []byte("\x81\x02hi\x81"), op: opText, data: "hi", size: 4},
		{name: "empty ping", in: []byte{0x89, 0}, op: opPing, size: 2},
		{name: "not all there", in: []byte("\x81\x03hi")},
		{name: "half a length", in: []byte{0x81, 126, 1}},
		{name: "half a long length", in: []byte{0x81, 127, 0, 0, 0, 0, 0, 0, 1}},
		{name: "16-bit length", in: serverFrame(opText, []byte(long)), op: opText, data: long, size: 304},
		{name: "64-bit length", in: serverFrame(opText, []byte(huge)), op: opText, data: huge, size: 70_010},
		{name: "first of a fragmented message", in: []byte("\x01\x02hi"), op: opText, data: "hi", size: 4},
		{name: "masked", in: []byte("\x81\x82\x00\x00\x00\x00hi"), err: errMasked},
		{name: "too long", in: []byte{0x81, 127, 0, 0, 0, 0, 0, 0xff, 0, 0}, err: errHuge},
		{name: "absurdly long", in: []byte{0x81, 127, 0xff, 0, 0, 0, 0, 0xff, 0, 0}, err: errHuge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, size, err := nextFrame(tc.in, 100<<10)
			if f.op != tc.op || string(f.data) != tc.data || size != tc.size || !errors.Is(err, tc.err) {
				t.Errorf("got %d %.20q, size %d, %v; want %d %.20q, size %d, %v", f.op, f.data, size, err, tc.op, tc.data, tc.size, tc.err)
			}
		})
	}
}

func TestClientFrameIsMaskedWithNothing(t *testing.T) {
	if got, want := appendFrame(nil, opText, []byte("hi")), "\x81\x82\x00\x00\x00\x00hi"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCloseCode(t *testing.T) {
	for in, want := range map[string]int{"": 1005, "\x03": 1005, "\x03\xe8": 1000, "\x0f\xa1too slow": 4001} {
		if got := closeCode([]byte(in)); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
	}
}

// However a stream is cut, the same frames come out.
func FuzzNextFrame(f *testing.F) {
	f.Add([]byte("\x81\x02hi\x89\x00\x81\x7e\x00\x03abc"), 3)
	f.Add(serverFrame(opText, bytes.Repeat([]byte{'x'}, 500)), 100)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		const limit = 1 << 10
		whole, _ := allFrames(stream, limit)
		if cut < 0 || cut > len(stream) {
			return
		}
		first, rest := allFrames(stream[:cut], limit)
		second, _ := allFrames(append(rest, stream[cut:]...), limit)
		got := append(first, second...)
		if len(got) != len(whole) {
			t.Fatalf("cut at %d: %d frames, want %d", cut, len(got), len(whole))
		}
		for i, frame := range got {
			if frame.op != whole[i].op || !bytes.Equal(frame.data, whole[i].data) {
				t.Errorf("frame %d is %v, want %v", i, frame, whole[i])
			}
		}
	})
}

// allFrames ends with an error as with a frame that is not all there.
func allFrames(stream []byte, limit int) (list []frame, rest []byte) {
	for {
		f, size, err := nextFrame(stream, limit)
		if size == 0 || err != nil {
			return list, bytes.Clone(stream)
		}
		list, stream = append(list, f), stream[size:]
	}
}
