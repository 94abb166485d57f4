package session

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// turning is a wheel in a bubble, with when each client was woken.
type turning struct {
	*wheel
	mu    sync.Mutex
	woken map[*Client][]time.Duration
}

func newTurning(step time.Duration) *turning {
	w := &turning{woken: make(map[*Client][]time.Duration)}
	w.wheel = newWheel(step, func(c *Client) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.woken[c] = append(w.woken[c], time.Since(w.started))
	})
	return w
}

// Everybody is woken once, in its time or up to a step before.
func TestWheelWakesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = time.Second
		w := newTurning(step)
		want := map[*Client]time.Duration{}
		for range 1000 {
			c := new(Client)
			time.Sleep(rand.N(20 * time.Millisecond))
			d := step + rand.N(20*time.Second)
			w.set(c, d)
			want[c] = time.Since(w.started) + d
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		same(t, "clients woken", len(w.woken), len(want))
		for c, due := range want {
			if at := w.woken[c]; len(at) != 1 || at[0] > due || at[0] <= due-2*step {
				t.Fatalf("woken at %v, want once, up to a step before %v", at, due)
			}
		}
		same(t, "clients left", w.count, 0)
	})
}

func TestWheelTakesTheLastTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTurning(time.Second)
		moved, dropped, other := new(Client), new(Client), new(Client)
		w.set(moved, 10*time.Second)
		w.set(dropped, 10*time.Second)
		w.set(other, 10*time.Second)
		w.set(moved, 20*time.Second)
		w.drop(dropped)
		w.drop(dropped) // again does nothing
		time.Sleep(time.Minute)
		synctest.Wait()
		same(t, "clients woken", len(w.woken), 2)
		same(t, "moved", w.woken[moved][0], 20*time.Second)
		same(t, "other", w.woken[other][0], 10*time.Second)
	})
}

// A time beyond a full turn wakes early rather than late.
func TestWheelBeyondATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTurning(time.Second)
		c := new(Client)
		w.set(c, time.Hour)
		time.Sleep(time.Hour)
		synctest.Wait()
		same(t, "wake-ups", len(w.woken[c]), 1)
		within(t, "woken", w.woken[c][0], wheelSteps*time.Second, (wheelSteps+2)*time.Second)
	})
}

// A wheel that nobody is in stands still, and goes on from the present.
func TestWheelStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTurning(time.Second)
		c := new(Client)
		w.set(c, 5*time.Second)
		w.drop(c)
		same(t, "the timer runs", w.timer.Stop(), false)
		time.Sleep(time.Hour)
		w.set(c, 5*time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		same(t, "wake-ups", len(w.woken[c]), 1)
		same(t, "woken", w.woken[c][0], time.Hour+5*time.Second)
	})
}

// Waking many costs nothing per client but the call.
func BenchmarkWheel(b *testing.B) {
	w := newWheel(time.Hour, func(*Client) {})
	clients := list(0, 10_000, func(int) *Client { return new(Client) })
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.set(clients[i%len(clients)], time.Duration(i%wheelSteps)*time.Hour)
	}
	w.timer.Stop()
}
