package rooms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestEveryMemberGetsEveryEvent(t *testing.T) {
	eng, _ := start(t, nil)
	a, b := join(t, eng, "x", "a", rooms.Since{}), join(t, eng, "x", "b", rooms.Since{})
	other := join(t, eng, "y", "other", rooms.Since{})
	seqs := publish(t, eng, "x", 0, 300)
	if !slices.IsSorted(seqs) {
		t.Error("the events of one publisher were not stored in its order")
	}
	for _, m := range []*member{a, b} {
		m.awaitSeq(t, seqs[299])
		wantSeqs(t, m, seqs)
		for i, ev := range m.events("note") {
			if ev.Room != "x" || string(ev.Payload) != fmt.Sprint(i) {
				t.Fatalf("event %d is %v", i, ev)
			}
		}
	}
	end := publish(t, eng, "y", 0, 1)
	other.awaitSeq(t, end[0])
	wantSeqs(t, other, end)
	if got := eng.Stats().Published.Load(); got != 301 {
		t.Errorf("published %d", got)
	}
}

func TestTwoNodesSeeOneOrder(t *testing.T) {
	srv := startServer(t)
	one, two := startEngine(t, srv, nil), startEngine(t, srv, nil)
	a, b := join(t, one, "x", "a", rooms.Since{}), join(t, two, "x", "b", rooms.Since{})
	var publishers sync.WaitGroup
	for p := range 4 {
		eng := []*rooms.Engine{one, two}[p%2]
		publishers.Go(func() {
			for i := range 200 {
				if _, err := publishOne(within(t), eng, "x", "", note(1000*p+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	a.awaitEvents(t, 800, "note")
	b.awaitEvents(t, 800, "note")
	if !slices.Equal(a.notes(), b.notes()) || !slices.Equal(a.seqs(), b.seqs()) {
		t.Error("two nodes saw different orders")
	}
	for p := range 4 {
		var mine []string
		for _, n := range a.notes() {
			if len(n) == 4 && n[0] == byte('0'+p) || p == 0 && len(n) < 4 {
				mine = append(mine, n)
			}
		}
		want := make([]string, 200)
		for i := range want {
			want[i] = fmt.Sprint(1000*p + i)
		}
		if !slices.Equal(mine, want) {
			t.Errorf("publisher %d's own order is lost", p)
		}
	}
}

func TestDuplicateIsStoredOnce(t *testing.T) {
	eng, _ := start(t, nil)
	m := join(t, eng, "x", "a", rooms.Since{})
	first, err := publishOne(within(t), eng, "x", "id-1", note(1))
	if err != nil || first.Duplicate {
		t.Fatal(first, err)
	}
	again, err := publishOne(within(t), eng, "x", "id-1", note(1))
	if err != nil || !again.Duplicate || again.Seq != first.Seq {
		t.Fatalf("again: %+v, %v; first: %+v", again, err, first)
	}
	end := publish(t, eng, "x", 2, 3)
	m.awaitSeq(t, end[0])
	wantSeqs(t, m, []uint64{first.Seq, end[0]})
}

func TestPublishRefuses(t *testing.T) {
	eng, _ := start(t, nil)
	m := join(t, eng, "x", "a", rooms.Since{})
	big := json.RawMessage(`"` + strings.Repeat("x", rooms.MaxEventBytes) + `"`)
	nearly := json.RawMessage(`"` + strings.Repeat("x", rooms.MaxEventBytes-40) + `"`)
	huge := json.RawMessage(`"` + strings.Repeat("x", 2<<20) + `"`)
	for _, tc := range []struct {
		name string
		id   string
		ev   wire.Event
		want wire.Code
	}{
		{"no type", "", wire.Event{}, wire.BadType},
		{"bad type", "", wire.Event{Type: "No Such"}, wire.BadType},
		{"reserved type", "", wire.Event{Type: wire.TypeRoomJoined}, wire.BadType},
		{"a signal is not logged", "", wire.Event{Type: wire.TypeSignal}, wire.BadType},
		{"payload is not JSON", "", wire.Event{Type: "note", Payload: json.RawMessage(`{`)}, wire.BadJSON},
		{"message without an object", "", wire.Event{Type: wire.TypeNewMessage, Payload: json.RawMessage(`1`)}, wire.BadPayload},
		{"larger than the log takes", "", wire.Event{Type: "note", Payload: big}, wire.BadPayload},
		{"larger with its headers", strings.Repeat("i", 100), wire.Event{Type: "note", Payload: nearly}, wire.BadPayload},
		{"larger than NATS takes", "", wire.Event{Type: "note", Payload: huge}, wire.BadPayload},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := publishOne(within(t), eng, "x", tc.id, tc.ev)
			var bad *wire.Error
			if !errors.As(err, &bad) || bad.Code != tc.want {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
	end := publish(t, eng, "x", 0, 1)
	m.awaitSeq(t, end[0])
	wantSeqs(t, m, end)
}

// A publish is bound by its context: what has ended before sends nothing, what
// ends while the log is silent says that the event may be stored.
func TestPublishEndsWithItsContext(t *testing.T) {
	eng, _ := start(t, nil)
	ended, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := publishOne(ended, eng, "x", "", note(1)); code(err) != wire.Unavailable {
		t.Errorf("with an ended context: %v", err)
	}
	if seqs := publish(t, eng, "x", 2, 3); seqs[0] != 1 {
		t.Errorf("the next event is number %d: the one of the ended context was stored", seqs[0])
	}
	if _, err := eng.Publish(within(t), "x", wire.Body{}, rooms.PublishOptions{}); code(err) != wire.BadJSON {
		t.Errorf("the zero body: %v", err)
	}
	r := startRestartable(t)
	cut := startEngine(t, r, func(c *rooms.Config) { c.PublishTimes(time.Minute, 2*time.Second, 100*time.Millisecond) })
	publish(t, cut, "x", 0, 1)
	r.down()
	waiting, stop := context.WithTimeout(within(t), 50*time.Millisecond)
	defer stop()
	if _, err := publishOne(waiting, cut, "x", "id", note(1)); code(err) != wire.Unavailable || !strings.Contains(err.Error(), "same id") {
		t.Errorf("with a silent log: %v", err)
	}
	r.up()
}
