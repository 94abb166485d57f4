package rooms_test

import (
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// One publish in sixteen is measured, to its ack and to its delivery.
func TestLatencyIsSampled(t *testing.T) {
	eng, _ := start(t, nil)
	m := join(t, eng, "x", "a", rooms.Since{})
	count := func(h *rooms.Histogram) uint64 { _, n, _ := h.Read(); return n }
	wait := func(acked, delivered uint64) {
		t.Helper()
		eventually(t, "they were measured", func() bool {
			return count(eng.AckTimes()) == acked && count(eng.DeliveryTimes()) == delivered
		})
	}
	for i := range 33 {
		stored, err := publishOne(within(t), eng, "x", "", note(i))
		if err != nil {
			t.Fatal(err)
		}
		m.awaitSeq(t, stored.Seq)
	}
	wait(3, 3)
	if upTo, n, sum := eng.AckTimes().Read(); sum <= 0 || upTo[len(upTo)-1] > n {
		t.Errorf("acks took %s in all; %v of %d", sum, upTo, n)
	}

	// What is not delivered keeps no place: a duplicate, then an event of a
	// room that is not open.
	for i := 33; i < 48; i++ {
		if _, err := publishOne(within(t), eng, "x", "same", note(0)); err != nil {
			t.Fatal(err)
		}
	}
	if stored, err := publishOne(within(t), eng, "x", "same", note(0)); err != nil || !stored.Duplicate {
		t.Fatalf("%+v, %v", stored, err)
	}
	for range 16 {
		if _, err := publishOne(within(t), eng, "elsewhere", "", note(0)); err != nil {
			t.Fatal(err)
		}
	}
	wait(5, 3)
	for i := range 16 {
		if _, err := publishOne(within(t), eng, "x", "", note(i)); err != nil {
			t.Fatal(err)
		}
	}
	wait(6, 4)
}

// The log's state is told without asking it, and so are rooms that lag.
func TestLogState(t *testing.T) {
	eng, _ := start(t, nil)
	m := join(t, eng, "x", "a", rooms.Since{})
	publish(t, eng, "x", 0, 7)
	state := func() rooms.LogState { return eng.Logs()[wire.SpaceRooms] }
	eventually(t, "the log has seven events", func() bool {
		s := state()
		return s.Messages == 7 && s.Bytes > 0 && s.First == 1 && s.Last == 7 && s.RoomsBehind == 0
	})
	if inboxes := eng.Logs()[wire.SpaceInboxes]; inboxes.Messages != 0 || inboxes.Name == state().Name {
		t.Errorf("the inboxes' log is %+v", inboxes)
	}
	release := standStill(t, eng, "x", m)
	if _, err := publishOne(within(t), eng, "x", "", note(8)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the room is behind", func() bool { return state().RoomsBehind == 1 })
	release()
	eventually(t, "it is not behind any more", func() bool { return state().RoomsBehind == 0 })
}

func TestHistogram(t *testing.T) {
	var h rooms.Histogram
	bounds := rooms.LatencyBounds
	for _, d := range []time.Duration{0, bounds[0], bounds[0] + 1, bounds[len(bounds)-1], bounds[len(bounds)-1] + 1} {
		h.Observe(d)
	}
	upTo, n, sum := h.Read()
	if upTo[0] != 2 || upTo[1] != 3 || upTo[len(upTo)-1] != 4 || n != 5 || sum != 2*bounds[0]+2*bounds[len(bounds)-1]+2 {
		t.Errorf("%v, %d, %s", upTo, n, sum)
	}
}
