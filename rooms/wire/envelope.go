package wire

// field is one of the fields of an event that we know.
type field int

const (
	fieldNone field = iota // unknown: ignored
	fieldType
	fieldID
	fieldRoom
	fieldSeq
	fieldPayload
	fieldCount
)

var fieldNames = [fieldCount]string{fieldType: "type", fieldID: "id", fieldRoom: "room", fieldSeq: "seq", fieldPayload: "payload"}

// envelope is the text of each field, as it came; nil when absent.
type envelope struct {
	fields [fieldCount][]byte
	twice  field // one that appears twice, or fieldNone
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
			name, ok := s.key()
			if !ok {
				return env, false
			}
			value, ok := s.value(MaxDepth - 1)
			if !ok {
				return env, false
			}
			env.set(fieldNamed(name.bytes()), value)
			if !s.take(',') {
				break
			}
		}
		if !s.take('}') {
			return env, false
		}
	}
	s.space()
	return env, s.at == len(body)
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
	case "payload":
		return fieldPayload
	}
	return fieldNone
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// stringBytes fails for what is no string, and for a string that holds what
// is no character; an absent or null field is empty.
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

// typeField gives every type of ours as the constant: most events then cost
// no allocation for it.
func typeField(raw []byte) (string, bool) {
	b, ok := stringBytes(raw)
	if !ok {
		return "", false
	}
	if known, ok := knownTypes[string(b)]; ok {
		return known, true
	}
	t := string(b)
	return t, ValidType(t)
}
