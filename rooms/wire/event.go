package wire

import (
	"encoding/json"
	"strconv"
)

// Limits of an event's own fields.
const (
	MaxTypeBytes = 64
	MaxIDBytes   = 128
)

// Event is one event: README.md, "Events".
type Event struct {
	Type    string          // 1-64 of a-z 0-9 _ . -
	ID      string          // the sender's, at most MaxIDBytes; "" when it wants no answer
	Room    string          // "" when not named
	Seq     uint64          // position in the room's log; 0 when not logged
	At      int64           // the log's time, ms since 1970; 0 when not logged
	Payload json.RawMessage // nil when absent
}

// Decode reads one event object as a client or a service sends it; seq, at and
// unknown fields are ignored. Names of fields are matched exactly, and none of
// ours may appear twice, so that no two readers see different events in it. A
// failure is a *Error with BadJSON, BadType or BadRoom; the event then holds
// what could be read, the id above all, so that the answer can carry it. The
// payload shares memory with body.
func Decode(body []byte) (Event, error) { return decode(body, false) }

// DecodeServer reads an event as a server sends it: as Decode, with seq and at.
func DecodeServer(body []byte) (Event, error) { return decode(body, true) }

func decode(body []byte, fromServer bool) (Event, error) {
	var ev Event
	env, id, err := readEnvelope(body)
	ev.ID = string(id)
	if err != nil {
		return ev, err
	}
	var ok bool
	if ev.Type, ok = typeField(env.fields[fieldType]); !ok {
		return ev, errBadType()
	}
	if ev.Room, ok = stringField(env.fields[fieldRoom]); !ok {
		return ev, errBadRoomField()
	}
	if payload := env.fields[fieldPayload]; !isNull(payload) {
		ev.Payload = payload[:len(payload):len(payload)]
	}
	if fromServer {
		return ev, env.position(&ev)
	}
	return ev, nil
}

// position reads what the log adds to an event.
func (env *envelope) position(ev *Event) (err error) {
	if seq := env.fields[fieldSeq]; !isNull(seq) {
		if ev.Seq, err = strconv.ParseUint(string(seq), 10, 64); err != nil {
			return Errorf(BadJSON, "seq must be a whole number from 0 to 2^64-1")
		}
	}
	if at := env.fields[fieldAt]; !isNull(at) {
		n, err := strconv.ParseUint(string(at), 10, 63)
		if err != nil {
			return Errorf(BadJSON, "at must be a whole number of ms from 0 to 2^63-1")
		}
		ev.At = int64(n)
	}
	return nil
}

func errBadType() *Error {
	return Errorf(BadType, "type must be 1-%d characters of a-z 0-9 _ . -", MaxTypeBytes)
}

func errBadRoomField() *Error { return Errorf(BadRoom, "room must be a string") }

// ValidID reports whether id may be the id of an event, the empty one
// included. Control characters are out because ids end up in headers and logs.
func ValidID[T string | []byte](id T) bool {
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
func ValidType[T string | []byte](t T) bool {
	if len(t) == 0 || len(t) > MaxTypeBytes {
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
