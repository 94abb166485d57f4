package rooms_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// watchful is a node of the tallies that looks often what was injected.
func watchful(node string) func(*rooms.Config) {
	return func(c *rooms.Config) {
		tallies(sums{})(c)
		c.Node = node
		c.Heartbeats(50 * time.Millisecond)
	}
}

// injectAdds has so many commands stored that each add n.
func injectAdds(t *testing.T, nc *nats.Conn, room wire.Room, times, n int) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for range times {
		if _, err := js.Publish(within(t), wire.EventSubject(room), fmt.Appendf(nil, `{"type":"add","payload":%d}`, n)); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitSum waits until who joins sees that sum; while a log is out of reach, or goes
// back, nobody can join.
func awaitSum(t *testing.T, eng *rooms.Engine, room wire.Room, want int) {
	t.Helper()
	seen := "never seen"
	defer func() {
		if t.Failed() {
			t.Logf("at last it was %s", seen)
		}
	}()
	eventually(t, fmt.Sprint("the sum is ", want), func() bool {
		m := newMember("looks")
		err := eng.Join(within(t), room, m, "", rooms.Since{})
		if err != nil {
			seen = err.Error()
			if wire.AsError(err).Code != wire.Unavailable {
				t.Fatal(err)
			}
			return false
		}
		defer eng.Leave(room, m, rooms.LeaveClosed)
		sum := shownSum(t, []wire.Event{roomJoined(t, m)})
		seen = fmt.Sprint(sum)
		return sum == want
	})
}

// stays checks that a table is the same for those who load it next, and takes what
// comes then.
func stays(t *testing.T, conn rooms.Connector, nc *nats.Conn, room wire.Room, sum int) {
	t.Helper()
	next := startEngine(t, conn, watchful("next"))
	if got := tallyOf(t, next, room).Sum; got != sum {
		t.Errorf("for the next node the sum is %d, want %d", got, sum)
	}
	injectAdds(t, nc, room, 1, 1000)
	awaitSum(t, next, room, sum+1000)
}

// TestRoomsLogMadeAnew: when the log of rooms is deleted, what services publish from
// then on is taken, once, although it has the sequences of what was taken before, or
// later ones.
func TestRoomsLogMadeAnew(t *testing.T) {
	const room = "tally-1"
	for name, tc := range map[string]struct {
		up     bool // the node runs on
		before int  // events of other rooms that are in the new log first
	}{
		"while a node runs":                     {up: true},
		"while no node runs":                    {},
		"while no node runs, and has more soon": {before: 10},
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			nc := outsider(t, srv)
			eng := startEngine(t, srv, watchful("one"))
			injectAdds(t, nc, room, 3, 1)
			awaitSum(t, eng, room, 3)
			epoch := eng.Epoch()
			if !tc.up {
				closeEngine(t, eng)
			}
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			if err := js.DeleteStream(within(t), eventlog.RoomsStream); err != nil {
				t.Fatal(err)
			}
			if tc.up {
				eventually(t, "the log is made anew", func() bool { return eng.Epoch() != epoch })
				injectAdds(t, nc, room, 2, 10)
			} else {
				maker := startEngine(t, srv, func(c *rooms.Config) { c.Node = "relays" })
				if tc.before > 0 {
					publish(t, maker, "chat", 0, tc.before)
				}
				injectAdds(t, nc, room, 2, 10)
				eng = startEngine(t, srv, watchful("two"))
			}
			awaitSum(t, eng, room, 23)
			closeEngine(t, eng)
			stays(t, srv, nc, room, 23)
		})
	}
}

// copyStreams copies streams of a server that is down.
func (r *restartable) copyStreams(names ...string) (dir string) {
	r.t.Helper()
	dir = r.t.TempDir()
	for _, name := range names {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(r.streamDir(name))); err != nil {
			r.t.Fatal(err)
		}
	}
	return dir
}

// putBack puts such a copy in the place of the streams. The server must be down.
func (r *restartable) putBack(dir string, names ...string) {
	r.t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(r.streamDir(name)); err != nil {
			r.t.Fatal(err)
		}
		if err := os.CopyFS(r.streamDir(name), os.DirFS(filepath.Join(dir, name))); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *restartable) streamDir(name string) string {
	return filepath.Join(r.cfg.StoreDir, "jetstream", "$G", "streams", name)
}

