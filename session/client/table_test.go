package client_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// twice are rules that say twice what they are told.
type twice struct{ table.Defaults[int] }

func (twice) New() int                                { return 0 }
func (twice) Apply(n int, _ table.Event) (int, error) { return n + 1, nil }

func (twice) Decide(_ int, c table.Command) ([]table.Event, error) {
	events, err := table.Chat(c)
	if err != nil || c.Type != wire.TypeSendMessage {
		return nil, nil
	}
	return append(events, events...), nil
}

// What a table decides at once is one event for the client's position, over cut
// connections too, and is read one by one.
func TestBatches(t *testing.T) {
	s := newServer(t, rooms.Hosting{Rooms: "twice", Game: table.Of(twice{})})
	seen := newLog()
	s.dial("listener", client.Config{
		Room: "twice",
		OnEvent: func(ev wire.Event) {
			events, err := wire.EachOf(ev)
			if err != nil {
				t.Error(err)
			}
			for _, one := range events {
				if one.Type == wire.TypeNewMessage && (one.Seq == 0 || one.Seq != ev.Seq || one.Room != "twice") {
					t.Errorf("%+v of %+v", one, ev)
				}
				seen.event(one)
			}
		},
		OnRepeat: func(ev wire.Event) { t.Errorf("again: %+v", ev) },
		OnGap:    func(g client.Gap) { t.Errorf("gap %+v", g) },
	})
	talker := s.dial("talker", client.Config{Room: "twice"})
	var want []string
	for i := range 30 {
		if i%10 == 5 {
			s.manager.Load().CloseUserHere("listener", wire.CloseRestart)
		}
		text := fmt.Sprint(i)
		if ack, err := talker.Publish(t.Context(), "", wire.TypeSendMessage, wire.SendMessage{Message: text}); err != nil || ack.Seq == 0 {
			t.Fatalf("message %d: %+v, %v", i, ack, err)
		}
		want = append(want, text, text)
	}
	if got := seen.wait(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
