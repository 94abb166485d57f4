package rooms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// withOldNode is an engine a beside a node of version 0, whose user two is in
// room x with user one of a.
func withOldNode(t *testing.T, change func(*rooms.Config)) (a *rooms.Engine, old *oldNode, one *member) {
	t.Helper()
	srv := startServer(t)
	a = startNode(t, srv, "a", func(c *rooms.Config) {
		c.Heartbeats(time.Second) // a busy machine must not make the old node late
		if change != nil {
			change(c)
		}
	})
	old = startOldNode(t, srv, "old")
	old.beat(oldStart)
	awaitPeers(t, a, "old")
	one = join(t, a, "x", "one", rooms.Since{})
	old.send("room.x.presence", `{"diff":{"node":"old","incarnation":%d,"version":1,"joined":[{"uid":"u-two","username":"two","avatar_id":""}]}}`, oldStart+10)
	awaitPresent(t, a, "x", "one,two")
	old.knows("a", "one")
	return a, old, one
}

// oldStart is when the old node started, in unix nanoseconds.
const oldStart = 1795279338577451110

// TestVersion0Presence: each shows the other's members, through holes, asks and
// beats.
func TestVersion0Presence(t *testing.T) {
	a, old, one := withOldNode(t, nil)
	old.answers(fmt.Sprintf(`{"diff":{"node":"old","incarnation":%d,"version":3,"full":true,"joined":[{"uid":"u-four","username":"four","avatar_id":"7"}]}}`, oldStart+10))
	old.send("room.x.presence", `{"diff":{"node":"old","incarnation":%d,"version":3,"left":["u-three"]}}`, oldStart+10)
	awaitPresent(t, a, "x", "four,one")

	old.answers(fmt.Sprintf(`{"diff":{"node":"old","incarnation":%d,"version":4,"full":true}}`, oldStart+10))
	eventually(t, "a beat tells that a change was lost", func() bool { // a asks once per interval
		old.send("room.x.presence", `{"beat":{"node":"old","incarnation":%d,"version":4}}`, oldStart+10)
		return present(t, a, "x") == "one"
	})

	five := join(t, a, "x", "five", rooms.Since{})
	old.knows("a", "five,one")
	a.Leave("x", one, rooms.LeaveClosed)
	old.knows("a", "five")
	old.forgets("a")
	old.send("room.x.presence", `{"ask":"old"}`)
	old.knows("a", "five")
	old.forgets("a")
	old.send("roomd.to.a.x", `{"ask":"old"}`)
	old.knows("a", "five")
	old.forgets("a")
	join(t, a, "x", "six", rooms.Since{}) // a hole, for who has forgotten
	old.knows("a", "five,six")
	if five.closed != 0 {
		t.Errorf("closed with %d", five.closed)
	}
}

// TestVersion0RoomMadeAnew: version 0 takes a room's new incarnation for newer,
// whether the room was unloaded or has failed.
func TestVersion0RoomMadeAnew(t *testing.T) {
	a, old, one := withOldNode(t, func(c *rooms.Config) { c.IdleAfter = 100 * time.Millisecond })
	one.mu.Lock()
	one.panics = 1
	one.mu.Unlock()
	publish(t, a, "x", 0, 1)
	old.knows("a", "")
	two := join(t, a, "x", "again", rooms.Since{})
	old.knows("a", "again")
	a.Leave("x", two, rooms.LeaveClosed)
	old.knows("a", "")
	eventually(t, "the room is unloaded", func() bool { _, open := a.RoomHere("x"); return !open })
	join(t, a, "x", "third", rooms.Since{})
	old.knows("a", "third")
}

// TestVersion0Restarts, as itself and as what is released today.
func TestVersion0Restarts(t *testing.T) {
	srv := startServer(t)
	a := startNode(t, srv, "a", rarely)
	old := startOldNode(t, srv, "b")
	join(t, a, "x", "one", rooms.Since{})
	old.beat(oldStart)
	old.send("room.x.presence", `{"diff":{"node":"b","incarnation":%d,"version":1,"joined":[{"uid":"u-two","username":"two","avatar_id":""}]}}`, oldStart+10)
	awaitPresent(t, a, "x", "one,two")
	old.beat(oldStart + 1000)
	awaitPresent(t, a, "x", "one") // when the grace is over
	old.send("room.x.presence", `{"diff":{"node":"b","incarnation":%d,"version":1,"joined":[{"uid":"u-three","username":"three","avatar_id":""}]}}`, oldStart+1010)
	awaitPresent(t, a, "x", "one,three")

	old.dies()
	b := startNode(t, srv, "b", func(c *rooms.Config) { rarely(c); clockBehind(c) })
	join(t, b, "x", "four", rooms.Since{})
	awaitPresent(t, a, "x", "four,one")
	old.send("room.x.presence", `{"diff":{"node":"b","incarnation":%d,"version":2,"joined":[{"uid":"u-late","username":"late","avatar_id":""}]}}`, oldStart+1010)
	join(t, a, "x", "five", rooms.Since{})
	awaitPresent(t, b, "x", "five,four,one")
	awaitPresent(t, a, "x", "five,four,one")
}

