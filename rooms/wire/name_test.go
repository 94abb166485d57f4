package wire

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func TestCleanRoom(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "general", "general"},
		{"CJK", "百家樂 VIP", "百家樂 VIP"},
		{"composed", "cafe\u0301", "café"},
		{"composes with what a token would escape", "=\u0338", "≠"},
		{"inbox", "@u-1", "@u-1"},
		{"separators", "a.b *>=%/", "a.b *>=%/"},
		{"joined emoji", "👩‍🚀", "👩‍🚀"},
		{"64 characters", strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{"64 characters after composition", strings.Repeat("e\u0301", 64), strings.Repeat("é", 64)},
		{"128 bytes as a token", strings.Repeat(".", 42), strings.Repeat(".", 42)},

		{"empty", "", ""},
		{"65 characters", strings.Repeat("x", 65), ""},
		{"129 bytes as a token", strings.Repeat(".", 43), ""},
		{"129 bytes", strings.Repeat("樂", 43), ""},
		{"invalid UTF-8", "a\xff", ""},
		{"NUL", "a\x00", ""},
		{"new line", "a\nb", ""},
		{"DEL", "a\x7f", ""},
		{"C1 control", "a\u0085", ""},
		{"replacement character", "\ufffd", ""},
		{"huge", strings.Repeat("e\u0301", 1<<16), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseRoom(tt.in)
			if string(got) != tt.want || (err != nil) != (tt.want == "") || err != nil && codeOf(err) != BadRoom {
				t.Errorf("ParseRoom(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestRoomToken(t *testing.T) {
	for room, want := range map[string]string{
		"general":        "general",
		"百家樂":            "百家樂",
		"a.b":            "a=2Eb",
		"*>= ":           "=2A=3E=3D=20",
		"a\u00a0\u3000b": "a=C2=A0=E3=80=80b",
		"50%/x":          "50%/x",
		"@u-1":           "u-1",
		"\u2028":         "=E2=80=A8",
	} {
		if got := RoomToken(Room(room)); got != want {
			t.Errorf("RoomToken(%q) = %q, want %q", room, got, want)
		}
	}
	if got, want := RoomKey("百.a_B-9"), "=E7=99=BE=2Ea_B-9"; got != want {
		t.Errorf("RoomKey = %q, want %q", got, want)
	}
}

func TestATokenHasOneSpelling(t *testing.T) {
	for _, token := range []string{"", "a=2eb", "=61", "a=2", "=", "=ZZ", "a=0Ab", "=FF", "cafe\u0301", strings.Repeat("x", 65)} {
		for space := range Space(Spaces) {
			if room, err := space.Room(token); codeOf(err) != BadRoom {
				t.Errorf("%d.Room(%q) = %q, %v; want bad_room", space, token, room, err)
			}
		}
	}
}

// TestSpaces: the subjects of a room and of an inbox are told apart by their
// first word, and no name of a room reaches an inbox.
func TestSpaces(t *testing.T) {
	for _, tc := range []struct {
		room    Room
		space   Space
		subject string
	}{
		{"alice", SpaceRooms, "room.alice.event"}, {"@alice", SpaceInboxes, "inbox.alice.event"},
		{"a@b.c", SpaceRooms, "room.a@b=2Ec.event"}, {"@a@b.c", SpaceInboxes, "inbox.a@b=2Ec.event"},
		{"inbox.alice", SpaceRooms, "room.inbox=2Ealice.event"}, {"@@x", SpaceInboxes, "inbox.@x.event"},
	} {
		space, token, ok := SubjectToken(EventSubject(tc.room))
		if EventSubject(tc.room) != tc.subject || !ok || space != tc.space || space != SpaceOf(tc.room) || token != RoomToken(tc.room) {
			t.Errorf("%q: %s, space %d, token %q", tc.room, EventSubject(tc.room), space, token)
		}
		if room, err := space.Room(token); err != nil || room != tc.room {
			t.Errorf("%s is of %q, %v; want %q", tc.subject, room, err, tc.room)
		}
		if got := space.Rejected(token); got != RejectedSubject(Room(tc.room)) {
			t.Errorf("%s is not %s", got, RejectedSubject(Room(tc.room)))
		}
	}
	if room, err := SpaceRooms.Room("@alice"); codeOf(err) != BadRoom || !strings.Contains(err.Error(), "inbox.alice.event") {
		t.Errorf("room.@alice.event is of %q, %v", room, err)
	}
	if room, err := ParseRoom("@"); codeOf(err) != BadRoom {
		t.Errorf("nobody's inbox is %q, %v", room, err)
	}
	for s, want := range map[Space][3]string{
		SpaceRooms:   {"room.*.event", "room.*.log", "room.{{wildcard(1)}}.log"},
		SpaceInboxes: {"inbox.*.event", "inbox.*.log", "inbox.{{wildcard(1)}}.log"},
	} {
		if got := [3]string{s.AllEvents(), s.AllLogs(), s.LogMapping()}; got != want {
			t.Errorf("space %d: %q, want %q", s, got, want)
		}
	}
}

func TestValidUID(t *testing.T) {
	for uid, want := range map[string]bool{
		"u-1": true, "auth0|5f": true, "percy@example.com": true, "é": true, strings.Repeat("u", 63): true,
		"": false, "e\u0301": false, "a\nb": false, "@alice": false, "\ufffd": false, "\xff": false, strings.Repeat("u", 64): false,
	} {
		if ValidUID(uid) != want {
			t.Errorf("ValidUID(%q) = %v", uid, !want)
		}
	}
	if uid, ok := InboxOwner(Inbox("u-1")); uid != "u-1" || !ok {
		t.Errorf("InboxOwner(Inbox) = %q, %v", uid, ok)
	}
	if uid, ok := InboxOwner("general"); ok {
		t.Errorf("general is an inbox of %q", uid)
	}
}

func TestSubjects(t *testing.T) {
	for got, want := range map[string]string{
		EventSubject("百.家"):    "room.百=2E家.event",
		LogSubject("a"):        "room.a.log",
		SignalSubject("*"):     "room.=2A.signal",
		PresenceSubject("u"):   "room.u.presence",
		LogSubject("@u"):       "inbox.u.log",
		RejectedSubject("a b"): "room.a=20b.rejected",
		LabelSubject("百.家"):    "room.百=2E家.label",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, subject := range []string{"", "room", "room.", "room.a", "room.a.", "room..event", "room.a.b.event", "rooms.a.event", "inbox", "inbox..log", "inbox.a.b.log"} {
		if _, token, ok := SubjectToken(subject); ok {
			t.Errorf("SubjectToken(%q) = %q", subject, token)
		}
	}
}

var (
	// What the NATS parser and its matching take for a literal token.
	literalToken = regexp.MustCompile(`^[^.*>\s\x00-\x1f\x7f]+$`)
	// nats.go's rule for keys of a bucket.
	bucketKey = regexp.MustCompile(`^[-/_=.a-zA-Z0-9]+$`)
)

func FuzzRoomNames(f *testing.F) {
	f.Add("general", "General")
	f.Add("a.b", "a=2Eb")
	f.Add("cafe\u0301", "café")
	f.Add("百家樂 🎲", "\u3000")
	f.Add(">", "*")
	f.Add("=", "=3D")
	f.Add("@a", "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		cleanA, err := ParseRoom(a)
		if err != nil {
			return
		}
		token, key := RoomToken(cleanA), RoomKey(cleanA)
		if again, err := ParseRoom(string(cleanA)); err != nil || again != cleanA || !norm.NFC.IsNormalString(string(cleanA)) {
			t.Fatalf("ParseRoom(%q) = %q, cleaned again %q, %v", a, cleanA, again, err)
		}
		if len(token) > MaxRoomBytes || !literalToken.MatchString(token) || strings.ContainsFunc(token, unicode.IsSpace) {
			t.Fatalf("token %q of room %q", token, cleanA)
		}
		if !bucketKey.MatchString(key) || len(key) > 3*MaxRoomBytes {
			t.Fatalf("key %q of room %q", key, cleanA)
		}
		space := SpaceOf(cleanA)
		if room, err := space.Room(token); err != nil || room != cleanA {
			t.Fatalf("%d.Room(%q) = %q, %v; want %q", space, token, room, err, cleanA)
		}
		for _, subject := range []string{EventSubject(cleanA), LogSubject(cleanA)} {
			if in, got, ok := SubjectToken(subject); !ok || got != token || in != space {
				t.Fatalf("SubjectToken(%q) = %d, %q, %v", subject, in, got, ok)
			}
		}
		if cleanB, err := ParseRoom(b); err == nil && cleanA != cleanB && (SpaceOf(cleanB) == space && RoomToken(cleanB) == token || RoomKey(cleanB) == key) {
			t.Fatalf("rooms %q and %q share token %q or key %q", cleanA, cleanB, token, key)
		}
		if room, err := space.Room(b); err == nil && room == cleanA && b != token {
			t.Fatalf("room %q has two tokens: %q and %q", cleanA, token, b)
		}
	})
}

func TestHasSubject(t *testing.T) {
	for name, want := range map[Room]bool{
		"x": true, "@ann": true, Room(strings.Repeat("é", MaxRoomRunes)): true, "": false, "@": false, Room(strings.Repeat("x", MaxRoomBytes+1)): false,
	} {
		if HasSubject(name) != want {
			t.Errorf("HasSubject(%q) is %v", name, !want)
		}
		if room, err := ParseRoom(string(name)); !want && err == nil {
			t.Errorf("%q has no subject, and is the room %q", name, room)
		}
	}
}
