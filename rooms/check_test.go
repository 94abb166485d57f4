package rooms_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestLostTailAmongManyRooms: the check finds it by the new events when they
// are fewer than the open rooms, and else although the rooms take turns.
func TestLostTailAmongManyRooms(t *testing.T) {
	const others = 30
	for name, events := range map[string]int{"few events": 3, "more events than rooms": 3 * others} {
		t.Run(name, func(t *testing.T) {
			l, eng, _, m, w := lossy(t, func(c *rooms.Config) {
				c.CheckEvery(20 * time.Millisecond)
				c.CheckRooms(others / 4)
			})
			for i := range others {
				join(t, eng, wire.Room(fmt.Sprint("other", i)), "o", rooms.Since{})
			}
			for round := range 3 { // the first checks have nothing to go by
				seqs := l.publishLost(t, eng, w, round*events, (round+1)*events)
				m.awaitSeq(t, seqs[len(seqs)-1])
			}
			if s := eng.Stats(); s.Repairs.Load() == 0 || s.Resets.Load() != 0 {
				t.Errorf("%d repairs, %d resets", s.Repairs.Load(), s.Resets.Load())
			}
		})
	}
}

// TestLookAtAReplicaThatIsBehind: half of the answers are those of a replica
// that does not have the newest events, here a mirror that is full. That it
// does not have them is no sign that no copy was lost.
func TestLookAtAReplicaThatIsBehind(t *testing.T) {
	for round := range 12 { // in one of four the mirror answers both looks
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			l, eng, srv, m, w := lossy(t, func(c *rooms.Config) { c.CheckEvery(20 * time.Millisecond) })
			m.awaitSeq(t, publish(t, eng, "x", 0, 1)[0])
			mirrorFully(t, srv)
			m.awaitSeq(t, l.publishLost(t, eng, w, 1, 2)[0])
			if s := eng.Stats(); s.Repairs.Load() == 0 || s.Resets.Load() != 0 {
				t.Errorf("%d repairs, %d resets", s.Repairs.Load(), s.Resets.Load())
			}
		})
	}
}

// mirrorFully makes a mirror of the rooms' log that takes no more than there
// is.
func mirrorFully(t *testing.T, srv *embedded.Server) {
	t.Helper()
	nc, err := srv.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), "ROOMS")
	if err != nil {
		t.Fatal(err)
	}
	full := stream.CachedInfo().State.Msgs
	mirror, err := js.CreateStream(within(t), jetstream.StreamConfig{
		Name: "BEHIND", Mirror: &jetstream.StreamSource{Name: "ROOMS"}, AllowDirect: true, MirrorDirect: true, MaxMsgs: int64(full), Discard: jetstream.DiscardNew,
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mirror is full", func() bool {
		info, err := mirror.Info(within(t))
		return err == nil && info.State.Msgs == full
	})
}

// TestQuietRoomBesideABusyOne: while another room's events turn the whole log
// over again and again, a room without any is told how far the log is often
// enough to know, when its first event comes, that it has missed none.
func TestQuietRoomBesideABusyOne(t *testing.T) {
	const history = 60
	eng, _ := start(t, func(c *rooms.Config) {
		c.History = history
		c.CheckEvery(noCheck) // what is left is the look that the busy room's events bring about
		c.CheckLeast(time.Millisecond)
		c.CheckAfterOpen(noCheck)
	})
	quiet := join(t, eng, "quiet", "q", rooms.Since{})
	busy := join(t, eng, "busy", "b", rooms.Since{})
	for round := range 10 {
		seqs := publish(t, eng, "busy", round*history/3, (round+1)*history/3)
		newest := seqs[len(seqs)-1]
		busy.awaitSeq(t, newest)
		eventually(t, "the look that is due", func() bool { return eng.NextLook() > newest })
	}
	quiet.awaitSeq(t, publish(t, eng, "quiet", 0, 1)[0])
	if n := eng.Stats().Resets.Load(); n != 0 {
		t.Errorf("%d rooms were told to refresh, and nothing was lost", n)
	}
}

