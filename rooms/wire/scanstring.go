package wire

import "encoding/json"

// str reads one string that starts right here.
func (s *scanner) str() (rawString, bool) {
	start := s.at
	var raw rawString
	if !s.one('"') {
		return raw, false
	}
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '"':
			raw.quoted = s.text[start:s.at]
			return raw, true
		case c < 0x20:
			return raw, false
		case c == '\\':
			raw.escaped = true
			lone, ok := s.escape()
			if !ok {
				return raw, false
			}
			raw.lone = raw.lone || lone
		}
	}
	return raw, false
}

// escape reads what follows a backslash. A pair of surrogates is read as one;
// lone reports a half without its other half.
func (s *scanner) escape() (lone, ok bool) {
	if s.at == len(s.text) {
		return false, false
	}
	c := s.text[s.at]
	s.at++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return false, true
	case 'u':
	default:
		return false, false
	}
	unit, ok := s.hex4()
	if !ok || unit < 0xd800 || unit > 0xdfff {
		return false, ok
	}
	if unit > 0xdbff || !s.literal(`\u`) {
		return true, true
	}
	low, ok := s.hex4()
	if ok && low >= 0xd800 && low <= 0xdbff {
		s.at -= len(`\uXXXX`) // the half of a next pair
		return true, true
	}
	return low < 0xdc00 || low > 0xdfff, ok
}

func (s *scanner) hex4() (unit int, ok bool) {
	if len(s.text)-s.at < 4 {
		return 0, false
	}
	for _, c := range s.text[s.at : s.at+4] {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		unit = unit<<4 | d
	}
	s.at += 4
	return unit, true
}

// bytes is the string without its quotes and escapes.
func (r rawString) bytes() []byte {
	if !r.escaped {
		return r.quoted[1 : len(r.quoted)-1]
	}
	var plain string
	if json.Unmarshal(r.quoted, &plain) != nil {
		return nil // not reached: the scanner has checked it
	}
	return []byte(plain)
}
