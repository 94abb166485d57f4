package rooms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// lobbySnapshot is the whole lobby as a node shows it, page by page.
func lobbySnapshot(t testing.TB, eng *rooms.Engine, q lobby.Query) (list []wire.ListedRoom) {
	t.Helper()
	for {
		page, err := eng.Lobby(within(t), q)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, page.List...)
		if page.Next == "" {
			return list
		}
		q.After = page.Next
	}
}

// awaitLobby waits until a node shows these rooms: name:count and the label.
func awaitLobby(t testing.TB, eng *rooms.Engine, want ...string) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("%s showed %q last, want %q", eng.Node(), got, want)
		}
	}()
	eventually(t, "the lobby is as it should be", func() bool {
		got = nil
		for _, r := range lobbySnapshot(t, eng, lobby.Query{}) {
			got = append(got, fmt.Sprintf("%s:%d%s", r.Name, r.Count, r.Label))
		}
		return slices.Equal(got, want)
	})
}

// TestLobbyOverNodes: each node shows the rooms of both, with the people in
// them and when something was last said; inboxes never.
func TestLobbyOverNodes(t *testing.T) {
	a, b := twoNodes(t, func(c *rooms.Config) { immortal(c); c.IdleAfter = 100 * time.Millisecond })
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	join(t, a, "both", "one", rooms.Since{})
	join(t, b, "both", "two", rooms.Since{})
	again := newMember("one") // the same user, from another device, at the other node
	again.id = "one-again"
	if err := b.Join(within(t), "both", again, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	only := join(t, b, "百家樂 1", "three", rooms.Since{})
	join(t, b, wire.Inbox("u-three"), "three", rooms.Since{})
	for _, eng := range []*rooms.Engine{a, b} {
		awaitLobby(t, eng, "both:2", "百家樂 1:1")
	}
	if list := lobbySnapshot(t, a, lobby.Query{Rooms: []string{"百*", "@*", "nowhere"}}); len(list) != 1 || list[0].Name != "百家樂 1" {
		t.Errorf("who may enter 百* is shown %v", list)
	}
	if list := lobbySnapshot(t, a, lobby.Query{Prefix: "@"}); len(list) != 0 {
		t.Errorf("inboxes are shown: %v", list)
	}

	before := time.Now().UnixMilli()
	publish(t, a, "both", 0, 1)
	after := time.Now().UnixMilli()
	at := func(eng *rooms.Engine, room wire.Room) int64 {
		list := lobbySnapshot(t, eng, lobby.Query{Rooms: []string{string(room)}})
		if len(list) != 1 {
			return -1
		}
		return list[0].At
	}
	for _, eng := range []*rooms.Engine{a, b} {
		eventually(t, "the event's time is shown", func() bool { at := at(eng, "both"); return at >= before && at <= after })
		if at := at(eng, "百家樂 1"); at != 0 {
			t.Errorf("where nothing was said, it was at %d", at)
		}
	}

	b.Leave("百家樂 1", only, rooms.LeaveClosed)
	awaitLobby(t, a, "both:2") // when it is unloaded
}

// TestLobbyKnowsWhenItWasSaid: also of what was said before the room was
// opened.
func TestLobbyKnowsWhenItWasSaid(t *testing.T) {
	eng, _ := start(t, nil)
	before := time.Now().UnixMilli()
	publish(t, eng, "x", 0, 3)
	after := time.Now().UnixMilli()
	eventually(t, "a millisecond has passed", func() bool { return time.Now().UnixMilli() > after })
	join(t, eng, "x", "one", rooms.Since{})
	list := lobbySnapshot(t, eng, lobby.Query{})
	if len(list) != 1 || list[0].At < before || list[0].At > after {
		t.Errorf("listed is %v, want x at %d to %d", list, before, after)
	}
}

// lister is a member that looks at its room with the first thing it is given.
type lister struct {
	*member
	eng  *rooms.Engine
	info rooms.RoomInfo
	once sync.Once
}

func (l *lister) Deliver(b *rooms.Burst) error {
	l.once.Do(func() { l.info, _ = l.eng.RoomHere("x") })
	return l.member.Deliver(b)
}

// TestFirstMemberListsItsRoom: who is let in finds what was said before the room
// was opened in the list of rooms, however soon the list is asked for.
func TestFirstMemberListsItsRoom(t *testing.T) {
	eng, _ := start(t, nil)
	seqs := publish(t, eng, "x", 0, 3)
	m := &lister{member: newMember("one"), eng: eng}
	if err := eng.Join(within(t), "x", m, "j", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	if m.info.Seq != seqs[2] || m.info.At == 0 {
		t.Errorf("when it was let in the room was at %d, said at %d, want sequence %d and a time", m.info.Seq, m.info.At, seqs[2])
	}
}

// TestLobbyInParts: more rooms than there are in one message between nodes,
// then what has changed.
func TestLobbyInParts(t *testing.T) {
	a, b := twoNodes(t, immortal)
	awaitPeers(t, a, "b")
	awaitPeers(t, b, "a")
	const n = 2*rooms.LobbyPart + 7
	one := newMember("one")
	for i := range n {
		if err := b.Join(within(t), wire.Room(fmt.Sprintf("table-%04d", i)), one, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
	}
	all := func() int { return len(lobbySnapshot(t, a, lobby.Query{Prefix: "table-"})) }
	eventually(t, "all rooms are shown", func() bool { return all() == n })
	page, err := a.Lobby(within(t), lobby.Query{After: "table-0500", Limit: 3})
	if err != nil || len(page.List) != 3 || page.List[0].Name != "table-0501" || page.Next != "table-0503" {
		t.Errorf("a page is %v, %v", page, err)
	}
	if page, err = a.Lobby(within(t), lobby.Query{Limit: 10_000}); err != nil || len(page.List) != rooms.MaxLobbyPage {
		t.Errorf("a page of 10,000 has %d, %v", len(page.List), err)
	}
	join(t, b, "table-0003", "two", rooms.Since{})
	eventually(t, "the change is shown", func() bool {
		return lobbySnapshot(t, a, lobby.Query{Rooms: []string{"table-0003"}})[0].Count == 2
	})
	if got := all(); got != n {
		t.Errorf("after the change %d rooms are shown, want %d", got, n)
	}
}

// TestAThousandAskAtOnce: the nodes are asked once for all of them.
func TestAThousandAskAtOnce(t *testing.T) {
	a, b := twoNodes(t, immortal)
	awaitPeers(t, a, "b")
	join(t, b, "x", "one", rooms.Since{})
	began, was := time.Now(), a.Stats().LobbyGathered.Load()
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			if _, err := a.Lobby(within(t), lobby.Query{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	most := 1 + int64(time.Since(began)/rooms.LobbyAge)
	if got := a.Stats().LobbyGathered.Load() - was; got < 1 || got > most {
		t.Errorf("the list was made %d times, want 1 to %d", got, most)
	}
}

// TestWhoFoundTheListTooOld: when another one has made it anew since, it is not
// made again.
func TestWhoFoundTheListTooOld(t *testing.T) {
	eng, _ := start(t, nil)
	for began := time.Now(); ; began = time.Now() {
		lobbySnapshot(t, eng, lobby.Query{})
		made := eng.Stats().LobbyGathered.Load()
		eng.RenewLobby()
		again := eng.Stats().LobbyGathered.Load() - made
		if time.Since(began) >= rooms.LobbyAge {
			continue // on a busy machine it is too old again
		}
		if again != 0 {
			t.Errorf("a list that is not old was made again %d times", again)
		}
		return
	}
}

// TestLobbyOfASilentNode: what it told last is shown until it is dropped.
func TestLobbyOfASilentNode(t *testing.T) {
	a, b := twoNodes(t, immortal)
	awaitPeers(t, a, "b")
	join(t, b, "x", "one", rooms.Since{})
	awaitLobby(t, a, "x:1")
	b.Kill()
	eventually(t, "the silence is noticed", func() bool { awaitLobby(t, a, "x:1"); return a.Stats().LobbyLate.Load() > 0 })
}

// TestLobbyOfAnOldNode: it is told in one message, and knows nothing of parts.
func TestLobbyOfAnOldNode(t *testing.T) {
	a, _, _ := withOldNode(t, nil)
	stats := a.Stats()
	eventually(t, "it is listed, and is not late", func() bool { // which it may be once or twice, on a busy machine
		late, made := stats.LobbyLate.Load(), stats.LobbyGathered.Load()
		list := lobbySnapshot(t, a, lobby.Query{})
		return len(list) == 1 && list[0].Name == "x" && list[0].Count == 2 && stats.LobbyLate.Load() == late && stats.LobbyGathered.Load() > made
	})
}

// TestLabels: whoever sets one, every node shows it, also of a room that is
// open nowhere, and after a restart.
func TestLabels(t *testing.T) {
	srv := startServer(t)
	a, b := startNode(t, srv, "a", immortal), startNode(t, srv, "b", immortal)
	awaitPeers(t, a, "b")
	join(t, a, "open", "one", rooms.Since{})
	if err := a.SetLabel(within(t), "open", json.RawMessage(` {"title": "Open"}`)); err != nil {
		t.Fatal(err)
	}
	nc := outsider(t, srv)
	if got := setLabel(t, nc, "room.百=2E家.label", `"soon"`); got.Type != wire.TypeAck || got.Room != "百.家" {
		t.Errorf("a service is answered %+v", got)
	}
	inject(t, nc, "room.told.label", `[1]`)
	for _, eng := range []*rooms.Engine{a, b} {
		awaitLobby(t, eng, `open:1{"title":"Open"}`, "told:0[1]", `百.家:0"soon"`)
	}
	if got := string(b.Label("open")); got != `{"title":"Open"}` {
		t.Errorf("the label is %s", got)
	}
	if info, ok, err := b.Room(within(t), "百.家"); !ok || err != nil || string(info.Label) != `"soon"` {
		t.Errorf("found %+v, %t, %v", info, ok, err)
	} else if text, err := json.Marshal(info); err != nil || strings.Contains(string(text), "active") {
		t.Errorf("a room that is open nowhere is %s, %v", text, err)
	}
	page, err := b.Rooms(within(t), lobby.Query{Prefix: "told"}, 1<<20)
	if text, jsonErr := json.Marshal(page); err != nil || jsonErr != nil || !strings.Contains(string(text), "told") || strings.Contains(string(text), "active") {
		t.Errorf("a page of a room that is open nowhere is %s, %v, %v", text, err, jsonErr)
	}

	if got := setLabel(t, nc, "room.百=2E家.label", ``); got.Type != wire.TypeAck {
		t.Errorf("a service that removes a label is answered %+v", got)
	}
	if err := b.SetLabel(within(t), "open", json.RawMessage(`null`)); err != nil {
		t.Fatal(err)
	}
	for _, eng := range []*rooms.Engine{a, b} {
		awaitLobby(t, eng, "told:0[1]", "open:1")
	}
	c := startNode(t, srv, "c", immortal)
	awaitLobby(t, c, "told:0[1]", "open:1")
}

// setLabel is what `nats req` does.
func setLabel(t *testing.T, nc *nats.Conn, subject, label string) wire.Event {
	t.Helper()
	msg, err := nc.Request(subject, []byte(label), patience)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := wire.DecodeServer(msg.Data)
	if err != nil {
		t.Fatalf("%s: %v", msg.Data, err)
	}
	return ev
}

// TestRefusedLabels: each with its reason, and who did not ask is told on the
// rejected subject.
func TestRefusedLabels(t *testing.T) {
	eng, srv := start(t, func(c *rooms.Config) { c.Labels(2) })
	nc := outsider(t, srv)
	refused := func(subject, label string) wire.Code {
		t.Helper()
		ev := setLabel(t, nc, subject, label)
		if ev.Type != wire.TypeError {
			return ""
		}
		return decode[wire.ErrorInfo](t, ev.Payload).Code
	}
	for _, tc := range []struct {
		subject, label string
		want           wire.Code
	}{
		{"room.a.label", `1`, ""}, {"room.b.label", `1`, ""}, {"room.c.label", `1`, wire.Busy},
		{"room.b.label", `2`, ""}, // in the place of its own
		{"room.c.label", `{`, wire.BadPayload}, {"room.c.label", `"` + strings.Repeat("x", wire.MaxLabelBytes) + `"`, wire.BadPayload},
		{"room.=40u.label", `1`, wire.BadRoom}, {"room.=6A.label", `1`, wire.BadRoom},
	} {
		if got := refused(tc.subject, tc.label); got != tc.want {
			t.Errorf("%s %.40s is answered %q, want %q", tc.subject, tc.label, got, tc.want)
		}
	}
	if got := eng.Stats().LabelsRefused.Load(); got != 5 {
		t.Errorf("%d were counted as refused, want 5", got)
	}
	awaitLobby(t, eng, "a:01", "b:02")

	heard, err := nc.SubscribeSync("room.*.rejected")
	if err != nil {
		t.Fatal(err)
	}
	inject(t, nc, "room.c.label", `{`)
	msg, err := heard.NextMsg(patience)
	if err != nil || msg.Subject != "room.c.rejected" || string(msg.Data) != `{` || !strings.Contains(msg.Header.Get(rooms.HeaderReason), "one JSON value") {
		t.Errorf("rejected is %+v, %v", msg, err)
	}
	if err := eng.SetLabel(within(t), "@u", json.RawMessage(`1`)); wire.AsError(err).Code != wire.BadRoom {
		t.Errorf("an inbox's label: %v", err)
	}
}

// TestLabelsOfALostBucket: when somebody has deleted it, the next label that is
// set makes it anew.
func TestLabelsOfALostBucket(t *testing.T) {
	eng, srv := start(t, nil)
	if err := eng.SetLabel(within(t), "old", json.RawMessage(`1`)); err != nil {
		t.Fatal(err)
	}
	js, err := outsider(t, srv).JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteKeyValue(rooms.LabelBucket); err != nil {
		t.Fatal(err)
	}
	eventually(t, "labels can be set again", func() bool { return eng.SetLabel(within(t), "new", json.RawMessage(`2`)) == nil })
	awaitLobby(t, eng, "new:02")
}
