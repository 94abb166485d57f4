package rooms_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// signalsOf are the texts of the signals that a member got.
func signalsOf(m *member) (got []string) {
	for _, ev := range m.events(wire.TypeSignal) {
		var p struct{ Data json.RawMessage }
		if err := json.Unmarshal(ev.Payload, &p); err != nil {
			panic(err) // the server wrote it
		}
		got = append(got, string(p.Data))
	}
	return got
}

// TestSubscriptionsOfRooms: with their own subscriptions or the wildcards,
// rooms hear each event and each signal once and nothing of other rooms; the
// wildcards go with the last room that shares them, or stay when all rooms are
// heard.
func TestSubscriptionsOfRooms(t *testing.T) {
	for name, c := range map[string]struct {
		hearAll             bool
		sharing, own, heard int // rooms that share, that do not, and subscriptions of all
	}{
		"some share":   {false, 3, 3, 7 + 3*2 + 2}, // 7 logs, 3 rooms with two more, two wildcards
		"none has any": {true, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			testSubscriptionsOfRooms(t, c.hearAll, c.sharing, int64(c.own), c.heard)
		})
	}
}

func testSubscriptionsOfRooms(t *testing.T, hearAll bool, wantSharing int, wantOwn int64, heard int) {
	eng, srv := start(t, func(c *rooms.Config) {
		quick(c)
		c.IdleAfter, c.HearAll = 50*time.Millisecond, hearAll
		c.CheckEvery(noCheck) // a check would take an event that is on its way for lost
		c.CheckAfterOpen(noCheck)
		c.WildcardAbove(3)
	})
	empty := eng.Subscriptions()
	members := map[string]*member{}
	for i := range 6 {
		room := fmt.Sprint("room", i)
		members[room] = join(t, eng, wire.Room(room), "m", rooms.Since{})
	}
	inbox := join(t, eng, wire.Inbox("ann"), "ann", rooms.Since{})
	if sharing, own := eng.SharingRooms(); sharing != wantSharing || own != wantOwn {
		t.Fatalf("%d rooms share subscriptions, %d have their own, want %d and %d", sharing, own, wantSharing, wantOwn)
	}
	// A read of the log has one for its answers.
	eventually(t, "the subscriptions", func() bool { return eng.Subscriptions() == empty+heard })

	nc := outsider(t, srv)
	for round := range 3 {
		inject(t, nc, wire.SignalSubject(wire.Inbox("ann")), `{"type":"signal","payload":"to an inbox"}`)
		inject(t, nc, wire.SignalSubject("nobody"), `{"type":"signal","payload":"to nobody"}`)
		for room := range members {
			inject(t, nc, wire.SignalSubject(wire.Room(room)), fmt.Sprintf(`{"type":"signal","payload":"%s-%d"}`, room, round))
		}
	}
	publish(t, eng, "nobody", 100, 103)
	for room, m := range members {
		// An event of the log behind the signals: what has not come then does
		// not come.
		m.await(t, "three signals", func() bool { return len(m.eventsLocked([]string{wire.TypeSignal})) >= 3 })
		m.awaitSeq(t, publish(t, eng, wire.Room(room), 0, 5)[4])
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
		eng.Leave(wire.Room(room), m, rooms.LeaveClosed)
	}
	eng.Leave(wire.Inbox("ann"), inbox, rooms.LeaveClosed)
	eventually(t, "nothing is left", func() bool {
		sharing, own := eng.SharingRooms()
		return sharing == 0 && own == 0 && eng.Subscriptions() == empty
	})
	again := join(t, eng, "room5", "again", rooms.Since{}) // with its own now
	inject(t, nc, wire.SignalSubject("room5"), `{"type":"signal","payload":"again"}`)
	again.await(t, "the signal", func() bool { return len(again.eventsLocked([]string{wire.TypeSignal})) == 1 })
}

