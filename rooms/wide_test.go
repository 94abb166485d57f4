package rooms_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// signalsOf are the payloads of the signals that a member got.
func signalsOf(m *member) (got []string) {
	for _, ev := range m.events(wire.TypeSignal) {
		got = append(got, string(ev.Payload))
	}
	return got
}

// TestWideRooms: with their own subscriptions or the wide ones, rooms hear each
// event and each signal once and nothing of other rooms; the wide ones go with
// the last room.
func TestWideRooms(t *testing.T) {
	for name, c := range map[string]struct {
		wideLog          bool
		wide, own, heard int // rooms that share, that do not, and subscriptions of all
	}{
		"all but the log": {false, 3, 3, 7 + 3*2 + 2}, // 7 logs, 3 rooms with two more, two wide ones
		"the log too":     {true, 4, 3, 3*3 + 3},
	} {
		t.Run(name, func(t *testing.T) {
			testWideRooms(t, c.wideLog, c.wide, int64(c.own), c.heard)
		})
	}
}

func testWideRooms(t *testing.T, wideLog bool, wantWide int, wantOwn int64, heard int) {
	eng, srv := start(t, func(c *rooms.Config) {
		quick(c)
		c.IdleAfter, c.WideLog = 50*time.Millisecond, wideLog
		c.CheckEvery(noCheck) // a check would take an event that is on its way for lost
		c.CheckAfterOpen(noCheck)
		c.WideAbove(3)
	})
	empty := eng.Subscriptions()
	members := map[string]*member{}
	for i := range 6 {
		room := fmt.Sprint("room", i)
		members[room] = join(t, eng, room, "m", rooms.Since{})
	}
	inbox := join(t, eng, wire.Inbox("ann"), "ann", rooms.Since{})
	if wide, own := eng.WideRooms(); wide != wantWide || own != wantOwn {
		t.Fatalf("%d rooms are wide, %d have their own subscriptions, want %d and %d", wide, own, wantWide, wantOwn)
	}
	// A read of the log has one for its answers.
	eventually(t, "the subscriptions", func() bool { return eng.Subscriptions() == empty+heard })

	nc := outsider(t, srv)
	for round := range 3 {
		inject(t, nc, wire.SignalSubject(wire.Inbox("ann")), `{"type":"signal","payload":"to an inbox"}`)
		inject(t, nc, wire.SignalSubject("nobody"), `{"type":"signal","payload":"to nobody"}`)
		for room := range members {
			inject(t, nc, wire.SignalSubject(room), fmt.Sprintf(`{"type":"signal","payload":"%s-%d"}`, room, round))
		}
	}
	publish(t, eng, "nobody", 100, 103)
	for room, m := range members {
		// An event of the log behind the signals: what has not come then does not come.
		m.await(t, "three signals", func() bool { return len(m.eventsLocked([]string{wire.TypeSignal})) >= 3 })
		m.awaitSeq(t, publish(t, eng, room, 0, 5)[4])
		want := fmt.Sprintf(`["%[1]s-0" "%[1]s-1" "%[1]s-2"]`, room)
		if got := fmt.Sprint(signalsOf(m)); got != want {
			t.Errorf("%s got %s, want %s", room, got, want)
		}
		if got := fmt.Sprint(m.notes()); got != "[0 1 2 3 4]" {
			t.Errorf("%s got the events %s", room, got)
		}
	}
	inbox.awaitSeq(t, publish(t, eng, wire.Inbox("ann"), 0, 2)[1])
	if got := fmt.Sprint(inbox.notes()); got != "[0 1]" {
		t.Errorf("an inbox got the events %s", got)
	}
	if got := signalsOf(inbox); got != nil {
		t.Errorf("an inbox got the signals %v", got)
	}
	if holes := eng.Stats().Repairs.Load(); holes != 0 {
		t.Errorf("%d holes were seen, want every event to come by itself", holes)
	}

	for room, m := range members {
		eng.Leave(room, m, rooms.LeftGone)
	}
	eng.Leave(wire.Inbox("ann"), inbox, rooms.LeftGone)
	eventually(t, "nothing is left", func() bool {
		wide, own := eng.WideRooms()
		return wide == 0 && own == 0 && eng.Subscriptions() == empty
	})
	again := join(t, eng, "room5", "again", rooms.Since{}) // with its own now
	inject(t, nc, wire.SignalSubject("room5"), `{"type":"signal","payload":"again"}`)
	again.await(t, "the signal", func() bool { return len(again.eventsLocked([]string{wire.TypeSignal})) == 1 })
}

// TestPresenceOfWideRooms: nodes tell each other of rooms that have no
// subscription of their own, on one of them or on both.
func TestPresenceOfWideRooms(t *testing.T) {
	for name, above := range map[string][2]int64{"both": {-1, -1}, "one": {-1, 100}} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			a := startNode(t, srv, "a", func(c *rooms.Config) { c.WideAbove(above[0]) })
			b := startNode(t, srv, "b", func(c *rooms.Config) { c.WideAbove(above[1]) })
			awaitPeers(t, a, "b")
			awaitPeers(t, b, "a")
			one := join(t, a, "x", "one", rooms.Since{})
			join(t, b, "x", "two", rooms.Since{})
			awaitPresent(t, a, "x", "one,two")
			awaitPresent(t, b, "x", "one,two")
			a.Leave("x", one, rooms.LeftGone)
			awaitPresent(t, b, "x", "two")
		})
	}
}

// TestWideRoomsOfAFailedOpen: rooms that could not be opened give back their
// part, whichever kind it is.
func TestWideRoomsOfAFailedOpen(t *testing.T) {
	for name, above := range map[string]int64{"wide": -1, "own": 100, "the log too": -1} {
		t.Run(name, func(t *testing.T) {
			eng, srv := start(t, func(c *rooms.Config) {
				c.WideLog = name == "the log too"
				c.OpenTimeout(time.Second) // no join succeeds, however long it waits
				c.WideAbove(above)
				c.CheckEvery(noCheck) // it would make the stream anew
			})
			empty := eng.Subscriptions()
			js, err := jetstream.New(outsider(t, srv))
			if err != nil {
				t.Fatal(err)
			}
			if err := js.DeleteStream(within(t), eventlog.StreamName); err != nil {
				t.Fatal(err)
			}
			var joins sync.WaitGroup
			for i := range 3 {
				joins.Go(func() {
					if err := eng.Join(within(t), fmt.Sprint("x", i), newMember("m"), "", rooms.Since{}); code(err) != wire.Unavailable {
						t.Errorf("a join without a log: %v, want unavailable", err)
					}
				})
			}
			joins.Wait()
			eventually(t, "nothing is left", func() bool {
				wide, own := eng.WideRooms()
				return wide == 0 && own == 0 && eng.Subscriptions() <= empty+1 // of the answers to reads
			})
		})
	}
}
