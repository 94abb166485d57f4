package wire

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// AppendEvent appends the event as one JSON object. The payload must be valid
// JSON: it is copied as it is. An empty one is left out.
func AppendEvent(dst []byte, ev Event) []byte {
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
	if len(ev.Payload) > 0 {
		dst = append(dst, `,"payload":`...)
		dst = append(dst, ev.Payload...)
	}
	return append(dst, '}')
}

// MarshalPayload encodes a payload of ours. It panics when v cannot be
// encoded, which for the types of this package cannot happen as long as every
// History.Events is valid JSON: put there only what Decode has accepted.
func MarshalPayload(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("wire: payload cannot be encoded: " + err.Error())
	}
	return b
}

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // start of what needs no change
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			if r, n = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[plain:i]...)
		dst = appendEscaped(dst, r)
		i += n
		plain = i
	}
	return append(append(dst, s[plain:]...), '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r < 0x20:
		return append(dst, '\\', 'u', '0', '0', upperHex[r>>4], upperHex[r&15])
	}
	return utf8.AppendRune(dst, r)
}
