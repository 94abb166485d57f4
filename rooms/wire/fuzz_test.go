package wire

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"
)

// What Decode accepts is JSON to everybody, and writing it and reading it
// again changes nothing.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"type":"send_message","id":"c-17","room":"general","payload":{"message":"hi","from":"percy"}}`,
		`{"type":"x","seq":12,"payload":[1,-2.5e+3,"\ud83c\udfb2",true,false,null,{}]}`,
		`{"\u0074ype":"x","id":"\"\\"}`, `{"type":"x","type":"y"}`, `{"TYPE":"x"}`, `[]`, ``, "{\"type\":\"\u2028\"}",
		`{"type":"x","payload":"\ud800\ud800\udc00\u0041"}`, `{"type":"x","payload":01}`, `{"type":"x","payload":[[[]]]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := DecodeServer(body)
		if err != nil {
			if code := AsError(err).Code; code != BadJSON && code != BadType && code != BadRoom {
				t.Fatalf("code %s", code)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("Decode accepted what encoding/json does not: %q", body)
		}
		written := AppendEvent(nil, ev)
		if !json.Valid(written) || !utf8.Valid(written) {
			t.Fatalf("AppendEvent wrote no JSON: %q", written)
		}
		again, err := DecodeServer(written)
		if err != nil || !same(ev, again) {
			t.Fatalf("%q became %q: %v", body, written, err)
		}
		if plain, err := Decode(written); err != nil || plain.Seq != 0 {
			t.Fatalf("Decode(%q) = %+v, %v; want it without seq", written, plain, err)
		}
	})
}

// The scanner, unicode/utf8 and encoding/json agree on what JSON is, up to
// depth.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2]}`, `"\u00e9\ud83c"`, `-0.0e-0`, `01`, `1.`, `.5`, `+1`, `tru`, `[1,]`, `{"a"}`, `"\x"`, ` null `,
		"\"百家樂 \u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff\"", "\"\xed\xa0\x80\"", "\"\xe0\x80\x80\"", "\"\xc0\x80\"", "\"1234567\xe4\xb8\"", "\"1234567\x1f\"", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := scanner{text: text}
		_, ok := s.value(math.MaxInt)
		if ok = ok && s.end(); ok != (utf8.Valid(text) && json.Valid(text)) {
			t.Fatalf("%q: scanner says %v, unicode/utf8 and encoding/json %v", text, ok, !ok)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\"b\\c\n\x00\x7f", "百家樂 🎲\u2028", "\xff\xfe", "é\xc3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var wanted string
		if err := json.Unmarshal(want, &wanted); err != nil {
			t.Fatal(err)
		}
		if got != wanted {
			t.Fatalf("%q came back as %q, encoding/json makes it %q", s, got, wanted)
		}
	})
}

func FuzzResume(f *testing.F) {
	for _, seed := range []string{"", "general:e1:5", "a:b:e:7,@me:e:0", "a=3Db=2C=3A:e:1", "x", "a:e:-1", ",", "=FF:e:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseResume(s)
		if err != nil {
			if code := AsError(err).Code; code != BadRoom && code != TooManyRooms {
				t.Fatalf("code %s", code)
			}
			return
		}
		var written []byte
		for i, r := range list {
			if !utf8.ValidString(r.Room) {
				return // no room; ParseRoom refuses it
			}
			if i > 0 {
				written = append(written, ',')
			}
			written = AppendResume(written, r)
		}
		again, err := ParseResume(string(written))
		if err != nil || len(again) != len(list) {
			t.Fatalf("%q became %q: %v", s, written, err)
		}
		for i := range list {
			if list[i] != again[i] {
				t.Fatalf("%q became %q: item %d is %+v, was %+v", s, written, i, again[i], list[i])
			}
		}
	})
}
