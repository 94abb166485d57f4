package actor_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

// tally is what a stress finds about one key.
type tally struct {
	live     atomic.Int32
	received atomic.Int64 // or unread
	ended    atomic.Int64
	failed   atomic.Int64
	last     [stressSenders]int64 // the latest message of each sender; no lock, as there is one actor at a time
}

const (
	stressSenders = 6
	stressKeys    = 64
	stressEach    = 20_000
)

type parcel struct {
	sender int
	seq    int64
	fatal  bool
}

// stressed counts its key's messages. At the start there must be no other.
type stressed struct {
	t *testing.T
	*tally
}

func (s *stressed) Receive(b *actor.Batch[parcel]) {
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		s.count(m)
		if m.fatal {
			panic("a fatal message")
		}
	}
}

func (s *stressed) count(m parcel) {
	if m.seq <= s.last[m.sender] {
		s.t.Errorf("sender %d: %d came after %d", m.sender, m.seq, s.last[m.sender])
	}
	s.last[m.sender] = m.seq
	s.received.Add(1)
}

func (s *stressed) Failed(any) {
	s.failed.Add(1)
	s.live.Add(-1)
}

func (s *stressed) Stopped(unread []parcel) {
	for _, m := range unread {
		s.count(m)
	}
	s.ended.Add(1)
	s.live.Add(-1)
}

// Senders, retirements, stops and failures all at once, in real time: there is
// never more than one live actor for a key, no message is lost, none comes
// twice or out of order.
func TestGroupUnderStress(t *testing.T) {
	tallies := make([]tally, stressKeys)
	cfg := &actor.Config[parcel]{
		MaxMessages: 200,
		Backoff:     actor.Backoff{Min: time.Microsecond, Max: time.Microsecond},
	}
	cfg.OnUnread = func(unread []parcel) { // of an actor stopped in its backoff or before its start
		for _, m := range unread {
			s := stressed{t, &tallies[m.seq%stressKeys]}
			s.count(m)
		}
	}
	g := actor.NewGroup(cfg, 4*time.Hour, func(key int, _ *actor.Ref[parcel]) actor.Receiver[parcel] {
		if n := tallies[key].live.Add(1); n != 1 {
			t.Errorf("key %d: %d live actors", key, n)
		}
		return &stressed{t, &tallies[key]}
	})

	var senders, others sync.WaitGroup
	for sender := range stressSenders {
		senders.Go(func() {
			for seq := int64(1); seq <= stressEach; seq++ {
				key := int(seq % stressKeys)
				for g.Send(key, parcel{sender, seq, rand.N(2000) == 0}) == actor.ErrFull {
					runtime.Gosched()
				}
				runtime.Gosched()
			}
		})
	}
	over := make(chan struct{})
	stops := int64(0)
	others.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			g.Sweep()
			if r, ok := g.Lookup(i % stressKeys); ok && i%5 == 0 {
				r.Stop()
				stops++
			}
			runtime.Gosched()
		}
	})
	senders.Wait()
	close(over)
	others.Wait()
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	var received, ended, failed int64
	for key := range tallies {
		if n := tallies[key].live.Load(); n != 0 {
			t.Errorf("key %d: %d live actors after Close", key, n)
		}
		received += tallies[key].received.Load()
		ended += tallies[key].ended.Load()
		failed += tallies[key].failed.Load()
	}
	retired := ended - stops - stressKeys // at least
	t.Logf("%d messages, %d retirements, %d stops, %d failures", received, retired, stops, failed)
	if received != stressSenders*stressEach {
		t.Errorf("%d messages arrived of %d sent", received, stressSenders*stressEach)
	}
	if retired <= 0 || stops == 0 || failed == 0 {
		t.Errorf("%d retirements, %d stops, %d failures: that was no stress", retired, stops, failed)
	}
}
