package rooms_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestIdleRoomsAreUnloaded: nothing of them is left, and they open again.
func TestIdleRoomsAreUnloaded(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { quick(c); c.IdleAfter = 50 * time.Millisecond })
	subs := eng.Subscriptions() + 3 // those of the engine, and three of the room
	stay := join(t, eng, "stay", "stay", rooms.Since{})
	goroutines := runtime.NumGoroutine()
	eventually(t, "one room", func() bool { actors, _ := eng.Open(); return actors == 1 && eng.Subscriptions() == subs })
	var members []*member
	for i := range 200 {
		members = append(members, join(t, eng, wire.Room(fmt.Sprint("room", i)), "m", rooms.Since{}))
	}
	// A read of the log has one for its answers.
	eventually(t, "three subscriptions per room", func() bool { return eng.Subscriptions() == subs+600 })
	for i, m := range members {
		eng.Leave(wire.Room(fmt.Sprint("room", i)), m, rooms.LeaveClosed)
	}
	eventually(t, "200 rooms are gone", func() bool {
		actors, handles := eng.Open()
		return actors == 1 && handles == 1 && eng.Subscriptions() == subs
	})
	eventually(t, "goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	seq := publish(t, eng, "stay", 0, 1)
	stay.awaitSeq(t, seq[0])
	join(t, eng, "room7", "again", rooms.Since{}).awaitSeq(t, publish(t, eng, "room7", 0, 1)[0])
}

// TestBusyRoomWithoutMembersIsUnloaded: events do not keep it, and a join at
// the very end of it is served by the next one.
func TestBusyRoomWithoutMembersIsUnloaded(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.IdleAfter = 10 * time.Millisecond })
	m := join(t, eng, "x", "m", rooms.Since{})
	ctx, stop := context.WithCancel(t.Context())
	var talk sync.WaitGroup
	defer talk.Wait()
	defer stop()
	talk.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := publishOne(within(t), eng, "x", "", note(i)); err != nil {
				t.Error(err)
			}
		}
	})
	m.awaitEvents(t, 10, "note")
	for i := range 30 {
		eng.Leave("x", m, rooms.LeaveClosed)
		eventually(t, "the room is unloaded", func() bool { _, handles := eng.Open(); return handles == 0 })
		m = join(t, eng, "x", fmt.Sprint("m", i), rooms.Since{})
		m.awaitEvents(t, 2, "note")
	}
}

// TestJoinMeetsARetiringRoom: requests to a room that has decided to end are
// served by the next one, in their order.
func TestJoinMeetsARetiringRoom(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.IdleAfter = time.Millisecond; c.PresenceInterval = time.Hour })
	last := join(t, eng, "x", "last", rooms.Since{})
	release := last.hold()
	left := make(chan error)
	go func() { left <- eng.LeaveAsked(within(t), "x", last, "") }()
	// It is out of the room, which stands still while it tells it so.
	eventually(t, "nobody is in the room", func() bool { info, _ := eng.RoomHere("x"); return info.Sessions == 0 })
	idle := time.Now()
	eventually(t, "it is idle for long enough", func() bool { return time.Since(idle) > 2*time.Millisecond })
	joined, answered := make(chan error), make(chan error)
	next := newMember("next")
	go func() { joined <- eng.Join(within(t), "x", next, "", rooms.Since{}) }()
	eventually(t, "a join waits", func() bool { return eng.Queued("x") == 1 })
	go func() {
		_, err := eng.History(within(t), "x", 0, 1)
		answered <- err
	}()
	eventually(t, "and another request", func() bool { return eng.Queued("x") == 2 })
	release()
	for _, answer := range []chan error{left, joined, answered} {
		if err := <-answer; err != nil {
			t.Error(err)
		}
	}
	next.awaitSeq(t, publish(t, eng, "x", 0, 1)[0])
}

// TestKeptSeatKeepsTheRoom: who may come back finds the room as it was.
func TestKeptSeatKeepsTheRoom(t *testing.T) {
	lost := func(grace time.Duration) *rooms.Engine {
		eng, _ := start(t, func(c *rooms.Config) {
			quick(c)
			c.IdleAfter, c.PresenceGrace = 5*time.Millisecond, grace
		})
		eng.Leave("x", join(t, eng, "x", "m", rooms.Since{}), rooms.LeaveLost)
		eventually(t, "the connection is lost", func() bool { info, _ := eng.RoomHere("x"); return info.Sessions == 0 })
		return eng
	}
	eng := lost(time.Hour)
	for i := range 3 { // rooms that are left later
		room := fmt.Sprint("later", i)
		eng.Leave(wire.Room(room), join(t, eng, wire.Room(room), "m", rooms.Since{}), rooms.LeaveClosed)
		eventually(t, "a room without a seat is unloaded", func() bool { _, open := eng.RoomHere(wire.Room(room)); return !open })
	}
	if info, ok := eng.RoomHere("x"); !ok || info.Users != 1 || info.Sessions != 0 {
		t.Errorf("%+v, %t", info, ok)
	}
	eng = lost(time.Millisecond)
	eventually(t, "the room is unloaded when the seat is given up", func() bool { a, h := eng.Open(); return a+h == 0 })
}

