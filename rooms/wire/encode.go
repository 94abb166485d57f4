package wire

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// AppendEvent appends the event as one JSON object. The payload must be valid
// JSON: it is copied as it is. An empty one is left out.
func AppendEvent(dst []byte, ev Event) []byte {
	dst = appendFields(dst, &ev)
	if len(ev.Payload) > 0 {
		dst = append(dst, `,"payload":`...)
		dst = append(dst, ev.Payload...)
	}
	return append(dst, '}')
}

// appendFields appends all but the payload, and not the last brace.
func appendFields(dst []byte, ev *Event) []byte {
	dst = append(dst, `{"type":`...)
	dst = AppendString(dst, ev.Type)
	if ev.ID != "" {
		dst = append(dst, `,"id":`...)
		dst = AppendString(dst, ev.ID)
	}
	if ev.Room != "" {
		dst = append(dst, `,"room":`...)
		dst = AppendString(dst, ev.Room)
	}
	if ev.Seq != 0 {
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendUint(dst, ev.Seq, 10)
	}
	if ev.At != 0 {
		dst = strconv.AppendInt(append(dst, `,"at":`...), ev.At, 10)
	}
	return dst
}

// MarshalPayload encodes a payload of this package. It panics if v cannot be
// encoded, which for the types of this package cannot happen as long as every
// History.Events is valid JSON: put there only what Decode has accepted.
func MarshalPayload(v any) json.RawMessage {
	if p, ok := v.(appender); ok {
		return p.append(make([]byte, 0, p.size()))
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("wire: payload cannot be encoded: " + err.Error())
	}
	return b
}

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for at := 0; ; {
		end := skipPlain(s, at)
		dst = append(dst, s[at:end]...)
		if end == len(s) {
			return append(dst, '"')
		}
		dst = appendEscaped(dst, s[end])
		at = end + 1
	}
}

// stringSize is the length of what AppendString appends.
func stringSize(s string) int {
	size := len(`""`) + len(s)
	for at := skipPlain(s, 0); at < len(s); at = skipPlain(s, at+1) {
		var space [len(`\u0000`)]byte
		size += len(appendEscaped(space[:0], s[at])) - 1
	}
	return size
}

// shortEscapes are the letters by which some control characters are escaped:
// what came so must not become longer.
var shortEscapes = [0x20]byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r'}

// appendEscaped appends what a string cannot hold as it is. A byte of no
// character becomes U+FFFD.
func appendEscaped(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c < 0x20 && shortEscapes[c] != 0:
		return append(dst, '\\', shortEscapes[c])
	case c < 0x20:
		return append(dst, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&15])
	}
	return utf8.AppendRune(dst, utf8.RuneError)
}
