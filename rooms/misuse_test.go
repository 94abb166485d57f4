package rooms_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// notRooms are names that a program can convert to a Room, and in which nobody
// can be.
var notRooms = []wire.Room{"", "@", "cafe\u0301", "a\tb", "\xff", wire.Room(strings.Repeat("x", 200)), wire.Room(strings.Repeat("x", 5000))}

// An event that would reach nobody is refused, and does not make the node
// unready.
func TestPublishToNoRoom(t *testing.T) {
	eng, _ := start(t, nil)
	body := func() wire.Body {
		body, err := wire.NewBody(note(1))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}()
	for _, room := range notRooms {
		if _, err := eng.Publish(within(t), room, body, rooms.PublishOptions{Author: wire.FromUser}); code(err) != wire.BadRoom {
			t.Errorf("a publish to %.20q was answered %v, want bad_room", room, err)
		}
		if err := publishedAsync(t, eng, room, body, wire.FromUnknown); code(err) != wire.BadRoom {
			t.Errorf("a publish to %.20q that does not wait was answered %v, want bad_room", room, err)
		}
		if err := eng.Signal(room, wire.Event{Type: wire.TypeSignal}, rooms.SignalOptions{}); code(err) != wire.BadRoom {
			t.Errorf("a signal to %.20q was answered %v, want bad_room", room, err)
		}
	}
	// Of a session's rooms only that they have a subject is looked at.
	for _, room := range []wire.Room{"", "@", wire.Room(strings.Repeat("x", 5000))} {
		if err := publishedAsync(t, eng, room, body, wire.FromUser); code(err) != wire.BadRoom {
			t.Errorf("a session's publish to %.20q was answered %v, want bad_room", room, err)
		}
	}
	if err := publishedAsync(t, eng, wire.Inbox("ann"), body, wire.FromUser); err != nil {
		t.Error("a publish to an inbox:", err)
	}
	if n := eng.Stats().Published.Load(); n != 1 {
		t.Errorf("%d events are stored, want the one to the inbox", n)
	}
	if err := eng.Ready(); err != nil {
		t.Error("the node is not ready:", err)
	}
}

func publishedAsync(t *testing.T, eng *rooms.Engine, room wire.Room, body wire.Body, author wire.Author) error {
	t.Helper()
	done := make(chan error, 1)
	eng.PublishAsync(room, body, rooms.PublishOptions{Author: author}, func(_ rooms.PubAck, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-within(t).Done():
		t.Fatal("done was not called")
		return nil
	}
}

func TestPublishWithoutDone(t *testing.T) {
	eng, _ := start(t, nil)
	m := join(t, eng, "x", "a", rooms.Since{})
	publishAsync(t, eng, "x", "", note(1), nil)
	m.awaitEvents(t, 1, "note")
	publishAsync(t, eng, "", "", note(2), nil)
}

// A signal that no member would get is refused.
func TestSignalThatNobodyGets(t *testing.T) {
	eng, srv := start(t, nil)
	for _, c := range []struct {
		room wire.Room
		ev   wire.Event
		want wire.Code
	}{
		{"x", wire.Event{}, wire.BadType},
		{"x", wire.Event{Type: "Bad Type"}, wire.BadType},
		{"x", wire.Event{Type: wire.TypeWelcome}, wire.BadType},
		{"x", wire.Event{Type: "typing", Payload: json.RawMessage(`{"a":`)}, wire.BadJSON},
		{"x", wire.Event{Type: "typing", Payload: json.RawMessage(`1 2`)}, wire.BadJSON},
		{"x", wire.Event{Type: "typing", Payload: json.RawMessage(`"` + strings.Repeat("x", int(outsider(t, srv).MaxPayload())) + `"`)}, wire.BadPayload},
		{wire.Inbox("ann"), wire.Event{Type: wire.TypeSignal}, wire.Forbidden},
	} {
		if err := eng.Signal(c.room, c.ev, rooms.SignalOptions{}); code(err) != c.want {
			t.Errorf("a signal of type %q to %s was answered %v, want %s", c.ev.Type, c.room, err, c.want)
		}
	}
	m := join(t, eng, "x", "a", rooms.Since{})
	if err := eng.Signal("x", wire.Event{Type: "typing", Payload: json.RawMessage(` {"on":true} `)}, rooms.SignalOptions{}); err != nil {
		t.Fatal(err)
	}
	m.awaitEvents(t, 1, "typing")
}

// Functions of a program that panic do not end the process.
func TestCallbacksThatPanic(t *testing.T) {
	eng, srv := start(t, func(c *rooms.Config) {
		c.Kicked = func(wire.Room, string) { panic("as callbacks do") }
		c.EndUser = func(context.Context, string, time.Duration) error { panic("as callbacks do") }
	})
	if _, err := eng.Remove(within(t), "x", "ann"); err != nil {
		t.Error(err)
	}
	answer, err := outsider(t, srv).RequestWithContext(within(t), "rooms.kick", []byte(`{"uid":"ann"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Header.Get(micro.ErrorCodeHeader); got != string(wire.Internal) {
		t.Errorf("rooms.kick was answered %q %s, want internal", got, answer.Data)
	}
	if n := eng.Stats().Panics.Load(); n != 2 {
		t.Errorf("%d panics are counted, want 2", n)
	}
}

// A program's function that found nothing has not failed.
func TestEndUserWithNilPointer(t *testing.T) {
	_, srv := start(t, func(c *rooms.Config) {
		c.EndUser = func(context.Context, string, time.Duration) error {
			var none *wire.Error
			return none
		}
	})
	answer, err := outsider(t, srv).RequestWithContext(within(t), "rooms.kick", []byte(`{"uid":"ann"}`))
	if err != nil || string(answer.Data) != `{"closed":0}` {
		t.Errorf("rooms.kick was answered %q %v, %v", answer.Data, answer.Header, err)
	}
}
