package rooms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// shapeNames are what messages may be made of.
var shapeNames = []string{"plain", "braces", "nested", "cjk", "injected"}

// shapeBodies are n different bodies of some size bytes, all of one shape.
func shapeBodies(shape string, size, n int) [][]byte {
	const complete = `,"sent":"2026-11-20T12:00:00.123456789Z","time":1795176000123,"uid":"u-1","username":"Percy","avatar_id":"3","room_id":"x"`
	filler, rest := "a message of ordinary length, as people write them; ", complete
	switch shape {
	case "braces":
		filler = "{player} 9 : {banker} 8 [tie] }{ "
	case "cjk":
		filler = "莊家贏了,閒家輸了。"
	case "nested":
		rest = `,"deal":{"seat":7,"cards":["TD","9S"],"odds":{"time":1,"sent":0.95}}` + complete
	case "injected":
		rest = ""
	}
	bodies := make([][]byte, n)
	for i := range bodies {
		const frame = `{"type":"new_message","payload":{"message":"%08d %s","from":"percy"%s}}`
		space := max(0, size-len(frame)-len(rest))
		bodies[i] = fmt.Appendf(nil, frame, i, strings.Repeat(filler, space/len(filler))+strings.Repeat("-", space%len(filler)), rest)
	}
	return bodies
}

// TestShapeAllocatesNothing: a batch takes the memory that its frames lie in,
// and nothing for each event, whatever is in it.
func TestShapeAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates; counted without it")
	}
	const batch, most = 16, 5 // the burst, its list of chunks, a chunk or two, and now and then the ring
	for _, shape := range shapeNames {
		f, bodies := rooms.NewFanout(counters(10)), shapeBodies(shape, 400, batch)
		var seq uint64
		n := testing.AllocsPerRun(200, func() {
			f.Batch(seq, bodies, logTime)
			seq += batch
		})
		if n > most && !raceEnabled {
			t.Errorf("%s: a batch of %d allocates %v times, want at most %d", shape, batch, n, most)
		}
	}
}

// BenchmarkShape is what a room does with an event of its log, with 10 members,
// in memory. Compare shapes of one size.
func BenchmarkShape(b *testing.B) {
	for _, size := range []int{400, 4 << 10, 16 << 10} {
		for _, shape := range shapeNames {
			b.Run(fmt.Sprintf("%d/%s", size, shape), func(b *testing.B) {
				const batch = 16
				f, bodies := rooms.NewFanout(counters(10)), shapeBodies(shape, size, batch)
				b.ReportAllocs()
				var seq uint64
				for b.Loop() {
					f.Batch(seq, bodies, logTime)
					seq += batch
				}
				events := float64(b.N * batch)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events/float64(len(bodies[0])), "ns/byte")
			})
		}
	}
}