// TestPresenceByWildcard: nodes tell each other of rooms that have no
// subscription of their own, on one of them or on both.
func TestPresenceByWildcard(t *testing.T) {
	for name, above := range map[string][2]int64{"both": {-1, -1}, "one": {-1, 100}} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			a := startNode(t, srv, "a", func(c *rooms.Config) { c.WildcardAbove(above[0]) })
			b := startNode(t, srv, "b", func(c *rooms.Config) { c.WildcardAbove(above[1]) })
			awaitPeers(t, a, "b")
			awaitPeers(t, b, "a")
			one := join(t, a, "x", "one", rooms.Since{})
			join(t, b, "x", "two", rooms.Since{})
			awaitPresent(t, a, "x", "one,two")
			awaitPresent(t, b, "x", "one,two")
			a.Leave("x", one, rooms.LeaveClosed)
			awaitPresent(t, b, "x", "two")
		})
	}
}

// TestSubscriptionsOfAFailedOpen: rooms that could not be opened give back
// their part, whichever kind it is.
func TestSubscriptionsOfAFailedOpen(t *testing.T) {
	for name, above := range map[string]int64{"shared": -1, "own": 100, "none": -1} {
		t.Run(name, func(t *testing.T) {
			eng, srv := start(t, func(c *rooms.Config) {
				c.HearAll = name == "none"
				c.OpenTimeout(time.Second) // no join succeeds, however long it waits
				c.WildcardAbove(above)
				c.CheckEvery(noCheck) // it would make the stream anew
			})
			empty := eng.Subscriptions()
			js, err := jetstream.New(outsider(t, srv))
			if err != nil {
				t.Fatal(err)
			}
			if err := js.DeleteStream(within(t), eventlog.RoomsStream); err != nil {
				t.Fatal(err)
			}
			var joins sync.WaitGroup
			for i := range 3 {
				joins.Go(func() {
					if err := eng.Join(within(t), wire.Room(fmt.Sprint("x", i)), newMember("m"), "", rooms.Since{}); code(err) != wire.Unavailable {
						t.Errorf("a join without a log: %v, want unavailable", err)
					}
				})
			}
			joins.Wait()
			eventually(t, "nothing is left", func() bool {
				sharing, own := eng.SharingRooms()
				return sharing == 0 && own == 0 && eng.Subscriptions() <= empty+1 // of the answers to reads
			})
		})
	}
}

// TestFirstEventsBesideAServer: a node that hears all rooms knows of the first
// event of a room that it is the first, whatever came in other rooms before;
// after a lost copy it has to ask.
func TestFirstEventsBesideAServer(t *testing.T) {
	var lose atomic.Bool
	var lost atomic.Int64
	eng, _ := start(t, func(c *rooms.Config) {
		c.HearAll = true
		c.CheckEvery(noCheck)
		c.CheckAfterOpen(noCheck)
		c.Lose(func(*nats.Msg) bool {
			if lose.Load() {
				lost.Add(1)
			}
			return lose.Load()
		})
	})
	busy := join(t, eng, "busy", "b", rooms.Since{})
	var quiet []*member
	for i := range 10 {
		quiet = append(quiet, join(t, eng, wire.Room(fmt.Sprint("quiet", i)), "q", rooms.Since{}))
	}
	busy.awaitSeq(t, publish(t, eng, "busy", 0, 20)[19])
	publish(t, eng, "nobody", 0, 5)
	asked := eng.Asks()
	for i, m := range quiet[:9] {
		m.awaitSeq(t, publish(t, eng, wire.Room(fmt.Sprint("quiet", i)), 0, 1)[0])
	}
	if n := eng.Asks() - asked; n != 0 {
		t.Errorf("the leader was asked %d times about rooms that nothing was lost of", n)
	}
	lose.Store(true)
	publish(t, eng, "nobody", 5, 6)
	eventually(t, "a copy is lost", func() bool { return lost.Load() > 0 })
	lose.Store(false)
	quiet[9].awaitSeq(t, publish(t, eng, "quiet9", 0, 1)[0])
	if n := eng.Asks() - asked; n != 1 {
		t.Errorf("the leader was asked %d times about a room that may have lost its first event, want once", n)
	}
	if n := eng.Stats().Resets.Load(); n != 0 {
		t.Errorf("%d rooms were told to refresh", n)
	}
}
