package wire

import (
	"bytes"
	"encoding/json"
)

// Author is the kind of an event's sender, as verified by the server: what an
// event says itself proves nothing.
type Author uint8

// Kinds of authors.
const (
	// FromUnknown is for events that were stored before there were marks: they
	// are shown unchanged.
	FromUnknown Author = iota
	// FromService is for what was published to NATS directly. Its events get
	// service: true and lose uid, client_id and guest.
	FromService
	// FromUser is for a user with a token; its events get no mark.
	FromUser
	// FromGuest is for a user without one; its events get guest: true.
	FromGuest
)

// String is the author's name in a mark, and in the header that nodes sign.
func (a Author) String() string {
	switch a {
	case FromService:
		return "service"
	case FromUser:
		return "user"
	case FromGuest:
		return "guest"
	}
	return "unknown"
}

// mark returns the member that is added to a payload of the author.
func (a Author) mark() string {
	switch a {
	case FromService:
		return `"service":true`
	case FromGuest:
		return `"guest":true`
	}
	return ""
}

// claims returns the members that an event of this author may not have.
func (a Author) claims() members {
	switch a {
	case FromService:
		return memberMark | memberWho
	case FromUser, FromGuest:
		return memberMark
	}
	return 0
}

// marked reports whether events of this type show their author.
func marked(typ string) bool { return IsMessage(typ) || typ == TypeSignal }

// claimNamed returns the claim with that name. Case is ignored, as some
// decoders do, encoding/json among them.
func claimNamed(name []byte) members {
	if len(name) == 0 {
		return 0
	}
	switch c := name[0] | 0x20; {
	case c == 'u' && bytes.EqualFold(name, []byte("uid")), c == 'c' && bytes.EqualFold(name, []byte("client_id")):
		return memberWho
	case c == 'g' && bytes.EqualFold(name, []byte("guest")), (c == 's' || c >= 0x80) && bytes.EqualFold(name, []byte("service")):
		return memberMark
	}
	return 0
}

// appendWithout appends an object that was checked before, without its last
// brace and the members that drop chooses. some says that it kept one.
func appendWithout(dst, object []byte, drop func(name []byte) bool) (_ []byte, some bool) {
	s := scanner{text: object}
	s.take('{')
	dst = append(dst, '{')
	if s.take('}') {
		return dst, false
	}
	for more := true; more; more = s.take(',') {
		s.peek()
		start := s.at
		name, _ := s.key()
		s.skip(MaxDepth)
		if drop(name.bytes()) {
			continue
		}
		if some {
			dst = append(dst, ',')
		}
		dst, some = append(dst, object[start:s.at]...), true
	}
	return dst, some
}

// Stamp is the sender of a client's payload.
type Stamp struct {
	User
	From     string
	ClientID string
	// All adds username and avatar_id also where the payload has none.
	All bool
}

// stampNames are the members that Payload.Stamp sets itself, guest and service
// among them, which it takes out.
var stampNames = []string{"uid", "from", "username", "avatar_id", "client_id", "guest", "service"}

// Payload is the payload with uid and from, and with the username, the
// avatar_id and the client_id that it has set right. What is no object becomes
// its member data. raw is copied but for these members, so it grows by what
// they take at most. A failure is a *Error: raw is not JSON, or nests too deep;
// what is no object may nest a level less.
func (st *Stamp) Payload(raw json.RawMessage) (json.RawMessage, error) {
	raw, ok := onePayload(raw)
	if !ok {
		return nil, errBadPayload()
	}
	dst := make([]byte, 0, len(raw)+len(`{"data":,"uid":"","from":"","username":"","avatar_id":"","client_id":""}`)+
		len(st.UID)+len(st.From)+len(st.Username)+len(st.AvatarID)+len(st.ClientID))
	var found [7]bool // by stampNames
	dst, some, err := appendObject(dst, raw, func(name []byte) bool {
		i := stampNamed(name)
		if i >= 0 {
			found[i] = true
		}
		return i >= 0
	})
	if err != nil {
		return nil, err
	}
	for i, value := range [...]string{st.UID, st.From, st.Username, st.AvatarID, st.ClientID} {
		if always := i < 2 || st.All && i < 4; !always && !found[i] {
			continue
		}
		if some {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '"'), stampNames[i]...)
		dst, some = AppendString(append(dst, `":`...), value), true
	}
	return append(dst, '}'), nil
}

func stampNamed(name []byte) int {
	for i, ours := range stampNames {
		if bytes.EqualFold(name, []byte(ours)) {
			return i
		}
	}
	return -1
}

// appendObject is appendWithout of any value: null is an object without
// members, and what else is no object is one with the member data.
func appendObject(dst, value []byte, drop func(name []byte) bool) (_ []byte, some bool, err error) {
	switch {
	case isNull(value):
		return append(dst, '{'), false, nil
	case value[0] == '{':
		dst, some = appendWithout(dst, value, drop)
		return dst, some, nil
	}
	s := scanner{text: value}
	if !s.skip(MaxDepth - 2) {
		return dst, false, Errorf(BadPayload, "a payload of %d levels must be an object", MaxDepth-1)
	}
	return append(append(dst, `{"data":`...), value...), true, nil
}

// MemberText is the text of the payload's member of exactly that name, the last
// one where it is repeated; "" when the payload is no object or has no such
// text.
func MemberText(payload json.RawMessage, name string) (text string) {
	s := scanner{text: payload}
	if !s.take('{') || s.take('}') {
		return ""
	}
	for more := true; more; more = s.take(',') {
		key, ok := s.key()
		if !ok {
			return ""
		}
		s.peek()
		start := s.at
		if s.skip(MaxDepth) && string(key.bytes()) == name {
			text, _ = stringField(payload[start:s.at])
		}
	}
	return text
}
