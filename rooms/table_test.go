package rooms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func baccaratTables(c *rooms.Config) {
	c.Tables = []rooms.Hosting{rooms.Host("baccarat-*", baccarat.New(baccarat.Config{BetTime: time.Hour}))}
}

// command has a table decide and waits for the answer.
func command(t testing.TB, eng *rooms.Engine, room wire.Room, id string, who table.User, typ, payload string) (uint64, error) {
	t.Helper()
	type answer struct {
		seq uint64
		err error
	}
	got := make(chan answer, 1)
	ev := wire.Event{Type: typ}
	if payload != "" {
		ev.Payload = json.RawMessage(payload)
	}
	eng.Command(room, ev, rooms.CommandOptions{ID: id, User: who}, func(d rooms.Decision, err error) { got <- answer{d.Seq, err} })
	select {
	case a := <-got:
		return a.seq, a.err
	case <-within(t).Done():
		t.Fatal("a command has no answer")
		return 0, nil
	}
}

// TestTable: what is decided is stored, acknowledged with its sequence, and told
// to the members in the room's log; a refusal changes nothing.
func TestTable(t *testing.T) {
	eng, _ := start(t, baccaratTables)
	m := join(t, eng, "baccarat-1", "m", rooms.Since{})
	ann := table.User{From: table.FromUser, UID: "ann", Name: "Ann"}
	if _, err := command(t, eng, "baccarat-1", "", table.User{UID: "ann"}, table.TypeJoined, ""); err != nil {
		t.Fatal(err)
	}
	seq, err := command(t, eng, "baccarat-1", "b-1", ann, "place_bet", `{"round":1,"on":"tie","amount":20}`)
	if err != nil {
		t.Fatal(err)
	}
	again, err := command(t, eng, "baccarat-1", "b-1", ann, "place_bet", `{"round":1,"on":"tie","amount":20}`)
	if err != nil || again != seq {
		t.Errorf("sent again it is answered %d %v, want %d", again, err, seq)
	}
	_, err = command(t, eng, "baccarat-1", "b-2", ann, "place_bet", `{"round":1,"on":"tie","amount":30}`)
	if err == nil || wire.AsError(err).Code != wire.Refused {
		t.Errorf("a wrong bet: %v", err)
	}
	m.awaitSeq(t, seq)
	var types []string
	for _, ev := range m.events() {
		if ev.Seq > 0 {
			types = append(types, ev.Type)
		}
		t.Log(ev.Type, ev.Seq, string(ev.Payload))
	}
	if want := []string{"batch", "bet_placed"}; !slices.Equal(types, want) {
		t.Errorf("the member was told %v, want %v", types, want)
	}
}

// TestTableHearsAll: a node that hears the whole log, as a single one does, tells
// members of a table what it decides, and keeps them.
func TestTableHearsAll(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { baccaratTables(c); c.HearAll = true })
	m := join(t, eng, "baccarat-1", "m", rooms.Since{})
	if _, err := command(t, eng, "baccarat-1", "", table.User{UID: "ann"}, table.TypeJoined, ""); err != nil {
		t.Fatal(err)
	}
	m.awaitTold(t, 1, "round_opened")
	if n := len(m.events(wire.TypeRoomJoined)); n != 1 {
		t.Errorf("the member had to join %d times", n)
	}
}

