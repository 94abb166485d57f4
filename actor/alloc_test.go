//go:build !race

// With the race detector sync.Pool forgets on purpose.

package actor_test

import (
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
)

func TestSendAllocatesNothing(t *testing.T) {
	entered, gate := make(chan struct{}, 2), make(chan struct{})
	held := plain(func(b *actor.Batch[int]) {
		drain(b)
		select {
		case entered <- struct{}{}:
		default:
		}
		<-gate
	})
	busy := actor.Spawn(&actor.Config[int]{MaxMessages: 1 << 20}, always(held))
	full := actor.Spawn(&actor.Config[int]{MaxMessages: 1}, always(held))
	for _, r := range []*actor.Ref[int]{busy, full} {
		send(t, r, 1)
		<-entered
		send(t, r, 2)
	}
	idle := actor.Spawn(nil, always(sink{}))
	group := actor.NewGroup(nil, time.Hour, func(string, *actor.Ref[int]) actor.Receiver[int] { return sink{} })
	for name, once := range map[string]func() error{
		"to an idle actor, until it is idle again": func() error {
			err := idle.Send(1)
			awaitIdle(idle)
			return err
		},
		"burst and drain": func() error {
			for i := range 100 {
				if err := idle.Send(i); err != nil {
					return err
				}
			}
			awaitIdle(idle)
			return nil
		},
		"by key": func() error {
			err := group.Send("room", 1)
			r, _ := group.Lookup("room")
			awaitIdle(r)
			return err
		},
		"to a busy actor": func() error { return busy.Send(1) },
		"to a full mailbox": func() error {
			if err := full.Send(1); err != actor.ErrFull {
				t.Errorf("Send to a full mailbox: %v", err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			// The average is rounded down: a collection may empty the pool, and
			// a buffer grows now and then.
			if n := testing.AllocsPerRun(1000, func() {
				if err := once(); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%v allocations, want none", n)
			}
		})
	}
	close(gate)
	for _, r := range []*actor.Ref[int]{busy, idle, full} {
		r.Stop()
		<-r.Done()
	}
	if err := group.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
