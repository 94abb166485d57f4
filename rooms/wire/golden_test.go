package wire

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func serverEvents() []Event {
	users := []User{{UID: "u-1", Username: "Percy", AvatarID: "3"}, {UID: "guest-9", Username: "百家樂 🎲"}}
	message := Message{
		Message: `hi <b> & "you"`, From: "percy", Sent: "2023-12-04T01:35:59.83419+08:00", Time: 1701624959834,
		UID: "u-1", Username: "Percy", AvatarID: "3", ImageURL: "https://example.com/a.png", RoomID: "general",
	}
	private := Message{Message: "psst", From: "percy", Sent: "2023-12-03T17:35:59Z", Time: 1701624959000, UID: "u-1", Username: "Percy", ToUID: "u-2"}
	logged := AppendEvent(nil, Event{Type: TypeNewMessage, Room: "general", Seq: 41, At: 1701624959835, Payload: []byte(`{"message":"older"}`)})
	return []Event{
		{Type: TypeWelcome, Payload: MarshalPayload(Welcome{ClientID: "c1", UID: "u-1", Username: "Percy", AvatarID: "3", Node: "n1", HeartbeatS: 25, Now: 1701624959834})},
		{Type: TypeWelcome, Payload: MarshalPayload(Welcome{ClientID: "c1", UID: "u-1", Username: "Percy", AvatarID: "3", Node: "n1", HeartbeatS: 25, Now: 1701624959834, ExpiresIn: 3600})},
		{Type: TypeRoomJoined, ID: "c-1", Room: "general", Payload: MarshalPayload(RoomJoined{RoomID: "general", Epoch: "e1", Seq: 40, Recovered: true, Replayed: 2, Count: 2, List: users})},
		{Type: TypeRoomJoined, Room: InboxAlias, Payload: MarshalPayload(RoomJoined{RoomID: InboxAlias, Epoch: "e1"})},
		{Type: TypeRoomLeft, Room: "general", Payload: MarshalPayload(RoomLeft{RoomID: "general", Reason: "removed by an operator"})},
		{Type: TypeNewMessage, Room: "general", Seq: 42, At: 1701624959835, Payload: MarshalPayload(message)},
		{Type: TypePrivateMessage, Room: InboxAlias, Seq: 43, At: 1701624959835, Payload: MarshalPayload(private)},
		{Type: TypePresence, Room: "general", Payload: MarshalPayload(PresenceChange{RoomID: "general", Joined: users[:1], Left: users[1:], Count: 1})},
		{Type: TypePresence, Room: "general", Payload: MarshalPayload(PresenceChange{RoomID: "general", Count: 2001, More: true})},
		{Type: TypeOnlineUsers, ID: "c-2", Room: "general", Payload: MarshalPayload(OnlineUsers{RoomID: "general", Count: 2, List: users, Next: "guest-9"})},
		{Type: TypeOnlineUsers, ID: "c-2", Room: "general", Payload: MarshalPayload(OnlineUsers{RoomID: "general"})},
		{Type: TypeHistory, ID: "c-3", Room: "general", Payload: MarshalPayload(History{RoomID: "general", Events: []json.RawMessage{logged}, More: true})},
		{Type: TypeHistory, ID: "c-3", Room: "general", Payload: MarshalPayload(History{RoomID: "general"})},
		{Type: TypeRooms, ID: "c-6", Payload: MarshalPayload(Rooms{List: []ListedRoom{{Name: "general", Count: 3, At: 1701624959834}, {Name: "百家樂", Label: json.RawMessage(`{"stakes":[1,100]}`)}}, Next: "百家樂"})},
		{Type: TypeRooms, ID: "c-6", Payload: MarshalPayload(Rooms{})},
		{Type: TypeSignal, Room: "general", Payload: []byte(`{"typing":true,"uid":"u-1","from":"percy"}`)},
		{Type: TypeAck, ID: "c-4", Room: "general", Seq: 44, Payload: MarshalPayload(Ack{Duplicate: true})},
		{Type: TypeError, ID: "c-5", Payload: MarshalPayload(ErrorInfo{Code: Busy, Message: "the room is busy; try again", Retryable: Busy.Retryable()})},
		{Type: TypeReconnect, Payload: MarshalPayload(Reconnect{AfterMS: 1500})},
		{Type: TypeHeartbeat},
		{Type: "round_result", Room: "百家樂", Seq: 1<<53 + 1, At: 1701624959835, Payload: []byte(`{"winner":"banker"}`)},
	}
}

func TestServerEvents(t *testing.T) {
	var b strings.Builder
	for _, ev := range serverEvents() {
		frame := EventFrame(ev)
		if Reserved(ev.Type) != (knownTypes[ev.Type] != "" && ev.Type != TypeNewMessage && ev.Type != TypePrivateMessage) {
			t.Errorf("%s: Reserved is %v", ev.Type, Reserved(ev.Type))
		}
		fmt.Fprintf(&b, "%s\n%s\n", AppendEvent(nil, ev), hex.Dump(frame))
		got, err := DecodeServer(AppendEvent(nil, ev))
		if err != nil || !same(got, ev) {
			t.Errorf("%s came back as %+v, %v", ev.Type, got, err)
		}
	}
	golden(t, "events.golden", b.String())
}

func TestListsAreNeverNull(t *testing.T) {
	for _, ev := range serverEvents() {
		if strings.Contains(string(ev.Payload), "null") {
			t.Errorf("%s: %s", ev.Type, ev.Payload)
		}
	}
}

// A page of history holds events of the greatest depth and stays readable.
func TestHistoryOfDeepEventsCanBeRead(t *testing.T) {
	page := MarshalPayload(History{RoomID: "a", Events: []json.RawMessage{json.RawMessage(nested(MaxDepth))}})
	var ev struct{ Payload History }
	if err := json.Unmarshal(AppendEvent(nil, Event{Type: TypeHistory, Payload: page}), &ev); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeServer(ev.Payload.Events[0]); err != nil {
		t.Error(err)
	}
}
