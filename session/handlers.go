package session

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// builtin are the handlers of PROTOCOL.md's client events.
func builtin() map[string]HandlerFunc {
	return map[string]HandlerFunc{
		wire.TypeSendMessage:    sendMessage,
		wire.TypePrivateMessage: privateMessage,
		wire.TypeChangeRoom:     changeRoom,
		wire.TypeJoinRoom:       joinRoom,
		wire.TypeLeaveRoom:      leaveRoom,
		wire.TypeGetOnlineUsers: getOnlineUsers,
		wire.TypeGetHistory:     getHistory,
		wire.TypeSignal:         signal,
		wire.TypeHeartbeat:      heartbeat,
	}
}

func heartbeat(r *Request) error {
	r.Reply(wire.TypeHeartbeat, "", nil)
	return nil
}

func sendMessage(r *Request) error {
	room, err := r.Room()
	if err != nil {
		return err
	}
	if room == r.client.inbox() {
		return wire.Errorf(wire.Forbidden, "an inbox takes private_message only")
	}
	msg, _, err := r.message()
	if err != nil {
		return err
	}
	msg.RoomID = room
	return r.Publish(room, wire.Event{Type: wire.TypeNewMessage, Payload: wire.MarshalPayload(msg)})
}

// privateMessage is stored in the inbox of the receiver and in the sender's
// own, whose copy the ack speaks of.
func privateMessage(r *Request) error {
	msg, to, err := r.message()
	if err != nil {
		return err
	}
	inbox, err := wire.CleanRoom(wire.Inbox(to))
	if err != nil || to == "" {
		return wire.Errorf(wire.BadPayload, "to_uid must be the uid of a user")
	}
	msg.ToUID, msg.RoomID = to, wire.InboxAlias
	inboxes := []string{inbox, r.client.inbox()}
	if inbox == r.client.inbox() {
		inboxes = inboxes[:1]
	}
	return r.publish(inboxes, wire.Event{Type: wire.TypePrivateMessage, Payload: wire.MarshalPayload(msg)})
}

// message reads the payload of a message and stamps who sent it and when.
func (r *Request) message() (msg wire.Message, to string, err error) {
	var in wire.SendMessage
	if err := r.Bind(&in); err != nil {
		return msg, "", err
	}
	if in.Message == "" {
		in.Message = in.Content
	}
	if in.Message == "" && in.ImageURL == "" {
		return msg, "", wire.Errorf(wire.BadPayload, "a message needs message or image_url")
	}
	if in.ImageURL != "" && !isWebURL(in.ImageURL) {
		return msg, "", wire.Errorf(wire.BadPayload, "image_url must be an http or https URL")
	}
	who, now := r.client.who, time.Now()
	from := who.Username
	if who.Guest && in.From != "" {
		from = in.From
	}
	return wire.Message{
		Message: in.Message, From: from, Sent: now.Format(time.RFC3339Nano), Time: now.UnixMilli(),
		UID: who.UID, Username: who.Username, AvatarID: who.AvatarID, ImageURL: in.ImageURL,
	}, in.ToUID, nil
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// signal goes to the other members now, with who sent it.
func signal(r *Request) error {
	room, err := r.Room()
	if err != nil {
		return err
	}
	if room == r.client.inbox() {
		return wire.Errorf(wire.Forbidden, "an inbox takes no signals")
	}
	ev := wire.Event{Type: wire.TypeSignal, Payload: r.stamped()}
	return r.client.m.eng.Signal(room, r.client.id, ev)
}

// stamped is the payload with uid and from added; what is no object becomes
// its field "data".
func (r *Request) stamped() json.RawMessage {
	fields := map[string]json.RawMessage{}
	if r.Event.Payload != nil && json.Unmarshal(r.Event.Payload, &fields) != nil {
		fields = map[string]json.RawMessage{"data": r.Event.Payload}
	}
	fields["uid"] = wire.MarshalPayload(r.client.who.UID)
	fields["from"] = wire.MarshalPayload(r.client.who.Username)
	return wire.MarshalPayload(fields)
}

func getOnlineUsers(r *Request) error {
	room, p, err := r.roomRequest()
	if err != nil {
		return err
	}
	ctx, cancel := r.context()
	defer cancel()
	online, err := r.client.m.eng.Online(ctx, room, p.After, p.Limit)
	if err != nil {
		return err
	}
	r.Reply(wire.TypeOnlineUsers, online.RoomID, online)
	return nil
}

func getHistory(r *Request) error {
	room, p, err := r.roomRequest()
	if err != nil {
		return err
	}
	ctx, cancel := r.context()
	defer cancel()
	page, err := r.client.m.eng.History(ctx, room, p.Before, p.Limit)
	if err != nil {
		return err
	}
	r.Reply(wire.TypeHistory, page.RoomID, page)
	return nil
}

// roomRequest reads a payload that names a room the client must be in; it may
// leave the name out for the event's or the current room.
func (r *Request) roomRequest() (room string, p wire.RoomRequest, err error) {
	if err := r.Bind(&p); err != nil {
		return "", p, err
	}
	if p.Limit < 0 {
		return "", p, wire.Errorf(wire.BadPayload, "limit must not be negative")
	}
	name := p.Name
	if name == "" {
		name = r.Event.Room
	}
	room, err = r.memberOf(name)
	return room, p, err
}

// roomLabel is how this client sees a room's name.
func roomLabel(c *Client, room string) string {
	if room == c.inbox() {
		return wire.InboxAlias
	}
	return room
}

var _ rooms.Member = (*Client)(nil)