// stackOf is what a user has at a table by what room_joined says.
func stackOf(t *testing.T, eng *rooms.Engine, room wire.Room, uid string) int64 {
	t.Helper()
	m := newMember(uid)
	m.user = wire.User{UID: uid}
	if err := eng.Join(within(t), room, m, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	defer eng.Leave(room, m, rooms.LeaveClosed)
	var p struct {
		State struct{ Me struct{ Stack int64 } }
	}
	if err := json.Unmarshal(roomJoined(t, m).Payload, &p); err != nil {
		t.Fatal(err)
	}
	return p.State.Me.Stack
}

// roomJoined is what a member was told when it entered.
func roomJoined(t testing.TB, m *member) wire.Event {
	t.Helper()
	events := m.events(wire.TypeRoomJoined)
	if len(events) == 0 {
		t.Fatal("no room_joined")
	}
	return events[0]
}

// TestTakeover: when the node that decides is lost in the middle of many commands,
// another goes on. Each acknowledged one counts once, also when it was sent again.
func TestTakeover(t *testing.T) {
	srv := startServer(t)
	engines := map[string]*rooms.Engine{}
	for _, name := range []string{"a", "b", "c"} {
		engines[name] = startEngine(t, srv, func(c *rooms.Config) { baccaratTables(c); c.Node = name })
	}
	eventually(t, "they know of each other", func() bool {
		return len(engines["a"].Peers()) == 2 && len(engines["b"].Peers()) == 2 && len(engines["c"].Peers()) == 2
	})
	const room, bets = "baccarat-1", 300
	owner := engines["a"].OwnerOf(room)
	var other *rooms.Engine
	for name, eng := range engines {
		if name != owner {
			other = eng
		}
	}
	join(t, other, room, "watcher", rooms.Since{})
	eventually(t, "a round is open", func() bool {
		_, err := command(t, other, room, "", table.User{From: table.FromUser, UID: "probe"}, "place_bet", `{"round":1,"on":"tie","amount":20}`)
		return err == nil
	})
	for i := range bets {
		if i == bets/2 {
			engines[owner].Kill()
		}
		ann := table.User{From: table.FromUser, UID: fmt.Sprint("u-", i%10)}
		id, payload := fmt.Sprint("bet-", i), `{"round":1,"on":"player","amount":20}`
		var first uint64
		eventually(t, "it is acknowledged", func() bool {
			seq, err := command(t, other, room, id, ann, "place_bet", payload)
			if err != nil && wire.AsError(err).Code != wire.Unavailable {
				t.Fatalf("bet %d: %v", i, err)
			}
			first = seq
			return err == nil
		})
		if again, err := command(t, other, room, id, ann, "place_bet", payload); err != nil || again != first {
			t.Fatalf("bet %d was stored at %d, sent again it is answered %d, %v", i, first, again, err)
		}
	}
	for i := range 10 {
		if has, want := stackOf(t, other, room, fmt.Sprint("u-", i)), int64(10_000-20*bets/10); has != want {
			t.Errorf("u-%d has %d, want %d", i, has, want)
		}
	}
}

// told are the events of a type that a member got, also in batches.
func (m *member) told(typ string) (n int) {
	for _, ev := range m.events() {
		var batch struct{ Events []wire.BatchedEvent }
		if ev.Type == wire.TypeBatch && json.Unmarshal(ev.Payload, &batch) == nil {
			for _, one := range batch.Events {
				if one.Type == typ {
					n++
				}
			}
		} else if ev.Type == typ {
			n++
		}
	}
	return n
}

func (m *member) awaitTold(t *testing.T, n int, typ string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d of %s", n, typ), func() bool { return m.told(typ) >= n })
}

// TestInjectedCommands: what a service publishes while a table runs, and while
// nobody decides for it, is decided once, and told why not where it is refused.
func TestInjectedCommands(t *testing.T) {
	srv := startServer(t)
	live := func(c *rooms.Config) {
		c.Tables = []rooms.Hosting{rooms.Host("live-*", baccarat.New(baccarat.Config{Live: true, BetTime: time.Millisecond}))}
	}
	nc := outsider(t, srv)
	rejected, err := nc.SubscribeSync("room.live-1.rejected")
	if err != nil {
		t.Fatal(err)
	}
	say := func(body string) {
		if err := nc.Publish("room.live-1.event", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	eng := startEngine(t, srv, live)
	say(`{"type":"pause","id":"p","payload":{"reason":"before anybody came"}}`)
	say(`{"type":"resume","id":"r"}`)
	m := join(t, eng, "live-1", "m", rooms.Since{})
	m.awaitTold(t, 1, "betting_closed")
	for _, c := range []string{"9H", "2S", "KD"} {
		say(fmt.Sprintf(`{"type":"deal","payload":{"card":%q}}`, c))
	}
	m.awaitTold(t, 3, "card_dealt")
	say(`{"type":"deal","payload":{"card":"1X"}}`)
	msg, err := rejected.NextMsgWithContext(within(t))
	if err != nil || msg.Header.Get(rooms.HeaderReason) == "" {
		t.Fatal(err)
	}
	reply, err := nc.RequestWithContext(within(t), "room.live-1.command", []byte(`{"type":"deal","id":"last","payload":{"card":"3C"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if ev, err := wire.DecodeServer(reply.Data); err != nil || ev.Type != wire.TypeAck || ev.Seq == 0 || ev.ID != "last" {
		t.Errorf("answered %s", reply.Data)
	}
	m.awaitTold(t, 1, "round_settled")
	if n := m.told("card_dealt"); n != 4 {
		t.Errorf("%d cards were dealt", n)
	}
}