// TestRoomsLogPutBack: when a copy of the log of rooms is put in its place, what the
// table had taken and the copy still has is not taken again, and what services publish
// from then on is.
func TestRoomsLogPutBack(t *testing.T) {
	const room = "tally-1"
	for name, tc := range map[string]struct {
		up     bool // the node runs on
		before int  // events of other rooms that come first then
	}{
		"while a node runs":                     {up: true},
		"while a node runs, and has more soon":  {up: true, before: 10},
		"while no node runs":                    {},
		"while no node runs, and has more soon": {before: 10},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRestartable(t)
			eng := startEngine(t, r, watchful("one"))
			injectAdds(t, outsider(t, r.srv), room, 3, 1)
			awaitSum(t, eng, room, 3)
			r.down()
			backup := r.copyStreams(eventlog.RoomsStream)
			r.up()
			injectAdds(t, outsider(t, r.srv), room, 2, 10)
			awaitSum(t, eng, room, 23)
			if !tc.up {
				closeEngine(t, eng)
			}
			r.down()
			r.putBack(backup, eventlog.RoomsStream)
			r.up()
			nc := outsider(t, r.srv)
			injectAdds(t, nc, "chat", tc.before, 0)
			injectAdds(t, nc, room, 2, 100)
			if !tc.up {
				eng = startEngine(t, r, watchful("two"))
			}
			awaitSum(t, eng, room, 223)
			closeEngine(t, eng)
			stays(t, r, nc, room, 223)
		})
	}
}

// TestTablePutBack: when copies of the logs of rooms and of tables are put in their
// place while a node runs, the table is again what it was then, goes on from there,
// and its members are told so.
func TestTablePutBack(t *testing.T) {
	const room = "tally-1"
	r := startRestartable(t)
	eng := startEngine(t, r, watchful("one"))
	stays := join(t, eng, room, "stays", rooms.Since{})
	injectAdds(t, outsider(t, r.srv), room, 3, 1)
	awaitSum(t, eng, room, 3)
	r.down()
	all := []string{eventlog.RoomsStream, eventlog.StepsStream, eventlog.SnapshotsStream}
	backup := r.copyStreams(all...)
	r.up()
	injectAdds(t, outsider(t, r.srv), room, 2, 10)
	var last uint64
	eventually(t, "it goes on", func() bool {
		seq, err := command(t, eng, room, "", aService, "add", "100")
		last = max(last, seq)
		return err == nil
	})
	awaitSum(t, eng, room, 123)
	before := fromOf(eng, room, last)
	r.down()
	r.putBack(backup, all...)
	r.up()
	injectAdds(t, outsider(t, r.srv), room, 1, 1000)
	awaitSum(t, eng, room, 1003)
	if _, err := command(t, eng, room, "later", aService, "add", "10000"); err != nil {
		t.Fatal(err)
	}
	awaitSum(t, eng, room, 11003)
	stays.await(t, "what the table is now", func() bool { return shownSum(t, stays.got) == 11003 })
	back := join(t, eng, room, "back", before)
	if got := shownSum(t, back.events()); got != 11003 {
		t.Errorf("who comes back with a position of what was never sees the sum %d", got)
	}
}

// shownSum is what a client makes of what it got: the state of the last room_joined,
// and what was added after it.
func shownSum(t *testing.T, got []wire.Event) (sum int) {
	t.Helper()
	var upto uint64
	add := func(typ string, payload json.RawMessage) {
		if typ == "added" {
			sum += decode[int](t, payload)
		}
	}
	for _, ev := range got {
		switch {
		case ev.Type == wire.TypeRoomJoined:
			p := decode[struct {
				State    tallied `json:"state"`
				StateSeq uint64  `json:"state_seq"`
			}](t, ev.Payload)
			sum, upto = p.State.Sum, p.StateSeq
		case ev.Seq <= upto:
		case ev.Type == wire.TypeBatch:
			for _, one := range decode[struct{ Events []wire.BatchedEvent }](t, ev.Payload).Events {
				add(one.Type, one.Payload)
			}
		default:
			add(ev.Type, ev.Payload)
		}
	}
	return sum
}
