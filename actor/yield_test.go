package actor_test

import (
	"runtime"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

// lengths is told how many messages each batch has.
type lengths chan int

func (l lengths) Receive(b *actor.Batch[int]) { l <- len(drain(b)) }

// On one processor, a sender that steps aside after its first message comes
// back before an actor with Yield has begun, and after one without.
func TestYield(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for yield, want := range map[bool]int{true: 2, false: 1} {
		heard := make(lengths, 2)
		r := actor.Spawn(&actor.Config[int]{Yield: yield}, func(*actor.Ref[int]) actor.Receiver[int] { return heard })
		const rounds = 100
		asWanted := 0
		for range rounds {
			send(t, r, 1)
			runtime.Gosched()
			send(t, r, 2)
			first := <-heard
			for n := first; n < 2; n += <-heard {
			}
			if first == want {
				asWanted++
			}
		}
		// The runtime's own goroutines, and the system, run in between now and
		// then. The other setting gets next to none as wanted, so the rule
		// shows.
		if asWanted <= rounds/2 {
			t.Errorf("with Yield %v, %d of %d first batches had %d messages, want most", yield, asWanted, rounds, want)
		}
		r.Stop()
		<-r.Done()
	}
}
