package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestShow(t *testing.T) {
	tests := []struct{ event, want string }{
		{`{"type":"new_message","room":"general","payload":{"message":"hi","from":"percy"}}`, "general  percy: hi"},
		{`{"type":"new_message","room":"general","payload":{"message":"hi","username":"percy","image_url":"https://x/a.png"}}`, "general  percy: hi [https://x/a.png]"},
		{`{"type":"new_message","room":"general","payload":{"message":"table opens"}}`, "general  (a service): table opens"},
		{`{"type":"private_message","room":"@me","payload":{"message":"psst","from":"percy"}}`, "@me  percy (private): psst"},
		{`{"type":"presence","room":"general","payload":{"joined":[{"username":"a"}],"left":[{"username":"b"}],"count":1}}`, "general  * +a -b 1 person here"},
		{`{"type":"room_joined","room":"general","payload":{"count":3}}`, "general  * joined, 3 people here"},
		{`{"type":"room_left","room":"general","payload":{"reason":"removed"}}`, "general  * left: removed"},
		{`{"type":"error","payload":{"code":"busy","message":"try again"}}`, "-  ! busy: try again"},
		{`{"type":"round_result","room":"百家樂","payload":{"winner":"banker"}}`, `百家樂  round_result {"winner":"banker"}`},
		{`{"type":"new_message","room":"general","payload":7}`, "general  new_message 7"},
		// What others write does not steer the terminal.
		{`{"type":"new_message","room":"g","payload":{"message":"\u001b[2J\u009b1m\u202e\n\u2028x","from":"a\rb"}}`, "g  a b:  [2J 1m   x"},
	}
	for _, tt := range tests {
		ev, err := wire.DecodeServer([]byte(tt.event))
		if err != nil {
			t.Fatal(err)
		}
		if got := show(ev); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.event, got, tt.want)
		}
	}
	for _, quiet := range []string{`{"type":"welcome"}`, `{"type":"ack","id":"1"}`, `{"type":"room_joined","room":"@me","payload":{}}`} {
		ev, err := wire.DecodeServer([]byte(quiet))
		if err != nil {
			t.Fatal(err)
		}
		if got := show(ev); got != "" {
			t.Errorf("%s shows %q", quiet, got)
		}
	}
}

// A logged event shows the log's time, whoever looks at it and when.
func TestTimes(t *testing.T) {
	at := time.UnixMilli(1795176000123)
	for _, tt := range []struct{ event, layout, want string }{
		{`{"type":"new_message","room":"g","seq":1,"at":1795176000123,"payload":{"message":"hi","from":"a","time":1}}`, time.DateTime, at.Format(time.DateTime) + " g  a: hi\n"},
		{`{"type":"new_message","room":"g","seq":1,"at":1795176000123,"payload":{"message":"hi","from":"a"}}`, time.TimeOnly, at.Format(time.TimeOnly) + " g  a: hi\n"},
		{`{"type":"new_message","room":"g","seq":1,"payload":{"message":"hi","from":"a","time":1}}`, time.DateTime, "- g  a: hi\n"},
	} {
		ev, err := wire.DecodeServer([]byte(tt.event))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		p := printer{out: &out, layout: tt.layout}
		if p.event(ev); out.String() != tt.want {
			t.Errorf("%s is shown as %q, want %q", tt.event, out.String(), tt.want)
		}
	}
	var out strings.Builder
	p := printer{out: &out, layout: time.RFC3339}
	before := time.Now().Truncate(time.Second)
	p.event(wire.Event{Type: "typing", Room: "g"})
	shown, err := time.Parse(time.RFC3339, strings.Fields(out.String())[0])
	if err != nil || shown.Before(before) || shown.After(time.Now()) {
		t.Errorf("what is in no log is shown as of %v, %v: %q", shown, err, out.String())
	}
}

func TestBatchIsShownEventByEvent(t *testing.T) {
	ev, err := wire.DecodeServer([]byte(`{"type":"batch","room":"g","seq":7,"payload":{"events":[{"type":"round_opened","payload":{"round":1}},{"type":"new_message","payload":{"message":"hi","from":"ann"}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	(&printer{out: &out, layout: time.DateTime}).event(ev)
	if got, want := out.String(), "- g  round_opened {\"round\":1}\n- g  ann: hi\n"; got != want {
		t.Errorf("it is shown as\n%swant\n%s", got, want)
	}
}

// With --json every event is one line.
func TestJSONIsOneLine(t *testing.T) {
	ev, err := wire.DecodeServer([]byte("{\"type\":\"x\",\"seq\":7,\"payload\":{\n\"a\": [1,\r\n 2]}}"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := oneLine(ev), `{"type":"x","seq":7,"payload":{"a":[1,2]}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

type brokenPipe struct{ writes int }

func (b *brokenPipe) Write([]byte) (int, error) { b.writes++; return 0, errors.New("broken pipe") }

func TestPrinterStopsAtTheFirstFailedWrite(t *testing.T) {
	pipe, told := &brokenPipe{}, 0
	p := printer{out: pipe, failed: func(error) { told++ }}
	p.line("a")
	p.line("b")
	if p.err == nil || pipe.writes != 1 || told != 1 {
		t.Errorf("err %v after %d writes, told %d times", p.err, pipe.writes, told)
	}
}
