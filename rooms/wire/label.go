package wire

import (
	"bytes"
	"encoding/json"
)

// Limits of a room's label.
const (
	MaxLabelBytes = 512 // without white space between its parts
	MaxLabelDepth = 16  // levels of objects and arrays
)

// CleanLabel returns a room's label without white space between its parts, or a
// *Error with code BadPayload: it must be one JSON value within the limits.
// Nothing, and null, is no label: nil.
func CleanLabel(raw []byte) (json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	s := scanner{text: raw}
	value, ok := s.value(MaxLabelDepth)
	if !ok || !s.end() {
		return nil, Errorf(BadPayload, "a label must be one JSON value of at most %d levels in valid UTF-8, or empty to remove it", MaxLabelDepth)
	}
	if !readable(value) {
		return nil, Errorf(BadPayload, "a label has half a surrogate pair, or a number beyond 64-bit floating point; not every JSON reader takes those")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return nil, Errorf(BadPayload, "a label must be one JSON value: %s", err)
	}
	switch label := compact.Bytes(); {
	case string(label) == "null":
		return nil, nil
	case len(label) > MaxLabelBytes:
		return nil, Errorf(BadPayload, "a label has at most %d bytes, this one %d; shorten it", MaxLabelBytes, len(label))
	default:
		return label, nil
	}
}

// readable reports whether all JSON readers agree on a value that the scanner
// has taken: its numbers fit into a float64, its strings are characters.
func readable(value []byte) bool {
	s := scanner{text: value}
	for !s.end() {
		if s.peek() != '"' {
			s.at++
		} else if raw, ok := s.str(); !ok || raw.lone {
			return false
		}
	}
	var v any
	return json.Unmarshal(value, &v) == nil
}