// TestBurstTurnsTheLogOver: more events at once than the log keeps, and than
// the room's mailbox takes. The rooms that had none are not told that they may
// have missed some by a node that heard them all.
func TestBurstTurnsTheLogOver(t *testing.T) {
	const history = 50
	eng, _ := start(t, func(c *rooms.Config) {
		c.HearAll, c.History = true, history
		c.Mailbox = history // copies for the busy room are dropped, and maybe gone from the log
		c.CheckEvery(10 * time.Millisecond)
	})
	var quiet []*member
	for i := range 10 {
		quiet = append(quiet, join(t, eng, wire.Room(fmt.Sprint("quiet", i)), "q", rooms.Since{}))
	}
	busy := join(t, eng, "busy", "b", rooms.Since{})
	for round := range 5 {
		seqs := publish(t, eng, "busy", round*10*history, (round+1)*10*history)
		busy.awaitSeq(t, seqs[len(seqs)-1])
		calls := eng.Checks()
		eventually(t, "three looks", func() bool { return eng.Checks() >= calls+3 })
	}
	for i, m := range quiet {
		m.awaitSeq(t, publish(t, eng, wire.Room(fmt.Sprint("quiet", i)), 0, 1)[0])
		if n := len(m.events(wire.TypeRoomJoined)); n != 1 {
			t.Errorf("quiet%d was told to refresh %d times, and nothing was lost", i, n-1)
		}
	}
}

// TestLostTailBesideAServer: a node that hears all rooms compares none as long
// as it has heard every copy, and finds the one that was lost with nothing
// after it.
func TestLostTailBesideAServer(t *testing.T) {
	var lose atomic.Bool
	eng, _ := start(t, func(c *rooms.Config) {
		c.HearAll, c.History = true, 100
		c.CheckEvery(10 * time.Millisecond)
		c.CheckAfterOpen(noCheck)
		c.Lose(func(*nats.Msg) bool { return lose.Load() })
	})
	m := join(t, eng, "x", "m", rooms.Since{})
	look := func() {
		t.Helper()
		calls := eng.Checks()
		eventually(t, "three looks", func() bool { return eng.Checks() >= calls+3 })
	}
	var seqs []uint64
	for round := range 3 { // the first looks have nothing to go by
		seqs = append(seqs, publish(t, eng, "x", round*10, round*10+10)...)
		m.awaitSeq(t, seqs[len(seqs)-1])
		look()
	}
	eventually(t, "a node that has heard everything compares nothing", func() bool {
		compared := eng.Compared()
		n := len(seqs)
		seqs = append(seqs, publish(t, eng, "x", n, n+30)...)
		m.awaitSeq(t, seqs[n+29])
		look()
		return eng.Compared() == compared // on a busy machine a look may be faster than a copy
	})
	for range 2 { // more than half of what the log keeps, and the last are lost
		n := len(seqs)
		lose.Store(false)
		seqs = append(seqs, publish(t, eng, "x", n, n+60)...)
		lose.Store(true)
		seqs = append(seqs, publish(t, eng, "x", n+60, n+70)...)
		m.awaitSeq(t, seqs[n+69])
	}
	wantSeqs(t, m, seqs)
}

// TestChecksOfBusyRooms: while copies are on their way a check finds each room where
// it was a moment ago. What the room has delivered since answers that; to ask the
// leader, or to read the log, would hold up all that is said, in every busy room at
// once.
func TestChecksOfBusyRooms(t *testing.T) {
	const many, events = 100, 40
	eng, _ := start(t, func(c *rooms.Config) {
		c.CheckEvery(5 * time.Millisecond)
		c.PresenceInterval = time.Hour
	})
	members := make([]*member, many)
	for i := range members {
		room := wire.Room(fmt.Sprint("busy", i))
		members[i] = join(t, eng, room, "m", rooms.Since{})
		members[i].awaitSeq(t, publish(t, eng, room, 0, 1)[0]) // a room's first event may need a look at the log
	}
	asked := eng.Asks()
	last := make([]atomic.Uint64, many)
	var stored sync.WaitGroup
	for n := range events {
		for i := range members {
			stored.Add(1)
			publishAsync(t, eng, wire.Room(fmt.Sprint("busy", i)), "", note(n), func(ack rooms.PubAck, err error) {
				defer stored.Done()
				if err != nil {
					t.Errorf("event %d of room %d: %v", n, i, err)
				}
				last[i].Store(ack.Seq)
			})
		}
	}
	stored.Wait()
	for i, m := range members {
		m.awaitSeq(t, last[i].Load())
	}
	if n := eng.Asks() - asked; n != 0 {
		t.Errorf("the leader was asked %d times about rooms that had missed nothing", n)
	}
}
