package client_test

import (
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// frail are rules that break when they are told to.
type frail struct{ table.Defaults[int] }

func (frail) New() int                                { return 0 }
func (frail) Apply(n int, _ table.Event) (int, error) { return n + 1, nil }

func (frail) Decide(_ int, c table.Command) ([]table.Event, error) {
	said, err := table.Read[wire.SendMessage](c)
	if err != nil || c.Type != wire.TypeSendMessage {
		return nil, nil
	}
	if said.Message == "break" {
		panic("told to")
	}
	return table.Chat(c)
}

// A table that has stopped costs a client that comes back neither its connection
// nor its other rooms, and it is back at the table when that goes on.
func TestStoppedTableLeavesTheOtherRooms(t *testing.T) {
	s := newServer(t, rooms.Hosting{Rooms: "frail", Game: table.Of(frail{})})
	seen, errs := newLog(), make(chan wire.Code, 4)
	var connected atomic.Int64
	listener := s.dial("listener", client.Config{
		Room: "frail",
		OnStatus: func(st client.Status) {
			if st.State == client.Connected {
				connected.Add(1)
			}
		},
		OnEvent: func(ev wire.Event) {
			var info wire.ErrorInfo
			if ev.Type == wire.TypeError && json.Unmarshal(ev.Payload, &info) == nil {
				select {
				case errs <- info.Code:
				default: // there are enough
				}
			}
			seen.event(ev)
		},
	})
	if _, err := listener.Join(t.Context(), "general", client.JoinOptions{}); err != nil {
		t.Fatal(err)
	}
	talker := s.dial("talker", client.Config{Room: "frail"})
	say := func(c *client.Client, room wire.Room, text string) error {
		_, err := c.Publish(t.Context(), room, wire.TypeSendMessage, wire.SendMessage{Message: text})
		return err
	}
	var refused *wire.Error
	if err := say(talker, "frail", "break"); !errors.As(err, &refused) || refused.Code != wire.Internal {
		t.Fatalf("Publish: %v", err)
	}
	s.manager.Load().CloseUserHere("listener", wire.CloseRestart)
	for range 4 { // the handshake's, and that of each further try
		if code := <-errs; code != wire.Internal {
			t.Errorf("the table is answered with %s", code)
		}
	}
	waiting := make(chan error, 1)
	go func() { waiting <- say(listener, "", "at the table") }()
	if _, err := listener.Join(t.Context(), "lobby", client.JoinOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := say(listener, "general", text); err != nil {
			t.Fatal(err)
		}
	}
	seen.wait(t, 2)
	late := s.dial("late", client.Config{Room: "frail"}) // has no position
	if err := s.eng.ResumeTable(t.Context(), "frail"); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("what waited for the table: %v", err)
	}
	if got := seen.waitFor(t, "at the table"); !slices.Equal(got, []string{"one", "two", "at the table"}) {
		t.Errorf("heard %q", got)
	}
	if err := say(late, "", "late"); err != nil {
		t.Error(err)
	}
	if n := connected.Load(); n != 2 {
		t.Errorf("it connected %d times, want 2", n)
	}
	// The server's current room was another one meanwhile.
	if ack, err := listener.Send(t.Context(), wire.Event{Type: wire.TypeSendMessage, Payload: []byte(`{"message":"current"}`)}); err != nil || ack.Room != "frail" {
		t.Errorf("Send = %+v, %v", ack, err)
	}
}
