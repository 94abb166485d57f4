package actor_test

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

func TestStartRunsBeforeAnyMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var given, self *actor.Ref[int]
		self = actor.Spawn(nil, func(r *actor.Ref[int]) actor.Receiver[int] {
			given = r
			return &probe{}
		})
		synctest.Wait()
		if given != self {
			t.Errorf("start was given %p, want the actor itself, %p", given, self)
		}
	})
}

func TestOrderOfEachSender(t *testing.T) {
	const senders, each = 8, 5000
	type message struct{ sender, seq int }
	next := make([]int, senders) // no lock: the race detector sees whether Receive is ever called by two at once
	total := 0
	all := make(chan struct{})
	r := actor.Spawn(&actor.Config[message]{MaxMessages: 100, MaxBatch: 7}, func(*actor.Ref[message]) actor.Receiver[message] {
		return messages[message](func(b *actor.Batch[message]) {
			for _, m := range drain(b) {
				if m.seq != next[m.sender] {
					t.Errorf("sender %d: received %d, want %d", m.sender, m.seq, next[m.sender])
				}
				next[m.sender] = m.seq + 1
				if total++; total == senders*each {
					close(all)
				}
			}
		})
	})
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for seq := range each {
				for r.Send(message{sender, seq}) == actor.ErrFull {
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
	<-all
	r.Stop()
	<-r.Done()
}

type messages[M any] func(b *actor.Batch[M])

func (f messages[M]) Receive(b *actor.Batch[M]) { f(b) }

// gated returns an actor whose first Receive has taken message 0 and waits
// until the gate is closed, and a list of what each later Receive found in its
// batch.
func gated(t *testing.T, cfg *actor.Config[int], p *probe) (r *actor.Ref[int], gate chan struct{}, batches *[][]int) {
	gate, batches = make(chan struct{}), new([][]int)
	then := p.receive
	p.receive = func(b *actor.Batch[int]) {
		if m, ok := b.Next(); !ok || m != 0 {
			t.Errorf("first message: %d, %v, want 0, true", m, ok)
		}
		<-gate
		if p.receive = then; then == nil {
			p.receive = func(b *actor.Batch[int]) {
				n := b.Len()
				got := drain(b)
				if n != len(got) || b.Len() != 0 {
					t.Errorf("Len was %d before %v and %d after", n, got, b.Len())
				}
				*batches = append(*batches, got)
			}
		}
	}
	r = actor.Spawn(cfg, always(p))
	send(t, r, 0)
	synctest.Wait()
	return r, gate, batches
}

func TestBatchIsWhatWasQueued(t *testing.T) {
	for name, test := range map[string]struct {
		maxBatch int
		want     [][]int
	}{
		"all that is queued": {0, [][]int{{1, 2, 3, 4, 5}}},
		"at most two":        {2, [][]int{{1, 2}, {3, 4}, {5}}},
		"one by one":         {1, [][]int{{1}, {2}, {3}, {4}, {5}}},
		"more than queued":   {9, [][]int{{1, 2, 3, 4, 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, gate, batches := gated(t, &actor.Config[int]{MaxBatch: test.maxBatch}, &probe{})
				send(t, r, 1, 2, 3, 4, 5)
				if r.Len() != 5 {
					t.Errorf("Len() = %d with 5 waiting and one in hand", r.Len())
				}
				close(gate)
				synctest.Wait()
				if !slices.EqualFunc(*batches, test.want, slices.Equal) {
					t.Errorf("batches %v, want %v", *batches, test.want)
				}
				if r.Len() != 0 {
					t.Errorf("Len() = %d of an idle actor", r.Len())
				}
			})
		})
	}
}

func TestWhatReceiveLeavesComesFirstInTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got, left []int
		r, gate, _ := gated(t, nil, &probe{receive: func(b *actor.Batch[int]) {
			m, _ := b.Next()
			got, left = append(got, m), append(left, b.Len())
		}})
		send(t, r, 1, 2, 3)
		close(gate)
		synctest.Wait()
		if !slices.Equal(got, []int{1, 2, 3}) || !slices.Equal(left, []int{2, 1, 0}) {
			t.Errorf("received %v with %v left, want 1 2 3 with 2 1 0", got, left)
		}
	})
}

