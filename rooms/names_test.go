package rooms_test

import (
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestNamesReachTheirOwnMembers has rooms whose names would mean something else
// in a subject.
func TestNamesReachTheirOwnMembers(t *testing.T) {
	eng, srv := start(t, nil)
	nc := outsider(t, srv)
	names := []wire.Room{"a", "a.b", "a.*", "a.>", "*", ">", "a b", "a%20b", "a=2Eb", "百家樂", "🎲", "100%", "A", "x.log", "@percy"}
	members := make([]*member, len(names))
	for i, name := range names {
		clean, err := wire.ParseRoom(string(name))
		if err != nil || clean != name {
			t.Fatalf("%q: %q, %v", name, clean, err)
		}
		members[i] = join(t, eng, name, string(name), rooms.Since{})
	}
	want := make([][]uint64, len(names))
	for i, name := range names {
		want[i] = publish(t, eng, name, i, i+1)
		if _, inbox := wire.InboxOwner(name); !inbox {
			inject(t, nc, wire.SignalSubject(name), `{"type":"signal","payload":`+string(note(i).Payload)+`}`)
		}
	}
	for i, name := range names {
		inject(t, nc, wire.EventSubject(name), `{"type":"note","payload":`+string(note(100+i).Payload)+`}`)
		events := members[i].awaitEvents(t, 2, "note")
		if string(events[0].Payload) != string(note(i).Payload) || string(events[1].Payload) != string(note(100+i).Payload) || len(events) != 2 {
			t.Errorf("%q got %v", name, events)
		}
		label := string(name)
		if name == "@percy" {
			label = "@me"
		}
		if got := members[i].joined(t, 0); got.RoomID != label || events[0].Room != label {
			t.Errorf("%q is shown as %q and %q", name, got.RoomID, events[0].Room)
		}
	}
	for i, name := range names {
		if _, inbox := wire.InboxOwner(name); inbox {
			continue
		}
		if got := members[i].awaitEvents(t, 1, wire.TypeSignal); len(got) != 1 || string(got[0].Payload) != `{"data":`+string(note(i).Payload)+`,"service":true}` {
			t.Errorf("%q got the signals %v", name, got)
		}
		page, err := eng.History(within(t), name, 0, 10)
		if err != nil || len(page.Events) != 2 || page.RoomID != string(name) {
			t.Errorf("%q has the history %v, %v", name, page, err)
		}
	}
	var listed []wire.Room
	for _, info := range eng.RoomsHere() {
		listed = append(listed, info.Name)
	}
	open := slices.Clone(names[:len(names)-1])
	slices.Sort(open)
	if !slices.Equal(listed, open) {
		t.Errorf("open are %q, want %q", listed, open)
	}
}
