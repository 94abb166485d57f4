package wire

import (
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNewBody(t *testing.T) {
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for _, tc := range []struct {
		name string
		ev   Event
		want string // the body, or the error's code
	}{
		{"alone", Event{Type: "note"}, `{"type":"note"}`},
		{"only type and payload count", Event{Type: "note", ID: "\n", Room: "x", Seq: 7, Payload: []byte(`1`)}, `{"type":"note","payload":1}`},
		{"space around the payload goes", Event{Type: "new_message", Payload: []byte(" \n{ \"message\":\"\" } ")}, `{"type":"new_message","payload":{ "message":"" }}`},
		{"null", Event{Type: "note", Payload: []byte(`null`)}, `{"type":"note","payload":null}`},
		{"deepest", Event{Type: "note", Payload: []byte(deep(MaxDepth - 1))}, `{"type":"note","payload":` + deep(MaxDepth-1) + `}`},

		{"too deep", Event{Type: "note", Payload: []byte(deep(MaxDepth))}, "bad_json"},
		{"space alone", Event{Type: "note", Payload: []byte(` `)}, "bad_json"},
		{"no JSON", Event{Type: "note", Payload: []byte(`{`)}, "bad_json"},
		{"two values", Event{Type: "note", Payload: []byte(`1 2`)}, "bad_json"},
		{"a payload that leaves its place", Event{Type: "note", Payload: []byte(`1,"type":"ack"`)}, "bad_json"},
		{"one that leaves its place for nothing of ours", Event{Type: "note", Payload: []byte(`1,"x":2`)}, "bad_json"},
		{"no UTF-8", Event{Type: "note", Payload: []byte("\"\xff\"")}, "bad_json"},
		{"no type", Event{Payload: []byte(`1`)}, "bad_type"},
		{"bad type", Event{Type: `x","type":"ack`}, "bad_type"},
		{"reserved", Event{Type: TypeRoomJoined}, "bad_type"},
		{"message without a payload", Event{Type: TypeNewMessage}, "bad_payload"},
		{"message with null", Event{Type: TypeNewMessage, Payload: []byte(`null`)}, "bad_payload"},
		{"message with a text", Event{Type: TypePrivateMessage, Payload: []byte(`"{"`)}, "bad_payload"},
	} {
		body, err := NewBody(tc.ev)
		if got := string(body.Bytes()) + string(codeOf(err)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// A message that nodes are asked to log has a text; of what is in the log
// already nobody knows.
func TestMessageHasText(t *testing.T) {
	for payload, want := range map[string]string{
		`{"message":"hi"}`: "", ` {"a":[1,{"message":5}],"message" : "" , "b":2} `: "", `{"m\u0065ssage":"hi"}`: "", `{"message":"hi","Message":5}`: "",
		`{}`: "bad_payload", `{"a":1}`: "bad_payload", `{"Message":"hi"}`: "bad_payload", `{"image_url":"https://example.com/a.png"}`: "bad_payload",
		`{"message":5}`: "bad_payload", `{"message":null}`: "bad_payload", `{"message":{"a":1}}`: "bad_payload", `{"message":["x"]}`: "bad_payload", `{"message":true}`: "bad_payload",
		`{"message":"hi","message":5}`: "bad_payload", `{"message":"a","message":"b"}`: "bad_payload", `{"m\u0065ssage":5}`: "bad_payload",
	} {
		for _, typ := range []string{TypeNewMessage, TypePrivateMessage} {
			text := []byte(`{"type":"` + typ + `","payload":` + payload + `}`)
			_, newErr := NewBody(Event{Type: typ, Payload: []byte(payload)})
			_, _, readErr := ReadBody(text)
			if string(codeOf(newErr)) != want || string(codeOf(readErr)) != want {
				t.Errorf("%s: %v, and read %v, want %q", text, newErr, readErr, want)
			}
			if _, err := ReadStored(text); err != nil {
				t.Errorf("%s in the log: %v", text, err)
			}
		}
		if _, err := NewBody(Event{Type: "note", Payload: []byte(payload)}); err != nil {
			t.Errorf("a note with %s: %v", payload, err)
		}
	}
}

func TestReadBody(t *testing.T) {
	for _, tc := range storedCases {
		ev, body, err := ReadBody([]byte(tc.body))
		st, wantErr := ReadStored([]byte(tc.body))
		if wantErr == nil && IsMessage(ev.Type) && !hasText(ev.Payload) {
			if codeOf(err) != BadPayload {
				t.Errorf("%s: %v, though it has no text", tc.name, err)
			}
			continue
		}
		if codeOf(err) != codeOf(wantErr) {
			t.Errorf("%s: %v, but in the log %v", tc.name, err, wantErr)
		}
		if err != nil {
			if body.Bytes() != nil {
				t.Errorf("%s: refused, and a body all the same", tc.name)
			}
			continue
		}
		logged, err := ReadStored(body.Bytes())
		if err != nil || string(logged.typ) != ev.Type || string(logged.payload) != string(st.payload) {
			t.Errorf("%s became %s: %v", tc.name, body.Bytes(), err)
		}
	}
	ev, _, err := ReadBody([]byte(`{"id":"i","room":"r","type":"ack"}`))
	if err == nil || ev.ID != "i" || ev.Room != "r" {
		t.Errorf("the refused event is %+v, %v", ev, err)
	}
}

// FuzzNewBody: a body is an event, and the one that it was made of.
func FuzzNewBody(f *testing.F) {
	f.Add("note", []byte(`{"a":[1]}`))
	f.Add("new_message", []byte(` {} `))
	f.Add("note", []byte(`1,"type":"ack"`))
	f.Fuzz(func(t *testing.T, typ string, payload []byte) {
		body, err := NewBody(Event{Type: typ, Payload: payload})
		if err != nil {
			return
		}
		st, err := ReadStored(body.Bytes())
		if err != nil || string(st.typ) != typ {
			t.Fatalf("%q with %q became %q: %v", typ, payload, body.Bytes(), err)
		}
		if got := strings.TrimSpace(string(payload)); got != string(st.payload) && (got != "null" || st.payload != nil) {
			t.Fatalf("%q became %q", payload, st.payload)
		}
	})
}

// FuzzMessage: a message written by hand means what encoding/json writes, and
// is an event whatever is in it.
func FuzzMessage(f *testing.F) {
	for _, text := range []string{"", "hi", "<b>&\u2028\"\\\n\x00\x7f", "{\"a\":1}", "莊家贏了", "🎲", "\xff"} {
		f.Add(text, text, text, int64(len(text)))
	}
	f.Fuzz(func(t *testing.T, text, who, to string, at int64) {
		m := Message{Message: text, From: who, Sent: text, Time: at, UID: who, Username: text, AvatarID: to, ImageURL: to, RoomID: who, ToUID: to}
		st, err := ReadStored(MessageBody(&m, TextOf(m.Message)).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: TypeNewMessage, false: TypePrivateMessage}[to == ""]; string(st.typ) != want {
			t.Fatalf("it is a %s, want %s", st.typ, want)
		}
		var got, want Message
		if err := json.Unmarshal(st.payload, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(MarshalPayload(m), &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if st.incomplete() && who != "" {
			t.Fatalf("%s lacks something", st.payload)
		}
	})
}

// FuzzSendMessage: what is read by hand is read as encoding/json reads it.
func FuzzSendMessage(f *testing.F) {
	for _, payload := range []string{
		`{"message":"hi","content":"c","from":"f","image_url":"u","to_uid":"t"}`, `{}`, ` { "message" : "a" , "message" : "b" } `,
		`{"Message":"a"}`, `{"me\u0073sage":"\ud83c\udfb2\ud83c\n\/\b\f\r\t\"\\"}`, `{"message":"a","MESSAGE":"b"}`, `{"message":null}`, `{"message":1}`,
		`{"data":{"message":"no"},"message":"yes","x":[1]}`, `{"\u017fent":"x","me\u017f\u017fage":"x"}`, `[]`, `null`, `"message"`, `{"message":"\ud83c\ud83c\udfb2\ud83cx"}`,
	} {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if !utf8.Valid(payload) || !json.Valid(payload) {
			return // Decode gives none of these
		}
		got, ok := ReadSendMessage(payload)
		if !ok {
			return
		}
		var want SendMessage
		if err := json.Unmarshal(payload, &want); err != nil {
			t.Fatalf("%q: encoding/json refuses it: %v", payload, err)
		}
		if got := unquoted(t, got); got != want.shown() {
			t.Fatalf("%q: %+v, want %+v", payload, got, want)
		}
	})
}

// shown is what of a message is shown: content only where there is no message.
func (p SendMessage) shown() SendMessage {
	p.Message, p.Content = cmp.Or(p.Message, p.Content), ""
	return p
}

// unquoted reads the text with encoding/json.
func unquoted(t *testing.T, p SentMessage) SendMessage {
	t.Helper()
	plain := SendMessage{From: p.From, ImageURL: p.ImageURL, ToUID: p.ToUID}
	if p.Text.quoted != nil {
		if err := json.Unmarshal(p.Text.quoted, &plain.Message); err != nil {
			t.Fatalf("the text %s: %v", p.Text.quoted, err)
		}
	}
	if p.Text.Empty() != (plain.Message == "") {
		t.Fatalf("the text %s: empty is %v", p.Text.quoted, p.Text.Empty())
	}
	return plain
}

// What a browser sends is not left to encoding/json.
func TestOrdinaryMessagesAreReadByHand(t *testing.T) {
	for payload, want := range map[string]SendMessage{
		`{}`:                                       {},
		`{"message":"hi","from":"percy"}`:          {Message: "hi", From: "percy"},
		`{"message":"a","x":{"message":"b"}}`:      {Message: "a"},
		`{"message":"","content":"c"}`:             {Message: "c"},
		`{"content":"c","message":"m"}`:            {Message: "m"},
		`{"message":"{\"a\":1}\n","to_uid":"u-1"}`: {Message: "{\"a\":1}\n", ToUID: "u-1"},
	} {
		if got, ok := ReadSendMessage([]byte(payload)); !ok || unquoted(t, got) != want {
			t.Errorf("%s: %+v, %v", payload, got, ok)
		}
	}
	for _, payload := range []string{``, `null`, `[]`, `{"message":null}`, `{"message":1}`, `{"Message":"a"}`, `{"message":"a","x":1,"FROM":"b"}`, `{"message":"\ud83c"}`, `{"content":"\udfb2x"}`} {
		if _, ok := ReadSendMessage([]byte(payload)); ok {
			t.Errorf("%s was read by hand", payload)
		}
	}
}
