package rooms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestControlOverNodes: removing and listing work whichever node is asked.
func TestControlOverNodes(t *testing.T) {
	a, b := twoNodes(t, immortal)
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	one := join(t, a, "x", "one", rooms.Since{})
	two := join(t, b, "x", "two", rooms.Since{})
	join(t, b, wire.Inbox("u-two"), "two", rooms.Since{})
	join(t, b, "only b", "three", rooms.Since{})

	all, err := a.Rooms(within(t), lobby.Query{}, rooms.MaxRoomsBytes)
	list := all.Rooms
	if err != nil || all.Next != "" || len(list) != 2 || list[0].Name != "only b" || list[1].Name != "x" || list[1].Sessions != 2 {
		t.Errorf("a lists %v, %v", list, err)
	}
	if _, ok, err := a.Room(within(t), "only b"); !ok || err != nil {
		t.Errorf("a does not find b's room: %v", err)
	}
	if n, err := a.Remove(within(t), "x", "u-two"); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	two.awaitEvents(t, 1, wire.TypeRoomLeft)
	awaitPresent(t, a, "x", "one")

	if n, err := b.CloseUser(within(t), "u-nobody", wire.CloseRemoved); n != 0 || err != nil {
		t.Errorf("closed %d of nobody, %v", n, err)
	}
	inbox := newMember("two-inbox")
	inbox.user = two.user
	if err := b.Join(within(t), wire.Inbox("u-two"), inbox, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	if n, err := a.CloseUser(within(t), "u-two", wire.CloseRemoved); n != 2 || err != nil {
		t.Errorf("closed %d sessions, %v", n, err)
	}
	inbox.await(t, "4503", func() bool { return inbox.closed == wire.CloseRemoved })
	if one.events(wire.TypeRoomLeft) != nil {
		t.Error("another user was removed too")
	}
}

// TestRemovingEndsKeptSeats: who was cut off has no seat any more, on whatever
// node it was kept, is counted once, and is seen to leave; others keep theirs.
func TestRemovingEndsKeptSeats(t *testing.T) {
	a, b := twoNodes(t, func(c *rooms.Config) { immortal(c); c.PresenceGrace = time.Hour })
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	watcher := join(t, a, "x", "watcher", rooms.Since{})
	cutOff := func(eng *rooms.Engine, uid, session string, in ...string) {
		m := newMember(uid)
		m.id = session
		for _, room := range in {
			if err := eng.Join(within(t), wire.Room(room), m, "", rooms.Since{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, room := range in {
			eng.Leave(wire.Room(room), m, rooms.LeaveLost)
		}
	}
	cutOff(b, "one", "one-1", "x", "y")
	cutOff(b, "one", "one-2", "x")
	cutOff(a, "one", "one-3", "y")
	cutOff(b, "other", "other-1", "x", "y")
	awaitPresent(t, a, "x", "one,other,watcher")
	awaitPresent(t, a, "y", "one,other")

	// one-2 came when one-1 was away, and took its seat.
	if n, err := a.Remove(within(t), "x", "u-one"); n != 1 || err != nil {
		t.Errorf("%d were removed from x, %v", n, err)
	}
	watcher.await(t, "one is seen to leave", func() bool { return heardLeave(watcher, "u-one") })
	awaitPresent(t, a, "x", "other,watcher")
	awaitPresent(t, b, "x", "other,watcher")
	awaitPresent(t, b, "y", "one,other")

	cutOff(b, "one", "one-4", "x", "z")
	awaitPresent(t, a, "x", "one,other,watcher")
	if n, err := a.CloseUser(within(t), "u-one", wire.CloseRemoved); n != 3 || err != nil {
		t.Errorf("%d were closed, %v; there were one-1 in y, one-3 in y, and one-4 in x and z", n, err)
	}
	for _, eng := range []*rooms.Engine{a, b} {
		awaitPresent(t, eng, "x", "other,watcher")
		awaitPresent(t, eng, "y", "other")
		awaitPresent(t, eng, "z", "")
	}
	if n, err := b.CloseUser(within(t), "u-one", wire.CloseRemoved); n != 0 || err != nil {
		t.Errorf("%d were closed again, %v", n, err)
	}
}

// Every node hears who was removed, wherever the user is, before the one who
// asked has the answer.
func TestKickedIsToldOnEveryNode(t *testing.T) {
	srv := startServer(t)
	var mu sync.Mutex
	heard := make(map[string][]string)
	node := func(name string) *rooms.Engine {
		return startNode(t, srv, name, func(c *rooms.Config) {
			immortal(c)
			c.Kicked = func(room wire.Room, uid string) {
				mu.Lock()
				defer mu.Unlock()
				heard[name] = append(heard[name], string(room)+"/"+uid)
			}
		})
	}
	a, b := node("a"), node("b")
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	if _, err := a.Remove(within(t), "x", "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CloseUser(within(t), "bob", wire.CloseRemoved); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"a", "b"} {
		if got := heard[name]; !slices.Equal(got, []string{"x/ann", "/bob"}) {
			t.Errorf("%s heard %q", name, got)
		}
	}
}

// TestRoomsInPages: by number and by what fits, each room once, and one at
// least however little fits.
func TestRoomsInPages(t *testing.T) {
	eng, srv := start(t, immortal)
	one := newMember("one")
	want := []string{"soon"} // it has a label
	if err := eng.SetLabel(within(t), "soon", json.RawMessage(`1`)); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		want = append(want, fmt.Sprintf("table-%02d", i))
		if err := eng.Join(within(t), wire.Room(want[i+1]), one, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
	}
	pages := func(q lobby.Query, bytes int) (names []string, sizes []int) {
		t.Helper()
		for {
			page, err := eng.Rooms(within(t), q, bytes)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rooms {
				names = append(names, string(r.Name))
			}
			sizes = append(sizes, len(page.Rooms))
			if q.After = page.Next; q.After == "" {
				return names, sizes
			}
		}
	}
	eventually(t, "the label is there", func() bool { return eng.Label("soon") != nil })
	all, err := eng.Rooms(within(t), lobby.Query{}, rooms.MaxRoomsBytes)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		limit, bytes int
		sizes        string
	}{
		{0, rooms.MaxRoomsBytes, "[31]"},
		{12, rooms.MaxRoomsBytes, "[12 12 7]"},
		{10_000, rooms.MaxRoomsBytes, "[31]"},
		{20, 1, fmt.Sprint(slices.Repeat([]int{1}, 31))},
		{0, len(whole) - len(`{"rooms":[],"next":""}`), "[30 1]"}, // a comma behind the last, too
	} {
		names, sizes := pages(lobby.Query{Limit: tc.limit}, tc.bytes)
		if !slices.Equal(names, want) || fmt.Sprint(sizes) != tc.sizes {
			t.Errorf("a limit of %d and %d bytes give %q in pages of %v, want pages of %s", tc.limit, tc.bytes, names, sizes, tc.sizes)
		}
	}
	if names, _ := pages(lobby.Query{Prefix: "table-2", Limit: 3}, rooms.MaxRoomsBytes); !slices.Equal(names, want[21:]) {
		t.Errorf("with a prefix the rooms are %q", names)
	}
	nc := outsider(t, srv)
	list := listRooms(t, nc, `{"prefix":"table-","after":"table-07","limit":2}`)
	if len(list.Rooms) != 2 || list.Rooms[0].Name != "table-08" || list.Next != "table-09" {
		t.Errorf("the service lists %+v", list)
	}
	if answer, err := nc.Request("rooms.list", []byte(`{"limit":-1}`), patience); err != nil || answer.Header.Get(micro.ErrorCodeHeader) != string(wire.BadPayload) {
		t.Errorf("a limit of -1 is answered %+v, %v", answer, err)
	}
}

// listRooms is what `nats req rooms.list` prints.
func listRooms(t *testing.T, nc *nats.Conn, request string) rooms.RoomList {
	t.Helper()
	answer, err := nc.Request("rooms.list", []byte(request), patience)
	if err != nil || answer.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Fatalf("rooms.list of %s is answered %+v, %v", request, answer, err)
	}
	return decode[rooms.RoomList](t, answer.Data)
}

// TestServiceListsWhatFits: more rooms than one message of NATS holds.
func TestServiceListsWhatFits(t *testing.T) {
	eng, srv := start(t, immortal)
	nc := outsider(t, srv)
	label := json.RawMessage(`"` + strings.Repeat("x", wire.MaxLabelBytes-2) + `"`)
	n := int(nc.MaxPayload())/len(label) + 1
	for i := range n {
		if err := eng.SetLabel(within(t), wire.Room(fmt.Sprintf("table-%04d", i)), label); err != nil {
			t.Fatal(err)
		}
	}
	last := fmt.Sprintf("table-%04d", n-1)
	eventually(t, "the last label is there", func() bool { return eng.Label(wire.Room(last)) != nil })
	seen, pages := 0, 0
	for after := ""; ; pages++ {
		list := listRooms(t, nc, fmt.Sprintf(`{"after":%q}`, after))
		seen += len(list.Rooms)
		if after = list.Next; after == "" {
			break
		}
	}
	if seen != n || pages != 1 {
		t.Errorf("%d of %d rooms were listed, in %d pages and the last", seen, n, pages)
	}
}

// TestServiceHistoryThatFits: the largest page of history is more than NATS takes
// in one message, so rooms.history gives less of it; the rest is on the next page.
func TestServiceHistoryThatFits(t *testing.T) {
	eng, srv := start(t, nil)
	nc := outsider(t, srv)
	const events = 16
	const one = rooms.MaxHistoryBytes / events // in the log; clients see its room, sequence and time as well
	const around = len(`{"type":"large","payload":""}`)
	for range events {
		ev := wire.Event{Type: "large", Payload: json.RawMessage(`"` + strings.Repeat("x", one-around) + `"`)}
		if _, err := publishOne(within(t), eng, "large", "", ev); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, eng, "large", 1, rooms.MaxReplay+1) // and nothing of them is in memory
	if page, err := eng.History(within(t), "large", events+1, 0); err != nil || len(page.Events) != events {
		t.Fatalf("a page has %d events of %d bytes, %v", len(page.Events), one, err)
	}
	seen := 0
	for before := uint64(events + 1); before > 1; {
		msg, err := nc.RequestWithContext(within(t), "rooms.history", fmt.Appendf(nil, `{"room":"large","before":%d}`, before))
		if err != nil {
			t.Fatal(err)
		}
		page := decode[wire.History](t, msg.Data)
		if len(page.Events) == 0 {
			t.Fatalf("an empty page before %d: %s", before, msg.Data)
		}
		seen += len(page.Events)
		before = decode[struct{ Seq uint64 }](t, page.Events[0]).Seq
	}
	if seen != events {
		t.Errorf("the pages have %d of %d events", seen, events)
	}
}

// TestControlNamesSilentNodes: silence is not taken for nobody there.
func TestControlNamesSilentNodes(t *testing.T) {
	a, b := twoNodes(t, immortal)
	awaitPeers(t, a, "b")
	b.Kill()
	var e *wire.Error
	if _, err := a.Rooms(within(t), lobby.Query{}, rooms.MaxRoomsBytes); !errors.As(err, &e) || e.Code != wire.Unavailable {
		t.Errorf("with a silent node the error is %v", err)
	}
}

// TestService: what `nats micro` and other services see.
func TestService(t *testing.T) {
	eng, srv := start(t, nil)
	nc := outsider(t, srv)
	m := join(t, eng, "百家樂", "one", rooms.Since{})

	ask := func(endpoint, body string) *nats.Msg {
		t.Helper()
		msg, err := nc.Request("rooms."+endpoint, []byte(body), patience)
		if err != nil {
			t.Fatalf("rooms.%s: %v", endpoint, err)
		}
		return msg
	}
	info, err := nc.Request("$SRV.INFO.roomd", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	if got := decode[micro.Info](t, info.Data); len(got.Endpoints) != 5 {
		t.Errorf("the service has the endpoints %v", got.Endpoints)
	}
	published := ask("publish", `{"room":"百家樂","id":"r1","event":{"type":"round","payload":{"winner":"banker"}}}`)
	stored := decode[rooms.PubAck](t, published.Data)
	m.awaitSeq(t, stored.Seq)
	if again := decode[rooms.PubAck](t, ask("publish", `{"room":"百家樂","id":"r1","event":{"type":"round"}}`).Data); !again.Duplicate || again.Seq != stored.Seq {
		t.Errorf("the same id again: %+v", again)
	}
	if h := decode[wire.History](t, ask("history", `{"room":"百家樂"}`).Data); len(h.Events) != 1 {
		t.Errorf("history has %d events", len(h.Events))
	}
	if o := decode[wire.OnlineUsers](t, ask("members", `{"room":"百家樂"}`).Data); o.Count != 1 {
		t.Errorf("members says %+v", o)
	}
	var list struct{ Rooms []rooms.RoomInfo }
	if err := json.Unmarshal(ask("list", "").Data, &list); err != nil || len(list.Rooms) != 1 {
		t.Errorf("list says %+v, %v", list, err)
	}
	if got := string(ask("kick", `{"room":"百家樂","uid":"u-one"}`).Data); got != `{"removed":1}` {
		t.Errorf("kick says %s", got)
	}
	for body, code := range map[string]wire.Code{`nonsense`: wire.BadJSON, `{"room":"x","room":"y"}`: wire.BadJSON, `{"ROOM":"x"}`: wire.BadRoom, `{"room":""}`: wire.BadRoom, `{"room":"\u0007"}`: wire.BadRoom} {
		if got := ask("members", body).Header.Get(micro.ErrorCodeHeader); got != string(code) {
			t.Errorf("members of %s: error %q, want %q", body, got, code)
		}
	}
}
