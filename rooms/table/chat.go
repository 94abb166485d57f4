package table

import (
	"strings"
)

// TypeNewMessage is the event that Chat makes.
const TypeNewMessage = "new_message"

// Chat decides a send_message as rooms without rules do: it is told to everybody
// as new_message. For rules that want to have people talk.
func Chat(c Command) ([]Event, error) {
	p, err := Read[struct {
		Message string `json:"message"`
	}](c)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(p.Message) == "" {
		return nil, Refuse("a message has text: {\"message\":\"…\"}")
	}
	return []Event{Happened(TypeNewMessage, message{
		Message: p.Message, From: c.User.Name, UID: c.User.UID, Avatar: c.User.Avatar,
		Time: c.Now, Guest: c.User.Guest, Service: c.User.From == FromService,
	})}, nil
}

type message struct {
	Message string `json:"message"`
	From    string `json:"from"`
	UID     string `json:"uid,omitempty"`
	Avatar  string `json:"avatar_id,omitempty"`
	Time    int64  `json:"time"`
	Guest   bool   `json:"guest,omitempty"`
	Service bool   `json:"service,omitempty"`
}
