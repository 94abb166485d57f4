package wire

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Limits of an event's own fields.
const (
	MaxTypeBytes = 64
	MaxIDBytes   = 128
)

// Event is one event: PROTOCOL.md section 1.
type Event struct {
	Type    string          // 1-64 of a-z 0-9 _ . -
	ID      string          // the sender's, at most MaxIDBytes; "" when it wants no answer
	Room    string          // "" when not named
	Seq     uint64          // position in the room's log; 0 when not logged
	Payload json.RawMessage // nil when absent
}

// Decode reads one event object as a client or a service sends it; seq and
// unknown fields are ignored. Names of fields are matched exactly, and none of
// ours may appear twice, so that no two readers see different events in it.
// A failure is a *Error with BadJSON, BadType or BadRoom; the event then holds
// what could be read, the id above all, so that the answer can carry it.
// The payload shares memory with body.
func Decode(body []byte) (Event, error) { return decode(body, false) }

// DecodeServer reads an event as a server sends it: as Decode, with seq.
func DecodeServer(body []byte) (Event, error) { return decode(body, true) }

func decode(body []byte, withSeq bool) (Event, error) {
	var ev Event
	if !utf8.Valid(body) {
		return ev, Errorf(BadJSON, "the message is not valid UTF-8; send one JSON object as text")
	}
	env, ok := scanEnvelope(body)
	if !ok {
		return ev, Errorf(BadJSON, "the message is not one JSON object of at most %d levels; send {\"type\":…,\"payload\":…}", MaxDepth)
	}
	if ev.ID, ok = stringField(env.fields[fieldID]); !ok || !ValidID(ev.ID) {
		ev.ID = ""
		return ev, Errorf(BadJSON, "id must be a string of at most %d bytes without control characters", MaxIDBytes)
	}
	if env.twice != fieldNone {
		return ev, Errorf(BadJSON, "%s appears twice; send it once", fieldNames[env.twice])
	}
	if ev.Type, ok = typeField(env.fields[fieldType]); !ok {
		return ev, Errorf(BadType, "type must be 1-%d characters of a-z 0-9 _ . -", MaxTypeBytes)
	}
	if ev.Room, ok = stringField(env.fields[fieldRoom]); !ok {
		return ev, Errorf(BadRoom, "room must be a string")
	}
	if payload := env.fields[fieldPayload]; !isNull(payload) {
		ev.Payload = payload[:len(payload):len(payload)]
	}
	if seq := env.fields[fieldSeq]; withSeq && !isNull(seq) {
		n, err := strconv.ParseUint(string(seq), 10, 64)
		if err != nil {
			return ev, Errorf(BadJSON, "seq must be a whole number from 0 to 2^64-1")
		}
		ev.Seq = n
	}
	return ev, nil
}

// ValidID reports whether id may be the id of an event, the empty one
// included. Control characters are out because ids end up in headers and logs.
func ValidID(id string) bool {
	if len(id) > MaxIDBytes {
		return false
	}
	for i := 0; i < len(id); i++ {
		if id[i] < 0x20 || id[i] == 0x7f {
			return false
		}
	}
	return true
}

// ValidType reports whether t may be the type of an event.
func ValidType(t string) bool {
	if t == "" || len(t) > MaxTypeBytes {
		return false
	}
	for i := 0; i < len(t); i++ {
		c := t[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
