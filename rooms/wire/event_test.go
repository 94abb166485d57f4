package wire

import (
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	long := strings.Repeat("x", MaxIDBytes)
	tests := []struct {
		name, body string
		want       Event
		code       Code
	}{
		{name: "all fields", body: `{"type":"send_message","id":"c-17","room":"general","payload":{"message":"hi"}}`,
			want: Event{Type: "send_message", ID: "c-17", Room: "general", Payload: []byte(`{"message":"hi"}`)}},
		{name: "type alone, white space", body: " \t\r\n{ \"type\" :\n\"a.b-c_9\" } ", want: Event{Type: "a.b-c_9"}},
		{name: "seq and unknown fields are ignored", body: `{"seq":"nine","type":"x","more":[1,{"type":"y"}]}`, want: Event{Type: "x"}},
		{name: "null is absent", body: `{"type":"x","id":null,"room":null,"payload":null}`, want: Event{Type: "x"}},
		{name: "any payload", body: `{"type":"x","payload": -0.5e+10 }`, want: Event{Type: "x", Payload: []byte(`-0.5e+10`)}},
		{name: "a number beyond float64 is kept", body: `{"type":"x","payload":1e999999}`, want: Event{Type: "x", Payload: []byte(`1e999999`)}},
		{name: "half a surrogate pair in the payload is kept", body: `{"type":"x","payload":"\ud800"}`, want: Event{Type: "x", Payload: []byte(`"\ud800"`)}},
		{name: "escapes", body: `{"\u0074ype":"\u0078","id":"\ud83c\udfb2\"","room":"\u767e\/"}`, want: Event{Type: "x", ID: `🎲"`, Room: "百/"}},
		{name: "line separator", body: "{\"type\":\"x\",\"room\":\"\u2028\"}", want: Event{Type: "x", Room: "\u2028"}},
		{name: "longest id", body: `{"type":"x","id":"` + long + `"}`, want: Event{Type: "x", ID: long}},
		{name: "deepest", body: nested(MaxDepth), want: Event{Type: "x", Payload: []byte(nestedPayload(MaxDepth))}},

		{name: "empty", body: ``, code: BadJSON},
		{name: "no JSON", body: `hello`, code: BadJSON},
		{name: "array", body: `[{"type":"x"}]`, code: BadJSON},
		{name: "string", body: `"x"`, code: BadJSON},
		{name: "two objects", body: `{"type":"x"}{"type":"y"}`, code: BadJSON},
		{name: "trailing comma", body: `{"type":"x",}`, code: BadJSON},
		{name: "comment", body: `{"type":"x"/**/}`, code: BadJSON},
		{name: "byte order mark", body: "\ufeff{\"type\":\"x\"}", code: BadJSON},
		{name: "invalid UTF-8 in an unknown field", body: "{\"type\":\"x\",\"z\":\"\xff\"}", code: BadJSON},
		{name: "raw control character", body: "{\"type\":\"x\",\"z\":\"\n\"}", code: BadJSON},
		{name: "too deep", body: nested(MaxDepth + 1), code: BadJSON},
		{name: "far too deep", body: strings.Repeat(`{"a":`, 100000), code: BadJSON},
		{name: "id too long", body: `{"type":"x","id":"` + long + `x"}`, code: BadJSON},
		{name: "id is a number", body: `{"type":"x","id":1}`, code: BadJSON},
		{name: "id would break a header", body: `{"type":"x","id":"a\r\nNats-Rollup: all"}`, code: BadJSON},
		{name: "id is half a surrogate pair", body: `{"type":"x","id":"\udc00\ud800"}`, code: BadJSON},

		{name: "no type", body: `{}`, code: BadType},
		{name: "other case", body: `{"TYPE":"x","Type":"y"}`, code: BadType},
		{name: "type with upper case", body: `{"id":"i","type":"X"}`, want: Event{ID: "i"}, code: BadType},
		{name: "type is an object", body: `{"id":"i","type":{}}`, want: Event{ID: "i"}, code: BadType},
		{name: "type too long", body: `{"type":"` + strings.Repeat("t", MaxTypeBytes+1) + `"}`, code: BadType},
		{name: "room is a number", body: `{"id":"i","type":"x","room":7}`, want: Event{ID: "i", Type: "x"}, code: BadRoom},
		{name: "room is half a surrogate pair", body: `{"id":"i","type":"x","room":"a\ud83c\u0041"}`, want: Event{ID: "i", Type: "x"}, code: BadRoom},

		{name: "type twice", body: `{"id":"i","type":"x","type":"y"}`, want: Event{ID: "i"}, code: BadJSON},
		{name: "type twice, once escaped", body: `{"type":"x","t\u0079pe":"x"}`, code: BadJSON},
		{name: "room twice", body: `{"room":null,"room":"x","type":"x"}`, code: BadJSON},
		{name: "unknown field twice", body: `{"a":1,"a":2,"type":"x"}`, want: Event{Type: "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode([]byte(tt.body))
			if codeOf(err) != tt.code {
				t.Fatalf("err = %v, want code %q", err, tt.code)
			}
			if tt.code != "" && got.ID != tt.want.ID || tt.code == "" && !same(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeServerReadsSeq(t *testing.T) {
	for body, want := range map[string]uint64{
		`{"type":"x","seq":18446744073709551615}`: 1<<64 - 1,
		`{"type":"x","seq":0}`:                    0,
		`{"type":"x","seq":null}`:                 0,
		`{"type":"x"}`:                            0,
	} {
		if ev, err := DecodeServer([]byte(body)); err != nil || ev.Seq != want {
			t.Errorf("%s: seq %d, err %v; want %d", body, ev.Seq, err, want)
		}
	}
	for _, seq := range []string{"18446744073709551616", "-1", "1.0", "1e3", `"1"`, "[]"} {
		if _, err := DecodeServer([]byte(`{"type":"x","seq":` + seq + `}`)); codeOf(err) != BadJSON {
			t.Errorf("seq %s: err %v, want bad_json", seq, err)
		}
	}
}

func TestPayloadCannotGrowIntoTheBody(t *testing.T) {
	body := []byte(`{"payload":1,"type":"x"}`)
	ev, err := Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(ev.Payload, "999"...)
	if string(body) != `{"payload":1,"type":"x"}` {
		t.Errorf("appending to the payload changed the body: %s", body)
	}
}

func TestAppendEventLeavesOutWhatIsEmpty(t *testing.T) {
	got := string(AppendEvent(nil, Event{Type: "x", Payload: []byte{}}))
	if want := `{"type":"x"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReservedTypesAreTheServersOwn(t *testing.T) {
	for _, typ := range []string{TypeNewMessage, TypePrivateMessage, TypeSendMessage, "round_result"} {
		if Reserved(typ) {
			t.Errorf("%s is reserved; a service could not send it", typ)
		}
	}
	for _, typ := range []string{TypeAck, TypeError, TypeWelcome, TypeReconnect, TypeRoomJoined, TypeRoomLeft, TypeBatch} {
		if !Reserved(typ) {
			t.Errorf("%s is not reserved; an injected one would steer clients", typ)
		}
		if Logged(typ) != (typ == TypeBatch) {
			t.Errorf("%s: Logged is %v", typ, Logged(typ))
		}
	}
}

// nested is an event of so many levels.
func nested(depth int) string { return `{"type":"x","payload":` + nestedPayload(depth) + `}` }

func nestedPayload(depth int) string {
	return strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1)
}

func same(a, b Event) bool {
	return a.Type == b.Type && a.ID == b.ID && a.Room == b.Room && a.Seq == b.Seq && a.At == b.At && string(a.Payload) == string(b.Payload)
}