func TestBounds(t *testing.T) {
	// A message counts its tens and weighs its ones.
	cost := func(m int) (count, bytes int) { return m / 10, m % 10 }
	full := actor.ErrFull
	for name, test := range map[string]struct {
		cfg  actor.Config[int]
		send []int
		want []error
	}{
		"count":                           {actor.Config[int]{MaxMessages: 2}, []int{1, 2, 3, 4}, []error{nil, nil, full, full}},
		"bytes do not count without Cost": {actor.Config[int]{MaxBytes: 1}, []int{1, 2, 3}, []error{nil, nil, nil}},
		"counted by Cost":                 {actor.Config[int]{MaxMessages: 5, Cost: cost}, []int{20, 20, 20, 10, 10}, []error{nil, nil, full, nil, full}},
		"bytes":                           {actor.Config[int]{MaxBytes: 9, Cost: cost}, []int{14, 14, 12, 11, 11}, []error{nil, nil, full, nil, full}},
		"too large, but alone":            {actor.Config[int]{MaxBytes: 3, Cost: cost}, []int{19, 11, 19}, []error{nil, full, full}},
		"too large, not alone":            {actor.Config[int]{MaxBytes: 3, Cost: cost}, []int{11, 19, 12}, []error{nil, full, nil}},
		"too many in one, but alone":      {actor.Config[int]{MaxMessages: 3, Cost: cost}, []int{90, 10}, []error{nil, full}},
		"free of charge":                  {actor.Config[int]{MaxMessages: 1, MaxBytes: 1, Cost: cost}, []int{19, 0, 0, 10, 1, 0}, []error{nil, nil, nil, full, full, nil}},
		"a negative cost is none":         {actor.Config[int]{MaxBytes: 5, Cost: cost}, []int{15, -9, 1}, []error{nil, nil, full}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, gate, batches := gated(t, &test.cfg, &probe{})
				var accepted []int
				for i, m := range test.send {
					err := r.Send(m)
					if err != test.want[i] {
						t.Errorf("Send number %d, of %d: %v, want %v", i, m, err, test.want[i])
					}
					if err == nil {
						accepted = append(accepted, m)
					}
				}
				close(gate)
				synctest.Wait()
				if got := slices.Concat(*batches...); !slices.Equal(got, accepted) {
					t.Errorf("received %v, want what was accepted, %v", got, accepted)
				}
				// Drained, there is room again.
				send(t, r, test.send[0])
			})
		})
	}
}

func TestDefaultBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, gate, _ := gated(t, nil, &probe{})
		accepted := 0
		for r.Send(1) == nil {
			accepted++
		}
		if accepted != actor.DefaultMaxMessages {
			t.Errorf("%d messages accepted, want %d", accepted, actor.DefaultMaxMessages)
		}
		close(gate)
	})
}

func TestStopInMidBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *actor.Ref[int]
		var received, unread []int
		calls := 0
		p := &probe{
			receive: func(b *actor.Batch[int]) {
				for m, ok := b.Next(); ok; m, ok = b.Next() {
					received = append(received, m)
					if m == 2 {
						send(t, r, 5) // still accepted, behind the batch
						r.Stop()
						if n := b.Len(); n != 0 {
							t.Errorf("Len() = %d after Stop, with nothing more to come", n)
						}
					}
				}
			},
			stopped: func(u []int) {
				calls++
				unread = u
				select {
				case <-r.Done():
					t.Error("Done was closed before Stopped returned")
				default:
				}
			},
		}
		var gate chan struct{}
		r, gate, _ = gated(t, nil, p)
		send(t, r, 1, 2, 3, 4)
		close(gate)
		<-r.Done()
		if want := []int{1, 2}; !slices.Equal(received, want) {
			t.Errorf("received %v, want %v", received, want)
		}
		if want := []int{3, 4, 5}; !slices.Equal(unread, want) || calls != 1 {
			t.Errorf("unread %v in %d calls, want %v in one", unread, calls, want)
		}
		if err := r.Send(6); !errors.Is(err, actor.ErrStopped) {
			t.Errorf("Send after Stop: %v, want ErrStopped", err)
		}
		r.Stop()
		synctest.Wait()
		if calls != 1 {
			t.Errorf("Stopped called %d times, want once", calls)
		}
	})
}

func TestStopOfAnIdleActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		r := actor.Spawn(nil, always(&probe{stopped: func(unread []int) {
			if calls++; unread != nil {
				t.Errorf("unread %v, want nil", unread)
			}
		}}))
		synctest.Wait()
		if r.Stopping() {
			t.Error("Stopping() before Stop")
		}
		asked := r.Done()
		r.Stop()
		r.Stop()
		if !r.Stopping() {
			t.Error("not Stopping() after Stop")
		}
		<-asked
		<-r.Done()
		if calls != 1 {
			t.Errorf("Stopped called %d times, want once", calls)
		}
	})
}

func TestDoneAskedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := actor.Spawn(nil, always(&probe{}))
		r.Stop()
		synctest.Wait()
		select {
		case <-r.Done():
		default:
			t.Error("Done is open though the actor has ended")
		}
	})
}

func TestUnreadWithoutStopper(t *testing.T) {
	for name, stopFirst := range map[string]bool{"receiver is no Stopper": false, "stopped before start": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var unread []int
				gate := make(chan struct{})
				cfg := &actor.Config[int]{OnUnread: func(u []int) { unread = append(unread, u...) }}
				first := actor.Spawn(cfg, func(self *actor.Ref[int]) actor.Receiver[int] {
					<-gate
					return plain(func(*actor.Batch[int]) { t.Error("Receive after Stop") })
				})
				send(t, first, 1, 2)
				if !stopFirst {
					synctest.Wait()
				}
				first.Stop()
				close(gate)
				<-first.Done()
				if want := []int{1, 2}; !slices.Equal(unread, want) {
					t.Errorf("OnUnread got %v, want %v", unread, want)
				}
				second := actor.Spawn(cfg, always(plain(func(b *actor.Batch[int]) { drain(b) })))
				second.Stop()
				<-second.Done()
				if len(unread) != 2 {
					t.Errorf("OnUnread got %v, want nothing new from an empty mailbox", unread)
				}
			})
		})
	}
}

// goroutines is how many there are, by their stacks, for which the runtime stops
// the world: runtime.NumGoroutine miscounts, to either side, while it moves those
// that have ended between its lists.
func goroutines() int {
	for buf := make([]byte, 1<<20); ; buf = make([]byte, 2*len(buf)) {
		if n := runtime.Stack(buf, true); n < len(buf) {
			return bytes.Count(buf[:n], []byte("\ngoroutine "))
		}
	}
}

func TestIdleActorsHoldNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const actors = 1000
		before := goroutines()
		received := make([]int, actors)
		cfg := new(actor.Config[int])
		refs := make([]*actor.Ref[int], actors)
		for i := range refs {
			refs[i] = actor.Spawn(cfg, always(plain(func(b *actor.Batch[int]) { received[i] += len(drain(b)) })))
		}
		for round := range 3 {
			for _, r := range refs {
				send(t, r, round)
			}
			synctest.Wait()
			if more := goroutines() - before; more > 10 {
				t.Errorf("round %d: %d goroutines for %d idle actors", round, more, actors)
			}
		}
		for i, n := range received {
			if n != 3 {
				t.Errorf("actor %d received %d messages, want 3", i, n)
			}
		}
	})
}

func TestReceivedMessagesAreNotKeptAlive(t *testing.T) {
	type large struct{ _ [1 << 16]byte }
	entered, gate := make(chan struct{}), make(chan struct{})
	r := actor.Spawn(nil, func(*actor.Ref[*large]) actor.Receiver[*large] {
		return messages[*large](func(b *actor.Batch[*large]) {
			b.Next()
			entered <- struct{}{}
			<-gate
		})
	})
	var sent []weak.Pointer[large]
	for range 3 {
		m := new(large)
		sent = append(sent, weak.Make(m))
		send(t, r, m)
	}
	for range 2 { // the third one may be in the batch of the second
		<-entered
		gate <- struct{}{}
	}
	<-entered
	send(t, r, new(large))
	gate <- struct{}{}
	<-entered // the actor has the last one, from a batch of its own, in hand
	runtime.GC()
	for i, m := range sent {
		if m.Value() != nil {
			t.Errorf("message %d is kept alive though the actor is done with it", i)
		}
	}
	close(gate)
	r.Stop()
	<-r.Done()
}

// What is offered leaves half of the mailbox to what is sent.
func TestOfferLeavesHalf(t *testing.T) {
	taking, goOn := make(chan struct{}), make(chan struct{})
	r := actor.Spawn(&actor.Config[int]{MaxMessages: 10}, func(*actor.Ref[int]) actor.Receiver[int] {
		return messages[int](func(b *actor.Batch[int]) {
			if m := drain(b); slices.Contains(m, 0) {
				taking <- struct{}{}
				<-goOn
			}
		})
	})
	if err := r.Offer(0); err != nil {
		t.Fatal(err)
	}
	<-taking
	count := func(put func(int) error) (n int) {
		for put(1) == nil {
			n++
		}
		return n
	}
	if n := count(r.Offer); n != 5 {
		t.Errorf("a mailbox of 10 took %d that were offered, want 5", n)
	}
	if n := count(r.Send); n != 5 {
		t.Errorf("then it took %d that were sent, want 5", n)
	}
	close(goOn)
	r.Stop()
	<-r.Done()
}
