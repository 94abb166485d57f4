package wire

// MaxDepth is how deep an event may nest, the event itself included. It stays
// under the limits of common JSON readers (64 in .NET, 100 in Ruby) when the
// event is shown again inside a page of history, and far under the 10,000 at
// which Go's own reader would refuse that whole page.
const MaxDepth = 60

// scanner scans JSON without allocating. It accepts exactly JSON texts of RFC
// 8259 in valid UTF-8.
type scanner struct {
	text []byte
	at   int
}

// peek skips white space and returns what follows without taking it: 0 at the
// end of the text, and JSON has no 0 elsewhere.
func (s *scanner) peek() byte {
	if s.at < len(s.text) && s.text[s.at] > ' ' {
		return s.text[s.at]
	}
	return s.peekSpace()
}

func (s *scanner) peekSpace() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take skips white space and, if it is next, c.
func (s *scanner) take(c byte) bool {
	if s.peek() == c {
		s.at++
		return true
	}
	return false
}

// end skips white space and reports whether nothing follows.
func (s *scanner) end() bool {
	s.peek()
	return s.at == len(s.text)
}

// value skips white space and one value of at most depth levels, and returns
// the value's text.
func (s *scanner) value(depth int) ([]byte, bool) {
	s.peek()
	start := s.at
	ok := s.skip(depth)
	return s.text[start:s.at], ok
}

// payload is value that notes what members the value has if it is an object.
func (s *scanner) payload(depth int) (_ []byte, found members, ok bool) {
	if s.peek() != '{' {
		value, ok := s.value(depth)
		return value, 0, ok
	}
	start := s.at
	ok = s.object(depth, &found)
	return s.text[start:s.at], found, ok
}

// skip is value that does not say where it was.
func (s *scanner) skip(depth int) bool {
	switch s.peek() {
	case '{':
		return s.object(depth, nil)
	case '[':
		return s.array(depth)
	case '"':
		return s.skipString()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// key skips a member's name and the colon after it.
func (s *scanner) key() (rawString, bool) {
	name, ok := s.str()
	return name, ok && s.take(':')
}

// object skips an object that begins right here; it notes its members in found,
// unless that is nil.
func (s *scanner) object(depth int, found *members) bool {
	if depth == 0 {
		return false
	}
	s.at++
	if s.take('}') {
		return true
	}
	for {
		if !s.member(found) || !s.skip(depth-1) {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// member skips a member's name and the colon after it, and notes it in found.
func (s *scanner) member(found *members) bool {
	if found == nil {
		return s.peek() == '"' && s.skipString() && s.take(':')
	}
	name, ok := s.key()
	if ok {
		*found |= anyMember | memberNamed(name)
	}
	return ok
}

// array skips an array that begins right here.
func (s *scanner) array(depth int) bool {
	if depth == 0 {
		return false
	}
	s.at++
	if s.take(']') {
		return true
	}
	for {
		if !s.skip(depth - 1) {
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
