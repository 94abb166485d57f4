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
		{"huge", strings.Repeat("e\u0301", 1<<16), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := CleanRoom(tt.in)
			if got != tt.want || (err != nil) != (tt.want == "") || err != nil && codeOf(err) != BadRoom {
				t.Errorf("CleanRoom(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
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
		"@u-1":           "@u-1",
		"\u2028":         "=E2=80=A8",
	} {
		if got := RoomToken(room); got != want {
			t.Errorf("RoomToken(%q) = %q, want %q", room, got, want)
		}
	}
	if got, want := RoomKey("百.a_B-9"), "=E7=99=BE=2Ea_B-9"; got != want {
		t.Errorf("RoomKey = %q, want %q", got, want)
	}
}

func TestRoomFromTokenTakesOneSpelling(t *testing.T) {
	for _, token := range []string{"", "a=2eb", "=61", "a=2", "=", "=ZZ", "a=0Ab", "=FF", "cafe\u0301", strings.Repeat("x", 65)} {
		if room, err := RoomFromToken(token); codeOf(err) != BadRoom {
			t.Errorf("RoomFromToken(%q) = %q, %v; want bad_room", token, room, err)
		}
	}
}

func TestValidUID(t *testing.T) {
	for uid, want := range map[string]bool{
		"u-1": true, "auth0|5f": true, "percy@example.com": true, "é": true, strings.Repeat("u", 63): true,
		"": false, "e\u0301": false, "a\nb": false, "\xff": false, strings.Repeat("u", 64): false,
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
		PresenceSubject("@u"):  "room.@u.presence",
		RejectedSubject("a b"): "room.a=20b.rejected",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, subject := range []string{"", "room", "room.", "room.a", "room.a.", "room..event", "room.a.b.event", "rooms.a.event"} {
		if token, ok := SubjectToken(subject); ok {
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
	f.Fuzz(func(t *testing.T, a, b string) {
		cleanA, err := CleanRoom(a)
		if err != nil {
			return
		}
		token, key := RoomToken(cleanA), RoomKey(cleanA)
		if again, err := CleanRoom(cleanA); err != nil || again != cleanA || !norm.NFC.IsNormalString(cleanA) {
			t.Fatalf("CleanRoom(%q) = %q, cleaned again %q, %v", a, cleanA, again, err)
		}
		if len(token) > MaxRoomBytes || !literalToken.MatchString(token) || strings.ContainsFunc(token, unicode.IsSpace) {
			t.Fatalf("token %q of room %q", token, cleanA)
		}
		if !bucketKey.MatchString(key) || len(key) > 3*MaxRoomBytes {
			t.Fatalf("key %q of room %q", key, cleanA)
		}
		if room, err := RoomFromToken(token); err != nil || room != cleanA {
			t.Fatalf("RoomFromToken(%q) = %q, %v; want %q", token, room, err, cleanA)
		}
		for _, subject := range []string{EventSubject(cleanA), LogSubject(cleanA)} {
			if got, ok := SubjectToken(subject); !ok || got != token {
				t.Fatalf("SubjectToken(%q) = %q, %v", subject, got, ok)
			}
		}
		if cleanB, err := CleanRoom(b); err == nil && cleanA != cleanB && (RoomToken(cleanB) == token || RoomKey(cleanB) == key) {
			t.Fatalf("rooms %q and %q share token %q or key %q", cleanA, cleanB, token, key)
		}
		if room, err := RoomFromToken(b); err == nil && room == cleanA && b != token {
			t.Fatalf("room %q has two tokens: %q and %q", cleanA, token, b)
		}
	})
}
