package auth

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMayEnter(t *testing.T) {
	for _, tc := range []struct {
		rooms []string
		room  string
		want  bool
	}{
		{nil, "general", true},
		{nil, "@percy", true},
		{nil, "@dora", false},
		{nil, "@", false},
		{nil, "@me", false}, // an alias of the protocol, resolved before
		{nil, "", false},
		{[]string{}, "general", false},
		{[]string{}, "@percy", true},
		{[]string{"general"}, "general", true},
		{[]string{"general"}, "general2", false},
		{[]string{"general"}, "General", false},
		{[]string{"vip-*"}, "vip-1", true},
		{[]string{"vip-*"}, "vip-", true},
		{[]string{"vip-*"}, "vip", false},
		{[]string{"a", "百*"}, "百家樂", true},
		{[]string{"*"}, "anything", true},
		{[]string{"*", "@*", "@dora"}, "@dora", false},
		{[]string{"a*b"}, "axb", false}, // only a trailing star is a wildcard
		{[]string{"a*b"}, "a*b", true},
		{[]string{""}, "general", false},
	} {
		if got := (Identity{UID: "percy", Rooms: tc.rooms}).MayEnter(tc.room); got != tc.want {
			t.Errorf("grant %q, room %q: %v", tc.rooms, tc.room, got)
		}
	}
	if (Identity{}).MayEnter("@") {
		t.Error("nobody owns the inbox of nobody")
	}
}

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		" \t\n ":                        "",
		"  Percy  ":                     "Percy",
		"a\x00b\x1bc\u0085d":            "abcd",
		"\xffa\xc3":                     "a",
		"\u202eevil\u2066":              "evil",
		"<b>":                           "<b>", // the page escapes
		"百家樂 🎲":                         "百家樂 🎲",
		strings.Repeat("百", MaxName):    strings.Repeat("百", MaxName),
		strings.Repeat("x", MaxName+1):  strings.Repeat("x", MaxName),
		strings.Repeat("x", 63) + " yz": strings.Repeat("x", 63),
	} {
		if got := cleanName(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add(" a\u202e\x00 ")
	f.Fuzz(func(t *testing.T, name string) {
		got := cleanName(name)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > MaxName || strings.ContainsAny(got, "\n\r\x00\u202e") {
			t.Fatalf("%q became %q", name, got)
		}
		if again := cleanName(got); again != got {
			t.Fatalf("%q became %q, and that %q", name, got, again)
		}
	})
}
