package rooms_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestSlowMemberIsDroppedAlone: it keeps its seat, the others hear everything.
func TestSlowMemberIsDroppedAlone(t *testing.T) {
	eng, _ := start(t, nil)
	a, slow, b := join(t, eng, "x", "a", rooms.Since{}), join(t, eng, "x", "slow", rooms.Since{}), join(t, eng, "x", "b", rooms.Since{})
	slow.mu.Lock()
	slow.refuse = true
	slow.mu.Unlock()
	seqs := publish(t, eng, "x", 0, 100)
	for _, m := range []*member{a, b} {
		m.awaitSeq(t, seqs[99])
		wantSeqs(t, m, seqs)
	}
	// The others are told before it is dropped; this answer comes after both.
	online, err := eng.Online(within(t), "x", "", 10)
	if info, _ := eng.RoomHere("x"); err != nil || online.Count != 3 || info.Sessions != 2 {
		t.Errorf("%d users, %d sessions, %v", online.Count, info.Sessions, err)
	}
	if n := eng.Stats().Dropped.Load(); n != 1 {
		t.Errorf("%d dropped", n)
	}
	if err := eng.Join(within(t), "x", slow, "", rooms.Since{}); wire.AsError(err).Code != wire.NotMember {
		t.Errorf("a join that cannot be answered: %v", err)
	}
}

// TestPanicInARoom: its members resume, other rooms do not notice. The panic
// comes in each kind of message, because each is answered differently.
func TestPanicInARoom(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*testing.T, *rooms.Engine, *member)
	}{
		{"while an event is delivered", func(t *testing.T, eng *rooms.Engine, m *member) { publish(t, eng, "x", 10, 11) }},
		{"while a join is answered", func(t *testing.T, eng *rooms.Engine, m *member) {
			if err := eng.Join(within(t), "x", m, "", rooms.Since{}); wire.AsError(err).Code != wire.Internal {
				t.Errorf("the join: %v", err)
			}
		}},
		{"while a leave is answered", func(t *testing.T, eng *rooms.Engine, m *member) {
			if err := eng.LeaveAsked(within(t), "x", m, ""); err != nil {
				t.Errorf("the leave: %v", err)
			}
		}},
		{"while a user is removed", func(t *testing.T, eng *rooms.Engine, m *member) {
			if _, err := eng.Remove(within(t), "x", m.user.UID); err != nil {
				t.Errorf("the removal: %v", err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eng, _ := start(t, undisturbed)
			bad, good, other := join(t, eng, "x", "bad", rooms.Since{}), join(t, eng, "x", "good", rooms.Since{}), join(t, eng, "y", "other", rooms.Since{})
			before := publish(t, eng, "x", 0, 3)
			good.awaitSeq(t, before[2])
			bad.mu.Lock()
			bad.panics = 1
			bad.mu.Unlock()
			tc.do(t, eng, bad)
			good.await(t, "close 4003", func() bool { return good.closed == wire.ClosePositionLost })
			if n := eng.Stats().Panics.Load(); n != 1 {
				t.Errorf("%d panics", n)
			}
			end := publish(t, eng, "x", 3, 6)
			back := join(t, eng, "x", "back", from(eng, before[1]))
			back.awaitSeq(t, end[2])
			if got := back.seqs(); got[0] != before[2] {
				t.Errorf("resumed with %v", got)
			}
			other.awaitSeq(t, publish(t, eng, "y", 0, 1)[0])
			if other.closed != 0 {
				t.Errorf("a member of another room was closed with %d", other.closed)
			}
			eventually(t, "two rooms are open", func() bool { a, h := eng.Open(); return a == 2 && h == 2 })
		})
	}
}

// TestPanicAfterTheAnswer: a batch fails after its last message was answered.
// The answer must not be given twice, or the room, or the process, would end.
func TestPanicAfterTheAnswer(t *testing.T) {
	eng, _ := start(t, undisturbed)
	for i := range 20 {
		bad, x := newMember(fmt.Sprint("bad", i)), fmt.Sprint("x", i) // a room that fails often is slowed down
		if err := eng.Join(within(t), wire.Room(x), bad, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
		release := bad.hold()
		done := make(chan struct{})
		publish(t, eng, wire.Room(x), i, i+1) // the room stands still in its delivery
		go func() {
			defer close(done)
			_ = eng.LeaveAsked(within(t), wire.Room(x), newMember("stranger"), "")
		}()
		publish(t, eng, wire.Room(x), i, i+1)
		bad.mu.Lock()
		bad.panics = 1
		bad.mu.Unlock()
		release()
		<-done
		bad.await(t, "close", func() bool { return bad.closed != 0 })
	}
	join(t, eng, "x0", "after", rooms.Since{}).awaitSeq(t, publish(t, eng, "x0", 0, 1)[0])
}

// TestReplayPanics fails after the join was answered and nobody waits for it.
func TestReplayPanics(t *testing.T) {
	eng, _ := start(t, nil)
	seqs := publish(t, eng, "x", 0, 10)
	m := newMember("m")
	replays := &panicOnReplay{m}
	if err := eng.Join(within(t), "x", replays, "", from(eng, seqs[0])); err != nil {
		t.Fatal(err)
	}
	m.await(t, "close", func() bool { return m.closed == wire.ClosePositionLost })
	join(t, eng, "x", "after", rooms.Since{}).awaitSeq(t, publish(t, eng, "x", 10, 11)[0])
}

// TestAbandonedJoin: a join that nobody waits for any more lets nobody in, and
// what goes wrong with it is nobody's.
func TestAbandonedJoin(t *testing.T) {
	eng, _ := start(t, undisturbed)
	seqs := publish(t, eng, "x", 0, 10)
	slow := join(t, eng, "x", "slow", from(eng, seqs[0]))
	slow.awaitSeq(t, seqs[9])
	release := slow.hold()
	publish(t, eng, "x", 10, 11)
	eventually(t, "the room stands still", func() bool { return eng.Stats().Events.Load() == 1 && eng.Queued("x") == 0 })
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() { answer <- eng.Join(ctx, "x", &panicOnReplay{newMember("m")}, "", from(eng, seqs[0])) }()
	eventually(t, "the join waits", func() bool { return eng.Queued("x") >= 1 })
	cancel()
	if err := <-answer; code(err) != wire.Unavailable {
		t.Error(err)
	}
	release()
	last := publish(t, eng, "x", 11, 12)[0]
	slow.awaitSeq(t, last)
	if names := present(t, eng, "x"); names != "slow" || eng.Stats().Panics.Load() != 0 {
		t.Errorf("%s are there", names)
	}
}

type panicOnReplay struct{ *member }

func (p *panicOnReplay) Deliver(b *rooms.Burst) error {
	if b.Whole {
		panic("replay")
	}
	return p.member.Deliver(b)
}
