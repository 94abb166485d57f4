package wire

import (
	"encoding/json"
	"testing"
)

// TestStoredBatch: one event is told as it is, several as a batch that holds what
// encoding/json would make of it.
func TestStoredBatch(t *testing.T) {
	events := []BatchedEvent{
		{Type: "card_dealt", Payload: json.RawMessage(`{"card":"TD"}`)}, {Type: "quiet"}, {Type: `odd "type"`, Payload: json.RawMessage(`[]`)},
	}
	one := StoredBatch(events[:1])
	if got := string(AppendEvent(nil, one.Event("x", 7, ""))); got != `{"type":"card_dealt","room":"x","seq":7,"payload":{"card":"TD"}}` {
		t.Errorf("one event is told as %s", got)
	}
	want, err := json.Marshal(Batch{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	several := StoredBatch(events)
	ev := several.Event("x", 7, "")
	if ev.Type != TypeBatch || string(ev.Payload) != string(want) {
		t.Errorf("several are told as %s %s, want %s", ev.Type, ev.Payload, want)
	}
	frame := several.AppendFrame(nil, "x", 7, "")
	if got, want := string(FramePayload(frame)), string(AppendEvent(nil, ev)); got != want {
		t.Errorf("the frame is %s, want %s", got, want)
	}
}

// TestEachOf: a reader gets the events of a batch one by one, with the room, the
// place and the time of the batch, and any other event as it is.
func TestEachOf(t *testing.T) {
	batch := Event{Type: TypeBatch, Room: "x", Seq: 7, At: 8, Payload: json.RawMessage(`{"events":[{"type":"a","payload":{"n":1}},{"type":"b"}]}`)}
	got, err := EachOf(batch)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if text := string(AppendEvent(nil, got[0])) + string(AppendEvent(nil, got[1])); text !=
		`{"type":"a","room":"x","seq":7,"at":8,"payload":{"n":1}}{"type":"b","room":"x","seq":7,"at":8}` {
		t.Errorf("got %s", text)
	}
	single := Event{Type: "a", Room: "x", Seq: 7}
	if got, err := EachOf(single); err != nil || len(got) != 1 || got[0].Type != "a" || got[0].Seq != 7 {
		t.Errorf("a single event: %v, %v", got, err)
	}
	if got, err := EachOf(Event{Type: TypeBatch, Payload: json.RawMessage(`[]`)}); err == nil {
		t.Errorf("of a batch that is none: %v", got)
	}
}
