package rooms_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestInboxesHaveALogOfTheirOwn: a room and an inbox whose subjects have the
// same token, at a node that hears all rooms and at one that does not.
func TestInboxesHaveALogOfTheirOwn(t *testing.T) {
	srv := startServer(t)
	for _, hearAll := range []bool{true, false} {
		eng := startEngine(t, srv, func(c *rooms.Config) { c.HearAll = hearAll })
		room, inbox := "percy", wire.Inbox("percy")
		inRoom, inInbox := join(t, eng, wire.Room(room), "r", rooms.Since{}), join(t, eng, inbox, "i", rooms.Since{})
		r, i := publish(t, eng, wire.Room(room), 0, 3), publish(t, eng, inbox, 10, 12)
		inRoom.awaitSeq(t, r[2])
		inInbox.awaitSeq(t, i[1])
		wantSeqs(t, inRoom, r)
		wantSeqs(t, inInbox, i)
		back := join(t, eng, inbox, "back", fromOf(eng, inbox, i[0]))
		back.awaitSeq(t, i[1])
		if got := back.joined(t, 0); !got.Recovered || got.Epoch == eng.Epoch() {
			t.Errorf("hear all %v: %+v; the rooms' epoch is %s", hearAll, got, eng.Epoch())
		}
		if got := join(t, eng, inbox, "lost", from(eng, i[0])).joined(t, 0); got.Recovered {
			t.Errorf("hear all %v: a position in the rooms' log counts in the inboxes': %+v", hearAll, got)
		}
		closeEngine(t, eng)
	}
}

