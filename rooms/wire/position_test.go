package wire

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestParseResume(t *testing.T) {
	tests := []struct {
		in   string
		want []Resume
		code Code
	}{
		{in: ""},
		{in: "general:e1:5", want: []Resume{{"general", Position{"e1", 5}}}},
		{in: "@me:e:0,a=3Db=2Cc=3Ad:f:18446744073709551615", want: []Resume{{"@me", Position{"e", 0}}, {"a=b,c:d", Position{"f", 1<<64 - 1}}}},
		{in: "table=3A7:e:5", want: []Resume{{"table:7", Position{"e", 5}}}},
		{in: "table:7:e:5", code: BadRoom},
		{in: "a:e:5:6", code: BadRoom},
		{in: "百家 樂::5", want: []Resume{{"百家 樂", Position{"", 5}}}},
		{in: "general", code: BadRoom},
		{in: "=FF:e:5", code: BadRoom},
		{in: "general:5", code: BadRoom},
		{in: ":e:5", code: BadRoom},
		{in: "general:e:", code: BadRoom},
		{in: "general:e:-1", code: BadRoom},
		{in: "general:e:+1", code: BadRoom},
		{in: "general:e:1_0", code: BadRoom},
		{in: "general:e:18446744073709551616", code: BadRoom},
		{in: "general:e:5,", code: BadRoom},
		{in: strings.Repeat("a:e:1,", MaxResume) + "a:e:1", code: TooManyRooms},
	}
	for _, tt := range tests {
		got, err := ParseResume(tt.in)
		if codeOf(err) != tt.code || !slices.Equal(got, tt.want) {
			t.Errorf("ParseResume(%.80q) = %+v, %v; want %+v, %q", tt.in, got, err, tt.want, tt.code)
		}
	}
	if list, err := ParseResume(strings.Repeat("a:e:1,", MaxResume-1) + "a:e:1"); err != nil || len(list) != MaxResume {
		t.Errorf("%d rooms: %d, %v", MaxResume, len(list), err)
	}
}

func TestResumeErrorIsShort(t *testing.T) {
	_, err := ParseResume(strings.Repeat("x", 1<<20))
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

func TestPositionFromJSON(t *testing.T) {
	tests := []struct {
		in   string
		want Position
		ok   bool
	}{
		{`{"epoch":"e1","seq":5}`, Position{"e1", 5}, true},
		{`{"epoch":1700000000,"seq":5}`, Position{}, false},
		{`{"epoch":null}`, Position{}, true},
		{`{}`, Position{}, true},
		{`{"epoch":{},"seq":5}`, Position{}, false},
		{`{"epoch":true}`, Position{}, false},
		{`{"epoch":-1.5}`, Position{}, false},
		{`{"epoch":"e","seq":-1}`, Position{}, false},
		{`[]`, Position{}, false},
	}
	for _, tt := range tests {
		p := Position{Epoch: "old", Seq: 9}
		err := json.Unmarshal([]byte(tt.in), &p)
		if (err == nil) != tt.ok || tt.ok && p != tt.want {
			t.Errorf("%s = %+v, %v; want %+v", tt.in, p, err, tt.want)
		}
	}
}
