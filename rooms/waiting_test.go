package rooms_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestRemovalReachesAJoinThatWaits: a user whom an operator takes out, or whose
// sessions he ends, does not get in when the log has been read.
func TestRemovalReachesAJoinThatWaits(t *testing.T) {
	for _, tc := range []struct {
		name, room string
		remove     func(context.Context, *rooms.Engine, string) (int, error)
		closed     wire.CloseCode
	}{
		{"removed from the room", "x", func(ctx context.Context, eng *rooms.Engine, uid string) (int, error) {
			return eng.Remove(ctx, "x", uid)
		}, 0},
		{"closed", string(wire.Inbox("u-m")), func(ctx context.Context, eng *rooms.Engine, uid string) (int, error) {
			return eng.CloseUser(ctx, uid, wire.CloseRemoved)
		}, wire.CloseRemoved},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eng, _ := start(t, undisturbed)
			seqs := publish(t, eng, wire.Room(tc.room), 0, 10)
			release := sync.OnceFunc(eng.HoldReads())
			defer release() // or the engine could not close
			m, bystander := newMember("m"), newMember("bystander")
			answer, other := make(chan error, 1), make(chan error, 1)
			go func() {
				answer <- eng.Join(within(t), wire.Room(tc.room), m, "j", fromOf(eng, wire.Room(tc.room), seqs[0]))
			}()
			go func() {
				other <- eng.Join(within(t), wire.Room(tc.room), bystander, "j", fromOf(eng, wire.Room(tc.room), seqs[0]))
			}()
			// It is no member: what is found can only be the join.
			eventually(t, "the waiting join is found", func() bool {
				n, err := tc.remove(within(t), eng, m.user.UID)
				if err != nil {
					t.Fatal(err)
				}
				return n == 1
			})
			if err := <-answer; code(err) != wire.NotMember {
				t.Errorf("the join: %v", err)
			}
			m.await(t, "the close code", func() bool { return m.closed == tc.closed })
			release()
			if err := <-other; err != nil {
				t.Errorf("somebody else's join: %v", err)
			}
			bystander.awaitSeq(t, publish(t, eng, wire.Room(tc.room), 10, 11)[0])
			if info, _ := eng.RoomHere(wire.Room(tc.room)); info.Sessions != 1 {
				t.Errorf("%d sessions are in the room", info.Sessions)
			}
			if got := m.events(); len(got) != 0 {
				t.Errorf("it was let in: %v", got)
			}
			if n, err := tc.remove(within(t), eng, m.user.UID); n != 0 || err != nil {
				t.Errorf("removed again: %d, %v", n, err)
			}
		})
	}
}

// TestAbandonedJoinMeetsARetiringRoom: it waits in a room that ends; the leave
// that follows it ends with that room, and the next one must not let it in.
func TestAbandonedJoinMeetsARetiringRoom(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) {
		undisturbed(c)
		c.IdleAfter = time.Millisecond
	})
	last := join(t, eng, "x", "last", rooms.Since{})
	release := last.hold()
	left := make(chan error, 1)
	go func() { left <- eng.LeaveAsked(within(t), "x", last, "") }()
	eventually(t, "nobody is in the room, which stands still", func() bool { info, _ := eng.RoomHere("x"); return info.Sessions == 0 })
	idle := time.Now()
	eventually(t, "it is idle for long enough", func() bool { return time.Since(idle) > 2*time.Millisecond })

	ctx, cancel := context.WithCancel(t.Context())
	abandoned, next := newMember("abandoned"), newMember("next")
	gone, joined := make(chan error, 1), make(chan error, 1)
	go func() { gone <- eng.Join(ctx, "x", abandoned, "j", rooms.Since{}) }()
	eventually(t, "the join waits", func() bool { return eng.Queued("x") == 1 })
	cancel()
	if err := <-gone; code(err) != wire.Unavailable {
		t.Error(err)
	}
	// Its leave is in the mailbox now, and so is, behind it, a join that holds.
	go func() { joined <- eng.Join(within(t), "x", next, "j", rooms.Since{}) }()
	eventually(t, "another one waits", func() bool { return eng.Queued("x") == 3 })
	opened := eng.Stats().Opened.Load()
	release()
	for _, answer := range []chan error{left, joined} {
		if err := <-answer; err != nil {
			t.Error(err)
		}
	}
	if n := eng.Stats().Opened.Load(); n != opened+1 {
		t.Errorf("the room was opened %d times since, want one", n-opened)
	}
	next.awaitSeq(t, publish(t, eng, "x", 0, 1)[0])
	if names := present(t, eng, "x"); names != "next" {
		t.Errorf("%s are there", names)
	}
	if info, _ := eng.RoomHere("x"); info.Sessions != 1 || len(abandoned.events()) != 0 {
		t.Errorf("%d sessions; the one that gave up heard %v", info.Sessions, abandoned.events())
	}
}
