package actor_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

const boom = -1 // the message that makes an unstable receiver fail

// unstable records what happens to an actor whose receivers fail on boom.
type unstable struct {
	cfg     actor.Config[int]
	fail    func() // how; nil: panic("boom")
	starts  []time.Time
	got     []int
	panics  []actor.Panic
	when    []time.Time // of the panics
	failed  []any
	stopped int
	unread  []int
}

func (u *unstable) spawn() *actor.Ref[int] {
	u.cfg.OnPanic = func(p actor.Panic) {
		u.panics, u.when = append(u.panics, p), append(u.when, time.Now())
	}
	u.cfg.OnUnread = func(unread []int) { u.unread = unread }
	return actor.Spawn(&u.cfg, func(*actor.Ref[int]) actor.Receiver[int] {
		u.starts = append(u.starts, time.Now())
		return &probe{
			receive: u.receive,
			failed:  func(cause any) { u.failed = append(u.failed, cause) },
			stopped: func(unread []int) { u.stopped++; u.unread = unread },
		}
	})
}

func (u *unstable) receive(b *actor.Batch[int]) {
	for m, ok := b.Next(); ok; m, ok = b.Next() {
		switch {
		case m != boom:
			u.got = append(u.got, m)
		case u.fail != nil:
			u.fail()
		default:
			panic("boom")
		}
	}
}

// gone is long enough for every backoff.
const gone = 2 * actor.DefaultMaxBackoff

func TestPanicLosesOnlyTheMessageInHand(t *testing.T) {
	for name, test := range map[string]struct {
		fail  func()
		cause any
	}{
		"panic":  {nil, "boom"},
		"Goexit": {runtime.Goexit, actor.ErrGoexit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := unstable{fail: test.fail}
				r := u.spawn()
				send(t, r, 1, 2, boom, 3, 4)
				synctest.Wait()
				time.Sleep(gone)
				send(t, r, 5)
				synctest.Wait()
				if want := []int{1, 2, 3, 4, 5}; !slices.Equal(u.got, want) {
					t.Errorf("received %v, want %v", u.got, want)
				}
				if len(u.starts) != 2 || len(u.panics) != 1 || len(u.failed) != 1 {
					t.Fatalf("%d starts, %d panics, %d Failed, want 2, 1, 1", len(u.starts), len(u.panics), len(u.failed))
				}
				p := u.panics[0]
				if p.Where != actor.InReceive || p.Message != boom || p.Taken < 1 || p.Taken > 3 || !p.Restart || p.Score != 1 || p.Key != nil {
					t.Errorf("reported %+v", p)
				}
				if !strings.Contains(string(p.Stack), "(*unstable).receive") {
					t.Errorf("the stack does not lead to the place of the panic:\n%s", p.Stack)
				}
				for what, got := range map[string]any{"Panic.Value": p.Value, "cause of Failed": u.failed[0]} {
					if got != test.cause {
						t.Errorf("%s is %v, want %v", what, got, test.cause)
					}
				}
				r.Stop()
				<-r.Done()
				if u.stopped != 1 || u.unread != nil {
					t.Errorf("%d Stopped with %v unread, want 1 with none", u.stopped, u.unread)
				}
			})
		})
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := unstable{}
		u.cfg.Backoff = actor.Backoff{Min: time.Second, Max: 20 * time.Second, Decay: time.Hour}
		r := u.spawn()
		const failures = 8
		for range failures {
			send(t, r, boom)
		}
		time.Sleep(failures * u.cfg.Backoff.Max)
		synctest.Wait()
		if len(u.panics) != failures || len(u.starts) != failures+1 {
			t.Fatalf("%d panics and %d starts, want %d and one more", len(u.panics), len(u.starts), failures)
		}
		jitter := make(map[time.Duration]bool)
		for i, p := range u.panics {
			if limit := min(time.Second<<i, u.cfg.Backoff.Max); p.Delay < 0 || p.Delay > limit {
				t.Errorf("failure %d: delay %v, want at most %v", i, p.Delay, limit)
			}
			if waited := u.starts[i+1].Sub(u.when[i]); waited != p.Delay {
				t.Errorf("failure %d: restarted after %v, announced was %v", i, waited, p.Delay)
			}
			if p.Score > float64(i+1) || p.Score < float64(i+1)*0.95 {
				t.Errorf("failure %d: score %v, want %d less some minutes of decay", i, p.Score, i+1)
			}
			jitter[p.Delay] = true
		}
		if len(jitter) < failures/2 {
			t.Errorf("only %d different delays in %d failures: %v", len(jitter), failures, jitter)
		}
	})
}