// TestInboxStreamDeleted: who is in an inbox is told to refresh when its log is
// made anew; a room is not concerned.
func TestInboxStreamDeleted(t *testing.T) {
	eng, srv := start(t, nil)
	inbox := wire.Inbox("percy")
	inRoom, inInbox := join(t, eng, "x", "r", rooms.Since{}), join(t, eng, inbox, "i", rooms.Since{})
	inRoom.awaitSeq(t, publish(t, eng, "x", 0, 1)[0])
	inInbox.awaitSeq(t, publish(t, eng, inbox, 0, 1)[0])
	was := eng.EpochOf(inbox)
	js, err := jetstream.New(outsider(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(within(t), eventlog.InboxStream); err != nil {
		t.Fatal(err)
	}
	if told := inInbox.joined(t, 1); told.Recovered || told.Epoch == was || told.Epoch != eng.EpochOf(inbox) {
		t.Errorf("%+v, was %s", told, was)
	}
	inInbox.awaitSeq(t, publish(t, eng, inbox, 1, 2)[0])
	last := publish(t, eng, "x", 1, 2)[0]
	inRoom.awaitSeq(t, last)
	wantSeqs(t, inRoom, []uint64{last - 1, last})
}

// TestInboxHoles: copies for an inbox that are lost are read from its log,
// those with nothing after them too.
func TestInboxHoles(t *testing.T) {
	inbox := wire.Inbox("percy")
	for _, hearAll := range []bool{true, false} {
		eng, _ := start(t, func(c *rooms.Config) {
			c.HearAll = hearAll
			n := 0
			c.Lose(func(m *nats.Msg) bool {
				n++
				return m.Subject == wire.LogSubject(inbox) && n%3 == 0
			})
		})
		m := join(t, eng, inbox, "a", rooms.Since{})
		seqs := publish(t, eng, inbox, 0, 30)
		m.awaitSeq(t, seqs[29])
		wantSeqs(t, m, seqs)
	}
}

// TestInboxInjected: `nats pub inbox.<uid>.event` works as for a room, what is
// not valid is told on inbox.<uid>.rejected, and an inbox cannot be reached by
// the subjects of rooms.
func TestInboxInjected(t *testing.T) {
	for _, hearAll := range []bool{true, false} {
		eng, srv := start(t, func(c *rooms.Config) { c.HearAll = hearAll })
		nc := outsider(t, srv)
		rejected := make(chan *nats.Msg, 10)
		for _, subject := range []string{"inbox.*.rejected", "room.*.rejected"} {
			if _, err := nc.ChanSubscribe(subject, rejected); err != nil {
				t.Fatal(err)
			}
		}
		m := join(t, eng, wire.Inbox("per.cy"), "a", rooms.Since{})
		inject(t, nc, "inbox.per=2Ecy.event", `{"type":"note","payload":1}`)
		m.awaitSeq(t, 1)
		for i, tc := range []struct{ subject, body, on, reason string }{
			{"inbox.per=2Ecy.event", `nonsense`, "inbox.per=2Ecy.rejected", "bad_json"},
			{"inbox.nobody.event", `nonsense`, "inbox.nobody.rejected", "bad_json"},
			{"inbox.p=65rcy.event", `{"type":"note"}`, "inbox.p=65rcy.rejected", "bad_room"},
			{"room.@per=2Ecy.event", `{"type":"note"}`, "room.@per=2Ecy.rejected", "inbox.per=2Ecy.event"},
		} {
			inject(t, nc, tc.subject, tc.body)
			select {
			case msg := <-rejected:
				if msg.Subject != tc.on || string(msg.Data) != tc.body || !strings.Contains(msg.Header.Get(rooms.HeaderReason), tc.reason) {
					t.Errorf("%d: %s %v %s", i, msg.Subject, msg.Header, msg.Data)
				}
			case <-within(t).Done():
				t.Fatalf("%s: %s is not rejected", tc.subject, tc.body)
			}
		}
		last := publish(t, eng, wire.Inbox("per.cy"), 2, 3)[0]
		m.awaitSeq(t, last)
		wantSeqs(t, m, []uint64{1, last})
	}
}

// TestNoiseInRoomsAndInboxes: what fills one log to its limit takes nothing
// from the other.
func TestNoiseInRoomsAndInboxes(t *testing.T) {
	for _, tc := range []struct {
		name         string
		quiet, noisy wire.Room
	}{
		{"rooms are noisy", wire.Inbox("percy"), "noise"},
		{"inboxes are noisy", "quiet", wire.Inbox("noise")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eng, srv := start(t, func(c *rooms.Config) { c.HistoryBytes, c.InboxBytes = 1<<20, 1<<20 })
			quiet := publish(t, eng, tc.quiet, 0, 20)
			js, err := jetstream.New(outsider(t, srv))
			if err != nil {
				t.Fatal(err)
			}
			full := strings.Repeat("x", 16<<10)
			for i := range 200 { // 3 MB
				msg := nats.NewMsg(wire.EventSubject(tc.noisy + wire.Room(string(rune('a'+i%20)))))
				msg.Data = []byte(`{"type":"note","payload":"` + full + `"}`)
				if _, err := js.PublishMsg(within(t), msg); err != nil {
					t.Fatal(err)
				}
			}
			m := join(t, eng, tc.quiet, "a", fromOf(eng, tc.quiet, quiet[0]))
			m.awaitSeq(t, quiet[19])
			wantSeqs(t, m, quiet[1:])
			if !m.joined(t, 0).Recovered {
				t.Error("the quiet one is not recovered")
			}
			if n := turned(within(t), t, js, tc.noisy); n == 0 {
				t.Error("the noisy log has not turned over: the test is too small")
			}
		})
	}
}

// TestNoisyShareTheLog: who writes to many rooms, or many inboxes, as much as
// the log takes pushes nothing out of a quiet one.
func TestNoisyShareTheLog(t *testing.T) {
	room := func(name string) wire.Room { return wire.Room(name) }
	for _, tc := range []struct {
		stream string
		name   func(string) wire.Room
	}{{eventlog.RoomsStream, room}, {eventlog.InboxStream, wire.Inbox}} {
		t.Run(tc.stream, func(t *testing.T) {
			eng, srv := start(t, func(c *rooms.Config) { c.HistoryBytes, c.InboxBytes = 1<<20, 1<<20 })
			percy := tc.name("percy")
			quiet := publish(t, eng, percy, 0, eventlog.MinKept)
			js, err := jetstream.New(outsider(t, srv))
			if err != nil {
				t.Fatal(err)
			}
			s, err := js.Stream(within(t), tc.stream)
			if err != nil {
				t.Fatal(err)
			}
			body := []byte(`{"type":"note","payload":"` + strings.Repeat("x", 4<<10) + `"}`)
			for i := range 600 { // 2.4 MB
				if _, err := js.Publish(within(t), wire.EventSubject(tc.name(fmt.Sprint("noise-", i%20))), body); err != nil {
					t.Fatal(err)
				}
				if i%10 == 0 {
					eventually(t, "there is place left", func() bool {
						info, err := s.Info(within(t))
						return err == nil && info.State.Bytes < 800<<10
					})
				}
			}
			m := join(t, eng, percy, "a", fromOf(eng, percy, quiet[0]))
			m.awaitSeq(t, quiet[len(quiet)-1])
			wantSeqs(t, m, quiet[1:])
			if !m.joined(t, 0).Recovered || eng.Stats().HistoryLimits.Load() == 0 {
				t.Errorf("recovered: %v; the limit was changed %d times", m.joined(t, 0).Recovered, eng.Stats().HistoryLimits.Load())
			}
		})
	}
}

// turned is how many events the log of a room's space has dropped.
func turned(ctx context.Context, t *testing.T, js jetstream.JetStream, room wire.Room) uint64 {
	t.Helper()
	name := eventlog.RoomsStream
	if wire.SpaceOf(room) == wire.SpaceInboxes {
		name = eventlog.InboxStream
	}
	s, err := js.Stream(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	state := s.CachedInfo().State
	return state.FirstSeq - 1
}
