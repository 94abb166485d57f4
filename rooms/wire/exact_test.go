package wire

import (
	"encoding/json"
	"testing"
)

func TestUnmarshalExact(t *testing.T) {
	type Inner struct {
		Error *string `json:"error"`
	}
	type answer struct {
		Inner
		UID     string          `json:"uid,omitempty"`
		Payload json.RawMessage `json:"payload"`
		Hidden  string          `json:"-"`
		none    string
	}
	for _, tt := range []struct{ text, uid, payload string }{
		{`{"uid":"ann"}`, "ann", ""},
		{` { "u\u0069d" : "ann" , "x":1,"x":2 } `, "ann", ""},
		{`{"uid":"ann","UID":"bob","Uid":5,"-":1,"Hidden":2,"none":3,"Error":"no"}`, "ann", ""},
		{`{"UID":"bob"}`, "", ""},
		{`{"payload":{"a": "<b>&\u003c", "a":1},"uid":null}`, "", `{"a": "<b>&\u003c", "a":1}`},
		{`{}`, "", ""},
	} {
		var got answer
		if err := UnmarshalExact([]byte(tt.text), &got); err != nil || got.UID != tt.uid || string(got.Payload) != tt.payload || got.Error != nil || got.Hidden+got.none != "" {
			t.Errorf("%s is %+v, %v", tt.text, got, err)
		}
	}
	for _, text := range []string{
		``, `null`, `[]`, `"uid"`, `{`, `{"uid":1}`, `{"uid":"a"} {}`, "{\"uid\":\"\xff\"}",
		`{"uid":"a","uid":"b"}`, `{"uid":"a","u\u0069d":"a"}`, `{"error":null,"error":"no"}`,
	} {
		var got answer
		if err := UnmarshalExact([]byte(text), &got); err == nil {
			t.Errorf("%s is read as %+v", text, got)
		}
	}
	var got answer
	if err := UnmarshalExact([]byte(`{"error":"no"}`), &got); err != nil || got.Error == nil {
		t.Errorf("the field of an embedded struct: %+v, %v", got, err)
	}
}
