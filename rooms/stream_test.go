package rooms_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
)

// TestStreamThatExists: limits are raised, never lowered, and what cannot be
// changed is named.
func TestStreamThatExists(t *testing.T) {
	srv := startServer(t)
	first, err := rooms.New(t.Context(), srv, rooms.Config{History: 100, HistoryAge: time.Hour, HistoryBytes: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, first, "x", 0, 10)
	epoch := first.Epoch()
	closeEngine(t, first)

	for _, c := range []struct {
		name     string
		cfg      rooms.Config
		conflict string // the setting; "": none
	}{
		{"the same", rooms.Config{History: 100, HistoryAge: time.Hour, HistoryBytes: 1 << 24}, ""},
		{"fewer events", rooms.Config{History: 50, HistoryAge: time.Hour, HistoryBytes: 1 << 24}, "History"},
		{"shorter", rooms.Config{History: 100, HistoryAge: time.Minute * 30, HistoryBytes: 1 << 24}, "HistoryAge"},
		{"smaller", rooms.Config{History: 100, HistoryAge: time.Hour, HistoryBytes: 1 << 23}, "HistoryBytes"},
		{"in memory", rooms.Config{Memory: true, History: 100, HistoryAge: time.Hour, HistoryBytes: 1 << 24}, "Memory"},
		{"more of all", rooms.Config{History: 200, HistoryAge: 2 * time.Hour, HistoryBytes: 1 << 25}, ""},
		{"as before", rooms.Config{History: 100, HistoryAge: 2 * time.Hour, HistoryBytes: 1 << 25}, "History"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eng, err := rooms.New(t.Context(), srv, c.cfg)
			if c.conflict != "" {
				var conflict *eventlog.ConflictError
				if !errors.As(err, &conflict) || len(conflict.Differences) != 1 || conflict.Differences[0].Setting != c.conflict {
					t.Fatalf("error %v, want a conflict in %s", err, c.conflict)
				}
				if !strings.Contains(err.Error(), c.conflict) {
					t.Errorf("%q does not name %s", err, c.conflict)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer closeEngine(t, eng)
			if eng.Epoch() != epoch {
				t.Error("the log was made anew")
			}
			h, err := eng.History(within(t), "x", 0, 100)
			if err != nil || len(h.Events) != 10 {
				t.Errorf("%d events are left, %v", len(h.Events), err)
			}
		})
	}
}
