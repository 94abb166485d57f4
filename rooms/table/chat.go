package table

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// TypeNewMessage is the event that Chat makes.
const TypeNewMessage = "new_message"

// Chat decides a send_message as rooms without rules do: it is told to everybody
// as new_message. For rules that want to have people talk. Pictures are refused.
func Chat(c Command) ([]Event, error) {
	text, ok := plainMessage(c.Payload)
	from := c.User.Name
	if !ok {
		p, err := Read[sentMessage](c)
		switch {
		case err != nil:
			return nil, err
		case p.ImageURL != "":
			return nil, Refuse("a table takes no pictures")
		}
		text = cmp.Or(p.Message, p.Content)
		if c.User.From == FromService {
			from = cmp.Or(from, p.From)
		}
	}
	if strings.TrimSpace(text) == "" {
		return nil, Refuse("a message has text: {\"message\":\"…\"}")
	}
	return []Event{{Type: TypeNewMessage, Payload: newMessage(c, from, text)}}, nil
}

// sentMessage is the payload of a send_message.
type sentMessage struct {
	Message  string `json:"message"`
	Content  string `json:"content"` // the same
	From     string `json:"from"`    // of a service
	ImageURL string `json:"image_url"`
}

// plainMessage reads the payload that clients send, whose text has no escapes,
// without reflection, like all that is done for each message.
func plainMessage(payload []byte) (text string, ok bool) {
	r := stepReader{text: payload}
	r.want(`{"message":`)
	text = r.str()
	r.want("}")
	return text, !r.failed && len(r.text) == 0
}

// newMessage is the payload of a new_message.
func newMessage(c Command, from, text string) []byte {
	u := &c.User
	dst := make([]byte, 0, len(`{"message":"","from":"","username":"","uid":"","avatar_id":"","sent":"","time":,"guest":true}`)+len(text)+len(from)+len(u.Name)+len(u.UID)+len(u.Avatar)+50)
	dst = appendString(append(dst, `{"message":`...), text)
	dst = appendString(append(dst, `,"from":`...), from)
	if u.UID != "" {
		dst = appendString(append(dst, `,"uid":`...), u.UID)
		dst = appendString(append(dst, `,"username":`...), u.Name)
	}
	if u.Avatar != "" {
		dst = appendString(append(dst, `,"avatar_id":`...), u.Avatar)
	}
	dst = time.UnixMilli(c.Now).UTC().AppendFormat(append(dst, `,"sent":"`...), time.RFC3339Nano)
	dst = strconv.AppendInt(append(dst, `","time":`...), c.Now, 10)
	if u.Guest {
		dst = append(dst, `,"guest":true`...)
	}
	if u.From == FromService {
		dst = append(dst, `,"service":true`...)
	}
	return append(dst, '}')
}
