//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// reachWithin bounds what has no limit of its own.
const reachWithin = time.Minute

// recorder is a member whose every event is kept.
type recorder struct {
	*listener

	mu     sync.Mutex
	events []wire.Event
}

func record(t *testing.T, x *node, uid, room string) *recorder {
	t.Helper()
	r := &recorder{}
	r.listener = join(t, x, uid, room, func(cfg *client.Config) {
		cfg.OnEvent = func(ev wire.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, ev)
		}
	})
	return r
}

// told is what came from the server, for people; the lock is held.
func (r *recorder) told() string {
	var b strings.Builder
	for _, ev := range r.events {
		fmt.Fprintf(&b, "\n  %s %s", ev.Type, ev.Payload)
	}
	return b.String()
}

// gets waits for the event whose payload contains a text, and wants it once.
func (r *recorder) gets(t *testing.T, typ, text string) wire.Event {
	t.Helper()
	var found []wire.Event
	eventually(t, fmt.Sprintf("%s gets %s %q", r.Welcome().UID, typ, text), reachWithin, func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		found = found[:0]
		for _, ev := range r.events {
			if ev.Type == typ && strings.Contains(string(ev.Payload), text) {
				found = append(found, ev)
			}
		}
		if len(found) == 0 {
			return fmt.Errorf("it did not come; what did: %s", r.told())
		}
		return nil
	})
	if len(found) != 1 {
		t.Errorf("%s gets %s %q %d times", r.Welcome().UID, typ, text, len(found))
	}
	return found[0]
}

// ended waits until the server has ended the client for good.
func (r *recorder) ended(t *testing.T, code wire.CloseCode) {
	t.Helper()
	select {
	case <-r.Done():
	case <-time.After(reachWithin):
		t.Fatalf("%s is still there", r.Welcome().UID)
	}
	var closed *client.ClosedError
	if err := r.Err(); !errors.As(err, &closed) || closed.Code != code {
		t.Errorf("%s ended with %v, want the close code %d", r.Welcome().UID, err, code)
	}
}

