package wire

import "testing"

// 128 bytes, as a browser sends it.
const benchEvent = `{"type":"send_message","id":"c-1700","room":"general","payload":{"message":"good evening, everybody 1234","from":"percy tse"}}` + "  "

func BenchmarkDecode(b *testing.B) {
	body := []byte(benchEvent)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	ev, err := Decode([]byte(benchEvent))
	if err != nil {
		b.Fatal(err)
	}
	ev.Seq = 123456
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendEvent(dst[:0], ev)
	}
}

func BenchmarkEventFrame(b *testing.B) {
	ev, err := Decode([]byte(benchEvent))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		EventFrame(ev)
	}
}

// The hot path of every event: one allocation for the id, one for the room.
func TestDecodeAllocations(t *testing.T) {
	body := []byte(benchEvent)
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(body) }); n > 2 {
		t.Errorf("Decode makes %v allocations, want at most 2", n)
	}
}

func TestEventFrameAllocations(t *testing.T) {
	ev, err := Decode([]byte(benchEvent))
	if err != nil {
		t.Fatal(err)
	}
	ev.Seq = 1<<64 - 1
	if n := testing.AllocsPerRun(100, func() { EventFrame(ev) }); n > 1 {
		t.Errorf("EventFrame makes %v allocations, want 1", n)
	}
}
