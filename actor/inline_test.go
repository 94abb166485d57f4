package actor_test

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

func inline(t *testing.T, r *actor.Ref[int], m int) {
	t.Helper()
	if err := r.SendInline(m); err != nil {
		t.Fatalf("SendInline(%d): %v", m, err)
	}
}

// What finds the actor idle is received before SendInline returns.
func TestInlineOfAnIdleActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probe{}
		r := actor.Spawn(nil, always(p))
		synctest.Wait()
		for m := range 3 {
			inline(t, r, m)
			if len(p.got) != m+1 {
				t.Fatalf("received %v when SendInline(%d) had returned", p.got, m)
			}
		}
		send(t, r, 3)
		synctest.Wait()
		if !slices.Equal(p.got, []int{0, 1, 2, 3}) {
			t.Errorf("received %v, want 0 1 2 3", p.got)
		}
		r.Stop()
		<-r.Done()
		if err := r.SendInline(4); err != actor.ErrStopped {
			t.Errorf("SendInline to an actor that was stopped: %v", err)
		}
	})
}

// What finds it busy waits in the mailbox, up to its bound.
func TestInlineOfABusyActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, gate, batches := gated(t, &actor.Config[int]{MaxMessages: 2}, &probe{})
		inline(t, r, 1)
		inline(t, r, 2)
		if err := r.SendInline(3); err != actor.ErrFull {
			t.Errorf("SendInline to a full mailbox: %v", err)
		}
		close(gate)
		synctest.Wait()
		if len(*batches) != 1 || !slices.Equal((*batches)[0], []int{1, 2}) {
			t.Errorf("batches %v, want one of 1 2", *batches)
		}
	})
}

// The caller does what the actor is given meanwhile only for the first message:
// nothing else can hold it up.
func TestInlineHandsOverTheRest(t *testing.T) {
	for name, after := range map[string]func(*actor.Ref[int]){
		"a message": func(r *actor.Ref[int]) { _ = r.Send(1) },
		"a stop":    func(r *actor.Ref[int]) { r.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, reached := make(chan struct{}), 0
				hang := func() { <-gate; reached++ }
				p := &probe{stopped: func([]int) { hang() }}
				r := actor.Spawn(nil, always(p))
				synctest.Wait()
				p.receive = func(b *actor.Batch[int]) {
					if m, _ := b.Next(); m == 1 {
						hang()
						return
					}
					after(r)
				}
				inline(t, r, 0) // would be a deadlock if it waited
				synctest.Wait()
				close(gate)
				r.Stop()
				<-r.Done()
				if reached == 0 {
					t.Error("what came meanwhile was not done")
				}
			})
		})
	}
}

// A failure is the actor's, not the caller's.
func TestInlineFailure(t *testing.T) {
	for name, fail := range map[string]func(){
		"panic":  func() { panic("boom") },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []int
				r := actor.Spawn(nil, always(plain(func(b *actor.Batch[int]) {
					m, _ := b.Next()
					if m == 0 {
						fail()
					}
					got = append(got, m)
				})))
				synctest.Wait()
				called := make(chan struct{})
				go func() {
					defer close(called) // also when Goexit ends it
					_ = r.SendInline(0)
				}()
				<-called
				send(t, r, 1)
				time.Sleep(time.Hour) // the backoff
				synctest.Wait()
				if !slices.Equal(got, []int{1}) {
					t.Errorf("received %v after the failure, want 1", got)
				}
				r.Stop()
				<-r.Done()
			})
		})
	}
}

// Many wake one actor, inline and not: one at a time, in the order of each.
func TestInlineFromManySenders(t *testing.T) {
	const senders, each = 4, 2000
	got := make([]int, senders) // no lock: the race detector sees whether Receive is ever called by two at once
	total, all := 0, make(chan struct{})
	r := actor.Spawn(&actor.Config[[2]int]{MaxMessages: 10}, func(*actor.Ref[[2]int]) actor.Receiver[[2]int] {
		return messages[[2]int](func(b *actor.Batch[[2]int]) {
			for _, m := range drain(b) {
				if got[m[0]] != m[1] {
					t.Errorf("sender %d: received %d, want %d", m[0], m[1], got[m[0]])
				}
				got[m[0]]++
				if total++; total == senders*each {
					close(all)
				}
			}
		})
	})
	for sender := range senders {
		go func() {
			put := r.Send
			if sender%2 == 0 {
				put = r.SendInline
			}
			for i := range each {
				for put([2]int{sender, i}) == actor.ErrFull {
					runtime.Gosched()
				}
			}
		}()
	}
	<-all
	r.Stop()
	<-r.Done()
}

// SpawnInline has called start when it returns, with the Ref that it returns,
// and the actor is idle: what is sent then is received as always.
func TestSpawnInline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probe{}
		var self *actor.Ref[int]
		r := actor.SpawnInline(nil, func(r *actor.Ref[int]) actor.Receiver[int] {
			self = r
			return p
		})
		if self != r {
			t.Fatalf("start was given %p, and %p was returned", self, r)
		}
		inline(t, r, 0) // idle, or it would not be received before this returns
		if !slices.Equal(p.got, []int{0}) {
			t.Errorf("received %v, want 0", p.got)
		}
		send(t, r, 1)
		synctest.Wait()
		r.Stop()
		<-r.Done()
		if !slices.Equal(p.got, []int{0, 1}) {
			t.Errorf("received %v, want 0 1", p.got)
		}
	})
}

// What start does to its own actor does not hold the caller up, and a failure
// of start is the actor's.
func TestSpawnInlineHandsOverTheRest(t *testing.T) {
	for name, begin := range map[string]func(*actor.Ref[int]){
		"a message": func(r *actor.Ref[int]) { _ = r.Send(1) },
		"a stop":    func(r *actor.Ref[int]) { r.Stop() },
		"a panic":   func(*actor.Ref[int]) { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate, reached, started := make(chan struct{}), 0, 0
				hang := func() { <-gate; reached++ }
				p := &probe{stopped: func([]int) { hang() }, receive: func(b *actor.Batch[int]) { drain(b); hang() }}
				r := actor.SpawnInline(nil, func(r *actor.Ref[int]) actor.Receiver[int] {
					if started++; started == 1 {
						begin(r)
					}
					return p
				}) // would be a deadlock if it waited
				time.Sleep(time.Hour) // the backoff
				close(gate)
				r.Stop()
				<-r.Done()
				if name == "a panic" && started != 2 || reached == 0 {
					t.Errorf("started %d times, and went on %d times", started, reached)
				}
			})
		})
	}
}
