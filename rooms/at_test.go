package rooms_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// An event has the log's time wherever it is read: live, replayed, in history,
// from a node's memory and from the log, by a node that was not there. What its
// publisher says of it is passed over.
func TestAtIsTheSameAtEveryReading(t *testing.T) {
	const events = rooms.MaxReplay + 40 // more than a room remembers
	srv := startServer(t)
	one := startEngine(t, srv, nil)
	nc := outsider(t, srv)
	for room, stream := range map[string]string{"x": "ROOMS", string(wire.Inbox("alice")): "INBOX"} {
		live := join(t, one, wire.Room(room), "alice", rooms.Since{})
		inject(t, nc, wire.EventSubject(wire.Room(room)), `{"type":"note","at":1,"seq":1,"payload":"forged"}`,
			"Nats-Time-Stamp", "2001-02-03T04:05:06Z", "Nats-Sequence", "1")
		seqs := publish(t, one, wire.Room(room), 0, events-1)
		live.awaitSeq(t, seqs[len(seqs)-1])
		want := timesInLog(t, nc, stream)
		if len(want) != events {
			t.Fatalf("%s: the log has %d events, want %d", room, len(want), events)
		}
		same := func(what string, got []wire.Event, n int) {
			t.Helper()
			if len(got) != n {
				t.Errorf("%s, %s: %d events, want %d", room, what, len(got), n)
			}
			for _, ev := range got {
				if ev.At == 0 || ev.At != want[ev.Seq] {
					t.Fatalf("%s, %s: event %d is of %d, the log says %d", room, what, ev.Seq, ev.At, want[ev.Seq])
				}
			}
		}
		same("live", live.events("note"), events)
		same("in history", history(t, one, wire.Room(room)), events)
		other := startEngine(t, srv, nil)
		late := join(t, other, wire.Room(room), "late", rooms.Since{Last: 30})
		late.awaitSeq(t, seqs[len(seqs)-1])
		same("replayed by another node", late.events("note"), 30)
		same("in history of another node", history(t, other, wire.Room(room)), events)
	}
}

// timesInLog are the times of a stream's messages in ms since 1970, by
// sequence. They come from the leader's own words: those of a direct get are
// headers, where the publisher's come first.
func timesInLog(t *testing.T, nc *nats.Conn, stream string) map[uint64]int64 {
	t.Helper()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	info, err := js.StreamInfo(stream)
	if err != nil {
		t.Fatal(err)
	}
	times := make(map[uint64]int64)
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		msg, err := js.GetMsg(stream, seq)
		if err != nil {
			t.Fatal(err)
		}
		times[seq] = msg.Time.UnixMilli()
	}
	return times
}

// history is all of a room's, newest page first.
func history(t *testing.T, eng *rooms.Engine, room wire.Room) (events []wire.Event) {
	t.Helper()
	for before, more := uint64(0), true; more; {
		page, err := eng.History(within(t), room, before, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i, raw := range page.Events {
			ev, err := wire.DecodeServer(raw)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				before = ev.Seq
			}
			events = append(events, ev)
		}
		more = page.More
	}
	return events
}