// TestCloseAnswersEverything: requests of every kind are under way.
func TestCloseAnswersEverything(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, nil)
	var calls sync.WaitGroup
	for i := range 40 {
		room := fmt.Sprint("room", i%7)
		m := newMember(fmt.Sprint("m", i))
		ctx := within(t)
		calls.Go(func() {
			for {
				if err := eng.Join(ctx, wire.Room(room), m, "", rooms.Since{Last: 5}); err != nil {
					if code(err) != wire.Unavailable {
						t.Error("join:", err)
					}
					return
				}
				_, _ = eng.Online(ctx, wire.Room(room), "", 10)
				_ = eng.LeaveAsked(ctx, wire.Room(room), m, "")
			}
		})
		calls.Go(func() {
			for {
				if _, err := publishOne(ctx, eng, wire.Room(room), "", note(i)); err != nil {
					if code(err) != wire.Unavailable {
						t.Error("publish:", err)
					}
					return
				}
				if _, err := eng.History(ctx, wire.Room(room), 0, 10); err != nil && code(err) != wire.Unavailable {
					t.Error("history:", err)
				}
				_, _ = eng.Remove(ctx, wire.Room(room), "nobody")
			}
		})
	}
	eventually(t, "it works", func() bool { return eng.Stats().Published.Load() > 100 })
	closeEngine(t, eng)
	calls.Wait()
	if actors, handles := eng.Open(); actors+handles != 0 {
		t.Errorf("left are %d actors, %d handles", actors, handles)
	}
	closeEngine(t, eng) // again: nothing
}

// TestCloseWhileOpening: rooms are being opened and reads wait.
func TestCloseWhileOpening(t *testing.T) {
	srv := startServer(t)
	for range 10 {
		eng := startEngine(t, srv, nil)
		var calls sync.WaitGroup
		for i := range 100 {
			calls.Go(func() {
				err := eng.Join(within(t), wire.Room(fmt.Sprint("room", i)), newMember("m"), "", rooms.Since{})
				if err != nil && code(err) != wire.Unavailable {
					t.Error(err)
				}
			})
		}
		closeEngine(t, eng)
		calls.Wait()
	}
}

// TestJoinGivenUp: a join that nobody waits for any more leaves nobody behind.
func TestJoinGivenUp(t *testing.T) {
	eng, _ := start(t, nil)
	seqs := publish(t, eng, "x", 0, 10)
	join(t, eng, "x", "first", rooms.Since{})
	release := eng.HoldReads()
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() { answer <- eng.Join(ctx, "x", newMember("m"), "", from(eng, seqs[0])) }()
	cancel()
	if err := <-answer; code(err) != wire.Unavailable {
		t.Error(err)
	}
	release()
	eventually(t, "nobody is left", func() bool { info, _ := eng.RoomHere("x"); return info.Sessions == 1 })
	// A join without reads comes after it in the mailbox.
	if got := join(t, eng, "x", "second", rooms.Since{}).joined(t, 0); got.Count != 2 {
		t.Errorf("%+v", got)
	}
}

// TestWaitingJoinDoesNotSpin: a join that waits for a slow repair costs nothing
// meanwhile.
func TestWaitingJoinDoesNotSpin(t *testing.T) {
	l, eng, _, m, w := lossy(t, nil)
	reads := eng.Reads()
	release := eng.HoldReads()
	seqs := l.publishLost(t, eng, w, 0, 1)
	seqs = append(seqs, publish(t, eng, "x", 1, 2)...)
	eventually(t, "a repair", func() bool { return eng.Stats().Repairs.Load() > 0 })
	joined := make(chan error)
	late := newMember("late")
	go func() { joined <- eng.Join(within(t), "x", late, "", from(eng, seqs[1])) }()
	for range 50 { // the room answers these meanwhile
		if _, err := eng.Online(within(t), "x", "", 1); err != nil {
			t.Error(err)
		}
	}
	w.awaitSeq(t, publish(t, eng, "witness", 0, 50)[49])
	release()
	if err := <-joined; err != nil {
		t.Error(err)
	}
	if got := late.joined(t, 0); !got.Recovered {
		t.Errorf("%+v", got)
	}
	m.awaitSeq(t, seqs[1])
	wantSeqs(t, m, seqs)
	if n := eng.Reads() - reads; n != 1 {
		t.Errorf("the log was read %d times, one page fills the hole", n)
	}
}

func TestConfig(t *testing.T) {
	srv := startServer(t)
	for field, change := range map[string]func(*rooms.Config){
		"replicas":          func(c *rooms.Config) { c.Replicas = 9 },
		"history is":        func(c *rooms.Config) { c.History = -1 },
		"history age":       func(c *rooms.Config) { c.HistoryAge = time.Second },
		"history bytes":     func(c *rooms.Config) { c.HistoryBytes = 1 },
		"mailbox":           func(c *rooms.Config) { c.Mailbox = 1 },
		"presence interval": func(c *rooms.Config) { c.PresenceInterval = 1 },
	} {
		cfg := rooms.DefaultConfig()
		change(&cfg)
		if _, err := rooms.New(t.Context(), srv, cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	// Limits may change from one start to the next, and zero is the default.
	startEngine(t, srv, func(c *rooms.Config) { *c = rooms.Config{Node: "n1", History: 10} })
	if eng := startEngine(t, srv, func(c *rooms.Config) { c.History = 20 }); eng.Node() == "" {
		t.Error("no name")
	}
}
