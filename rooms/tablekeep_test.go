package rooms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// sums are the rules of the tests: what is added is summed up. A clock that is
// wound up rings by itself, once.
type sums struct {
	version int
	broken  string // what these rules do wrong; "": nothing
}

type tallied struct {
	Sum    int    `json:"sum"`
	Filled string `json:"filled,omitempty"`
	RingAt int64  `json:"ring_at,omitempty"`
	Rings  int    `json:"rings,omitempty"`
}

func (r sums) Version() int         { return max(r.version, 1) }
func (sums) New() *tallied          { return &tallied{} }
func (sums) Timer(s *tallied) int64 { return s.RingAt }
func (sums) Busy(s *tallied) bool   { return s.RingAt != 0 }
func (sums) View(s *tallied, _ string) any {
	return tallied{Sum: s.Sum, Rings: s.Rings, RingAt: s.RingAt}
}
func (sums) Admit(*tallied, table.User) error  { return nil }
func (sums) Label(*tallied) any                { return nil }
func (sums) Encode(s *tallied) ([]byte, error) { return json.Marshal(s) }
func (r sums) Decode(_ int, data []byte) (s *tallied, err error) {
	if r.broken == "decode" {
		return nil, errors.New("these rules can read nothing")
	}
	return s, json.Unmarshal(data, &s)
}

func (r sums) Decide(s *tallied, c table.Command) ([]table.Event, error) {
	if c.User.From == table.FromEngine {
		if c.Type == table.TypeTimer && s.RingAt != 0 && c.Now >= s.RingAt {
			return []table.Event{table.Happened("rang", s.Rings+1)}, nil
		}
		return nil, nil
	}
	switch c.Type {
	case "add":
		n, err := table.Read[int](c)
		if err != nil {
			return nil, err
		}
		if n == 13 && r.broken == "decide" {
			panic("thirteen")
		}
		return []table.Event{table.Happened("added", n)}, nil
	case "wind":
		ms, err := table.Read[int64](c)
		return []table.Event{table.Happened("wound", c.Now+ms)}, err
	case "say", "fill":
		text, err := table.Read[string](c)
		return []table.Event{table.Happened(c.Type, text)}, err
	}
	return nil, table.Refuse("no such command")
}

func (sums) Apply(s *tallied, ev table.Event) (*tallied, error) {
	var err error
	switch ev.Type {
	case "added":
		var n int
		err = json.Unmarshal(ev.Payload, &n)
		s.Sum += n
	case "wound":
		err = json.Unmarshal(ev.Payload, &s.RingAt)
	case "rang":
		s.RingAt = 0
		err = json.Unmarshal(ev.Payload, &s.Rings)
	case "fill":
		err = json.Unmarshal(ev.Payload, &s.Filled)
	case "say":
	default:
		err = fmt.Errorf("%q is not known", ev.Type)
	}
	return s, err
}

func tallies(r sums) func(*rooms.Config) {
	return func(c *rooms.Config) { c.Tables = []rooms.Hosting{{Rooms: "tally-*", Game: table.Of(r)}} }
}

var aService = table.User{From: table.FromService}

func add(t testing.TB, eng *rooms.Engine, room wire.Room, n int) uint64 {
	t.Helper()
	return acknowledged(t, eng, room, aService, "add", fmt.Sprint(n))
}

var acknowledgedIDs atomic.Int64

// acknowledged has a table decide, and sends again what a busy machine did not decide
// in time.
func acknowledged(t testing.TB, eng *rooms.Engine, room wire.Room, who table.User, typ, payload string) (seq uint64) {
	t.Helper()
	id := fmt.Sprint("acknowledged-", acknowledgedIDs.Add(1))
	eventually(t, "a command is acknowledged", func() (ok bool) {
		var err error
		if seq, err = command(t, eng, room, id, who, typ, payload); err != nil && !wire.AsError(err).Code.Retryable() {
			t.Fatal(err)
		}
		return err == nil
	})
	return seq
}

