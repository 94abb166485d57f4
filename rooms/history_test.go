package rooms_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// pages reads the whole history backwards and returns its sequences, rising.
func pages(t *testing.T, eng *rooms.Engine, room wire.Room, before uint64, limit int) []uint64 {
	t.Helper()
	var all []uint64
	for {
		page, err := eng.History(within(t), room, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		seqs, bytes := make([]uint64, len(page.Events)), 0
		for i, raw := range page.Events {
			ev, err := wire.DecodeServer(raw)
			if err != nil || ev.Room != string(room) {
				t.Fatalf("history has %s: %v", raw, err)
			}
			seqs[i] = ev.Seq
			bytes += len(raw)
		}
		if most := rooms.MaxHistoryBytes + rooms.MaxEventBytes; bytes > most {
			t.Fatalf("a page has %d bytes, want %d at most", bytes, most)
		}
		if want := min(limit, rooms.MaxHistoryPage); len(seqs) > want || page.More && len(seqs) != want && bytes < rooms.MaxHistoryBytes/2 {
			t.Fatalf("a page of %d has %d events, more: %t", limit, len(seqs), page.More)
		}
		all = append(seqs, all...)
		if !page.More {
			return all
		}
		before = seqs[0]
	}
}

func TestHistoryPages(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, nil)
	if got := pages(t, eng, "empty", 0, 10); len(got) != 0 {
		t.Errorf("an empty room has %v", got)
	}
	seqs := publish(t, eng, "x", 0, 730)
	for _, limit := range []int{7, 50, 100, 1000} {
		if got := pages(t, eng, "x", 0, limit); !slices.Equal(got, seqs) {
			t.Errorf("pages of %d: %s", limit, firstDifference(got, seqs))
		}
	}
	for _, i := range []int{0, 1, 100, 229, 230, 231, 600, 729} {
		if got := pages(t, eng, "x", seqs[i], 100); !slices.Equal(got, seqs[:i]) {
			t.Errorf("before event %d: %s", i, firstDifference(got, seqs[:i]))
		}
	}
	if got := pages(t, eng, "x", seqs[729]+5000, 100); !slices.Equal(got, seqs) {
		t.Errorf("before the future: %d events", len(got))
	}
}

// TestHistoryHasWhatWasAcknowledged: although its live copies have not come.
func TestHistoryHasWhatWasAcknowledged(t *testing.T) {
	l, eng, _, m, w := lossy(t, nil)
	seqs := l.publishLost(t, eng, w, 0, 5)
	if got := pages(t, eng, "x", 0, 10); !slices.Equal(got, seqs) {
		t.Errorf("%v, want %v", got, seqs)
	}
	seqs = append(seqs, l.publishLost(t, eng, w, 5, 9)...)
	if got := pages(t, eng, "x", seqs[3], 10); !slices.Equal(got, seqs[:3]) {
		t.Errorf("%v, want %v", got, seqs[:3])
	}
	if got := pages(t, eng, "x", seqs[8]+1, 3); !slices.Equal(got, seqs) {
		t.Errorf("%v, want %v", got, seqs)
	}
	m.awaitSeq(t, seqs[8])
	wantSeqs(t, m, seqs)
}

// TestSparseRoom has a room whose few events lie among thousands of others', so
// that short ranges of the log are read whole and long ones filtered.
func TestSparseRoom(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) { c.History = 5000 })
	var seqs []uint64
	for i := range 30 {
		seqs = append(seqs, publish(t, eng, "x", 2*i, 2*i+2)...)
		publish(t, eng, wire.Room(fmt.Sprint("other", i%3)), 0, 130)
	}
	if span := seqs[len(seqs)-1] - seqs[0]; span < 3*rooms.UnfilteredRange {
		t.Fatalf("the events span %d sequences: not sparse", span)
	}
	for _, limit := range []int{1, 9, 100} {
		fresh := startEngine(t, srv, func(c *rooms.Config) { c.History = 5000 })
		if got := pages(t, fresh, "x", 0, limit); !slices.Equal(got, seqs) {
			t.Errorf("pages of %d: %s", limit, firstDifference(got, seqs))
		}
	}
	for i, at := range seqs {
		fresh := eng
		if i%7 == 0 { // nothing in the ring
			fresh = startEngine(t, srv, func(c *rooms.Config) { c.History = 5000 })
		}
		m := join(t, fresh, "x", fmt.Sprint("m", i), from(fresh, at))
		if joined := m.joined(t, 0); !joined.Recovered || joined.Replayed != len(seqs)-1-i {
			t.Fatalf("from event %d: %+v", i, joined)
		}
		if i+1 < len(seqs) {
			m.awaitSeq(t, seqs[len(seqs)-1])
		}
		wantSeqs(t, m, seqs[i+1:])
	}
}

// TestInvalidEventsInHistory: they are left out, and however many stand in a
// row they do not end the way back.
func TestInvalidEventsInHistory(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, nil)
	nc := outsider(t, srv)
	seqs := publish(t, eng, "x", 0, 20)
	for i := range 250 {
		inject(t, nc, "room.x.event", fmt.Sprintf("invalid %d", i))
	}
	seqs = append(seqs, publish(t, eng, "x", 20, 560)...) // more than the ring holds
	for _, limit := range []int{5, 40, 100} {
		if got := pages(t, eng, "x", 0, limit); !slices.Equal(got, seqs) {
			t.Errorf("pages of %d: %s", limit, firstDifference(got, seqs))
		}
	}
	m := join(t, eng, "x", "a", from(eng, seqs[100]))
	if joined := m.joined(t, 0); !joined.Recovered || joined.Replayed != 459 {
		t.Errorf("%+v", joined)
	}
	m.awaitSeq(t, seqs[559])
	wantSeqs(t, m, seqs[101:])
	fewer := join(t, eng, "x", "b", from(eng, seqs[15])) // invalid ones count as missed
	if joined := fewer.joined(t, 0); joined.Recovered {
		t.Errorf("%+v", joined)
	}
}

