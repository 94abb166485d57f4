package rooms_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestBusyTableGoesOn: a table that has something to do rings, though nobody is
// there, after the only process was killed, and after one of three was.
func TestBusyTableGoesOn(t *testing.T) {
	wind := func(t *testing.T, eng *rooms.Engine, room wire.Room) {
		acknowledged(t, eng, room, aService, "wind", "1000")
	}
	beating := func(c *rooms.Config) { tallies(sums{})(c); c.Heartbeats(100 * time.Millisecond) }
	rang := func(t *testing.T, srv rooms.Connector, room string) {
		eventually(t, "it rings once", func() bool {
			n, _ := linesOfSteps(t, srv, room, "rang")
			return n == 1
		})
	}
	t.Run("the only process", func(t *testing.T) {
		srv := startServer(t)
		eng := startEngine(t, srv, beating)
		wind(t, eng, "tally-1")
		eng.Kill()
		startEngine(t, srv, func(c *rooms.Config) { beating(c); c.Node = "again" })
		rang(t, srv, "tally-1")
		eventually(t, "it is noted as quiet", func() bool { return len(notesIn(t, srv)) == 0 })
	})
	t.Run("one of three", func(t *testing.T) {
		srv := startServer(t)
		engines := map[string]*rooms.Engine{}
		for _, name := range []string{"a", "b", "c"} {
			engines[name] = startEngine(t, srv, func(c *rooms.Config) { beating(c); c.Node = name })
		}
		eventually(t, "they know of each other", func() bool {
			return len(engines["a"].Peers()) == 2 && len(engines["b"].Peers()) == 2 && len(engines["c"].Peers()) == 2
		})
		owner := engines[engines["a"].OwnerOf("tally-1")]
		acknowledged(t, owner, "tally-1", aService, "wind", "3600000")
		if notes := notesIn(t, srv); len(notes) != 1 || notes[0] != "busy.tally-1" {
			t.Errorf("noted is %v", notes)
		}
		wind(t, owner, "tally-1")
		owner.Kill()
		rang(t, srv, "tally-1")
		eventually(t, "it is noted as quiet", func() bool { return len(notesIn(t, srv)) == 0 })
	})
	t.Run("a restart of all that nobody has asked for", func(t *testing.T) {
		srv := startServer(t)
		eng := startEngine(t, srv, beating)
		wind(t, eng, "tally-1")
		closeEngine(t, eng)
		startEngine(t, srv, beating)
		rang(t, srv, "tally-1")
	})
}

// linesOfSteps counts the steps of a room in which a type of event is.
func linesOfSteps(t testing.TB, conn rooms.Connector, room, typ string) (n, all int) {
	t.Helper()
	nc, err := conn.Connect("looks")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, msg := range messagesOf(t, nc, eventlog.StepsStream) {
		if msg.Subject == "room."+room+".step" {
			all++
			if strings.Contains(string(msg.Data), fmt.Sprintf("%q", typ)) {
				n++
			}
		}
	}
	return n, all
}

// notesIn are the keys in the bucket of the notes on tables.
func notesIn(t testing.TB, conn rooms.Connector) (keys []string) {
	t.Helper()
	nc, err := conn.Connect("looks")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	kv, err := eventlog.OpenBucket(within(t), nc, rooms.NotesBucket)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := eventlog.Entries(within(t), kv)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		keys = append(keys, e.Key())
	}
	return keys
}

// TestBrokenRules: a table whose rules fail stands still, on every node, and says
// so once; its log stays, all others go on. It goes on when it is resumed, and
// under rules of a higher version.
func TestBrokenRules(t *testing.T) {
	const room = "tally-1"
	srv := startServer(t)
	log := &logbook{}
	bad := func(c *rooms.Config) { tallies(sums{broken: "decide"})(c); c.Log = zerolog.New(log) }
	eng := startEngine(t, srv, bad)
	add(t, eng, room, 1)
	add(t, eng, room, 2)
	m := join(t, eng, room, "m", rooms.Since{})
	stopped := func(eng *rooms.Engine, n int) {
		t.Helper()
		for i := range 5 { // with an id: the node that it is sent to may have been closed
			_, err := command(t, eng, room, fmt.Sprint("stopped-", i), aService, "add", fmt.Sprint(n))
			if err == nil || wire.AsError(err).Code != wire.Internal {
				t.Fatalf("answered %v", err)
			}
		}
		if err := eng.Join(within(t), room, newMember("late"), "", rooms.Since{}); err == nil || wire.AsError(err).Code != wire.Internal {
			t.Errorf("who joins is answered %v", err)
		}
	}
	stopped(eng, 13)
	stopped(eng, 1)
	if n := len(log.lines("the rules of a table have failed")); n != 1 {
		t.Errorf("it is said %d times: %v", n, log.lines("table"))
	}
	add(t, eng, "tally-2", 1)
	if _, all := linesOfSteps(t, srv, room, "added"); all < 2 {
		t.Errorf("the log has %d steps", all)
	}
	eventually(t, "it is counted", func() bool { return eng.TablesStopped() == 1 })

	other := startEngine(t, srv, func(c *rooms.Config) { tallies(sums{})(c); c.Node = "other" })
	eng.Leave(room, m, rooms.LeaveClosed)
	closeEngine(t, eng)
	stopped(other, 1)
	info, err := other.InspectTable(within(t), room)
	if err != nil || info.Stopped == nil || !strings.Contains(info.Stopped.Reason, "thirteen") || info.Stopped.Version != 1 || len(info.Last) == 0 {
		t.Errorf("it is told as %+v (%v)", info, err)
	}
	if err := other.ResumeTable(within(t), room); err != nil {
		t.Fatal(err)
	}
	add(t, other, room, 13)
	if s := tallyOf(t, other, room); s.Sum != 16 {
		t.Errorf("the sum is %d, want 16", s.Sum)
	}
	info, err = other.InspectTable(within(t), room)
	if err != nil || info.Stopped != nil || string(info.State) != `{"sum":16}` || info.Steps < 3 || info.Step == 0 || info.Node != "other" {
		t.Errorf("it is told as %+v, state %s (%v)", info, info.State, err)
	}
	if err := other.ResumeTable(within(t), room); err == nil || wire.AsError(err).Code != wire.NotFound {
		t.Errorf("to resume what has not stopped is answered %v", err)
	}
	eventually(t, "it is not counted any more", func() bool { return other.TablesStopped() == 0 })
}

