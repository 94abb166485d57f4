package table

import (
	"strconv"
	"strings"
)

// TypeNewMessage is the event that Chat makes.
const TypeNewMessage = "new_message"

// Chat decides a send_message as rooms without rules do: it is told to everybody
// as new_message. For rules that want to have people talk.
func Chat(c Command) ([]Event, error) {
	text, ok := plainMessage(c.Payload)
	if !ok {
		p, err := Read[struct {
			Message string `json:"message"`
		}](c)
		if err != nil {
			return nil, err
		}
		text = p.Message
	}
	if strings.TrimSpace(text) == "" {
		return nil, Refuse("a message has text: {\"message\":\"…\"}")
	}
	return []Event{{Type: TypeNewMessage, Payload: newMessage(c, text)}}, nil
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
func newMessage(c Command, text string) []byte {
	u := &c.User
	dst := make([]byte, 0, len(`{"message":"","from":"","uid":"","avatar_id":"","time":,"guest":true}`)+len(text)+len(u.Name)+len(u.UID)+len(u.Avatar)+20)
	dst = appendString(append(dst, `{"message":`...), text)
	dst = appendString(append(dst, `,"from":`...), u.Name)
	if u.UID != "" {
		dst = appendString(append(dst, `,"uid":`...), u.UID)
	}
	if u.Avatar != "" {
		dst = appendString(append(dst, `,"avatar_id":`...), u.Avatar)
	}
	dst = strconv.AppendInt(append(dst, `,"time":`...), c.Now, 10)
	if u.Guest {
		dst = append(dst, `,"guest":true`...)
	}
	if u.From == FromService {
		dst = append(dst, `,"service":true`...)
	}
	return append(dst, '}')
}
