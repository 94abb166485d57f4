package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// What encoding/json makes of an event is the event that all others read.
func TestEventAsJSON(t *testing.T) {
	for _, ev := range []Event{
		{Type: "note"},
		{Type: "note", Payload: json.RawMessage(`{"a":[1,"é<>\u2028",null]}`)},
		{Type: "note", ID: `i"d`, Room: "百家樂", Seq: 1<<64 - 1, At: 1<<63 - 1, Payload: json.RawMessage(`7`)},
	} {
		text, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		var back, again Event
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again, err = DecodeServer(text); err != nil || !reflect.DeepEqual(again, back) {
			t.Errorf("%s is %+v for encoding/json and %+v (%v) for DecodeServer", text, back, again, err)
		}
		var want, got any
		_ = json.Unmarshal(ev.Payload, &want) // nil where there is none
		_ = json.Unmarshal(back.Payload, &got)
		back.Payload, ev.Payload = nil, nil
		if !reflect.DeepEqual(back, ev) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v with %v", text, back, got)
		}
		if _, _, err := ReadBody(text); err != nil {
			t.Errorf("%s is not published: %v", text, err)
		}
	}
}

// A slice or a struct that holds events holds its own copies.
func TestEventFromJSONIsItsOwn(t *testing.T) {
	data := []byte(`[{"type":"a","payload":{"n":1}},{"type":"b","payload":{"n":2}}]`)
	var list []Event
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if len(list) != 2 || string(list[0].Payload) != `{"n":1}` || string(list[1].Payload) != `{"n":2}` {
		t.Errorf("the events are %+v", list)
	}
}

func TestEventFromJSONRefuses(t *testing.T) {
	for text, code := range map[string]Code{`7`: BadJSON, `{"Type":"note"}`: BadType, `{"type":"No"}`: BadType, `{"type":"a","room":7}`: BadRoom, `{"type":"a","seq":-1}`: BadJSON} {
		ev := Event{Type: "before"}
		err := json.Unmarshal([]byte(text), &ev)
		var e *Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want %s", text, err, code)
		}
		if ev.Type != "before" {
			t.Errorf("%s changed the event to %+v", text, ev)
		}
	}
	if _, err := json.Marshal(Event{Type: "a", Payload: json.RawMessage(`{`)}); err == nil {
		t.Error("a payload that is no JSON was written")
	}
}

// A message that a program makes without a time has none, so that the log's
// time is put in: an empty one would stay.
func TestMessageWithoutATime(t *testing.T) {
	m := Message{Message: "hi", From: "Ann", UID: "ann", Username: "Ann"}
	want := `{"message":"hi","from":"Ann","uid":"ann","username":"Ann","avatar_id":""}`
	if got := string(MarshalPayload(&m)); got != want {
		t.Errorf("it is written as\n%s, want\n%s", got, want)
	}
	if got, err := json.Marshal(m); err != nil || string(got) != want {
		t.Errorf("encoding/json writes\n%s (%v), want\n%s", got, err, want)
	}
}
