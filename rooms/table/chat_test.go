package table_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
)

// What is said comes out as it was, whatever it is written like.
func TestChat(t *testing.T) {
	who := table.User{From: table.FromUser, UID: `a "uid"`, Name: "Ann\nB", Avatar: "cat", Guest: true}
	for payload, text := range map[string]string{
		`{"message":"hi"}`:                     "hi",
		`{"message":""}`:                       "",
		`{ "message" : "hi" , "x" : 1 }`:       "hi",
		`{"message":"a\"b\\c\n<&>\u0000"}`:     "a\"b\\c\n<&>\x00",
		`{"message":"莊家贏了"}`:                   "莊家贏了",
		"{\"message\":\"bad \xff\"}":           "bad \ufffd",
		`{"message":"a","message":"b"}`:        "",
		`{"Message":"a"}`:                      "",
		`{"message":"hi"} `:                    "hi",
		`{"data":{"message":"no"}}`:            "",
		`{"message":"\ud83c\udca1 an ace"}`:    "🂡 an ace",
		`{"message":"two\u2028lines"}`:         "two\u2028lines",
		"{\"message\":\"two\u2028lines too\"}": "two\u2028lines too",
	} {
		events, err := table.Chat(table.Command{Type: "send_message", Payload: json.RawMessage(payload), User: who, Now: 7})
		if text == "" {
			var refusal *table.Refusal
			if !errors.As(err, &refusal) {
				t.Errorf("%s: %v, %v", payload, events, err)
			}
			continue
		}
		if err != nil || len(events) != 1 || events[0].Type != table.TypeNewMessage {
			t.Fatalf("%s: %v, %v", payload, events, err)
		}
		var got map[string]any
		if err := json.Unmarshal(events[0].Payload, &got); err != nil {
			t.Fatalf("%s: %v in %s", payload, err, events[0].Payload)
		}
		want := map[string]any{"message": text, "from": who.Name, "uid": who.UID, "username": who.Name, "avatar_id": "cat",
			"sent": "1970-01-01T00:00:00.007Z", "time": 7.0, "guest": true}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", payload, got, want)
		}
	}
	for _, payload := range []string{`{"message":1}`, `[]`, `{"message"`, `{"message":"a","image_url":"https://x/y.png"}`} {
		if events, err := table.Chat(table.Command{Payload: json.RawMessage(payload)}); err == nil {
			t.Errorf("%s: %v", payload, events)
		}
	}
	events, err := table.Chat(table.Command{Payload: json.RawMessage(`{"content":"hi","from":"dealer"}`), User: table.User{From: table.FromService}})
	if err != nil || string(events[0].Payload) != `{"message":"hi","from":"dealer","sent":"1970-01-01T00:00:00Z","time":0,"service":true}` {
		t.Errorf("of a service: %s, %v", events[0].Payload, err)
	}
}