// Private messages, removals and the HTTP API work at a node where nobody of
// those concerned is.
func TestAnyNodeReachesEveryUser(t *testing.T) {
	faults(t, 0, 0)
	beside(t)
	const room = "百 家.樂"
	nodes := startNodes(t, startNATS(t), 3)
	far := nodes[2] // nobody is in the room there
	c := &crew{t: t, room: room, nodes: nodes, watchers: []*roster{watch(t, nodes[1], "dora", room)}}
	anna, ben := record(t, nodes[0], "anna", room), record(t, nodes[1], "ben", room)
	annaToo := record(t, nodes[1], "anna", room)
	carl := record(t, nodes[0], "carl", "elsewhere")
	c.right("three users in four sessions", time.Now(), reachWithin, "anna", "ben", "dora")

	t.Run("private messages", func(t *testing.T) {
		if _, err := anna.Publish(t.Context(), "", wire.TypePrivateMessage, wire.SendMessage{ToUID: "ben", Message: "psst"}); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*recorder{ben, anna, annaToo} {
			ev := r.gets(t, wire.TypePrivateMessage, `"psst"`)
			var m wire.Message
			if err := json.Unmarshal(ev.Payload, &m); err != nil || m.UID != "anna" || m.ToUID != "ben" {
				t.Errorf("%s got %s, %v", r.Welcome().UID, ev.Payload, err)
			}
		}
		if err := far.ask(t.Context(), http.MethodPost, userPath("ben")+"/events", newMessage("from a service"), &struct{}{}); err != nil {
			t.Fatal(err)
		}
		ben.gets(t, wire.TypeNewMessage, `"from a service"`)
		carl.mu.Lock()
		defer carl.mu.Unlock()
		for _, ev := range carl.events {
			if strings.Contains(string(ev.Payload), "psst") {
				t.Errorf("carl overhears %s", ev.Payload)
			}
		}
	})

	t.Run("what is there", func(t *testing.T) {
		for _, x := range nodes {
			if err := post(t.Context(), x, room, "posted at "+x.name); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range nodes {
			asksOfRoom(t, x, room, len(nodes))
		}
	})

	t.Run("a member is removed", func(t *testing.T) {
		var answer struct{ Removed int }
		if err := far.ask(t.Context(), http.MethodDelete, roomPath(room)+"/members/anna", nil, &answer); err != nil || answer.Removed != 2 {
			t.Fatalf("removed %d, %v; want both sessions", answer.Removed, err)
		}
		for _, r := range []*recorder{anna, annaToo} {
			var left wire.RoomLeft
			if ev := r.gets(t, wire.TypeRoomLeft, room); json.Unmarshal(ev.Payload, &left) != nil || left.Reason != "removed" {
				t.Errorf("it was told %s", ev.Payload)
			}
		}
		c.right("a member was removed", time.Now(), rightWithin, "ben", "dora")
		if _, err := anna.Publish(t.Context(), room, wire.TypeSendMessage, wire.SendMessage{Message: "still here?"}); wire.AsError(err).Code != wire.NotMember {
			t.Errorf("who was removed publishes: %v", err)
		}
		if _, err := anna.Join(t.Context(), room, client.JoinOptions{}); err != nil {
			t.Errorf("the connection should have stayed: %v", err)
		}
	})

	t.Run("a user is removed", func(t *testing.T) {
		var answer struct{ Closed int }
		if err := far.ask(t.Context(), http.MethodDelete, userPath("anna")+"/sessions", nil, &answer); err != nil || answer.Closed != 2 {
			t.Fatalf("closed %d, %v; want both sessions", answer.Closed, err)
		}
		anna.ended(t, wire.CloseRemoved)
		annaToo.ended(t, wire.CloseRemoved)
		c.right("a user was removed", time.Now(), rightWithin, "ben", "dora")
		if err := far.ask(t.Context(), http.MethodDelete, userPath("anna")+"/sessions", nil, &answer); err != nil || answer.Closed != 0 {
			t.Errorf("of a user who is away: closed %d, %v", answer.Closed, err)
		}
		if ben.Err() != nil || carl.Err() != nil {
			t.Errorf("others ended too: %v, %v", ben.Err(), carl.Err())
		}
	})
}

// asksOfRoom reads all that the API knows of a room with three users in four
// sessions, at one node.
func asksOfRoom(t *testing.T, x *node, room string, events int) {
	t.Helper()
	type info struct {
		Name            string
		Count, Sessions int
		Seq             uint64
	}
	var one info
	if err := x.ask(t.Context(), http.MethodGet, roomPath(room), nil, &one); err != nil || one.Name != room || one.Count != 3 || one.Sessions != 4 || one.Seq == 0 {
		t.Errorf("%s knows of the room: %+v, %v", x.name, one, err)
	}
	var all struct{ Rooms []info }
	err := x.ask(t.Context(), http.MethodGet, "/api/rooms", nil, &all)
	var names []string
	for _, r := range all.Rooms {
		names = append(names, r.Name)
		if r.Name == room && r != one {
			t.Errorf("%s lists %+v, and shows %+v", x.name, r, one)
		}
	}
	if want := []string{"elsewhere", room}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%s lists the rooms %q, %v; want %q", x.name, names, err, want)
	}
	if got, err := x.present(t.Context(), room); err != nil || !slices.Equal(got, []string{"anna", "ben", "dora"}) {
		t.Errorf("%s lists the members %q, %v", x.name, got, err)
	}
	var page struct {
		Events []struct{ Payload wire.Message }
		More   bool
	}
	err = x.ask(t.Context(), http.MethodGet, roomPath(room)+"/events", nil, &page)
	var texts []string
	for _, ev := range page.Events {
		texts = append(texts, ev.Payload.Message)
	}
	if want := []string{"posted at n1", "posted at n2", "posted at n3"}; err != nil || page.More || !slices.Equal(texts, want) {
		t.Errorf("%s has the events %q, %v; want %q", x.name, texts, err, want)
	}
}
