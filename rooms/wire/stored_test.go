package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// added is what a message gets that lacks all three.
const added = `"room_id":"lobby","sent":"` + shapeTime + `","time":1795176000123`

// storedCases are bodies and the payloads that clients see; an error has its
// code instead.
var storedCases = []struct{ name, body, payload string }{
	{"complete", `{"type":"new_message","payload":{"room_id":"r","sent":"s","time":1}}`, `{"room_id":"r","sent":"s","time":1}`},
	{"no object of ours", `{"type":"note","payload":[1,{"sent":2}]}`, `[1,{"sent":2}]`},
	{"empty", `{"type":"new_message","payload":{}}`, `{` + added + `}`},
	{"white space", " {\n\"payload\" : { \t\r\n} , \"type\":\"private_message\" } ", "{ \t\r\n" + added + `}`},
	{"white space in between", `{"type":"new_message","payload": { "message" : "hi" , "time" : 1 } }`, `{ "message" : "hi" , "time" : 1 ,"room_id":"lobby","sent":"` + shapeTime + `"}`},
	{"keys keep their order", `{"type":"new_message","payload":{"z":1,"a":2}}`, `{"z":1,"a":2,` + added + `}`},
	{"only room_id", `{"type":"new_message","payload":{"sent":"s","time":1}}`, `{"sent":"s","time":1,"room_id":"lobby"}`},
	{"only sent", `{"type":"new_message","payload":{"room_id":"r","time":1}}`, `{"room_id":"r","time":1,"sent":"` + shapeTime + `"}`},
	{"only time", `{"type":"new_message","payload":{"room_id":"r","sent":"s"}}`, `{"room_id":"r","sent":"s","time":1795176000123}`},
	{"there, though null", `{"type":"new_message","payload":{"room_id":null,"sent":null,"time":null}}`, `{"room_id":null,"sent":null,"time":null}`},
	{"escaped keys", `{"type":"new_message","payload":{"\u0073ent":"s","room\u005Fid":"r","tim\u0065":1}}`, `{"\u0073ent":"s","room\u005Fid":"r","tim\u0065":1}`},
	{"keys of other case", `{"type":"new_message","payload":{"Sent":"s","TIME":1}}`, `{"Sent":"s","TIME":1,` + added + `}`},
	{"longer and shorter keys", `{"type":"new_message","payload":{"sen":1,"sent ":2,"":3,"time\u0000":4}}`, `{"sen":1,"sent ":2,"":3,"time\u0000":4,` + added + `}`},
	{"repeated keys", `{"type":"new_message","payload":{"sent":"a","sent":"b","time":1,"x":1,"x":2}}`, `{"sent":"a","sent":"b","time":1,"x":1,"x":2,"room_id":"lobby"}`},
	{"keys of inner objects", `{"type":"new_message","payload":{"a":{"sent":1,"time":2,"room_id":3},"b":[{"sent":1}]}}`, `{"a":{"sent":1,"time":2,"room_id":3},"b":[{"sent":1}],` + added + `}`},
	{"keys in texts", `{"type":"new_message","payload":{"message":"\"sent\":\"x\",\"time\":,\"room_id\":\"","a":"sent"}}`, `{"message":"\"sent\":\"x\",\"time\":,\"room_id\":\"","a":"sent",` + added + `}`},
	{"braces in a text", `{"type":"new_message","payload":{"message":"}{ {\"a\":1} [","time":1}}`, `{"message":"}{ {\"a\":1} [","time":1,"room_id":"lobby","sent":"` + shapeTime + `"}`},
	{"HTML stays", `{"type":"new_message","payload":{"message":"<b>&\u003c"}}`, `{"message":"<b>&\u003c",` + added + `}`},
	{"CJK", `{"type":"new_message","payload":{"message":"莊家贏了","寄":"閒"}}`, `{"message":"莊家贏了","寄":"閒",` + added + `}`},
	{"emoji", `{"type":"new_message","payload":{"message":"🎲 \ud83c\udfb2 \ud83c"}}`, `{"message":"🎲 \ud83c\udfb2 \ud83c",` + added + `}`},
	{"escaped type", `{"t\u0079pe":"new\u005fmessage","payload":{}}`, `{` + added + `}`},
	{"unknown fields", `{"sent":1,"type":"new_message","seq":"x","room":"other","id":"i","payload":{}}`, `{` + added + `}`},
	{"no payload", `{"type":"note"}`, ``},
	{"payload null", `{"type":"note","payload":null}`, ``},
	{"payload false", `{"type":"note","payload": false }`, `false`},
	{"a type of ours that only clients send", `{"type":"send_message","payload":{}}`, `{}`},

	{"message without a payload", `{"type":"new_message"}`, "bad_payload"},
	{"message with null", `{"type":"private_message","payload":null}`, "bad_payload"},
	{"message with a list", `{"type":"new_message","payload":[{}]}`, "bad_payload"},
	{"reserved", `{"type":"ack","payload":{}}`, "bad_type"},
	{"reserved, escaped", `{"type":"\u0061ck"}`, "bad_type"},
	{"no type", `{"payload":{}}`, "bad_type"},
	{"payload twice", `{"type":"new_message","payload":{},"payload":{}}`, "bad_json"},
	{"payload twice, once escaped", `{"type":"new_message","payload":{},"p\u0061yload":{}}`, "bad_json"},
	{"type twice", `{"type":"note","payload":{},"type":"note"}`, "bad_json"},
	{"room is no string", `{"type":"note","room":1}`, "bad_room"},
	{"id is no string", `{"type":"note","id":1}`, "bad_json"},
	{"no UTF-8 in a text", "{\"type\":\"new_message\",\"payload\":{\"message\":\"\xff\"}}", "bad_json"},
	{"no UTF-8 in a key", "{\"type\":\"new_message\",\"payload\":{\"\xed\xa0\x80\":1}}", "bad_json"},
	{"half a character before the quote", "{\"type\":\"note\",\"payload\":\"\xe8\x8e\"}", "bad_json"},
	{"payload does not end", `{"type":"new_message","payload":{"message":"a"`, "bad_json"},
	{"text does not end", `{"type":"new_message","payload":{"message":"a`, "bad_json"},
	{"more behind", `{"type":"new_message","payload":{}}}`, "bad_json"},
	{"nothing", ``, "bad_json"},
}

