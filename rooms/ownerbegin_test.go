package rooms_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestMaxTables: no more tables begin than may, and guests begin half of them; who
// would begin one more is told so, and the tables that there are go on, on a node
// that starts later as well. What a service has injected for a table that may not
// begin is taken when it may.
func TestMaxTables(t *testing.T) {
	const most = 4
	srv := startServer(t)
	bounded := func(c *rooms.Config) { tallies(sums{})(c); c.MaxTables = most }
	eng := startEngine(t, srv, bounded)
	aGuest := table.User{From: table.FromUser, UID: wire.GuestPrefix + "1", Guest: true}
	addAs := func(eng *rooms.Engine, who table.User, i int) error {
		_, err := command(t, eng, wire.Room(fmt.Sprint("tally-", i)), "", who, "add", "1")
		return err
	}
	refused := int64(0)
	busy := func(eng *rooms.Engine, what string, err error) {
		t.Helper()
		if err == nil || wire.AsError(err).Code != wire.Busy {
			t.Errorf("%s is answered %v", what, err)
		}
		if refused++; eng.TableStats().RefusedNew.Load() != refused {
			t.Errorf("%d are counted, want %d", eng.TableStats().RefusedNew.Load(), refused)
		}
	}
	begin := func(name string, who table.User, i int) {
		t.Helper()
		if err := addAs(eng, who, i); err != nil {
			t.Errorf("%s begins table %d: %v", name, i, err)
		}
	}
	for i := range most / 2 {
		begin("a guest", aGuest, i)
	}
	busy(eng, "a guest's command at one more", addAs(eng, aGuest, 2))
	guest := newMember("g")
	guest.user.UID = aGuest.UID
	busy(eng, "a guest who joins one more", eng.Join(within(t), "tally-2", guest, "", rooms.Since{}))
	for i := 2; i < most; i++ {
		begin("a service", aService, i)
	}
	for i := range most {
		if err := addAs(eng, aGuest, i); err != nil {
			t.Errorf("a guest at table %d, which there is: %v", i, err)
		}
	}
	busy(eng, "a service's command at one more", addAs(eng, aService, most))
	busy(eng, "a user who joins one more", eng.Join(within(t), "tally-4", newMember("m"), "", rooms.Since{}))
	inject(t, outsider(t, srv), "room.tally-4.event", `{"type":"add","payload":7}`)
	closeEngine(t, eng)

	eng, refused = startEngine(t, srv, bounded), 0
	busy(eng, "a command at one more, after a restart,", addAs(eng, aService, most))
	if err := addAs(eng, aGuest, 0); err != nil {
		t.Errorf("a guest at a table that there is, after a restart: %v", err)
	}
	closeEngine(t, eng)

	eng = startEngine(t, srv, func(c *rooms.Config) { bounded(c); c.MaxTables = most + 1 })
	add(t, eng, "tally-4", 1)
	eventually(t, "what was injected is taken", func() bool { return tallyOf(t, eng, "tally-4").Sum == 8 })
	closeEngine(t, eng)

	eng = startEngine(t, srv, func(c *rooms.Config) { bounded(c); c.MaxTables = 0 })
	add(t, eng, "tally-5", 1)
}

// TestTablesBegunWhileAsked: a table counts once, also when it begins while the
// stream of tables is asked how many it has, before that says so or after, or when
// its ack comes after that: else who begins the next one would be refused although it
// may.
func TestTablesBegunWhileAsked(t *testing.T) {
	const most = 5
	// The stream is asked, and acks come, only as the test lets them.
	ask, ack := newStops(t), newStops(t)
	eng, _ := start(t, func(c *rooms.Config) {
		tallies(sums{})(c)
		c.MaxTables = most
		c.StateAsked(func(answered bool) { ask.stop(answered) })
		c.LoseAck(func() error { ack.stop(true); return nil })
	})
	begun := 0
	began := func(err error) {
		t.Helper()
		if begun++; err != nil {
			t.Fatalf("table %d of %d: %v", begun, most, err)
		}
	}
	begin := func() error {
		_, err := command(t, eng, wire.Room(fmt.Sprint("tally-", begun)), "", aService, "add", "1")
		return err
	}
	counted := func(when string) {
		t.Helper()
		if n := eng.TablesBegun(); n != int64(begun) {
			t.Errorf("%d tables are counted %s, %d there are", n, when, begun)
		}
	}
	began(begin())
	ask.armed.Store(true)
	if answered := ask.next(); answered {
		ask.next()
	}
	began(begin()) // the answer has it
	counted("before the stream is asked")
	ask.next()
	began(begin()) // the answer does not have it
	counted("before the answer is taken")
	ask.next()
	counted("after that")

	ack.armed.Store(true)
	stored := make(chan error, 1)
	go func() { stored <- begin() }()
	ack.next() // it is stored, and its ack has not come
	ask.next()
	ask.next()
	ack.release()
	began(<-stored)
	counted("when the ack of one comes after the answer that has it")
	ask.release()

	began(begin())
	counted("when there are all")
	if _, err := command(t, eng, "tally-more", "", aService, "add", "1"); err == nil || wire.AsError(err).Code != wire.Busy {
		t.Errorf("one more than may be is answered %v", err)
	}
}

// stops are where a goroutine of the program stops, until the test lets it go on.
type stops struct {
	t     *testing.T
	armed atomic.Bool // else it does not stop
	at    chan bool
	on    chan struct{}
	held  bool
}

func newStops(t *testing.T) *stops {
	return &stops{t: t, at: make(chan bool), on: make(chan struct{})}
}

// stop is called by the program.
func (s *stops) stop(as bool) {
	if !s.armed.Load() {
		return
	}
	select {
	case s.at <- as:
	case <-s.t.Context().Done(): // the test has ended
		return
	}
	select {
	case <-s.on:
	case <-s.t.Context().Done():
	}
}

// next lets the program go on to the next stop, and returns what that is.
func (s *stops) next() bool {
	if s.held {
		s.on <- struct{}{}
	}
	s.held = true
	return <-s.at
}

// release lets the program go on for good.
func (s *stops) release() {
	s.armed.Store(false)
	s.on <- struct{}{}
}
