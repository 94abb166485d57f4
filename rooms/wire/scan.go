package wire

// MaxDepth is how deep an event may nest, the event itself included. It stays
// under the limits of common JSON readers (64 in .NET, 100 in Ruby) when the
// event is shown again inside a page of history, and far under the 10,000 at
// which Go's own reader would refuse that whole page.
const MaxDepth = 60

// scanner walks over JSON without allocating. It accepts what RFC 8259 calls a
// JSON text and no more; the caller has checked that the text is valid UTF-8.
type scanner struct {
	text []byte
	at   int
}

// text of one string, with its quotes.
type rawString struct {
	quoted  []byte
	escaped bool // holds a backslash
	lone    bool // holds an escaped half of a surrogate pair: no character
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// take skips white space and, if it is next, c.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value skips white space and one value of at most depth levels, and returns
// the value's text.
func (s *scanner) value(depth int) ([]byte, bool) {
	s.space()
	start := s.at
	if s.at == len(s.text) {
		return nil, false
	}
	var ok bool
	switch c := s.text[s.at]; c {
	case '{':
		ok = s.object(depth)
	case '[':
		ok = s.array(depth)
	case '"':
		_, ok = s.str()
	case 't':
		ok = s.literal("true")
	case 'f':
		ok = s.literal("false")
	case 'n':
		ok = s.literal("null")
	default:
		ok = s.number()
	}
	return s.text[start:s.at], ok
}

func (s *scanner) object(depth int) bool {
	if depth == 0 || !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		if _, ok := s.key(); !ok {
			return false
		}
		if _, ok := s.value(depth - 1); !ok {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// key skips a member's name and the colon after it.
func (s *scanner) key() (rawString, bool) {
	s.space()
	name, ok := s.str()
	return name, ok && s.take(':')
}

func (s *scanner) array(depth int) bool {
	if depth == 0 || !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		if _, ok := s.value(depth - 1); !ok {
			return false
		}
		if !s.take(',') {
			return s.take(']')
		}
	}
}

func (s *scanner) literal(word string) bool {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

func (s *scanner) number() bool {
	s.one('-')
	if !s.one('0') && !s.digits() {
		return false
	}
	if s.one('.') && !s.digits() {
		return false
	}
	if s.one('e') || s.one('E') {
		if !s.one('+') {
			s.one('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) one(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}