// TestLastSequencesOfLargeEvents: an answer that ends early is asked on.
func TestLastSequencesOfLargeEvents(t *testing.T) {
	eng, _ := start(t, nil)
	text := json.RawMessage(`"` + strings.Repeat("x", 200<<10) + `"`)
	names := make([]wire.Room, 1+2*rooms.AnswerBytes/len(text))
	want := map[string]uint64{}
	for i := range names {
		names[i] = wire.Room(fmt.Sprint("room", i))
		if i == 3 {
			continue // an empty room
		}
		s, err := publishOne(within(t), eng, names[i], "", wire.Event{Type: "note", Payload: text})
		if err != nil {
			t.Fatal(err)
		}
		want[string(names[i])] = s.Seq
	}
	got, err := eng.LastSequences(within(t), names)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, want %v; %v", got, want, err)
	}
}

// TestPoisonousHeaders: a publisher's headers that mean something in the log's
// answers hide nothing, neither live nor in what is read.
func TestPoisonousHeaders(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, nil)
	nc := outsider(t, srv)
	live := join(t, eng, "x", "live", rooms.Since{})
	sets := [][]string{
		{"Nats-Sequence", "9999999"}, {"Nats-Last-Sequence", "8888888"},
		{"Nats-Sequence", "junk", "Nats-Last-Sequence", "junk"}, {"Nats-Subject", "room.other.event"},
		{"Nats-Time-Stamp", "never"}, {"Nats-Stream", "OTHER"}, {"Nats-Num-Pending", "0"},
		{"Status", "404"}, {"Status", "503"}, {"Status", "204", "Nats-Num-Pending", "0"}, {"Status", "500", "Description", "no"},
		{"Nats-Rollup", "all"}, {"Nats-TTL", "1s"},
	}
	stored := 0
	for i, headers := range sets {
		inject(t, nc, "room.x.event", fmt.Sprintf(`{"type":"note","payload":%d}`, i), headers...)
		inject(t, nc, "room.x.event", "", headers...) // with no body, a status is most like the server's
		stored++
	}
	end := publish(t, eng, "x", 1000, 1001)
	live.awaitSeq(t, end[0])
	want := live.seqs()
	if len(want) < stored-2+1 { // rollup and TTL are not stored
		t.Errorf("live came %d", len(want))
	}
	fresh := startEngine(t, srv, nil)
	if got := pages(t, fresh, "x", 0, 100); !slices.Equal(got, want) {
		t.Errorf("history: %s", firstDifference(got, want))
	}
	replayed := join(t, fresh, "x", "replayed", from(fresh, want[0]))
	replayed.awaitSeq(t, end[0])
	wantSeqs(t, replayed, want[1:])
}

func TestHistoryOfLargeEvents(t *testing.T) {
	eng, srv := start(t, nil)
	const size, fit = 200 << 10, rooms.MaxReplayBytes / (200 << 10)
	text := json.RawMessage(`"` + strings.Repeat("x", size) + `"`)
	want := make([]uint64, fit+20) // more than one answer of the log holds
	var all sync.WaitGroup
	for i := range want {
		all.Add(1)
		publishAsync(t, eng, "x", "", wire.Event{Type: "note", Payload: text}, func(s rooms.PubAck, err error) {
			if err != nil {
				t.Error(err)
			}
			want[i] = s.Seq
			all.Done()
		})
	}
	all.Wait()
	if got := pages(t, eng, "x", 0, 15); !slices.Equal(got, want) {
		t.Error(firstDifference(got, want))
	}
	if n := eng.Stats().HistoryCut.Load(); n == 0 {
		t.Error("no page was counted as cut")
	}
	fresh := startEngine(t, srv, nil)
	if got := pages(t, fresh, "x", 0, 15); !slices.Equal(got, want) {
		t.Error(firstDifference(got, want))
	}
	// A replay has a bound in bytes as well, from the log and from memory.
	fresh = startEngine(t, srv, nil)
	for round := range 2 {
		tooMuch := join(t, fresh, "x", fmt.Sprint("too much", round), from(fresh, want[len(want)-fit-4]))
		if j := tooMuch.joined(t, 0); j.Recovered || j.Replayed != 0 || j.Seq != want[len(want)-1] {
			t.Errorf("who missed %d bytes gets recovered %t, %d replayed", (fit+3)*size, j.Recovered, j.Replayed)
		}
		m := join(t, fresh, "x", fmt.Sprint("m", round), from(fresh, want[len(want)-5]))
		m.awaitSeq(t, want[len(want)-1])
		wantSeqs(t, m, want[len(want)-4:])
		last := join(t, fresh, "x", fmt.Sprint("last", round), rooms.Since{Last: fit + 10})
		last.awaitSeq(t, want[len(want)-1])
		if n := len(last.seqs()); n < fit-1 || n > fit {
			t.Errorf("who wants the last %d gets %d of 200 KB", fit+10, n)
		}
	}
	if n := fresh.Stats().ReplayCut.Load(); n != 2 {
		t.Errorf("%d replays were counted as cut, want 2", n)
	}
}
