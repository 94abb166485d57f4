//go:build unix

package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// call asks the service on NATS; its error is the service's own.
func call(t *testing.T, nc *nats.Conn, endpoint string, body, answer any) error {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := nc.Request(endpoint, text, reachWithin)
	if err != nil {
		t.Fatalf("%s: %v", endpoint, err)
	}
	if code := msg.Header.Get(micro.ErrorCodeHeader); code != "" {
		return wire.Errorf(wire.Code(code), "%s", msg.Header.Get(micro.ErrorHeader))
	}
	if err := json.Unmarshal(msg.Data, answer); err != nil {
		t.Fatalf("%s answers %s: %v", endpoint, msg.Data, err)
	}
	return nil
}

// instances asks as `nats micro info roomd` does, until so many have answered.
func instances(t *testing.T, nc *nats.Conn, n int) []micro.Info {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := nc.PublishRequest("$SRV.INFO.roomd", inbox, nil); err != nil {
		t.Fatal(err)
	}
	var all []micro.Info
	for range n {
		msg, err := sub.NextMsg(reachWithin)
		if err != nil {
			t.Fatalf("%d of %d nodes have answered: %v", len(all), n, err)
		}
		var info micro.Info
		if err := json.Unmarshal(msg.Data, &info); err != nil {
			t.Fatalf("%s: %v", msg.Data, err)
		}
		all = append(all, info)
	}
	return all
}

// The service as other programs see it, with the permissions of
// testdata/cluster.
func TestTheServiceOnNATS(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "百 家.樂"
	c := startNATS(t)
	nodes := startNodes(t, c, 3)
	anna, ben := record(t, nodes[0], "anna", room), record(t, nodes[1], "ben", room)
	(&crew{t: t, room: room, nodes: nodes}).right("two are in", time.Now(), reachWithin, "anna", "ben")
	node, _ := c.client("node", c.servers[0])
	operator, denied := c.client("operator", c.servers[2])

	for name, nc := range map[string]*nats.Conn{"node": node, "operator": operator} {
		ids := make(map[string]bool)
		for _, info := range instances(t, nc, len(nodes)) {
			var subjects []string
			for _, e := range info.Endpoints {
				subjects = append(subjects, e.Subject)
			}
			slices.Sort(subjects)
			if want := []string{"rooms.history", "rooms.kick", "rooms.list", "rooms.members", "rooms.publish"}; info.Name != "roomd" || !slices.Equal(subjects, want) {
				t.Errorf("%s sees %s with %q, want %q", name, info.Name, subjects, want)
			}
			ids[info.ID] = true
		}
		if len(ids) != len(nodes) {
			t.Errorf("%s sees %d instances, want %d", name, len(ids), len(nodes))
		}
	}

	log, err := operator.SubscribeSync("room.*.log")
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Flush(); err != nil {
		t.Fatal(err)
	}
	var stored struct {
		Seq       uint64
		Duplicate bool
	}
	for _, again := range []bool{false, true} {
		first := stored.Seq
		err := call(t, node, "rooms.publish", map[string]any{"room": room, "id": "round-1", "event": newMessage("via the service")}, &stored)
		if err != nil || stored.Seq == 0 || stored.Duplicate != again || again && stored.Seq != first {
			t.Fatalf("publish: %+v, %v", stored, err)
		}
	}
	anna.gets(t, wire.TypeNewMessage, `"via the service"`)
	ben.gets(t, wire.TypeNewMessage, `"via the service"`)
	if msg, err := log.NextMsg(reachWithin); err != nil || msg.Subject != wire.LogSubject(room) {
		t.Errorf("the operator hears %+v, %v", msg, err)
	}

	for name, nc := range map[string]*nats.Conn{"node": node, "operator": operator} {
		for range 2 * len(nodes) { // by whichever node
			readsRooms(t, name, nc, room, stored.Seq)
		}
		var nothing struct{}
		if err := call(t, nc, "rooms.members", map[string]any{"room": "\x00"}, &nothing); wire.AsError(err).Code != wire.BadRoom {
			t.Errorf("%s asks for the members of no room: %v", name, err)
		}
		for _, endpoint := range []string{"rooms.history", "rooms.members"} {
			if err := call(t, nc, endpoint, map[string]any{"room": "@anna"}, &nothing); wire.AsError(err).Code != wire.Forbidden {
				t.Errorf("%s asks with %s for an inbox: %v", name, endpoint, err)
			}
		}
	}

	// The operator reads; services and watchers do not even that.
	for _, subject := range []string{"rooms.kick", "rooms.publish", wire.EventSubject(room), "roomd.control"} {
		mustDeny(t, "the operator publishes "+subject, denied, func() error { return operator.Publish(subject, []byte("{}")) })
	}
	for _, user := range []string{"service", "watcher"} {
		nc, denied := c.client(user, c.servers[0])
		for _, subject := range []string{"rooms.list", "rooms.kick", "$SRV.INFO.roomd", "roomd.control"} {
			mustDeny(t, "the "+user+" publishes "+subject, denied, func() error { return nc.Publish(subject, []byte("{}")) })
		}
	}

	var done struct{ Removed, Closed int }
	if err := call(t, node, "rooms.kick", map[string]any{"room": room, "uid": "anna"}, &done); err != nil || done.Removed != 1 {
		t.Errorf("kick out of the room: %+v, %v", done, err)
	}
	anna.gets(t, wire.TypeRoomLeft, `"removed"`)
	if err := call(t, node, "rooms.kick", map[string]any{"uid": "ben"}, &done); err != nil || done.Closed != 1 {
		t.Errorf("kick: %+v, %v", done, err)
	}
	ben.ended(t, wire.CloseRemoved)
	if err := anna.Err(); err != nil {
		t.Errorf("anna was to leave the room only: %v", err)
	}
}

// readsRooms asks for all that may be read of a room with two members and one
// event.
func readsRooms(t *testing.T, who string, nc *nats.Conn, room string, seq uint64) {
	t.Helper()
	var list struct {
		Rooms []struct {
			Name            string
			Count, Sessions int
		}
	}
	if err := call(t, nc, "rooms.list", struct{}{}, &list); err != nil || fmt.Sprint(list.Rooms) != fmt.Sprintf("[{%s 2 2}]", room) {
		t.Errorf("%s lists %+v, %v", who, list.Rooms, err)
	}
	var members wire.OnlineUsers
	if err := call(t, nc, "rooms.members", map[string]any{"room": room}, &members); err != nil || members.Count != 2 || len(members.List) != 2 || members.List[0].UID != "anna" {
		t.Errorf("%s sees the members %+v, %v", who, members, err)
	}
	var history wire.History
	err := call(t, nc, "rooms.history", map[string]any{"room": room}, &history)
	if err != nil || len(history.Events) != 1 || !strings.Contains(string(history.Events[0]), fmt.Sprintf(`"seq":%d`, seq)) {
		t.Errorf("%s sees the history %s, %v", who, history.Events, err)
	}
}
