package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const patience = time.Minute

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open opens a log of its own that keeps so many events per room.
func open(t *testing.T, history int64) (*Log, *nats.Conn) {
	t.Helper()
	srv, err := embedded.Start(embedded.Config{Addr: "127.0.0.1:0", StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	nc, err := srv.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	return reopen(t, nc, history), nc
}

func reopen(t *testing.T, nc *nats.Conn, history int64) *Log {
	t.Helper()
	l, err := Open(within(t), nc, Config{History: history, HistoryAge: time.Hour, HistoryBytes: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// store appends n events of a room and returns their sequences.
func store(t *testing.T, l *Log, room wire.Room, n int) []uint64 {
	t.Helper()
	seqs := make([]uint64, n)
	for i := range seqs {
		ack, err := l.js.Publish(within(t), wire.EventSubject(room), fmt.Appendf(nil, `{"type":"note","payload":%d}`, i))
		if err != nil {
			t.Fatal(err)
		}
		seqs[i] = ack.Sequence
	}
	return seqs
}

func seqsOf(p follow.Page) []uint64 {
	list := make([]uint64, len(p.Events))
	for i, e := range p.Events {
		list[i] = e.Seq
	}
	return list
}

// TestRead: what a page says of a range, from either source.
func TestRead(t *testing.T) {
	l, _ := open(t, 1100)
	a := store(t, l, "a", 1) // 1
	x := store(t, l, "x", 2) // 2 3
	store(t, l, "y", 1200)   // 4 … 1203, of which the first 100 are cut
	x = append(x, store(t, l, "x", 3)...)
	y := store(t, l, "y", 2) // and the first two more
	x = append(x, store(t, l, "x", 1)...)
	last := x[5]
	for _, tc := range []struct {
		name       string
		room       wire.Room
		q          follow.Range
		want       []uint64
		start, cut bool
		whole      uint64 // of any
		unseen     bool
	}{
		{"from an event", "x", follow.Range{After: x[2], Upto: last}, x[3:], true, false, x[2] + 1, false},
		{"from another room's", "x", follow.Range{After: y[0], Upto: last}, x[5:], false, false, y[0] + 1, false},
		{"from the start", "x", follow.Range{After: 0, Upto: 3}, x[:2], false, false, 1, false},
		{"of a room without events", "none", follow.Range{After: 1200, Upto: last}, nil, false, false, 1201, false},
		{"over a gap", "x", follow.Range{After: 3, Upto: 900}, nil, true, false, 106, false},
		{"long", "x", follow.Range{After: 2, Upto: last}, x[1:], true, false, 0, false},
		{"its end is not the room's", "x", follow.Range{After: x[2], Upto: y[1]}, x[3:5], true, false, x[2] + 1, false},
		{"its end is not there", "x", follow.Range{After: x[4], Upto: last + 1}, x[5:], true, false, 0, true},
		{"far from there", "x", follow.Range{After: 1, Upto: last + 5000}, x, false, false, 0, true},
		{"nothing of it is there", "x", follow.Range{After: last, Upto: last + 7}, nil, true, false, 0, true},
		{"the newest, near", "x", follow.Range{Upto: last, Newest: 2}, x[4:], false, true, 0, false},
		{"the newest, over the gap", "x", follow.Range{Upto: last, Newest: 5}, x[1:], false, true, 0, false},
		{"all there are", "x", follow.Range{Upto: last, Newest: 100}, x, false, false, 0, false},
		{"the newest below", "x", follow.Range{Upto: x[4] - 1, Newest: 2}, x[2:4], false, true, 0, false},
		{"the newest after", "x", follow.Range{After: x[1], Upto: last, Newest: 2}, x[4:], true, true, 0, false},
		{"the first of all", "a", follow.Range{Upto: last, Newest: 3}, a, false, false, 0, false},
		{"more than a page", "y", follow.Range{After: 4, Upto: last}, nil, false, true, 0, false},
		{"as many bytes as may be", "x", follow.Range{After: x[0], Upto: last, Bytes: 60}, x[1:3], true, true, 0, false},
		{"one event in any case", "x", follow.Range{After: x[0], Upto: last, Bytes: 1}, x[1:2], true, true, 0, false},
		{"the newest bytes", "x", follow.Range{Upto: last, Newest: 5, Bytes: 60}, x[4:], false, true, 0, false},
		{"the newest in any case", "x", follow.Range{Upto: last, Newest: 5, Bytes: 1}, x[5:], false, true, 0, false},
		{"everything", "x", follow.Range{After: x[1], Upto: last, Newest: 4, Bytes: 120, All: true}, x[2:], true, false, 0, false},
		{"everything or nothing", "x", follow.Range{After: x[1], Upto: last, Newest: 3, All: true}, nil, true, true, 0, false},
		{"every byte or nothing", "x", follow.Range{After: x[1], Upto: last, Newest: 4, Bytes: 100, All: true}, nil, true, true, 0, false},
		{"nothing is asked", "x", follow.Range{After: 9, Upto: 9}, nil, false, false, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.q.Op = 42
			byAny, err := l.Read(within(t), tc.room, tc.q)
			if err != nil {
				t.Fatal(err)
			}
			if tc.name == "more than a page" {
				tc.want = seqsOf(byAny)
				if len(tc.want) != MaxPage || tc.want[0] != 106 || tc.want[MaxPage-1] != 105+MaxPage {
					t.Fatalf("%d events, %d to %d", len(tc.want), tc.want[0], tc.want[len(tc.want)-1])
				}
			}
			tc.q.From = follow.Leader
			byLeader, err := l.Read(within(t), tc.room, tc.q)
			if err != nil {
				t.Fatal(err)
			}
			for who, p := range map[string]follow.Page{"any": byAny, "leader": byLeader} {
				if got := seqsOf(p); !slices.Equal(got, tc.want) || p.Start != tc.start || p.Cut != tc.cut || p.Op != 42 || p.Failed {
					t.Errorf("%s: %v, start %t, cut %t; want %v, %t, %t", who, got, p.Start, p.Cut, tc.want, tc.start, tc.cut)
				}
				// Who filters does not say how far it was when the room has
				// nothing there.
				unsure := who == "any" && tc.name == "the first of all"
				if !p.Cut && (p.HighWatermark < tc.q.Upto) != (tc.unseen || unsure) || p.HighWatermark > max(last, tc.q.Upto) || p.HighWatermark > last && tc.unseen {
					t.Errorf("%s has seen %d of %d", who, p.HighWatermark, tc.q.Upto)
				}
			}
			if byAny.ContiguousFrom != tc.whole {
				t.Errorf("whole from %d, want %d", byAny.ContiguousFrom, tc.whole)
			}
			if !reflect.DeepEqual(byAny.Events, byLeader.Events) && len(tc.want) > 0 || byAny.StartTime != byLeader.StartTime || tc.start != (byAny.StartTime != "") {
				t.Error("any and the leader give other bodies or times")
			}
		})
	}
}

// However many read history, who joins finds the log free.
func TestHistoryLeavesSlots(t *testing.T) {
	l, _ := open(t, 100)
	x := store(t, l, "x", 3)
	for range PagesAtOnce {
		l.slots <- struct{}{} // under way
		l.pages <- struct{}{}
	}
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error)
	const readers = ReadsAtOnce + 1
	for range readers {
		go func() {
			_, err := l.Read(ctx, "x", follow.Range{Upto: x[2], Newest: 2, History: true})
			ended <- err
		}()
	}
	for range 10 { // one after the other, past those who wait
		p, err := l.Read(within(t), "x", follow.Range{Upto: x[2], Newest: 2})
		if err != nil || !slices.Equal(seqsOf(p), x[1:]) {
			t.Fatalf("a join reads %v, %v", seqsOf(p), err)
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("history was read beside %d other pages: %v", PagesAtOnce, err)
	default:
	}
	<-l.pages
	<-l.slots
	if err := <-ended; err != nil {
		t.Errorf("the first of those who wait: %v", err)
	}
	for range readers - 1 { // each goes on when one has ended
		if err := <-ended; err != nil {
			t.Errorf("another: %v", err)
		}
	}
	cancel()
	if len(l.slots) != PagesAtOnce-1 || len(l.pages) != PagesAtOnce-1 {
		t.Errorf("%d slots and %d pages are taken when all have ended", len(l.slots), len(l.pages))
	}
}

// TestAsk: what the leader says of a sequence and of its room.
func TestAsk(t *testing.T) {
	l, _ := open(t, 5)
	y := store(t, l, "y", 1)
	x := store(t, l, "x", 8) // the first three are cut
	for _, tc := range []struct {
		seq  uint64
		want follow.State
	}{{x[0], follow.Discarded}, {x[2], follow.Discarded}, {x[3], follow.Present}, {x[7], follow.Present}, {y[0], follow.OtherRoom}, {x[7] + 1, follow.PastEnd}, {x[7] + 1000, follow.PastEnd}, {0, follow.Present}} {
		v, err := l.Ask(within(t), "x", tc.seq)
		if err != nil {
			t.Fatal(err)
		}
		there := tc.want == follow.Present && tc.seq != 0
		if v.Seq != tc.seq || v.State != tc.want || (v.Time != "") != there {
			t.Errorf("about %d: %+v, want state %d", tc.seq, v, tc.want)
		}
		if v.First != 1 || v.HighWatermark != x[7] || v.Last != x[7] || v.Oldest != x[3] || v.Count != 5 || v.Limit != 5 || v.LimitSince != 0 || v.LastTime == "" || v.Epoch == "" {
			t.Errorf("of the room: %+v", v)
		}
	}
	v, err := l.Ask(within(t), "none", x[0])
	if err != nil || v.State != follow.Discarded || v.Last != 0 || v.Oldest != 0 || v.Count != 0 || v.LastTime != "" || v.HighWatermark != x[7] {
		t.Errorf("of a room without events: %+v, %v", v, err)
	}
}

// TestRoomsWithoutEvents: how far the log was is said of them too.
func TestRoomsWithoutEvents(t *testing.T) {
	l, _ := open(t, 100)
	check := func(when string, through, last uint64) {
		t.Helper()
		rooms := []wire.Room{"none", "x", "百家樂"}
		openings, err := l.Openings(within(t), rooms)
		if err != nil {
			t.Fatal(err)
		}
		checks, _, err := l.Checks(within(t), rooms)
		if err != nil {
			t.Fatal(err)
		}
		for _, room := range rooms {
			want := uint64(0)
			if room == "x" {
				want = last
			}
			o, ok := openings[wire.RoomToken(wire.Room(room))]
			c, found := checks[wire.RoomToken(wire.Room(room))]
			if !ok || !found || o.HighWatermark != through || c.HighWatermark != through || o.Last != want || c.Last != want || o.Epoch == "" || (o.LastTime != "") != (want != 0) {
				t.Errorf("%s: %s opens at %+v, its check is %+v; want %d of %d", when, room, o, c, want, through)
			}
		}
	}
	check("empty", 0, 0)
	y := store(t, l, "y", 3)
	check("others have events", y[2], 0)
	x := store(t, l, "x", 2)
	y = store(t, l, "y", 1)
	check("one has", y[0], x[1])
}

// TestRecordLimit: a lower limit counts at once, a higher one as from when it was
// noted.
func TestRecordLimit(t *testing.T) {
	l, nc := open(t, 100)
	step := func(when string, change func(*jetstream.StreamConfig), limit int64, since uint64, noted int64, notedSince uint64) {
		t.Helper()
		s, err := l.State(within(t))
		if err != nil {
			t.Fatal(err)
		}
		c := s.info.Config
		change(&c)
		if _, err := l.js.UpdateStream(within(t), c); err != nil {
			t.Fatal(err)
		}
		for i, want := range [][2]uint64{{uint64(limit), since}, {uint64(noted), notedSince}} {
			if s, err = l.State(within(t)); err != nil {
				t.Fatal(err)
			}
			if limit, since := l.limitOf(s.info.Config); uint64(limit) != want[0] || since != want[1] {
				t.Errorf("%s, noted %d times: %d since %d, want %v", when, i, limit, since, want)
			}
			if err := l.RecordLimit(within(t), s); err != nil {
				t.Fatal(err)
			}
		}
		if s, err = l.State(within(t)); err != nil || s.info.Config.Metadata["team"] != "live" {
			t.Errorf("%s: the metadata is %v, %v", when, s.info.Config.Metadata, err)
		}
	}
	store(t, l, "x", 10)
	step("unchanged", func(c *jetstream.StreamConfig) { c.Metadata["team"] = "live" }, 100, 0, 100, 0)
	step("lowered", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }, 5, 0, 5, 0)
	step("raised", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 50 }, 5, 0, 50, 10)
	store(t, l, "x", 3)
	step("lowered again", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 20 }, 20, 10, 20, 10)
	step("the note is gone", func(c *jetstream.StreamConfig) { delete(c.Metadata, metaLimit) }, 1, 0, 20, 13)

	// Opening what is as it should be changes nothing.
	updates, err := nc.SubscribeSync("$JS.API.STREAM.UPDATE.*")
	if err != nil {
		t.Fatal(err)
	}
	reopen(t, nc, 20)
	if err := nc.Publish("$JS.API.STREAM.UPDATE.END", nil); err != nil {
		t.Fatal(err)
	}
	if msg, err := updates.NextMsgWithContext(within(t)); err != nil || msg.Subject != "$JS.API.STREAM.UPDATE.END" {
		t.Errorf("the stream was updated with %s, %v", msg.Data, err)
	}
}

func TestSame(t *testing.T) {
	n := func(s string) any { return json.Number(s) }
	for _, tc := range []struct {
		a, b any
		want bool
	}{
		{nil, false, true}, {false, nil, true}, {nil, nil, true}, {true, nil, false}, {n("1"), n("1"), true}, {n("1"), n("2"), false},
		{nil, n("0"), false}, {"a", "a", true}, {[]any{"a"}, []any{"a"}, true}, {[]any{"a"}, []any{"b"}, false},
		{map[string]any{"a": n("1")}, map[string]any{"a": n("1")}, true}, {map[string]any{}, nil, false},
	} {
		if got := jsonEqual(tc.a, tc.b); got != tc.want {
			t.Errorf("%v and %v: %t", tc.a, tc.b, got)
		}
	}
}

// TestIDsOutliveTheirWay: what a sender repeats for the last time 2 minutes after
// the first is known to be the same also when the node tries for as long as it may
// to have it stored, and some more.
func TestIDsOutliveTheirWay(t *testing.T) {
	const promised = 2 * time.Minute
	if kept := streamConfig(Config{History: 1}).Duplicates; kept < promised+2*publishDeadline {
		t.Errorf("an id is remembered for %s", kept)
	}
}
