package rooms_test

import (
	"strconv"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func keep(history int64) func(*rooms.Config) {
	return func(c *rooms.Config) { c.History = history }
}

// resumes says what a node that does not have the room open tells who comes
// back after seq.
func resumes(t *testing.T, srv *embedded.Server, room wire.Room, seq uint64, recovered bool, replay []uint64) {
	t.Helper()
	eng := startEngine(t, srv, keep(1000))
	defer closeEngine(t, eng)
	m := join(t, eng, room, "back", from(eng, seq))
	if joined := m.joined(t, 0); joined.Recovered != recovered || joined.Replayed != len(replay) {
		t.Errorf("%s after %d: recovered %t with %d events, want %t with %d", room, seq, joined.Recovered, joined.Replayed, recovered, len(replay))
	}
	if len(replay) > 0 {
		m.awaitSeq(t, replay[len(replay)-1])
	}
	wantSeqs(t, m, replay)
}

// limitRaised checks what may be believed of x, of whose 20 events the limit
// left 5 before it was raised, and of rooms that began after that.
func limitRaised(t *testing.T, srv *embedded.Server, epoch string, start uint64, x []uint64) {
	t.Helper()
	eng := startEngine(t, srv, keep(1000))
	if eng.Epoch() != epoch {
		t.Fatal("the log was made anew")
	}
	resumes(t, srv, "x", start, false, nil) // no event of x
	for i := range x {
		if i < 14 {
			resumes(t, srv, "x", x[i], false, nil)
		} else { // of the 15th, gone itself, every sequence after it is there
			resumes(t, srv, "x", x[i], true, x[i+1:])
		}
	}

	late := join(t, eng, "late", "late", rooms.Since{}).joined(t, 0).Seq
	other := join(t, eng, "other room", "late", rooms.Since{}).joined(t, 0).Seq
	// More than the log reads whole, and of the oldest nothing is left: that
	// nothing of the rooms was among them only the leader can say.
	publish(t, eng, "crowded", 0, 1150)
	few := publish(t, eng, "late", 0, 10)
	resumes(t, srv, "late", late, true, few)
	resumes(t, srv, "other room", other, true, nil)
	resumes(t, srv, "late", few[3], true, few[4:])
	resumes(t, srv, "x", start, false, nil)
	resumes(t, srv, "x", x[3], false, nil)
	resumes(t, srv, "x", x[17], true, x[18:])
}

// emptyRoom joins an empty room of a log that has events and returns its
// position there.
func emptyRoom(t *testing.T, eng *rooms.Engine, room wire.Room) uint64 {
	t.Helper()
	publish(t, eng, "before", 0, 3)
	m := join(t, eng, room, "first", rooms.Since{})
	defer eng.Leave(room, m, rooms.LeaveClosed)
	seq := m.joined(t, 0).Seq
	if seq == 0 {
		t.Fatal("the position is where the log begins")
	}
	return seq
}

// TestHistoryRaised: nobody is told to have everything because the limit is far
// away now, when a smaller one has cut.
func TestHistoryRaised(t *testing.T) {
	srv := startServer(t)
	small := startEngine(t, srv, keep(5))
	start := emptyRoom(t, small, "x")
	x := publish(t, small, "x", 0, 20)
	epoch := small.Epoch()
	closeEngine(t, small)
	limitRaised(t, srv, epoch, start, x)
}

// stream is the log as `nats stream` sees it.
func stream(t *testing.T, srv *embedded.Server) (js jetstream.JetStream, info func() *jetstream.StreamInfo) {
	t.Helper()
	js, err := jetstream.New(outsider(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	return js, func() *jetstream.StreamInfo {
		t.Helper()
		s, err := js.Stream(within(t), eventlog.RoomsStream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo()
	}
}

// editStream is `nats stream edit`.
func editStream(t *testing.T, srv *embedded.Server, change func(*jetstream.StreamConfig)) {
	t.Helper()
	js, info := stream(t, srv)
	cfg := info().Config
	change(&cfg)
	if _, err := js.UpdateStream(within(t), cfg); err != nil {
		t.Fatal(err)
	}
}

// awaitNoted waits until a node has noted the limit per room, and since when.
func awaitNoted(t *testing.T, srv *embedded.Server, limit int64, since uint64) {
	t.Helper()
	_, info := stream(t, srv)
	eventually(t, "the limit is noted", func() bool {
		noted := info().Config.Metadata
		return noted["roomd_history"] == strconv.FormatInt(limit, 10) && noted["roomd_history_since"] == strconv.FormatUint(since, 10)
	})
}

// TestHistoryEdited: the same when somebody lowers and raises the limit of the
// stream while a node runs.
func TestHistoryEdited(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, keep(1000))
	start := emptyRoom(t, eng, "x")
	m := join(t, eng, "x", "stays", rooms.Since{})
	x := publish(t, eng, "x", 0, 20)
	editStream(t, srv, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 })
	awaitNoted(t, srv, 5, 0)
	editStream(t, srv, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1000 })
	awaitNoted(t, srv, 1000, x[19])
	limitRaised(t, srv, eng.Epoch(), start, x)

	m.awaitSeq(t, x[19])
	wantSeqs(t, m, x)
	if n := eng.Stats().Resets.Load(); n != 0 {
		t.Errorf("%d resets where everything was heard", n)
	}
}

// TestOperatorsSettingsSurvive: a node changes of the stream what it has a flag
// for, and nothing else.
func TestOperatorsSettingsSurvive(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, keep(100))
	seqs := publish(t, eng, "x", 0, 10)
	editStream(t, srv, func(c *jetstream.StreamConfig) {
		c.Description = "kept for the auditors"
		c.Metadata["team"] = "live"
		c.Compression = jetstream.S2Compression
		c.MaxMsgs = 123_456
		c.ConsumerLimits = jetstream.StreamConsumerLimits{MaxAckPending: 77}
		c.Placement = &jetstream.Placement{Tags: []string{"ssd"}}
	})
	_, info := stream(t, srv)
	before := info()
	again := startEngine(t, srv, keep(200))
	after := info()
	if got := after.Config; got.MaxMsgsPerSubject != 200 || got.Metadata["roomd_history"] != "200" || got.Metadata["roomd_history_since"] != strconv.FormatUint(seqs[9], 10) {
		t.Errorf("not raised: %d, %v", got.MaxMsgsPerSubject, got.Metadata)
	}
	got, want := after.Config, before.Config
	if got.Description != "kept for the auditors" || got.Metadata["team"] != "live" || got.Compression != jetstream.S2Compression || got.MaxMsgs != 123_456 ||
		got.ConsumerLimits.MaxAckPending != 77 || got.Placement == nil || len(got.Placement.Tags) != 1 || got.Placement.Tags[0] != "ssd" {
		t.Errorf("the operator's settings are %+v, and were %+v", got, want)
	}
	if got := pages(t, again, "x", 0, 100); len(got) != 10 {
		t.Errorf("%d events are left", len(got))
	}
}

// TestHistoryLoweredWhileNoNodeRan: the node that starts raises the limit to
// its own, and notes before what there was.
func TestHistoryLoweredWhileNoNodeRan(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, keep(1000))
	start := emptyRoom(t, eng, "x")
	x := publish(t, eng, "x", 0, 20)
	epoch := eng.Epoch()
	closeEngine(t, eng)
	editStream(t, srv, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 })
	limitRaised(t, srv, epoch, start, x)
}