// addPlain makes the sum of a table what is said, by one more and without an id: ids
// are part of the state, and the larger that is, the more seldom it is written down.
func addPlain(t testing.TB, eng *rooms.Engine, room wire.Room, sum int) {
	t.Helper()
	eventually(t, "one is added", func() bool {
		_, err := command(t, eng, room, "", aService, "add", "1")
		if err != nil && !wire.AsError(err).Code.Retryable() {
			t.Fatal(err)
		}
		return err == nil || tallyOf(t, eng, room).Sum == sum // a busy machine: it may have been done
	})
}

// tallyOf is the state that somebody sees who joins.
func tallyOf(t testing.TB, eng *rooms.Engine, room wire.Room) (s tallied) {
	t.Helper()
	m := newMember("looks")
	if err := eng.Join(within(t), room, m, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	defer eng.Leave(room, m, rooms.LeaveClosed)
	p := struct{ State *tallied }{&s}
	if err := json.Unmarshal(roomJoined(t, m).Payload, &p); err != nil {
		t.Fatal(err)
	}
	return s
}

func streamOf(t testing.TB, nc *nats.Conn, name string) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// countOf is how many messages a stream has under a subject.
func countOf(t testing.TB, stream jetstream.Stream, subject string) uint64 {
	t.Helper()
	var info *jetstream.StreamInfo
	eventually(t, "the stream says how many it has", func() bool { // a request may be lost
		ctx, cancel := context.WithTimeout(t.Context(), patience/6)
		defer cancel()
		var err error
		info, err = stream.Info(ctx, jetstream.WithSubjectFilter(subject))
		return err == nil
	})
	return info.State.Subjects[subject]
}

// TestStepsAreBounded: a table that goes on and on keeps its steps within their own
// limit, whatever that of rooms is, and is the same after a restart; history shows
// what is left, and who comes back within it misses nothing.
func TestStepsAreBounded(t *testing.T) {
	srv := startServer(t)
	nc := outsider(t, srv)
	const room, history, steps = "tally-1", 160, 1500
	small := func(c *rooms.Config) { tallies(sums{})(c); c.History, c.TableHistory = history/8, history }
	eng := startEngine(t, srv, small)
	var back uint64
	for i := range steps {
		if i == steps-history/2 {
			back = add(t, eng, room, 1)
		} else {
			addPlain(t, eng, room, i+1)
		}
	}
	steps1 := streamOf(t, nc, eventlog.StepsStream)
	const most = history + history/2 + 2*64
	eventually(t, "old steps are dropped", func() bool { return countOf(t, steps1, "room.tally-1.step") <= most })
	if n := countOf(t, steps1, "room.tally-1.step"); n < history {
		t.Errorf("only %d steps are left, of %d that clients are shown", n, history)
	}
	if n := countOf(t, streamOf(t, nc, eventlog.SnapshotsStream), "room.tally-1.snapshot"); n != eventlog.SnapshotsKept {
		t.Errorf("there are %d snapshots", n)
	}
	m := join(t, eng, room, "back", fromOf(eng, room, back))
	for _, ev := range m.events(wire.TypeRoomJoined) {
		var p wire.RoomJoined
		if err := json.Unmarshal(ev.Payload, &p); err != nil || !p.Recovered || p.Replayed != history/2-1 {
			t.Errorf("who comes back is told %s (%v)", ev.Payload, err)
		}
	}
	again := startEngine(t, srv, func(c *rooms.Config) { small(c); c.Node = "again" })
	closeEngine(t, eng)
	add(t, again, room, 1)
	if s := tallyOf(t, again, room); s.Sum != steps+1 {
		t.Errorf("the sum is %d, want %d", s.Sum, steps+1)
	}
	if s := tallyOf(t, again, "tally-new"); s.Sum != 0 {
		t.Errorf("a table that nobody has used has the sum %d", s.Sum)
	}
	if n := again.TableStats().StepsRead.Load(); n > 3*64 {
		t.Errorf("%d steps were read", n)
	}
}

// TestStepsWithoutLimit: a table whose history has none keeps all of its steps.
func TestStepsWithoutLimit(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) { tallies(sums{})(c); c.History, c.TableHistory = 20, 0 })
	const steps = 600
	for i := range steps {
		addPlain(t, eng, "tally-1", i+1)
	}
	eventually(t, "it is written down often enough", func() bool { return eng.TableStats().Snapshots.Load() > eventlog.SnapshotsKept })
	closeEngine(t, eng)
	if n := countOf(t, streamOf(t, outsider(t, srv), eventlog.StepsStream), "room.tally-1.step"); n != steps || eng.TableStats().StepDrops.Load() != 0 {
		t.Errorf("%d steps are left, of %d", n, steps)
	}
}

