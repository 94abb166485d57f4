package rooms

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// roomLabel is how clients see a room's name: a user's inbox is "@me" to the
// only user who can see it.
func roomLabel(room string) string {
	if _, ok := wire.InboxOwner(room); ok {
		return wire.InboxAlias
	}
	return room
}

// checkInjected decodes the body of a message on a room's subject. What it
// refuses reaches no client.
func checkInjected(body []byte) (wire.Event, error) {
	ev, err := wire.Decode(body)
	if err != nil {
		return ev, err
	}
	if wire.Reserved(ev.Type) {
		return ev, wire.Errorf(wire.BadType, "type %q is made by the server only; inject another", ev.Type)
	}
	if isMessage(ev.Type) && !isJSONObject(ev.Payload) {
		return ev, wire.Errorf(wire.BadPayload, "the payload of %s must be an object with message", ev.Type)
	}
	return ev, nil
}

func isMessage(typ string) bool {
	return typ == wire.TypeNewMessage || typ == wire.TypePrivateMessage
}

func isJSONObject(raw json.RawMessage) bool {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	return len(raw) > 0 && raw[0] == '{'
}

// publicEvent makes what clients see of one stored message: the body's type
// and payload, the room's label and the sequence.
func publicEvent(label string, seq uint64, body []byte, logTime string) (wire.Event, error) {
	ev, err := checkInjected(body)
	if err != nil {
		return ev, err
	}
	if isMessage(ev.Type) {
		ev.Payload = completeMessage(ev.Payload, label, logTime)
	}
	return wire.Event{Type: ev.Type, Room: label, Seq: seq, Payload: ev.Payload}, nil
}

// completeMessage adds what an injected message may leave out. A message that
// a node published has it all; inside a JSON string a quote is escaped, so the
// search cannot be fooled by a text, and a payload in which another object may
// be is searched properly.
func completeMessage(payload json.RawMessage, label, logTime string) json.RawMessage {
	flat := bytes.LastIndexByte(payload, '{') == 0
	if flat && bytes.Contains(payload, []byte(`"sent":"`)) && bytes.Contains(payload, []byte(`"time":`)) && bytes.Contains(payload, []byte(`"room_id":"`)) {
		return payload
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return payload // unreachable: Decode has checked it
	}
	add := func(key string, value any) {
		if _, ok := fields[key]; !ok {
			fields[key] = wire.MarshalPayload(value)
		}
	}
	add("room_id", label)
	if t, err := time.Parse(time.RFC3339Nano, logTime); err == nil {
		add("sent", logTime)
		add("time", t.UnixMilli())
	}
	return wire.MarshalPayload(fields)
}