func TestFailureScoreDecays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := unstable{}
		u.cfg.Backoff.Decay = time.Minute
		r := u.spawn()
		var scores []float64
		for _, pause := range []time.Duration{0, time.Minute, 2 * time.Minute, 24 * time.Hour} {
			time.Sleep(pause)
			send(t, r, boom)
			synctest.Wait()
			p := u.panics[len(u.panics)-1]
			scores = append(scores, p.Score)
			if p.Score == 1 && p.Delay > actor.DefaultMinBackoff {
				t.Errorf("delay %v after a lonely failure, want at most %v", p.Delay, actor.DefaultMinBackoff)
			}
		}
		if want := []float64{1, 1.5, 1.375, 1}; !slices.Equal(scores, want) {
			t.Errorf("scores %v, want %v", scores, want)
		}
	})
}

func TestBackoffHoldsNoGoroutineAndTakesMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const actors, bound, slack = 500, 3, 100 // slack: as in TestIdleActorsHoldNoGoroutine
		before := runtime.NumGoroutine()
		cfg := &actor.Config[int]{MaxMessages: bound, Backoff: actor.Backoff{Min: time.Hour, Max: time.Hour}}
		got := make([][]int, actors)
		refs := make([]*actor.Ref[int], actors)
		for i := range refs {
			ready := false
			refs[i] = actor.Spawn(cfg, func(*actor.Ref[int]) actor.Receiver[int] {
				if !ready {
					ready = true
					panic("not yet")
				}
				return plain(func(b *actor.Batch[int]) { got[i] = append(got[i], drain(b)...) })
			})
		}
		synctest.Wait()
		if more := runtime.NumGoroutine() - before; more > slack {
			t.Errorf("%d goroutines for %d actors in their backoff", more, actors)
		}
		for i, r := range refs {
			if got[i] != nil { // its delay was next to nothing
				continue
			}
			send(t, r, 1, 2, 3)
			if err := r.Send(4); err != actor.ErrFull {
				t.Fatalf("Send over the bound in a backoff: %v, want ErrFull", err)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for i := range refs {
			if !slices.Equal(got[i], []int{1, 2, 3}) {
				t.Errorf("actor %d received %v after its backoff, want 1 2 3", i, got[i])
			}
		}
	})
}

func TestStopEndsABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := unstable{}
		u.cfg.Backoff = actor.Backoff{Min: time.Hour, Max: time.Hour}
		r := u.spawn()
		send(t, r, 1, boom, 2)
		synctest.Wait()
		send(t, r, 3)
		begin := time.Now()
		r.Stop()
		<-r.Done()
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("ended %v after Stop, want at once", waited)
		}
		if !slices.Equal(u.unread, []int{2, 3}) || u.stopped != 0 {
			t.Errorf("OnUnread got %v and Stopped was called %d times, want 2 3 and no call to a failed receiver", u.unread, u.stopped)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if len(u.starts) != 1 {
			t.Errorf("started %d times, want no start after Stop", len(u.starts))
		}
	})
}

func TestPanicAfterStopIsNoRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *actor.Ref[int]
		queued := make(chan struct{})
		u := unstable{fail: func() { <-queued; r.Stop(); panic("boom") }}
		r = u.spawn()
		send(t, r, boom, 1)
		close(queued)
		<-r.Done()
		if len(u.panics) != 1 || u.panics[0].Restart || u.panics[0].Delay != 0 {
			t.Errorf("reported %+v, want one panic and no restart", u.panics)
		}
		if len(u.failed) != 1 || u.stopped != 0 || len(u.starts) != 1 || !slices.Equal(u.unread, []int{1}) {
			t.Errorf("%d Failed, %d Stopped, %d starts, unread %v, want 1, 0, 1, [1]", len(u.failed), u.stopped, len(u.starts), u.unread)
		}
	})
}

// Everything an actor's code can do wrong, by panic and by Goexit: it is
// reported from there, and the actor can be used, or has ended, as if not.
func TestEveryBoundary(t *testing.T) {
	for _, where := range []actor.Where{actor.InStart, actor.InReceive, actor.InFailed, actor.InStopped} {
		for name, fail := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
			t.Run(string(where)+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testBoundary(t, where, fail) })
			})
		}
	}
}

func testBoundary(t *testing.T, where actor.Where, fail func()) {
	var seen []actor.Where
	var got []int
	once := func(at actor.Where) {
		if at == where && !slices.Contains(seen, at) {
			fail()
		}
	}
	cfg := &actor.Config[int]{OnPanic: func(p actor.Panic) {
		seen = append(seen, p.Where)
		if p.Where == where {
			runtime.Goexit() // even this must not wedge the actor
		}
	}}
	r := actor.Spawn(cfg, func(*actor.Ref[int]) actor.Receiver[int] {
		once(actor.InStart)
		return &probe{
			receive: func(b *actor.Batch[int]) {
				once(actor.InReceive)
				if where == actor.InFailed && !slices.Contains(seen, where) {
					panic("so that Failed is called")
				}
				got = append(got, drain(b)...)
			},
			failed:  func(any) { once(actor.InFailed) },
			stopped: func([]int) { once(actor.InStopped) },
		}
	})
	send(t, r, 1, 2)
	time.Sleep(gone)
	synctest.Wait()
	if !slices.Equal(got, []int{1, 2}) {
		t.Errorf("received %v, want 1 2", got)
	}
	r.Stop()
	<-r.Done()
	want := []actor.Where{where}
	if where == actor.InFailed {
		want = []actor.Where{actor.InReceive, actor.InFailed}
	}
	if !slices.Equal(seen, want) {
		t.Errorf("panics reported in %v, want %v", seen, want)
	}
}

func TestMisbehaviourIsAFailure(t *testing.T) {
	for name, test := range map[string]struct {
		start func() actor.Receiver[int]
		want  error
	}{
		"Receive takes nothing": {func() actor.Receiver[int] { return plain(func(*actor.Batch[int]) {}) }, actor.ErrNoProgress},
		"start returns nil":     {func() actor.Receiver[int] { return nil }, actor.ErrNoReceiver},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reported, unread []any
				cfg := &actor.Config[int]{
					Backoff: actor.Backoff{Min: time.Hour, Max: time.Hour},
					OnPanic: func(p actor.Panic) {
						if err, ok := p.Value.(error); !ok || !errors.Is(err, test.want) || p.Message != nil || p.Taken != 0 {
							t.Errorf("reported %+v, want %v without a message", p, test.want)
						}
						reported = append(reported, p.Value)
					},
					OnUnread: func(u []int) { unread = append(unread, len(u)) },
				}
				r := actor.Spawn(cfg, func(*actor.Ref[int]) actor.Receiver[int] { return test.start() })
				send(t, r, 1)
				synctest.Wait()
				r.Stop()
				<-r.Done()
				if len(reported) == 0 || len(unread) != 1 || unread[0] != 1 {
					t.Errorf("reported %v, unread %v, want something and the one message", reported, unread)
				}
			})
		})
	}
}