// TestSnapshotAtRest: a table that nobody uses is written down when it is
// unloaded, and its next owner reads no step.
func TestSnapshotAtRest(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { tallies(sums{})(c); c.IdleAfter = 20 * time.Millisecond })
	add(t, eng, "tally-1", 41)
	eventually(t, "it is written down", func() bool { return eng.TableStats().Snapshots.Load() == 1 && eng.TablesOwned() == 0 })
	add(t, eng, "tally-1", 1)
	if s := tallyOf(t, eng, "tally-1"); s.Sum != 42 || eng.TableStats().StepsRead.Load() > 0 {
		t.Errorf("it is loaded as %+v, from %d steps", s, eng.TableStats().StepsRead.Load())
	}
}

// TestLargeSnapshot: a state that no message can hold is written down in parts,
// and the one before stays.
func TestLargeSnapshot(t *testing.T) {
	eng, _ := start(t, tallies(sums{}))
	snapshots := eng.Snapshots()
	var prev *eventlog.SnapshotRef
	var before string
	for i := range 5 {
		data := noise((3 + i) << 20)
		ref, err := snapshots.Save(within(t), "tally-1", prev, eventlog.Snapshot{Step: uint64(i)}, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		list, err := snapshots.Last(within(t), "tally-1")
		if err != nil || list[0].Seq != ref.Seq || len(list[0].Parts) < 2 || len(list) != min(i+1, eventlog.SnapshotsKept) {
			t.Fatalf("%d snapshots, the newest in message %d, want %d: %v", len(list), list[0].Seq, ref.Seq, err)
		}
		for n, want := range []string{data, before}[:len(list)] {
			if info, got, err := snapshots.Read(within(t), "tally-1", list[n]); err != nil || string(got) != want || info.Step != uint64(i-n) {
				t.Errorf("snapshot %d of %d is read as %d bytes, of step %d: %v", n, i, len(got), info.Step, err)
			}
		}
		prev, before = ref, data
	}
	if _, err := snapshots.Save(within(t), "tally-1", nil, eventlog.Snapshot{}, []byte("late")); !errors.Is(err, eventlog.ErrWrongLast) {
		t.Errorf("an owner that has slept stores its snapshot behind the others: %v", err)
	}
}

// noise is text that cannot be compressed by much.
func noise(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(eventlog.Sum(fmt.Append(nil, i)))
	}
	return b.String()[:n]
}