// TestVersion0Control: commands and answers go both ways.
func TestVersion0Control(t *testing.T) {
	a, old, _ := withOldNode(t, nil)
	all, err := a.Rooms(within(t), lobby.Query{}, rooms.MaxRoomsBytes)
	list := all.Rooms
	if err != nil || len(list) != 1 || list[0].Sessions != 2 || list[0].Users != 2 {
		t.Errorf("listed %+v, %v", list, err)
	}
	for command, want := range map[string]string{
		`{"op":"rooms"}`: `"name":"x"`, `{"op":"room","room":"x"}`: `"name":"x"`,
		`{"op":"remove","room":"x","uid":"u-one"}`: `"count":1`,
		`{"op":"close","uid":"u-one","code":4503}`: `"node":"a"`,
	} {
		if got := ask(t, old, "roomd.control", command); !strings.Contains(got, want) || !strings.Contains(got, `"node":"a"`) || strings.Contains(got, "error") {
			t.Errorf("%s is answered with %s", command, got)
		}
	}
	if n, err := a.Remove(within(t), "x", "u-two"); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
}

// ask sends a request as another node and returns the answer of node a.
func ask(t *testing.T, from *oldNode, subject, body string) string {
	t.Helper()
	inbox := from.nc.NewInbox()
	sub, err := from.nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := from.nc.PublishRequest(subject, inbox, []byte(body)); err != nil {
		t.Fatal(err)
	}
	for {
		msg, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatalf("%s on %s is not answered: %v", body, subject, err)
		}
		if strings.Contains(string(msg.Data), `"node":"a"`) {
			return string(msg.Data)
		}
	}
}

// TestVersionUnknownRequests: what a node does not know it says so at once, and
// which node it is.
func TestVersionUnknownRequests(t *testing.T) {
	_, old, _ := withOldNode(t, nil)
	for _, c := range []struct {
		subject, body string
		code          wire.Code
	}{
		{"roomd.control", `{"v":9,"op":"dance","with":{"whom":1}}`, wire.UnknownType},
		{"roomd.control", `{"op":"dance"}`, wire.UnknownType},
		{"roomd.control", `{}`, wire.UnknownType},
		{"roomd.control", `dance`, wire.BadJSON},
		{"room.x.presence", `{"v":9,"dance":{}}`, wire.UnknownType},
		{"roomd.to.a.x", `{"v":9,"dance":{}}`, wire.UnknownType},
		{"roomd.to.a.x", `dance`, wire.BadJSON},
		{"roomd.to.a.nowhere", `{"v":9,"dance":{}}`, wire.NotFound},
	} {
		var got struct {
			V     int
			Node  string
			Error struct {
				Code    wire.Code
				Message string
			}
		}
		body := ask(t, old, c.subject, c.body)
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.V != 3 || got.Node != "a" || got.Error.Code != c.code || got.Error.Message == "" {
			t.Errorf("%s on %s is answered with %s", c.body, c.subject, body)
		}
	}
}

// TestVersionRefusedCommand: a node that refuses has answered. Who asked learns
// which one, and what the others did.
func TestVersionRefusedCommand(t *testing.T) {
	srv := startServer(t)
	a := startNode(t, srv, "a", func(c *rooms.Config) { c.Heartbeats(time.Hour) })
	join(t, a, "x", "one", rooms.Since{})
	nc := outsider(t, srv)
	sub, err := nc.SubscribeSync("roomd.control")
	if err != nil {
		t.Fatal(err)
	}
	inject(t, nc, "roomd.node", `{"v":9,"node":"z","boot":"00000000000000aa","started":1,"hello":false,"mood":"good"}`)
	awaitPeers(t, a, "z")
	answered := make(chan error, 1)
	go func() {
		msg, err := sub.NextMsg(patience)
		if err == nil {
			err = msg.Respond([]byte(`{"v":9,"node":"z","error":{"code":"unknown_type","message":"no such command","more":1}}`))
		}
		answered <- err
	}()
	n, err := a.Remove(within(t), "x", "u-one")
	if e := (*wire.Error)(nil); n != 1 || !errors.As(err, &e) || e.Code != wire.UnknownType || !strings.Contains(e.Message, "node z: no such command") {
		t.Errorf("removed %d, %v", n, err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestVersionsToCome: what a later version adds does not hide what there is.
func TestVersionsToCome(t *testing.T) {
	srv := startServer(t)
	a := startNode(t, srv, "a", func(c *rooms.Config) { c.Heartbeats(time.Hour) })
	join(t, a, "x", "one", rooms.Since{})
	nc := outsider(t, srv)
	inject(t, nc, "roomd.node", `{"v":9,"node":"z","boot":"00000000000000aa","started":"soon","hello":false}`) // a meaning that changed: not taken
	inject(t, nc, "roomd.node", `{"v":9,"node":"z","boot":"00000000000000aa","mood":"good"}`)
	awaitPeers(t, a, "z")
	inject(t, nc, "room.x.presence", `{"v":9,"dance":{"node":"z"}}`)
	inject(t, nc, "room.x.presence", `{"v":9,"diff":{"node":"z","boot":"00000000000000aa","incarnation":1,"version":1,"joined":[{"uid":"u-two","username":"two","avatar_id":"","mood":3}],"mood":{}},"dance":{}}`)
	awaitPresent(t, a, "x", "one,two")
}
