package rooms_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// saying is the body of a message of alice's, as a session makes it.
func saying(text string) wire.Body {
	return wire.MessageBody(&wire.Message{From: "Alice", Sent: "2026-11-21T12:00:00Z", Time: 1, UID: "alice", Username: "Alice", RoomID: "x"}, wire.TextOf(text))
}

// publishAs stores a message and returns its position.
func publishAs(t testing.TB, eng *rooms.Engine, author wire.Author, room wire.Room, msgID, text string) rooms.PubAck {
	t.Helper()
	type outcome struct {
		stored rooms.PubAck
		err    error
	}
	done := make(chan outcome, 1)
	eng.PublishAsync(room, saying(text), rooms.PublishOptions{ID: msgID, Author: author}, func(s rooms.PubAck, err error) { done <- outcome{s, err} })
	got := <-done
	if got.err != nil {
		t.Fatal(got.err)
	}
	return got.stored
}

// said is what members see of who a message is from.
type said struct {
	Message  string `json:"message"`
	UID      string `json:"uid"`
	ClientID string `json:"client_id"`
	Guest    bool   `json:"guest"`
	Service  bool   `json:"service"`
}

func readSaid(t testing.TB, payload []byte) said {
	t.Helper()
	var s said
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// author is "uid/guest/service" of what is true of them.
func (s said) author() string {
	text := s.UID + s.ClientID
	if s.Guest {
		text += "/guest"
	}
	if s.Service {
		text += "/service"
	}
	return text
}

// record keeps what is stored, to be published again.
func record(t *testing.T, nc *nats.Conn, room wire.Room) <-chan *nats.Msg {
	t.Helper()
	heard := make(chan *nats.Msg, 16)
	if _, err := nc.ChanSubscribe("room."+string(room)+".log", heard); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return heard
}

// TestWhoSpeaks: live, replayed, from the log and in history, on this node and
// on another, an event is from who a node says it is from, and from a service
// if none says so, whatever it says itself.
func TestWhoSpeaks(t *testing.T) {
	srv := startServer(t)
	one, two := startEngine(t, srv, nil), startEngine(t, srv, nil)
	nc := outsider(t, srv)
	heard := record(t, nc, "x")
	live := join(t, one, "x", "live", rooms.Since{})
	start := live.joined(t, 0).Seq

	publishAs(t, one, wire.FromUser, "x", "", "user")
	genuine := <-heard
	publishAs(t, two, wire.FromGuest, "x", "", "guest")
	guests := <-heard
	publishAs(t, one, wire.FromService, "x", "", "api")
	by, guestBy := genuine.Header.Get(rooms.HeaderBy), guests.Header.Get(rooms.HeaderBy)
	if !strings.HasPrefix(by, "user.") || !strings.HasPrefix(guestBy, "guest.") {
		t.Fatalf("signed %q and %q", by, guestBy)
	}
	mac := strings.TrimPrefix(guestBy, "guest.")
	altered := strings.Replace(string(genuine.Data), `"user"`, `"usef"`, 1)
	const claims = `"uid":"alice","client_id":"c","guest":true,"Service":false,"gu\u0065st":true`
	inject(t, nc, "room.x.event", `{"type":"new_message","payload":{"message":"plain",`+claims+`}}`)
	inject(t, nc, "room.x.event", altered, rooms.HeaderBy, by)
	inject(t, nc, "room.x.event", string(guests.Data), rooms.HeaderBy, "user."+mac)
	inject(t, nc, "room.x.event", string(genuine.Data), rooms.HeaderBy, "service."+by[len("user."):])
	inject(t, nc, "room.x.event", string(genuine.Data), rooms.HeaderBy, by[:len(by)-1])
	inject(t, nc, "room.x.event", string(genuine.Data), rooms.HeaderBy, "user."+strings.Repeat("A", 22))
	inject(t, nc, "room.x.event", string(genuine.Data), "roomd-by", by)
	inject(t, nc, "room.x.event", `{"type":"private_message","payload":{"message":"private",`+claims+`}}`, rooms.HeaderBy, by)
	inject(t, nc, "room.x.event", `{"type":"note","payload":{`+claims+`}}`)
	want := []string{"user alice", "guest alice/guest", "api /service", "plain /service", "usef /service", "guest /service",
		"user /service", "user /service", "user /service", "user /service", "private /service"}

	last := publish(t, one, "x", 0, 1)[0]
	check := func(name string, events []wire.Event) {
		t.Helper()
		var got []string
		for _, ev := range events {
			switch ev.Type {
			case wire.TypeNewMessage, wire.TypePrivateMessage:
				s := readSaid(t, ev.Payload)
				got = append(got, s.Message+" "+s.author())
			case "note":
				if len(ev.Payload) > 1 && string(ev.Payload) != `{`+claims+`}` {
					t.Errorf("%s: a type of its own became %s", name, ev.Payload)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	kinds := []string{wire.TypeNewMessage, wire.TypePrivateMessage, "note"}
	live.awaitSeq(t, last)
	check("live", live.events(kinds...))

	replayed := join(t, one, "x", "replayed", from(one, start))
	replayed.awaitSeq(t, last)
	check("from memory", replayed.events(kinds...))

	read := join(t, two, "x", "read", from(two, start))
	read.awaitSeq(t, last)
	check("from the log", read.events(kinds...))

	if n := one.Stats().NotSigned.Load(); n < 6 {
		t.Errorf("%d headers that no node made were counted, want 6", n)
	}
	later := startEngine(t, srv, nil)
	page, err := later.History(within(t), "x", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var events []wire.Event
	for _, raw := range page.Events {
		ev, err := wire.DecodeServer(raw)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, ev)
	}
	check("history of a node that came later", events)
}

// TestWhoSpeaksElsewhere: what was said in one room is nobody's word in
// another, in an inbox, or as a signal.
func TestWhoSpeaksElsewhere(t *testing.T) {
	eng, srv := start(t, nil)
	nc := outsider(t, srv)
	heard := record(t, nc, "x")
	publishAs(t, eng, wire.FromUser, "x", "", "user")
	genuine := <-heard
	for _, room := range []string{"y", "x2"} {
		m := join(t, eng, wire.Room(room), "m-"+room, rooms.Since{})
		inject(t, nc, wire.EventSubject(wire.Room(room)), string(genuine.Data), rooms.HeaderBy, genuine.Header.Get(rooms.HeaderBy))
		if s := readSaid(t, m.awaitEvents(t, 1, wire.TypeNewMessage)[0].Payload); s.author() != "/service" {
			t.Errorf("in %s it is from %q", room, s.author())
		}
		inject(t, nc, wire.SignalSubject(wire.Room(room)), string(genuine.Data), rooms.HeaderBy, genuine.Header.Get(rooms.HeaderBy))
		if s := readSaid(t, m.awaitEvents(t, 2, wire.TypeNewMessage)[1].Payload); s.author() != "/service" {
			t.Errorf("as a signal in %s it is from %q", room, s.author())
		}
	}
	m := join(t, eng, "x", "m-x", rooms.Since{})
	inject(t, nc, wire.SignalSubject("x"), string(genuine.Data), rooms.HeaderBy, genuine.Header.Get(rooms.HeaderBy))
	if s := readSaid(t, m.awaitEvents(t, 1, wire.TypeNewMessage)[0].Payload); s.author() != "/service" {
		t.Errorf("as a signal in its room it is from %q", s.author())
	}
}

// TestWhoSignals is TestWhoSpeaks of what is not logged.
func TestWhoSignals(t *testing.T) {
	srv := startServer(t)
	one, two := startEngine(t, srv, nil), startEngine(t, srv, nil)
	nc := outsider(t, srv)
	m := join(t, two, "x", "m", rooms.Since{})
	signal := wire.Event{Type: wire.TypeSignal, Payload: []byte(`{"message":"hi","uid":"alice"}`)}
	for i, tc := range []struct {
		author wire.Author
		want   string
	}{{wire.FromUser, "alice"}, {wire.FromGuest, "alice/guest"}, {wire.FromService, "/service"}} {
		if err := one.Signal("x", signal, rooms.SignalOptions{Author: tc.author}); err != nil {
			t.Fatal(err)
		}
		if got := readSaid(t, m.awaitEvents(t, i+1, wire.TypeSignal)[i].Payload).author(); got != tc.want {
			t.Errorf("from %v it is from %q", tc.author, got)
		}
	}
	inject(t, nc, wire.SignalSubject("x"), `{"type":"signal","payload":{"uid":"alice","client_id":"c","GUEST":1}}`, rooms.HeaderBy, "user."+strings.Repeat("A", 22))
	if got := string(m.awaitEvents(t, 4, wire.TypeSignal)[3].Payload); got != `{"service":true}` {
		t.Errorf("a forged one is %s", got)
	}
}

// TestMessageIDs: nobody but a node can make the key of a user's event; all
// nodes make the same, so that an event sent again elsewhere is stored once.
func TestMessageIDs(t *testing.T) {
	srv := startServer(t)
	one, two := startEngine(t, srv, nil), startEngine(t, srv, nil)
	id := one.MessageID("x", "alice", "c-1", 1)
	if again := two.MessageID("x", "alice", "c-1", 1); again != id {
		t.Fatalf("%q on one node, %q on the other", id, again)
	}
	if one.MessageID("x", "alice", "", 1) != "" {
		t.Error("an event without an id has a key")
	}
	seen := map[string]string{id: "it"}
	for _, key := range []struct {
		room, uid, id string
		n             int
	}{{"y", "alice", "c-1", 1}, {"x", "bob", "c-1", 1}, {"x", "alice", "c-2", 1}, {"x", "alice", "c-1", 2}, {"x", "alic", "ec-1", 1}, {"xa", "lice", "c-1", 1}, {"x", "alice", "c-11", 1}} {
		got := one.MessageID(wire.Room(key.room), key.uid, key.id, key.n)
		if before := seen[got]; before != "" || len(got) > 40 {
			t.Errorf("%v has the key %q of %s", key, got, before)
		}
		seen[got] = fmt.Sprint(key)
	}
	nc := outsider(t, srv)
	for _, guess := range []string{"ws/x/alice/c-1", "c-1", "alice/c-1", "by.c-1"} {
		inject(t, nc, "room.x.event", `{"type":"note"}`, nats.MsgIdHdr, guess)
	}
	if s := publishAs(t, one, wire.FromUser, "x", id, "first"); s.Duplicate {
		t.Error("a service has used the key of a user's event")
	}
	if s := publishAs(t, two, wire.FromUser, "x", id, "first"); !s.Duplicate {
		t.Error("sent again to another node it was stored twice")
	}
}

// TestSecret: nodes with a secret of their own believe each other and nobody
// else; one of the wrong length is refused.
func TestSecret(t *testing.T) {
	srv := startServer(t)
	with := func(key string) func(*rooms.Config) {
		return func(c *rooms.Config) { c.Secret = []byte(strings.Repeat(key, rooms.SecretBytes)) }
	}
	one, two, other := startEngine(t, srv, with("a")), startEngine(t, srv, with("a")), startEngine(t, srv, with("b"))
	publishAs(t, one, wire.FromUser, "x", "", "hi")
	for eng, want := range map[*rooms.Engine]string{one: "alice", two: "alice", other: "/service"} {
		page, err := eng.History(within(t), "x", 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := wire.DecodeServer(page.Events[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := readSaid(t, ev.Payload).author(); got != want {
			t.Errorf("it is from %q, want %q", got, want)
		}
	}
	if _, err := rooms.New(t.Context(), srv, rooms.Config{Secret: []byte("short")}); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("a short secret: %v", err)
	}
}

// TestBeforeTheSecret: what was stored before there was one is shown as it is.
func TestBeforeTheSecret(t *testing.T) {
	eng, srv := start(t, nil)
	publish(t, eng, "x", 0, 1) // makes the stream
	nc := outsider(t, srv)
	inject(t, nc, "room.x.event", `{"type":"new_message","payload":{"message":"old","uid":"alice"}}`)
	closeEngine(t, eng)
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteKeyValue("roomd_keys"); err != nil {
		t.Fatal(err)
	}
	eng = startEngine(t, srv, nil)
	inject(t, nc, "room.x.event", `{"type":"new_message","payload":{"message":"new","uid":"alice"}}`)
	m := join(t, eng, "x", "m", rooms.Since{Last: 10})
	events := m.awaitEvents(t, 2, wire.TypeNewMessage)
	for i, want := range []string{"old alice", "new /service"} {
		if s := readSaid(t, events[i].Payload); s.Message+" "+s.author() != want {
			t.Errorf("%q, want %q", s.Message+" "+s.author(), want)
		}
	}
}

// TestSecretIsPutBack: a secret that NATS has lost while a node runs is the same
// afterwards, and so is that of a node that starts then.
func TestSecretIsPutBack(t *testing.T) {
	often := func(c *rooms.Config) { c.Heartbeats(20 * time.Millisecond) }
	a, srv := start(t, func(c *rooms.Config) { often(c); c.Node = "a" })
	js, err := outsider(t, srv).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	lose := map[string]func() error{
		"the bucket": func() error { return js.DeleteKeyValue("roomd_keys") },
		"the key": func() error {
			kv, err := js.KeyValue("roomd_keys")
			if err != nil {
				return err
			}
			return kv.Delete("cluster-hs256")
		},
	}
	for what, lose := range lose {
		was := a.Stats().SecretsRestored.Load()
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		eventually(t, what+" is put back", func() bool {
			kv, err := js.KeyValue("roomd_keys")
			if err != nil {
				return false
			}
			_, err = kv.Get("cluster-hs256")
			return err == nil && a.Stats().SecretsRestored.Load() > was
		})
	}
	b := startEngine(t, srv, func(c *rooms.Config) { often(c); c.Node = "b" })
	eventually(t, "they know of each other", func() bool { return len(a.Peers()) == 1 && len(b.Peers()) == 1 })
	if a.SecretsDiffer()+b.SecretsDiffer() != 0 {
		t.Error("the node that has started since has another secret")
	}
}

// TestSecretsDiffer: nodes with another secret say so, and the one that has started
// later takes no tables.
func TestSecretsDiffer(t *testing.T) {
	srv := startServer(t)
	with := func(node string) *rooms.Engine {
		return startEngine(t, srv, func(c *rooms.Config) {
			ledgers(c)
			c.Heartbeats(50 * time.Millisecond)
			c.Node, c.Secret = node, []byte(strings.Repeat(node, rooms.SecretBytes))
		})
	}
	a, b := with("a"), with("b")
	eventually(t, "both say so", func() bool { return a.SecretsDiffer() == 1 && b.SecretsDiffer() == 1 })
	room := ledgerFor("b", "a", "b")
	eventually(t, "the later one takes no tables", func() bool { return a.OwnerOf(room) == "a" && b.OwnerOf(room) == "a" })
	closeEngine(t, b)
	eventually(t, "it is forgotten", func() bool { return a.SecretsDiffer() == 0 })
}