// TestSnapshotDamaged: a snapshot that is damaged, of another log, or ahead of the
// log is passed over; what it should have told is read from the steps.
func TestSnapshotDamaged(t *testing.T) {
	for name, damage := range map[string]func(info *eventlog.Snapshot, data *[]byte){
		"no data":        func(_ *eventlog.Snapshot, data *[]byte) { *data = nil },
		"other data":     func(_ *eventlog.Snapshot, data *[]byte) { *data = []byte("none") },
		"of other rules": func(_ *eventlog.Snapshot, data *[]byte) { *data = []byte(`{"rules":1,"state":"e30=","sum":"00"}`) },
		"ahead":          func(s *eventlog.Snapshot, _ *[]byte) { s.Step += 1000 },
		"another step":   func(s *eventlog.Snapshot, _ *[]byte) { s.Sum = "00" },
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t)
			eng := startEngine(t, srv, tallies(sums{}))
			sum := 0
			for eng.TableStats().Snapshots.Load() < 2 {
				add(t, eng, "tally-1", 1)
				sum++
			}
			closeEngine(t, eng)
			again := startEngine(t, srv, tallies(sums{}))
			snapshots := again.Snapshots()
			list, err := snapshots.Last(within(t), "tally-1")
			if err != nil || len(list) != 2 {
				t.Fatal(len(list), err)
			}
			info, data, err := snapshots.Read(within(t), "tally-1", list[0])
			if err != nil {
				t.Fatal(err)
			}
			damage(&info, &data)
			if _, err := snapshots.Save(within(t), "tally-1", list[0], info, data); err != nil {
				t.Fatal(err)
			}
			for range 100 {
				add(t, again, "tally-1", 1)
			}
			if s := tallyOf(t, again, "tally-1"); s.Sum != sum+100 {
				t.Errorf("the sum is %d, want %d", s.Sum, sum+100)
			}
			if again.TableStats().SnapshotsDamaged.Load() == 0 {
				t.Error("nobody noticed")
			}
			// It is due when the steps behind it are as large as the state, which grows with
			// the ids of those above, and those were more while a snapshot was being written.
			eventually(t, "a good one is written", func() bool {
				add(t, again, "tally-1", 1)
				return again.TableStats().Snapshots.Load() > 0
			})
		})
	}
}

// TestStepsFull: when the log takes no more, commands are refused as busy, and a
// table whose own steps are the reason makes place for itself.
func TestStepsFull(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) { tallies(sums{})(c); c.TableBytes = 1 << 20 })
	say := func(room wire.Room, bytes int) error {
		_, err := command(t, eng, room, "", aService, "say", string(wire.MarshalPayload(noise(bytes))))
		return err
	}
	full := 0
	for range 100 {
		eventually(t, "it is said", func() bool {
			err := say("tally-1", 50<<10)
			if err != nil && wire.AsError(err).Code != wire.Busy {
				t.Fatal(err)
			}
			if err != nil {
				full++
			}
			return err == nil
		})
	}
	if full == 0 || eng.TableStats().Full.Load() == 0 {
		t.Errorf("5 MB fit into 1: %d were refused, %d counted", full, eng.TableStats().Full.Load())
	}
	for i := range 8 { // each keeps its last step
		err := say(wire.Room(fmt.Sprint("tally-wide-", i)), 200<<10)
		if i == 7 && (err == nil || wire.AsError(err).Code != wire.Busy) {
			t.Errorf("the log has place for 8 steps of 200 KB: %v", err)
		}
	}
}

// TestMillionSteps: a table of very many steps is loaded from its snapshot and the
// few steps behind it.
func TestMillionSteps(t *testing.T) {
	const room, behind = "tally-1", 500
	steps := 1_000_000
	if testing.Short() || raceEnabled {
		steps = 50_000
	}
	eng, srv := start(t, tallies(sums{}))
	writeSteps(t, outsider(t, srv), eng, room, steps, behind)
	began := time.Now()
	add(t, eng, room, 1)
	took := time.Since(began)
	t.Logf("%d steps, a snapshot %d before the last: decides after %s, %d steps read", steps, behind, took, eng.TableStats().StepsRead.Load())
	if n := eng.TableStats().StepsRead.Load(); n != behind {
		t.Errorf("%d steps were read, want %d", n, behind)
	}
	if s := tallyOf(t, eng, room); s.Sum != steps+1 {
		t.Errorf("the sum is %d", s.Sum)
	}
}

