package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// TestAppendedPayloads: what is written by hand is what encoding/json writes of
// the same fields.
func TestAppendedPayloads(t *testing.T) {
	odd := []string{"", "Percy", `"\/<>&'`, "\x00\x1f\x7f", "百家樂 🎲", "\xff\xc0", "\u2028\u2029", "a\xed\xa0\x80b"}
	var users []User
	for _, a := range odd {
		for _, b := range odd {
			users = append(users, User{UID: a, Username: b, AvatarID: a + b})
		}
	}
	for _, s := range odd {
		for _, n := range []int{0, 1, len(users)} {
			list := users[:n]
			for _, p := range []any{
				Ack{}, Ack{Duplicate: true},
				Welcome{ClientID: s, UID: s + "1", Username: s + "2", AvatarID: s + "3", Node: s + "4", HeartbeatS: -25},
				Welcome{ClientID: s, Now: 1 << 62, ExpiresIn: 1 << 62},
				RoomJoined{RoomID: s, Epoch: s + "1", Seq: 1<<64 - 1, Recovered: true, Replayed: 7, Count: -1, List: list},
				RoomJoined{RoomID: s},
				PresenceChange{RoomID: s, Count: n}, PresenceChange{RoomID: s, Joined: list, Count: n}, PresenceChange{RoomID: s, Left: list}, PresenceChange{RoomID: s, Count: n, More: true},
				OnlineUsers{RoomID: s, Count: n, List: list, Next: s}, OnlineUsers{},
				History{RoomID: s, Events: []json.RawMessage{[]byte(`{"type":"a"}`), []byte(`{"type":"b","payload":[1]}`)}[:min(n, 2)], More: n > 0}, History{},
				Rooms{List: []ListedRoom{{Name: s, Count: 1 << 40, At: -1}, {Name: s + "1", Label: json.RawMessage(`{"a":[1,null]}`)}}[:min(n, 2)], Next: s}, Rooms{}, Rooms{Tables: []string{s}}, Rooms{Next: s, Tables: []string{s, "vip-1"}},
			} {
				got := MarshalPayload(p)
				if !json.Valid(got) {
					t.Fatalf("%#v became %s", p, got)
				}
				ev := Event{Type: "x", ID: s, Room: s, Seq: uint64(n)}
				framed := PayloadFrame(ev, p)
				if ev.Payload = got; !bytes.Equal(framed, EventFrame(ev)) {
					t.Errorf("%T: the frame is %q, want %q", p, framed, EventFrame(ev))
				}
				if want := slowJSON(t, p); !reflect.DeepEqual(decoded(t, got), decoded(t, want)) {
					t.Errorf("%T:\ngot  %s\nwant %s", p, got, want)
				}
			}
			joined := RoomJoined{RoomID: s, List: list}
			encoded := RoomJoined{RoomID: s, EncodedList: EncodeUsers(list)}
			if a, b := string(MarshalPayload(joined)), string(MarshalPayload(encoded)); a != b {
				t.Errorf("with its list encoded before: %s, want %s", b, a)
			}
		}
	}
}

// slowJSON is p by encoding/json, without the methods of its type and with
// lists that are lists.
func slowJSON(t *testing.T, p any) []byte {
	t.Helper()
	switch v := p.(type) {
	case RoomJoined:
		type plain RoomJoined
		v.List = append([]User{}, v.List...)
		p = plain(v)
	case OnlineUsers:
		type plain OnlineUsers
		v.List = append([]User{}, v.List...)
		p = plain(v)
	case Rooms:
		type plain Rooms
		v.List = append([]ListedRoom{}, v.List...)
		p = plain(v)
	case History:
		type plain History
		v.Events = append([]json.RawMessage{}, v.Events...)
		p = plain(v)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decoded(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := decodeExact(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAppendedPayloadsFit: what is allocated for a payload is enough for it.
func TestAppendedPayloadsFit(t *testing.T) {
	users := []User{{UID: "u-1", Username: "Percy", AvatarID: "3"}, {UID: "u-2", Username: "百家樂"}}
	events := []json.RawMessage{[]byte(`{"type":"a"}`), []byte(`{"type":"b"}`)}
	for _, p := range []appender{
		Ack{}, Ack{Duplicate: true}, Welcome{"c", "u", "n", "a", "n1", 25, 1 << 62, 1 << 62},
		RoomJoined{RoomID: "general", Epoch: "e1", Seq: 1<<64 - 1, Recovered: true, Replayed: 500, Count: 2, List: users},
		RoomJoined{RoomID: "general", Epoch: "e1", EncodedList: EncodeUsers(users)}, RoomJoined{},
		PresenceChange{"general", users, users, 4, true}, PresenceChange{}, OnlineUsers{"general", 2, users, "u-2"}, OnlineUsers{},
		History{"general", events, true}, History{},
		Rooms{[]ListedRoom{{"general", 1 << 40, 1795217607217, json.RawMessage(`{"title":"百"}`)}, {Name: "vip"}}, "vip", []string{"baccarat-1", "百"}}, Rooms{},
	} {
		if n := len(p.append(nil)); n > p.size() {
			t.Errorf("%T has %d bytes, %d were allocated", p, n, p.size())
		}
	}
}
