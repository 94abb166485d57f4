package eventlog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestLimitFor(t *testing.T) {
	for _, tc := range []struct {
		limit    int64
		squeezed string
		part     float64
		want     int64
	}{
		{1000, "", 0.37, 1000}, {1000, "", 0.38, 500}, {500, "true", 0.38, 250}, {9, "true", 0.9, 8}, {8, "true", 1, 8}, {3, "", 1, 3},
		{500, "true", 0.15, 500}, {500, "true", 0.1, 1000}, {800, "true", 0, 1000}, {1000, "true", 0, 1000},
		{500, "", 0.1, 500}, {500, "false", 0, 500}, // somebody else's limit
		{-1, "", 0.9, 500}, {-1, "", 0.1, -1},
	} {
		c := jetstream.StreamConfig{MaxMsgsPerSubject: tc.limit, MaxBytes: 1 << 30, Metadata: map[string]string{metaShrunk: tc.squeezed}}
		if got := limitFor(c, uint64(tc.part*(1<<30)), 1000); got != tc.want {
			t.Errorf("limit %d, squeezed %q, %.0f%% full: %d, want %d", tc.limit, tc.squeezed, 100*tc.part, got, tc.want)
		}
	}
	if got := limitFor(jetstream.StreamConfig{MaxMsgsPerSubject: 9, MaxBytes: -1}, 1<<40, 1000); got != 9 {
		t.Errorf("without a bound: %d", got)
	}
}

// TestAdjustLimit: noisy inboxes pay for the place that they take, a quiet one
// does not; what is dropped is known to be, and later the limit is what it was.
func TestAdjustLimit(t *testing.T) {
	_, nc := open(t, 100) // another stream on the same server
	cfg := Config{Space: wire.SpaceInboxes, History: 100, HistoryAge: DedupWindow, HistoryBytes: 1 << 20}
	l, err := Open(within(t), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	share := func() (limit int64, changed bool, s StreamState) {
		t.Helper()
		s, err := l.State(within(t))
		if err == nil {
			err = l.RecordLimit(within(t), s)
		}
		if err == nil {
			limit, changed, err = l.AdjustLimit(within(t), s)
		}
		if err != nil {
			t.Fatal(err)
		}
		return limit, changed, s
	}
	quiet := wire.Inbox("quiet")
	kept := store(t, l, quiet, MinKept)
	full := []byte(`{"type":"note","payload":"` + strings.Repeat("x", 4000) + `"}`)
	squeezed := false
	for n := range 1000 { // 4 MB into 1
		if _, err := l.js.Publish(within(t), wire.EventSubject(wire.Inbox(fmt.Sprint("noise-", n%20))), full); err != nil {
			t.Fatal(err)
		}
		limit, changed, s := share()
		if s.First > 1 && s.info.State.Bytes > 1<<20-8<<10 {
			t.Fatalf("the log is full with %d bytes", s.info.State.Bytes)
		}
		squeezed = squeezed || changed && limit < 100
	}
	page, err := l.Read(within(t), quiet, follow.Range{After: 0, Upto: kept[len(kept)-1]})
	if err != nil || !squeezed || len(page.Events) != len(kept) {
		t.Fatalf("squeezed: %v; of the quiet one's %d events %d are left, %v", squeezed, len(kept), len(page.Events), err)
	}
	if v, err := l.Ask(within(t), wire.Inbox("noise-1"), 0); err != nil || v.Limit >= 100 || v.Count > v.Limit {
		t.Errorf("a noisy one: %+v, %v", v, err)
	}

	if _, err := Open(within(t), nc, cfg); err != nil { // as a node does that starts meanwhile
		t.Fatal(err)
	}
	stream, err := l.js.Stream(within(t), InboxStream)
	if err != nil {
		t.Fatal(err)
	}
	if now := stream.CachedInfo().Config.MaxMsgsPerSubject; now >= 100 {
		t.Errorf("a node that started took the limit back to %d", now)
	}
	larger := stream.CachedInfo().Config
	larger.MaxBytes = 16 << 20
	if _, err := l.js.UpdateStream(within(t), larger); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		share()
	}
	limit, _, s := share()
	if v, err := l.Ask(within(t), quiet, 0); err != nil || limit != 100 || v.Limit != 100 || v.LimitSince < s.Last {
		t.Errorf("with place enough: limit %d; believed %d since %d, %v; the log is at %d", limit, v.Limit, v.LimitSince, err, s.Last)
	}
}
