package actor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

// journal is what happens to the actors of a group, in order. Only for tests in
// which one thing happens at a time.
type journal struct {
	idle func(key string) bool

	mu    sync.Mutex
	lines []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) start(key string, _ *actor.Ref[int]) actor.Receiver[int] {
	j.note("start %s", key)
	return &probe{
		receive: func(b *actor.Batch[int]) { j.note("%s %v", key, drain(b)) },
		stopped: func(unread []int) { j.note("stopped %s %v", key, unread) },
		idle: func() bool {
			may := j.idle == nil || j.idle(key)
			j.note("idle %s %v", key, may)
			return may
		},
	}
}

func (j *journal) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.lines, lines) {
		t.Errorf("happened:\n\t%s\nwant:\n\t%s", strings.Join(j.lines, "\n\t"), strings.Join(lines, "\n\t"))
	}
	j.lines = nil
}

// tell sends and lets the actor handle it.
func tell(t *testing.T, g *actor.Group[string, int], key string, m int) {
	t.Helper()
	if err := g.Send(key, m); err != nil {
		t.Errorf("Send(%q, %d): %v", key, m, err)
	}
	synctest.Wait()
}

func TestGroupKeepsAnActorForEachKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := actor.NewGroup(nil, time.Minute, j.start)
		tell(t, g, "a", 1)
		tell(t, g, "b", 2)
		tell(t, g, "a", 3)
		j.want(t, "start a", "a [1]", "start b", "b [2]", "a [3]")
		refs := make(map[string]*actor.Ref[int])
		g.Range(func(key string, r *actor.Ref[int]) bool {
			refs[key] = r
			return g.Len() == 2 // the group may be used in here
		})
		if keys := slices.Sorted(maps.Keys(refs)); !slices.Equal(keys, []string{"a", "b"}) {
			t.Errorf("Range went through %v", keys)
		}
		if r, ok := g.Lookup("a"); !ok || r != refs["a"] {
			t.Errorf("Lookup(a) = %p, %v, want %p, true", r, ok, refs["a"])
		}
		if _, ok := g.Lookup("c"); ok {
			t.Error("Lookup found an actor that nobody sent to")
		}
		calls := 0
		g.Range(func(string, *actor.Ref[int]) bool { calls++; return false })
		if calls != 1 {
			t.Errorf("Range went on for %d calls after false", calls)
		}
		if err := g.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestGroupRetiresTheIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const after = time.Minute
		var j journal
		g := actor.NewGroup(nil, after, j.start)
		tell(t, g, "a", 1)
		time.Sleep(after / 2)
		tell(t, g, "b", 1)
		tell(t, g, "a", 2)
		j.want(t, "start a", "a [1]", "start b", "b [1]", "a [2]")
		time.Sleep(after / 2)
		tell(t, g, "b", 2)
		j.want(t, "b [2]")
		time.Sleep(after/2 - 1)
		j.want(t) // a has been idle for one nanosecond less than it may
		time.Sleep(after/4 + 1)
		j.want(t, "idle a true", "stopped a []")
		if _, ok := g.Lookup("a"); ok || g.Len() != 1 {
			t.Errorf("after its retirement: Lookup(a) = %v, Len() = %d, want false, 1", ok, g.Len())
		}
		tell(t, g, "a", 3)
		j.want(t, "start a", "a [3]")
		time.Sleep(2 * after)
		synctest.Wait()
		if g.Len() != 0 {
			t.Errorf("%d actors left, want none", g.Len())
		}
	})
}

func TestGroupAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const after = time.Minute
		asked := 0
		j := journal{idle: func(string) bool { asked++; return asked == 3 }}
		g := actor.NewGroup(nil, after, j.start)
		tell(t, g, "a", 1)
		time.Sleep(after + after/4)
		j.want(t, "start a", "a [1]", "idle a false")
		time.Sleep(after - 1)
		j.want(t)
		time.Sleep(after/4 + 1)
		j.want(t, "idle a false")
		tell(t, g, "a", 2) // it was only asked
		time.Sleep(after + after/4)
		j.want(t, "a [2]", "idle a true", "stopped a []")
	})
}

func TestGroupWithoutIdlerAndWithoutRetirement(t *testing.T) {
	for after, want := range map[time.Duration]int{time.Nanosecond: 0, time.Second: 0, 0: 3, -1: 3} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := actor.NewGroup(nil, after, func(string, *actor.Ref[int]) actor.Receiver[int] {
					return plain(func(b *actor.Batch[int]) { drain(b) })
				})
				for _, key := range []string{"a", "b", "c"} {
					tell(t, g, key, 1)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if g.Len() != want {
					t.Errorf("%d of 3 actors left after an hour, want %d", g.Len(), want)
				}
			})
		})
	}
}

func TestBusyActorIsNotRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, handled := make(chan struct{}), false
		g := actor.NewGroup(nil, time.Second, func(string, *actor.Ref[int]) actor.Receiver[int] {
			return &probe{
				receive: func(b *actor.Batch[int]) { drain(b); <-gate; handled = true },
				idle: func() bool {
					if !handled {
						t.Error("asked while it handled a message")
					}
					return true
				},
			}
		})
		tell(t, g, "a", 1)
		time.Sleep(time.Minute)
		close(gate)
		time.Sleep(time.Second - 1)
		synctest.Wait()
		if g.Len() != 1 {
			t.Error("retired less than its time after it was busy")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if g.Len() != 0 {
			t.Error("not retired")
		}
	})
}

func TestMessageThatComesWhileAskedKeepsTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g *actor.Group[string, int]
		first := true
		j := journal{idle: func(key string) bool {
			if first {
				first = false
				if err := g.Send(key, 2); err != nil {
					t.Errorf("Send while asked: %v", err)
				}
			}
			return true
		}}
		g = actor.NewGroup(nil, time.Minute, j.start)
		tell(t, g, "a", 1)
		time.Sleep(time.Minute + 15*time.Second)
		j.want(t, "start a", "a [1]", "idle a true", "a [2]")
	})
}

func TestNextActorWaitsForTheLastOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		gate := make(chan struct{})
		slow := true
		cfg := &actor.Config[int]{OnUnread: func(u []int) { j.note("unread %v", u) }}
		g := actor.NewGroup(cfg, 0, func(key string, _ *actor.Ref[int]) actor.Receiver[int] {
			j.note("start")
			wait := slow
			slow = false
			return &probe{
				receive: func(b *actor.Batch[int]) { j.note("%v", drain(b)) },
				stopped: func([]int) {
					if wait {
						<-gate
					}
					j.note("stopped")
				},
			}
		})
		tell(t, g, "a", 1)
		r, _ := g.Lookup("a")
		r.Stop()
		tell(t, g, "a", 2) // does not wait, though the last actor is held up
		if n := g.Len(); n != 1 {
			t.Errorf("Len() = %d with one actor and its successor, want 1", n)
		}
		second, ok := g.Lookup("a")
		if !ok || second == r {
			t.Fatalf("Lookup = %p, %v, want the next actor", second, ok)
		}
		second.Stop() // before it could start: the third one still has to wait for the first
		tell(t, g, "a", 3)
		j.want(t, "start", "[1]")
		close(gate)
		j.want(t, "stopped", "unread [2]", "start", "[3]")
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		j.want(t, "stopped")
	})
}

func TestGroupClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		g := actor.NewGroup(nil, time.Minute, func(key string, _ *actor.Ref[int]) actor.Receiver[int] {
			return &probe{stopped: func([]int) {
				if key == "slow" {
					<-gate
				}
			}}
		})
		tell(t, g, "slow", 1)
		tell(t, g, "quick", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := g.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), " 1 of its actors") {
			t.Errorf("Close with an actor that does not end: %v, want the deadline and one actor named", err)
		}
		for _, key := range []string{"slow", "quick", "new"} {
			if err := g.Send(key, 2); err != actor.ErrStopped {
				t.Errorf("Send(%q) after Close: %v, want ErrStopped", key, err)
			}
		}
		close(gate)
		if err := g.Close(t.Context()); err != nil {
			t.Errorf("Close again: %v", err)
		}
		if g.Len() != 0 {
			t.Errorf("%d actors left after Close", g.Len())
		}
		g.Range(func(key string, _ *actor.Ref[int]) bool {
			t.Errorf("Range found %q after Close", key)
			return true
		})
	})
}

func TestGroupPassesOnErrFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		g := actor.NewGroup(&actor.Config[int]{MaxMessages: 1}, 0, func(string, *actor.Ref[int]) actor.Receiver[int] {
			return plain(func(b *actor.Batch[int]) { <-gate; drain(b) })
		})
		tell(t, g, "a", 1)
		tell(t, g, "a", 2)
		if err := g.Send("a", 3); err != actor.ErrFull {
			t.Errorf("Send over the bound: %v, want ErrFull", err)
		}
		close(gate)
	})
}

func TestPanicInIdleRestartsTheActor(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var panics []actor.Panic
				cfg := &actor.Config[int]{OnPanic: func(p actor.Panic) { panics = append(panics, p) }}
				j := journal{idle: func(string) bool { fail(); return true }}
				g := actor.NewGroup(cfg, time.Minute, j.start)
				tell(t, g, "a", 1)
				time.Sleep(time.Minute + 30*time.Second)
				j.want(t, "start a", "a [1]", "start a")
				if len(panics) != 1 || panics[0].Where != actor.InIdle || panics[0].Key != "a" || !panics[0].Restart {
					t.Errorf("reported %+v, want one panic in Idle of a, with a restart", panics)
				}
				tell(t, g, "a", 2)
				j.want(t, "a [2]")
			})
		})
	}
}

func TestEmptyGroupHoldsNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		g := actor.NewGroup(nil, time.Hour, j.start)
		for round := range 3 {
			tell(t, g, "a", round)
			r, _ := g.Lookup("a")
			r.Stop()
			<-r.Done()
			if g.Armed() {
				t.Errorf("round %d: the timer of an empty group runs", round)
			}
		}
		tell(t, g, "a", 3)
		if !g.Armed() {
			t.Error("the timer of a group with an actor does not run")
		}
	})
}