func TestStored(t *testing.T) {
	for _, tc := range storedCases {
		t.Run(tc.name, func(t *testing.T) {
			before := []byte("before")
			st, err := ReadStored([]byte(tc.body))
			if err != nil {
				if string(codeOf(err)) != tc.payload {
					t.Fatalf("%v, want %s", err, tc.payload)
				}
				return
			}
			want := Event{Type: typeName(st.typ), Room: "lobby", Seq: 77, At: 1795176000123, Payload: []byte(tc.payload)}
			if got := st.Event("lobby", 77, shapeTime); !same(got, want) {
				t.Errorf("the event is %s, want %s", AppendEvent(nil, got), AppendEvent(nil, want))
			}
			frame := st.AppendFrame(before, "lobby", 77, shapeTime)
			if string(frame) != "before"+string(EventFrame(want)) {
				t.Errorf("the frame is %q, want %q", frame, EventFrame(want))
			}
		})
	}
}

// Frames of any length fit what FrameSize says and are as EventFrame makes
// them, also where the header is shorter than was thought.
func TestStoredFramesOfAllLengths(t *testing.T) {
	lengths := []int{4 << 10, 16 << 10, 200 << 10}
	for n := range 400 {
		lengths = append(lengths, n, 0xffff-300+n)
	}
	for _, n := range lengths {
		for _, label := range []string{"", "a", `"quoted"`, "百家樂"} {
			body := []byte(`{"type":"new_message","payload":{"message":"` + strings.Repeat("x", n) + `","room_id":""}}`)
			st, err := ReadStored(body)
			if err != nil {
				t.Fatal(err)
			}
			frame := st.AppendFrame(nil, label, uint64(n), shapeTime)
			if size := st.FrameSize(label, shapeTime); len(frame) > size || len(frame) < size-80 {
				t.Fatalf("%d bytes in %q: the frame has %d, foretold %d", n, label, len(frame), size)
			}
			if !bytes.Equal(frame, EventFrame(st.Event(label, uint64(n), shapeTime))) {
				t.Fatalf("%d bytes in %q: not the frame of its event", n, label)
			}
		}
	}
}

// A time that is none is not given; the room is.
func TestStoredWithoutTime(t *testing.T) {
	for _, at := range []string{"", "yesterday", `"`} {
		st, err := ReadStored([]byte(`{"type":"new_message","payload":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(st.Event("a", 1, at).Payload); got != `{"room_id":"a"}` {
			t.Errorf("%q: %s", at, got)
		}
	}
}

// FuzzStored compares the pass with encoding/json: which bodies are events, and
// what a client's reader makes of the frame.
func FuzzStored(f *testing.F) {
	for _, tc := range storedCases {
		f.Add([]byte(tc.body), "lobby")
	}
	for _, body := range shapes(500) {
		f.Add(body, "百家樂\"")
	}
	f.Add([]byte(nested(MaxDepth)), "")
	f.Add([]byte(nested(MaxDepth+1)), "")
	f.Fuzz(func(t *testing.T, body []byte, label string) {
		label = string([]rune(label)) // as rooms are named: in characters
		want, ok := slowStored(body, label)
		st, err := ReadStored(body)
		if ok != (err == nil) {
			t.Fatalf("%q: %v, the model says %v", body, err, ok)
		}
		if !ok {
			return
		}
		frame := st.AppendFrame(nil, label, 5, shapeTime)
		if len(frame) > st.FrameSize(label, shapeTime) {
			t.Fatalf("%q: %d bytes, foretold %d", body, len(frame), st.FrameSize(label, shapeTime))
		}
		if !bytes.Equal(frame, EventFrame(st.Event(label, 5, shapeTime))) {
			t.Fatalf("%q: not the frame of its event", body)
		}
		var got map[string]any
		if err := decodeExact(FramePayload(frame), &got); err != nil {
			t.Fatalf("%q: %v in %q", body, err, frame)
		}
		if a, b := canonical(t, got), canonical(t, want); a != b {
			t.Fatalf("%q became %s, want %s", body, a, b)
		}
	})
}

func canonical(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
