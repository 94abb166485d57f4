package wire

import (
	"bytes"
	"strconv"
)

// Messages are most of what there is, so their payloads are read and written by
// hand; tests compare that with encoding/json.

// ReadSendMessage reads a payload that Decode gave. ok is false for what
// encoding/json would read in its own way, or refuse: a name in other case, or
// a value that is no string. Such a payload is for encoding/json.
func ReadSendMessage(payload []byte) (p SendMessage, ok bool) {
	s := scanner{text: payload}
	if !s.take('{') {
		return p, false
	}
	if s.take('}') {
		return p, true
	}
	for {
		name, ok := s.key()
		if !ok {
			return p, false
		}
		field, known := p.field(name.bytes())
		if known {
			text, ok := s.str()
			if !ok {
				return p, false
			}
			*field = string(text.bytes())
		} else if _, ok := s.value(MaxDepth); !ok || likeOurs(name.bytes()) {
			return p, false
		}
		if !s.take(',') {
			return p, s.take('}')
		}
	}
}

// field is where the value of a name goes.
func (p *SendMessage) field(name []byte) (field *string, ok bool) {
	switch string(name) {
	case "message":
		return &p.Message, true
	case "content":
		return &p.Content, true
	case "from":
		return &p.From, true
	case "image_url":
		return &p.ImageURL, true
	case "to_uid":
		return &p.ToUID, true
	}
	return nil, false
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

// append appends the message as encoding/json means it.
func (m *Message) append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"message":`...), m.Message)
	dst = AppendString(append(dst, `,"from":`...), m.From)
	dst = AppendString(append(dst, `,"sent":`...), m.Sent)
	dst = strconv.AppendInt(append(dst, `,"time":`...), m.Time, 10)
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

// size is what append appends when no text needs an escape.
func (m *Message) size() int {
	const names = len(`{"message":"","from":"","sent":"","time":,"uid":"","username":"","avatar_id":"","image_url":"","room_id":"","to_uid":""}`)
	return names + maxDigits + len(m.Message) + len(m.From) + len(m.Sent) + len(m.UID) + len(m.Username) +
		len(m.AvatarID) + len(m.ImageURL) + len(m.RoomID) + len(m.ToUID)
}
