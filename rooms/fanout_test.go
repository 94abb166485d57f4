package rooms_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// counter is a member that only counts.
type counter struct {
	id   string
	user wire.User
	n    atomic.Int64
	want int64
	done chan struct{} // closed at want; nil: nobody waits
}

func (c *counter) ID() string           { return c.id }
func (c *counter) User() wire.User      { return c.user }
func (c *counter) Left(wire.Room)       {}
func (c *counter) Close(wire.CloseCode) {}
func (c *counter) Deliver(b *rooms.Burst) error {
	if got := c.n.Add(int64(b.Count)); c.done != nil && got >= c.want && got-int64(b.Count) < c.want {
		close(c.done)
	}
	return nil
}

func counters(n int) []rooms.Member {
	members := make([]rooms.Member, n)
	for i := range members {
		members[i] = &counter{id: fmt.Sprint("c", i), user: wire.User{UID: fmt.Sprint("u", i)}}
	}
	return members
}

const logTime = "2026-11-20T12:00:00.123456789Z"

func noteBodies(n int) [][]byte {
	bodies := make([][]byte, n)
	for i := range bodies {
		bodies[i] = fmt.Appendf(nil, `{"type":"note","payload":{"text":"a message of ordinary length, as people write them","n":%d}}`, i)
	}
	return bodies
}

// TestDeliveryAllocatesNothing: whatever a batch costs, it costs once and not
// per member.
func TestDeliveryAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector allocates; counted without it")
	}
	burst := rooms.EventBurst(note(1))
	few, many := rooms.NewFanout(counters(10)), rooms.NewFanout(counters(1000))
	if n := testing.AllocsPerRun(100, func() { many.Burst(burst) }); n != 0 {
		t.Errorf("a burst to 1000 members allocates %v times", n)
	}
	bodies := noteBodies(16)
	var seq uint64
	batch := func(f *rooms.Fanout) float64 {
		return testing.AllocsPerRun(200, func() {
			f.Batch(seq, bodies, logTime)
			seq += 16
		})
	}
	a, b := batch(few), batch(many)
	if b > a+2 && !raceEnabled { // the ring's slice moves now and then
		t.Errorf("a batch to 10 members allocates %v times, to 1000 %v times", a, b)
	}
}

// BenchmarkFanout is one room's share of a delivery to 1000 members, in memory.
func BenchmarkFanout(b *testing.B) {
	for _, batch := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			f, bodies := rooms.NewFanout(counters(1000)), noteBodies(batch)
			b.ReportAllocs()
			var seq uint64
			for b.Loop() {
				f.Batch(seq, bodies, logTime)
				seq += uint64(batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(1000*batch), "ns/delivery")
		})
	}
}

// BenchmarkPublishToDeliver is an event's way through the real log to 1000
// members: one at a time, and many under way.
func BenchmarkPublishToDeliver(b *testing.B) {
	for _, ahead := range []int{1, 64} {
		b.Run(fmt.Sprint("ahead=", ahead), func(b *testing.B) {
			eng, _ := start(b, nil)
			members := counters(1000)
			for _, m := range members {
				if err := eng.Join(within(b), "x", m, "", rooms.Since{}); err != nil {
					b.Fatal(err)
				}
			}
			eventually(b, "quiet", func() bool { info, _ := eng.RoomHere("x"); return info.Users == 1000 })
			heard := newMember("heard")
			if err := eng.Join(within(b), "x", heard, "", rooms.Since{}); err != nil {
				b.Fatal(err)
			}
			slots := make(chan struct{}, ahead)
			b.ReportAllocs()
			b.ResetTimer()
			begin, sent := time.Now(), 0
			var seq atomic.Uint64
			for b.Loop() {
				slots <- struct{}{}
				sent++
				publishAsync(b, eng, "x", strconv.Itoa(sent), note(sent), func(s rooms.PubAck, err error) {
					if err != nil {
						b.Error(err)
					}
					for was := seq.Load(); s.Seq > was && !seq.CompareAndSwap(was, s.Seq); was = seq.Load() {
					}
					<-slots
				})
				if ahead == 1 {
					slots <- struct{}{}
					<-slots
					heard.awaitSeq(b, seq.Load())
				}
			}
			for range ahead {
				slots <- struct{}{}
			}
			heard.awaitSeq(b, seq.Load())
			b.ReportMetric(float64(sent)/time.Since(begin).Seconds(), "events/s")
		})
	}
}

// BenchmarkJoinStorm is everybody coming back at once.
func BenchmarkJoinStorm(b *testing.B) {
	const n = 5000
	eng, _ := start(b, func(c *rooms.Config) { c.Mailbox = 2 * n })
	round := 0
	for b.Loop() {
		members := counters(n)
		room := fmt.Sprint("x", round)
		round++
		errs := make(chan error, n)
		for _, m := range members {
			go func() { errs <- eng.Join(within(b), wire.Room(room), m, "", rooms.Since{}) }()
		}
		for range n {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/join")
}