// TestNewerRulesGoOn: rules of a higher version than those that failed need not be
// told to go on.
func TestNewerRulesGoOn(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, tallies(sums{broken: "decide"}))
	add(t, eng, "tally-1", 1)
	if _, err := command(t, eng, "tally-1", "", aService, "add", "13"); err == nil {
		t.Fatal("it was decided")
	}
	eventually(t, "it is noted", func() bool { return len(notesIn(t, srv)) == 1 })
	closeEngine(t, eng)
	next := startEngine(t, srv, tallies(sums{version: 2}))
	add(t, next, "tally-1", 13)
	if s := tallyOf(t, next, "tally-1"); s.Sum != 14 || len(notesIn(t, srv)) != 0 {
		t.Errorf("the sum is %d, noted is %v", s.Sum, notesIn(t, srv))
	}
}

// TestUnreadableState: rules that cannot read what they have written stop the
// table when that is found out, and its steps are still there for others.
func TestUnreadableState(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, tallies(sums{broken: "decode"}))
	sum := 0
	eventually(t, "it stops", func() bool {
		_, err := command(t, eng, "tally-1", "", aService, "add", "1")
		if err == nil {
			sum++
		}
		return err != nil && wire.AsError(err).Code == wire.Internal
	})
	eventually(t, "it is noted", func() bool { return len(notesIn(t, srv)) == 1 })
	closeEngine(t, eng)
	next := startEngine(t, srv, tallies(sums{version: 2}))
	if s := tallyOf(t, next, "tally-1"); s.Sum < sum {
		t.Errorf("the sum is %d, and %d were acknowledged", s.Sum, sum)
	}
}

// TestOnlyOlderRules: where no node has rules as new as those that have decided, an
// operator and who sends a command are told so.
func TestOnlyOlderRules(t *testing.T) {
	srv := startServer(t)
	newer := startEngine(t, srv, tallies(sums{version: 3}))
	add(t, newer, "tally-1", 1)
	closeEngine(t, newer)
	older := startEngine(t, srv, tallies(sums{version: 2}))
	const says = "newer rules than version 2"
	inspected := make(chan error, 1)
	go func() {
		_, err := older.InspectTable(within(t), "tally-1")
		inspected <- err
	}()
	defer func() {
		if err := <-inspected; err == nil || wire.AsError(err).Code != wire.Unavailable || !strings.Contains(err.Error(), says) {
			t.Errorf("inspected: %v, want %q", err, says)
		}
	}()
	if _, err := command(t, older, "tally-1", "c-1", aService, "add", "1"); err == nil || wire.AsError(err).Code != wire.Unavailable || !strings.Contains(err.Error(), says) {
		t.Errorf("a command: %v, want %q", err, says)
	}
}

// TestOlderRulesLeaveTables: a node whose rules are older than those of a table's
// last step does not decide, though it is its turn; commands find another node.
func TestOlderRulesLeaveTables(t *testing.T) {
	srv := startServer(t)
	// No node is missed on a busy machine, and what one has seen of a table is not forgotten.
	steady := func(c *rooms.Config) { rarely(c); c.AwaitNodes(patience); c.IdleAfter = time.Hour }
	newer := startEngine(t, srv, func(c *rooms.Config) { tallies(sums{version: 2})(c); steady(c); c.Node = "newer" })
	for i := range 8 {
		add(t, newer, wire.Room(fmt.Sprint("tally-", i)), 1)
	}
	older := startEngine(t, srv, func(c *rooms.Config) { tallies(sums{version: 1})(c); steady(c); c.Node = "older" })
	eventually(t, "they know of each other", func() bool { return len(older.Peers()) == 1 && len(newer.Peers()) == 1 })
	its := 0
	for i := range 8 {
		room := wire.Room(fmt.Sprint("tally-", i))
		if older.OwnerOf(room) == "older" {
			its++
		}
		for range 3 {
			add(t, older, room, 1)
			add(t, newer, room, 1)
		}
		if s := tallyOf(t, older, room); s.Sum != 7 {
			t.Errorf("%s: the sum is %d, want 7", room, s.Sum)
		}
	}
	if n := older.TableStats().Older.Load(); its == 0 || n < int64(its) || n > 2*int64(its) {
		t.Errorf("it is the older node's turn for %d tables, and it left %d", its, n)
	}
}
