package wire

import "unicode/utf8"

// field is one of the fields of an event that we know.
type field int

const (
	fieldNone field = iota // unknown: ignored
	fieldType
	fieldID
	fieldRoom
	fieldSeq
	fieldAt
	fieldPayload
	fieldCount
)

var fieldNames = [fieldCount]string{fieldType: "type", fieldID: "id", fieldRoom: "room", fieldSeq: "seq", fieldAt: "at", fieldPayload: "payload"}

// envelope is the raw JSON of each field; nil if absent.
type envelope struct {
	fields  [fieldCount][]byte
	twice   field   // one that appears twice, or fieldNone
	members members // of the payload
}

// scanEnvelope splits one JSON object and checks all of it.
func scanEnvelope(body []byte) (envelope, bool) {
	s := scanner{text: body}
	var env envelope
	if !s.take('{') {
		return env, false
	}
	if !s.take('}') {
		for {
			if !env.member(&s) {
				return env, false
			}
			if !s.take(',') {
				break
			}
		}
		if !s.take('}') {
			return env, false
		}
	}
	return env, s.end()
}

// member reads one name and its value.
func (env *envelope) member(s *scanner) bool {
	name, ok := s.key()
	if !ok {
		return false
	}
	f := fieldNamed(name.bytes())
	var value []byte
	if f == fieldPayload {
		value, env.members, ok = s.payload(MaxDepth - 1)
	} else {
		value, ok = s.value(MaxDepth - 1)
	}
	env.set(f, value)
	return ok
}

// readEnvelope is scanEnvelope that says what is wrong, and reads the id first,
// so that an answer can carry it.
func readEnvelope(body []byte) (env envelope, id []byte, err error) {
	env, ok := scanEnvelope(body)
	if !ok {
		return env, nil, notAnEvent(body)
	}
	if id, ok = stringBytes(env.fields[fieldID]); !ok || !ValidID(id) {
		return env, nil, Errorf(BadJSON, "id must be a string of at most %d bytes without control characters", MaxIDBytes)
	}
	if env.twice != fieldNone {
		return env, id, Errorf(BadJSON, "%s appears twice; send it once", fieldNames[env.twice])
	}
	return env, id, nil
}

// notAnEvent returns why the scan of body has failed.
func notAnEvent(body []byte) *Error {
	if !utf8.Valid(body) {
		return Errorf(BadJSON, "the message is not valid UTF-8; send one JSON object as text")
	}
	return Errorf(BadJSON, "the message is not one JSON object of at most %d levels; send {\"type\":…,\"payload\":…}", MaxDepth)
}

func (env *envelope) set(f field, value []byte) {
	if f != fieldNone && env.fields[f] != nil {
		env.twice = f
	}
	env.fields[f] = value
}

func fieldNamed(name []byte) field {
	switch string(name) {
	case "type":
		return fieldType
	case "id":
		return fieldID
	case "room":
		return fieldRoom
	case "seq":
		return fieldSeq
	case "at":
		return fieldAt
	case "payload":
		return fieldPayload
	}
	return fieldNone
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// stringBytes fails if raw is no string, or contains invalid characters; an
// absent or null field is empty.
func stringBytes(raw []byte) ([]byte, bool) {
	if isNull(raw) {
		return nil, true
	}
	s := scanner{text: raw}
	str, ok := s.str()
	if !ok || str.lone {
		return nil, false
	}
	return str.bytes(), true
}

func stringField(raw []byte) (string, bool) {
	b, ok := stringBytes(raw)
	return string(b), ok
}

// typeField returns a type of this package as the constant, which needs no
// allocation.
func typeField(raw []byte) (string, bool) {
	b, ok := typeBytes(raw)
	return typeName(b), ok
}

func typeBytes(raw []byte) ([]byte, bool) {
	b, ok := stringBytes(raw)
	return b, ok && ValidType(b)
}

func typeName(b []byte) string {
	if known, ok := knownTypes[string(b)]; ok {
		return known
	}
	return string(b)
}
