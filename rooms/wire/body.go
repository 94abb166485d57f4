package wire

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Body is a validated and encoded event, to be published on a room's subject.
// Only NewBody, ReadBody and MessageBody return one, so it need not be
// validated again. The zero Body is none.
type Body struct{ text []byte }

// Bytes returns the encoded event, which must not be modified.
func (b Body) Bytes() []byte { return b.text }

// NewBody returns the Body of an event with the type and payload of ev, which
// it validates; other fields are ignored. The error is a *Error.
func NewBody(ev Event) (Body, error) {
	if !ValidType(ev.Type) {
		return Body{}, errBadType()
	}
	payload, ok := onePayload(ev.Payload)
	if !ok {
		return Body{}, errBadPayload()
	}
	if err := checkPublished(ev.Type, payload); err != nil {
		return Body{}, err
	}
	return encodeBody(ev.Type, payload), nil
}

// ReadBody is Decode for an event that is to be logged. The event has the
// sender's id and room, as far as they could be decoded, also if there is an
// error.
func ReadBody(data []byte) (Event, Body, error) {
	ev, err := Decode(data)
	if err == nil {
		err = checkPublished(ev.Type, ev.Payload)
	}
	if err != nil {
		return ev, Body{}, err
	}
	return ev, encodeBody(ev.Type, ev.Payload), nil
}

// MessageBody is the body of a message with text for its Message: a
// private_message if it is to somebody, else a new_message. There is nothing in
// it to be checked.
func MessageBody(m *Message, text Text) Body {
	typ := TypeNewMessage
	if m.ToUID != "" {
		typ = TypePrivateMessage
	}
	body := append(make([]byte, 0, bodyNames+len(typ)+m.size()+len(text.quoted)), `{"type":"`...)
	body = append(append(body, typ...), `","payload":`...)
	return Body{append(m.appendWith(body, text), '}')}
}

// checkPublished is checkLogged for what nodes are asked to log: a message must
// have its text. One that is published past them may not.
func checkPublished(typ string, payload []byte) error {
	if err := checkLogged(typ, payload); err != nil || !IsMessage(typ) {
		return err
	}
	if !hasText(payload) {
		return Errorf(BadPayload, "the payload of %s must have message, a string, and once", strings.Clone(typ))
	}
	return nil
}

// hasText reports whether an object, which was checked, has one message, which is
// a string.
func hasText(payload []byte) bool {
	s := scanner{text: payload}
	found := 0
	for more := s.take('{') && s.peek() != '}'; more; more = s.take(',') {
		name, _ := s.key()
		ours := string(name.bytes()) == "message"
		if ours && s.peek() != '"' {
			return false
		}
		if ours {
			found++
		}
		s.skip(MaxDepth)
	}
	return found == 1
}

func errBadPayload() *Error {
	return Errorf(BadJSON, "the payload is not one JSON value of at most %d levels in valid UTF-8", MaxDepth-1)
}

// bodyNames is what a body has besides its type and payload.
const bodyNames = len(`{"type":"","payload":}`)

// encodeBody encodes what was validated.
func encodeBody(typ string, payload []byte) Body {
	ev := Event{Type: typ, Payload: payload}
	return Body{AppendEvent(make([]byte, 0, bodyNames+len(typ)+len(payload)), ev)}
}

// onePayload checks a payload that did not come out of an event, and returns it
// without the space around it.
func onePayload(raw json.RawMessage) ([]byte, bool) {
	if len(raw) == 0 {
		return nil, true
	}
	s := scanner{text: raw}
	payload, ok := s.value(MaxDepth - 1)
	return payload, ok && s.end()
}

// CheckPayload returns a payload that did not come out of an event, without the
// space around it; nil where there is none. The error is a *Error.
func CheckPayload(raw json.RawMessage) (json.RawMessage, error) {
	payload, ok := onePayload(raw)
	if !ok {
		return nil, errBadPayload()
	}
	return payload, nil
}

// serverSet are the members of a message that say who sent it, when, where and
// to whom.
var serverSet = []string{"uid", "username", "avatar_id", "from", "sent", "time", "room_id", "to_uid"}

// WithPayload is the body with another payload. That of a message keeps who sent
// it, when, where and to whom, and must say something, as a client's must: it
// has a message, or the URL of an image. It is not on the way of most events,
// and takes its time. A failure is a *Error.
func (b Body) WithPayload(payload json.RawMessage) (Body, error) {
	ev, err := Decode(b.text)
	if err != nil {
		return Body{}, err
	}
	if IsMessage(ev.Type) {
		if payload, err = keepServerSet(ev.Payload, payload); err != nil {
			return Body{}, err
		}
	}
	return NewBody(Event{Type: ev.Type, Payload: payload})
}

func keepServerSet(from, to json.RawMessage) (json.RawMessage, error) {
	var old, changed map[string]json.RawMessage
	if err := json.Unmarshal(to, &changed); err != nil || changed == nil {
		return nil, Errorf(BadPayload, "the payload of a message must be an object")
	}
	if err := json.Unmarshal(from, &old); err != nil {
		return nil, Errorf(BadPayload, "the payload of a message must be an object")
	}
	for name := range changed {
		for _, ours := range serverSet {
			if strings.EqualFold(name, ours) {
				delete(changed, name)
			}
		}
	}
	if err := checkSaid(changed); err != nil {
		return nil, err
	}
	for _, ours := range serverSet {
		if value, ok := old[ours]; ok {
			changed[ours] = value
		}
	}
	return MarshalPayload(changed), nil
}

// checkSaid checks what a message says, by the names that its readers look for.
// A message that is an image only gets the empty text that one of a client has.
func checkSaid(payload map[string]json.RawMessage) error {
	said := map[string]string{"message": "", "image_url": ""}
	for name := range said {
		var text *string
		if raw, ok := payload[name]; ok {
			if err := json.Unmarshal(raw, &text); err != nil || text == nil {
				return Errorf(BadPayload, "%s must be a string", name)
			}
			said[name] = *text
		}
	}
	switch image := said["image_url"]; {
	case image == "" && said["message"] == "":
		return Errorf(BadPayload, "a message needs message or image_url")
	case image != "" && !IsWebURL(image):
		return Errorf(BadPayload, "image_url must be an http or https URL")
	case said["message"] == "":
		payload["message"] = json.RawMessage(`""`)
	}
	return nil
}

// IsWebURL reports whether s may be the image_url of a message: an absolute
// http or https URL.
func IsWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