// slowSums are sums whose steps are applied only when the gate is open.
type slowSums struct {
	sums
	gate *sync.RWMutex
}

func (r slowSums) Apply(s *tallied, ev table.Event) (*tallied, error) {
	r.gate.RLock()
	defer r.gate.RUnlock()
	return r.sums.Apply(s, ev)
}

// TestSlowLoad: a table that takes longer to load than anybody waits is loaded
// nevertheless, and not begun again; who waits is told to try again, and not kept.
func TestSlowLoad(t *testing.T) {
	const room, tries = "tally-1", 5
	srv := startServer(t)
	eng := startEngine(t, srv, tallies(sums{}))
	sum := 3
	for range sum {
		add(t, eng, room, 1)
	}
	steps := eng.TableStats().Steps.Load()
	for try := 1; ; try++ {
		eng.Kill() // so that there is no snapshot: the steps are to be read
		gate := new(sync.RWMutex)
		eng = startEngine(t, srv, func(c *rooms.Config) {
			c.Tables = []rooms.Hosting{{Rooms: "tally-*", Game: table.Of(slowSums{gate: gate})}}
			c.OpenTimeout(time.Second)
		})
		gate.Lock() // nothing is applied: the table is being loaded, until the gate is opened
		for i := range 2 {
			if _, err := command(t, eng, room, "", aService, "add", "1"); err == nil || !strings.Contains(err.Error(), "out of reach") {
				t.Errorf("command %d while the table is loaded is answered %v", i, err)
			}
		}
		gate.Unlock()
		add(t, eng, room, 1)
		sum++
		if s := tallyOf(t, eng, room); s.Sum != sum {
			t.Errorf("the sum is %d, want %d", s.Sum, sum)
		}
		read := eng.TableStats().StepsRead.Load()
		if read == steps {
			return
		}
		// A second has a meaning on a busy machine too: a single request may take longer.
		if try == tries {
			t.Fatalf("%d times a table of %d steps was not loaded at once; the last time %d were read", tries, steps, read)
		}
		steps += eng.TableStats().Steps.Load()
	}
}

// writeSteps makes a table of so many steps, the only one in its stream, as a node
// would have made it; the snapshot holds all but the last few.
func writeSteps(t testing.TB, nc *nats.Conn, eng *rooms.Engine, room wire.Room, steps, behind int) {
	t.Helper()
	const pending = 4096
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2*pending), jetstream.WithPublishAsyncTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	log := table.NewLog(table.Of(sums{}), "n", 0)
	for i := range uint64(steps) {
		step, _, err := log.Decide(int64(i), []table.Request{{Command: table.Command{Type: "add", Payload: json.RawMessage("1"), User: aService}, Ref: t, At: int64(i)}})
		if err != nil {
			t.Fatal(err)
		}
		body, by, err := eng.EncodeStep(room, step)
		if err != nil {
			t.Fatal(err)
		}
		log.Stored(i + 1)
		if i%pending == 0 {
			awaitStored(t, js)
		}
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: wire.SpaceTables.Capture(room), Data: body, Header: nats.Header{eventlog.HeaderBy: {by}}}); err != nil {
			t.Fatal(err)
		}
		if int(i) == steps-behind-1 {
			data, err := log.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			info := eventlog.Snapshot{Epoch: eng.EpochOf(room), Step: i + 1, Sum: eventlog.Sum(body), Count: i + 1}
			if _, err := eng.Snapshots().Save(within(t), room, nil, info, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	awaitStored(t, js)
	if n := countOf(t, streamOf(t, nc, eventlog.StepsStream), wire.SpaceTables.Capture(room)); n != uint64(steps) {
		t.Fatalf("%d steps are stored", n)
	}
}

func awaitStored(t testing.TB, js jetstream.JetStream) {
	t.Helper()
	select {
	case <-js.PublishAsyncComplete():
	case <-within(t).Done():
		t.Fatal("the steps are not all stored")
	}
}
