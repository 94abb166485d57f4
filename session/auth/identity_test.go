package auth

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestMayEnter(t *testing.T) {
	for _, tc := range []struct {
		rooms []string
		room  wire.Room
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

func TestMaySpeak(t *testing.T) {
	for _, tc := range []struct {
		rooms, speak []string
		room         wire.Room
		want         bool
	}{
		{nil, nil, "general", true},
		{nil, nil, "@dora", true}, // a private message
		{nil, nil, "@percy", true},
		{nil, nil, "@", false},
		{nil, nil, "", false},
		{[]string{"vip-*"}, nil, "vip-1", true},
		{[]string{"vip-*"}, nil, "general", false},
		{[]string{"vip-*"}, nil, "@dora", true},
		{nil, []string{}, "general", false},
		{nil, []string{}, "@dora", false},
		{nil, []string{}, "@percy", true},
		{nil, []string{"general"}, "general", true},
		{nil, []string{"general"}, "general2", false},
		{nil, []string{"general"}, "@dora", false},
		{nil, []string{"vip-*"}, "vip-1", true},
		{[]string{"vip-1"}, []string{"vip-*"}, "vip-2", false}, // speaks there, if it could enter
		{[]string{"vip-*"}, []string{"vip-1"}, "vip-2", false},
		{nil, []string{"@dora"}, "@dora", true},
		{nil, []string{"@dora"}, "@dora2", false},
		{nil, []string{"@*"}, "@dora", true},
		{nil, []string{"@*"}, "general", false},
		{nil, []string{"*"}, "@dora", true},
		{nil, []string{"*"}, "general", true},
		{[]string{}, []string{"*"}, "general", false},
	} {
		if got := (Identity{UID: "percy", Rooms: tc.rooms, Speak: tc.speak}).MaySpeak(tc.room); got != tc.want {
			t.Errorf("rooms %q, speak %q, room %q: %v", tc.rooms, tc.speak, tc.room, got)
		}
	}
}

func TestParsePatterns(t *testing.T) {
	for _, tc := range []struct {
		in, want []string
		bad      string
	}{
		{nil, nil, ""},
		{[]string{"-"}, []string{}, ""},
		{[]string{"-", "a"}, []string{"-", "a"}, ""},
		{[]string{"table-*", "cafe\u0301", "@*", "*"}, []string{"table-*", "café", "@*", "*"}, ""},
		{[]string{"a", ""}, nil, "empty"},
		{[]string{"a*b"}, nil, "before its end"},
		{[]string{"**"}, nil, "before its end"},
		{[]string{"a\x00"}, nil, "control"},
	} {
		got, err := ParsePatterns(tc.in)
		if tc.bad != "" {
			if err == nil || !strings.Contains(err.Error(), tc.bad) {
				t.Errorf("%q: %v, want an error with %q", tc.in, err, tc.bad)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q: %#v, %v; want %#v", tc.in, got, err, tc.want)
		}
	}
}

func TestCleanNameCuts(t *testing.T) {
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
		if got := CleanName(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// TestIdentityJSON: "every room" and "no room" must stay apart on their way
// through the bucket.
func TestIdentityJSON(t *testing.T) {
	for _, rooms := range [][]string{nil, {}, {"a*"}} {
		data, err := json.Marshal(Identity{UID: "u", Rooms: rooms})
		if err != nil {
			t.Fatal(err)
		}
		var back Identity
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Rooms, rooms) {
			t.Errorf("%#v became %#v", rooms, back.Rooms)
		}
	}
}
