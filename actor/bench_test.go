package actor_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

// Each benchmark has two halves: an actor, and the goroutine with a buffered
// channel of the same length that one would write instead. Each counts until
// everything has been received.

const benchQueue = actor.DefaultMaxMessages

// receiving is where the messages of a benchmark arrive.
type receiving struct {
	left int
	all  chan struct{}
}

func newReceiving(n int) *receiving { return &receiving{left: n, all: make(chan struct{})} }

func (r *receiving) take() {
	if r.left--; r.left == 0 {
		close(r.all)
	}
}

func (r *receiving) Receive(b *actor.Batch[int]) {
	for _, ok := b.Next(); ok; _, ok = b.Next() {
		r.take()
	}
}

// insist sends until there is room, as a channel would.
func insist(r *actor.Ref[int], m int) {
	for r.Send(m) == actor.ErrFull {
		runtime.Gosched()
	}
}

// inbox returns how to send to a new receiver and how to end it.
type inbox func(n int) (send func(int), all <-chan struct{}, end func())

func actorInbox(n int) (func(int), <-chan struct{}, func()) {
	in := newReceiving(n)
	r := actor.Spawn(nil, always(in))
	return func(m int) { insist(r, m) }, in.all, func() { r.Stop(); <-r.Done() }
}

func channelInbox(n int) (func(int), <-chan struct{}, func()) {
	in := newReceiving(n)
	c := make(chan int, benchQueue)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range c {
			in.take()
		}
	})
	return func(m int) { c <- m }, in.all, func() { close(c); wg.Wait() }
}

func both(b *testing.B, bench func(b *testing.B, in inbox)) {
	b.Run("actor", func(b *testing.B) { b.ReportAllocs(); bench(b, actorInbox) })
	b.Run("channel", func(b *testing.B) { b.ReportAllocs(); bench(b, channelInbox) })
}

func BenchmarkOneSender(b *testing.B) {
	both(b, func(b *testing.B, in inbox) {
		send, all, end := in(b.N)
		b.ResetTimer()
		for i := range b.N {
			send(i)
		}
		<-all
		b.StopTimer()
		end()
	})
}

func BenchmarkManySenders(b *testing.B) {
	both(b, func(b *testing.B, in inbox) {
		send, all, end := in(b.N)
		b.SetParallelism(16)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				send(1)
			}
		})
		<-all
		b.StopTimer()
		end()
	})
}

// BenchmarkFanOut sends each message to 1000 receivers; one op is one delivery.
func BenchmarkFanOut(b *testing.B) {
	const receivers = 1000
	both(b, func(b *testing.B, in inbox) {
		rounds := b.N/receivers + 1
		var sends [receivers]func(int)
		var alls [receivers]<-chan struct{}
		var ends [receivers]func()
		for i := range receivers {
			sends[i], alls[i], ends[i] = in(rounds)
		}
		b.ResetTimer()
		for round := range rounds {
			for _, send := range sends {
				send(round)
			}
		}
		for _, all := range alls {
			<-all
		}
		b.StopTimer()
		for _, end := range ends {
			end()
		}
	})
}

// BenchmarkPingPong is the worst case for an actor: each message wakes an idle
// one.
func BenchmarkPingPong(b *testing.B) {
	b.Run("actor", func(b *testing.B) {
		b.ReportAllocs()
		var ping, pong *actor.Ref[int]
		all := make(chan struct{})
		pong = actor.Spawn(nil, always(plain(func(batch *actor.Batch[int]) {
			m, _ := batch.Next()
			insist(ping, m-1)
		})))
		ping = actor.Spawn(nil, always(plain(func(batch *actor.Batch[int]) {
			if m, _ := batch.Next(); m > 0 {
				insist(pong, m)
			} else {
				close(all)
			}
		})))
		b.ResetTimer()
		insist(ping, b.N)
		<-all
		b.StopTimer()
		for _, r := range []*actor.Ref[int]{ping, pong} {
			r.Stop()
			<-r.Done()
		}
	})
	b.Run("channel", func(b *testing.B) {
		b.ReportAllocs()
		ping, pong := make(chan int, benchQueue), make(chan int, benchQueue)
		var wg sync.WaitGroup
		wg.Go(func() {
			for m := range pong {
				ping <- m - 1
			}
		})
		b.ResetTimer()
		pong <- b.N
		for m := range ping {
			if m == 0 {
				break
			}
			pong <- m
		}
		b.StopTimer()
		close(pong)
		wg.Wait()
	})
}

// BenchmarkIdleMemory reports the heap and stack of a receiver that has been
// used and now waits.
func BenchmarkIdleMemory(b *testing.B) {
	const receivers = 10_000
	for name, in := range map[string]inbox{"actor": actorInbox, "channel": channelInbox} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var ends [receivers]func()
				before := inUse()
				for i := range ends {
					send, all, end := in(1)
					send(1)
					<-all
					ends[i] = end
				}
				b.ReportMetric(float64(inUse()-before)/receivers, "B/receiver")
				for _, end := range ends {
					end()
				}
			}
		})
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
