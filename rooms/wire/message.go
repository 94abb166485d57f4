package wire

import (
	"bytes"
	"cmp"
	"strconv"
)

// Most events are messages, so their payloads are decoded and encoded by hand;
// tests compare that with encoding/json.

// Text is the text of a message as a JSON string, quotes and escapes and all:
// it goes into the log as it came. The zero Text is an absent one.
type Text struct{ quoted []byte }

// TextOf quotes s; invalid UTF-8 becomes U+FFFD.
func TextOf(s string) Text { return Text{AppendString(nil, s)} }

// Empty reports whether the text is absent or has no character.
func (t Text) Empty() bool { return len(t.quoted) <= len(`""`) }

// SentMessage is SendMessage as ReadSendMessage reads it. Its Text shares
// memory with the payload.
type SentMessage struct {
	Text                  Text // message, or content where that is empty
	From, ImageURL, ToUID string
}

// Sent is p as ReadSendMessage would give it.
func (p *SendMessage) Sent() SentMessage {
	return SentMessage{TextOf(cmp.Or(p.Message, p.Content)), p.From, p.ImageURL, p.ToUID}
}

// ReadSendMessage reads a payload that Decode gave. ok is false for what
// encoding/json would read in its own way, or refuse: a name in other case, a
// value that is no string, or half a surrogate pair. Such a payload is for
// encoding/json.
func ReadSendMessage(payload []byte) (p SentMessage, ok bool) {
	var message, content rawString
	s := scanner{text: payload}
	if !s.take('{') {
		return p, false
	}
	for more := !s.take('}'); more; {
		name, ok := s.key()
		if !ok {
			return p, false
		}
		switch name := name.bytes(); string(name) {
		case "message":
			message, ok = s.str()
		case "content":
			content, ok = s.str()
		case "from":
			p.From, ok = s.string()
		case "image_url":
			p.ImageURL, ok = s.string()
		case "to_uid":
			p.ToUID, ok = s.string()
		default:
			_, ok = s.value(MaxDepth)
			ok = ok && !likeOurs(name)
		}
		if more = s.take(','); !ok || !more && !s.take('}') {
			return p, false
		}
	}
	if p.Text.quoted = message.quoted; p.Text.Empty() {
		p.Text.quoted = content.quoted
	}
	return p, !message.lone && !content.lone
}

// string reads one string.
func (s *scanner) string() (string, bool) {
	text, ok := s.str()
	if !ok {
		return "", false
	}
	return string(text.bytes()), true
}

// likeOurs reports whether encoding/json takes a name for one of ours.
func likeOurs(name []byte) bool {
	for _, ours := range []string{"message", "content", "from", "image_url", "to_uid"} {
		if bytes.EqualFold(name, []byte(ours)) {
			return true
		}
	}
	return false
}

// appendWith appends the message, with text for its Message.
func (m *Message) appendWith(dst []byte, text Text) []byte {
	dst = append(dst, `{"message":`...)
	if text.quoted == nil {
		dst = append(dst, `""`...)
	}
	dst = append(dst, text.quoted...)
	dst = AppendString(append(dst, `,"from":`...), m.From)
	if m.Sent != "" {
		dst = AppendString(append(dst, `,"sent":`...), m.Sent)
	}
	if m.Time != 0 {
		dst = strconv.AppendInt(append(dst, `,"time":`...), m.Time, 10)
	}
	dst = AppendString(append(dst, `,"uid":`...), m.UID)
	dst = AppendString(append(dst, `,"username":`...), m.Username)
	dst = AppendString(append(dst, `,"avatar_id":`...), m.AvatarID)
	if m.ImageURL != "" {
		dst = AppendString(append(dst, `,"image_url":`...), m.ImageURL)
	}
	if m.RoomID != "" {
		dst = AppendString(append(dst, `,"room_id":`...), m.RoomID)
	}
	if m.ToUID != "" {
		dst = AppendString(append(dst, `,"to_uid":`...), m.ToUID)
	}
	return append(dst, '}')
}

// size is what appendWith appends besides the text when nothing needs an
// escape.
func (m *Message) size() int {
	const names = len(`{"message":"","from":"","sent":"","time":,"uid":"","username":"","avatar_id":"","image_url":"","room_id":"","to_uid":""}`)
	return names + maxDigits + len(m.From) + len(m.Sent) + len(m.UID) + len(m.Username) +
		len(m.AvatarID) + len(m.ImageURL) + len(m.RoomID) + len(m.ToUID)
}
