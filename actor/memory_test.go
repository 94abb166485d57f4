//go:build !race

// The race detector's own memory is not what is measured here.

package actor_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

// What an actor may take when it has been used and is idle, its receiver aside.
// Measured on amd64: 80 bytes, and 165 in a group with string keys.
const (
	maxIdleBytes      = 100
	maxIdleGroupBytes = 200
)

func TestMemoryOfAnIdleActor(t *testing.T) {
	const actors = 20_000
	refs := make([]*actor.Ref[int], actors)
	cfg, start := new(actor.Config[int]), always(sink{})
	perActor := bytesEach(actors, func() {
		for i := range refs {
			refs[i] = actor.Spawn(cfg, start)
			send(t, refs[i], 1, 2, 3)
			awaitIdle(refs[i]) // or what is measured is how many goroutines there were at once
		}
	})
	t.Logf("%.0f bytes for an idle actor", perActor)
	if perActor > maxIdleBytes {
		t.Errorf("%.0f bytes for an idle actor, want at most %d", perActor, maxIdleBytes)
	}
	for _, r := range refs {
		r.Stop()
		<-r.Done()
	}
}

func TestMemoryOfAnIdleActorInAGroup(t *testing.T) {
	keys := names(20_000)
	g := actor.NewGroup(nil, time.Hour, func(string, *actor.Ref[int]) actor.Receiver[int] { return sink{} })
	perActor := bytesEach(len(keys), func() {
		for _, key := range keys {
			if err := g.Send(key, 1); err != nil {
				t.Fatal(err)
			}
			r, _ := g.Lookup(key)
			awaitIdle(r)
		}
	})
	t.Logf("%.0f bytes for an idle actor in a group", perActor)
	if perActor > maxIdleGroupBytes {
		t.Errorf("%.0f bytes for an idle actor in a group, want at most %d", perActor, maxIdleGroupBytes)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = string([]byte{'r', byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return all
}

// bytesEach returns by how much the heap has grown for each of n after fill.
func bytesEach(n int, fill func()) float64 {
	before := heap()
	fill()
	after := heap()
	return (float64(after) - float64(before)) / float64(n)
}

// heap returns what is in use when pools are empty, which takes two
// collections.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestBuffersOfABurstAreNotKept(t *testing.T) {
	for room, want := range map[int]int{0: 0, 1: 1, actor.MaxPooled: actor.MaxPooled, actor.MaxPooled + 1: 0} {
		if waiting, batch := actor.Released(room); waiting != want || batch != want {
			t.Errorf("of buffers for %d messages, %d and %d were kept, want %d", room, waiting, batch, want)
		}
	}
}
