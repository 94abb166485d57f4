package wire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// text of one string, with its quotes.
type rawString struct {
	quoted  []byte
	escaped bool // holds a backslash
	lone    bool // holds an escaped half of a surrogate pair: no character
}

// str skips white space and reads one string.
func (s *scanner) str() (raw rawString, ok bool) {
	if s.peek() != '"' {
		return raw, false
	}
	start := s.at
	s.at = skipPlain(s.text, s.at+1)
	if s.at == len(s.text) || s.text[s.at] != '"' {
		if raw.lone, ok = s.special(); !ok {
			return raw, false
		}
		raw.escaped = true
	}
	s.at++
	raw.quoted = s.text[start:s.at]
	return raw, true
}

// skipString is str, of a quote that is right here, for who wants nothing of
// the string.
func (s *scanner) skipString() bool {
	s.at = skipPlain(s.text, s.at+1)
	if s.at == len(s.text) || s.text[s.at] != '"' {
		if _, ok := s.special(); !ok {
			return false
		}
	}
	s.at++
	return true
}

// special reads a string on, from what is not plain to its closing quote.
func (s *scanner) special() (lone, ok bool) {
	for s.at < len(s.text) && s.text[s.at] == '\\' {
		s.at++
		half, ok := s.escape()
		if !ok {
			return false, false
		}
		lone = lone || half
		s.at = skipPlain(s.text, s.at)
	}
	return lone, s.at < len(s.text) && s.text[s.at] == '"'
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
	text := r.quoted[1 : len(r.quoted)-1]
	if !r.escaped {
		return text
	}
	plain := make([]byte, 0, len(text))
	for {
		n := bytes.IndexByte(text, '\\')
		if n < 0 {
			return append(plain, text...)
		}
		plain = append(plain, text[:n]...)
		plain, n = appendUnescaped(plain, text[n:])
		text = text[len(text)-n:]
	}
}

// appendUnescaped appends the character that text begins with, as an escape
// which the scanner has checked, and returns how much of text is left. Half a
// surrogate pair becomes U+FFFD.
func appendUnescaped(dst, text []byte) (_ []byte, left int) {
	s := scanner{text: text, at: len(`\u`)}
	c := text[1]
	if c != 'u' {
		if i := bytes.IndexByte([]byte("bfnrt"), c); i >= 0 {
			c = "\b\f\n\r\t"[i]
		}
		return append(dst, c), len(text) - s.at
	}
	unit, _ := s.hex4()
	r := rune(unit)
	if utf16.IsSurrogate(r) {
		r = utf8.RuneError
		after := s.at
		if s.literal(`\u`) {
			low, _ := s.hex4()
			r = utf16.DecodeRune(rune(unit), rune(low))
		}
		if r == utf8.RuneError {
			s.at = after
		}
	}
	return utf8.AppendRune(dst, r), len(text) - s.at
}
