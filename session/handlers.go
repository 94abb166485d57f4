package session

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// builtin are the handlers of what a client sends by rooms/wire/README.md.
func builtin() map[string]HandlerFunc {
	return map[string]HandlerFunc{
		wire.TypeSendMessage:    sendMessage,
		wire.TypePrivateMessage: privateMessage,
		wire.TypeChangeRoom:     changeRoom,
		wire.TypeJoinRoom:       joinRoom,
		wire.TypeLeaveRoom:      leaveRoom,
		wire.TypeGetOnlineUsers: getOnlineUsers,
		wire.TypeGetHistory:     getHistory,
		wire.TypeGetRooms:       getRooms,
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
	msg, in, err := r.message()
	if err != nil {
		return err
	}
	msg.RoomID = room
	return r.publish(room, wire.MessageBody(&msg, in.Text))
}

// privateMessage is stored in the inbox of the receiver and then in the
// sender's own, whose copy the ack speaks of.
func privateMessage(r *Request) error {
	msg, in, err := r.message()
	if err != nil {
		return err
	}
	inbox, err := wire.CleanRoom(wire.Inbox(in.ToUID))
	if err != nil || in.ToUID == "" || strings.HasPrefix(in.ToUID, "@") {
		return wire.Errorf(wire.BadPayload, "to_uid must be the uid of a user")
	}
	msg.ToUID, _ = wire.InboxOwner(inbox)
	msg.RoomID = wire.InboxAlias
	body := wire.MessageBody(&msg, in.Text)
	own := r.client.inbox()
	if inbox == own {
		return r.publish(own, body)
	}
	if err := r.client.maySpeak(inbox); err != nil {
		return err
	}
	if err := r.known(msg.ToUID); err != nil {
		return err
	}
	return r.publishPrivate(msg.ToUID, body)
}

// known looks whether there is such a user. To have one looked up costs as any
// answer does.
func (r *Request) known(uid string) error {
	c := r.client
	if c.m.eng.UserKnownHere(uid) {
		return nil
	}
	if err := c.mayAsk(); err != nil {
		return err
	}
	c.charge(answerLeast)
	ctx, cancel := r.context()
	defer cancel()
	return c.m.eng.LookupUser(ctx, uid)
}

// message reads the payload of a message and stamps who sent it and when.
func (r *Request) message() (msg wire.Message, in wire.SentMessage, err error) {
	in, ok := wire.ReadSendMessage(r.Event.Payload)
	if !ok {
		var slow wire.SendMessage
		if err := r.Bind(&slow); err != nil {
			return msg, in, err
		}
		in = slow.Sent()
	}
	if in.Text.Empty() && in.ImageURL == "" {
		return msg, in, wire.Errorf(wire.BadPayload, "a message needs message or image_url")
	}
	if in.ImageURL != "" && !isWebURL(in.ImageURL) {
		return msg, in, wire.Errorf(wire.BadPayload, "image_url must be an http or https URL")
	}
	who, now := r.client.who, time.Now()
	return wire.Message{
		From: sender(who, in.From), Sent: now.Format(time.RFC3339Nano), Time: now.UnixMilli(),
		UID: who.UID, Username: who.Username, AvatarID: who.AvatarID, ImageURL: in.ImageURL,
	}, in, nil
}

// sender is the name that an event is from: a guest's is what it says it is, if
// that is fit for a name.
func sender(who auth.Identity, claimed string) string {
	if who.Guest && claimed != "" {
		if name := auth.CleanName(claimed); name != "" {
			return name
		}
	}
	return who.Username
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
	if err := r.client.maySpeak(room); err != nil {
		return err
	}
	payload, err := r.stamped(r.Event.Payload, false)
	if err != nil {
		return err
	}
	if err := r.client.spendIn(room, len(payload)); err != nil {
		return err
	}
	ev := wire.Event{Type: wire.TypeSignal, Payload: payload}
	return r.client.m.eng.Signal(room, ev, rooms.SignalOptions{Except: r.client.id, Author: r.client.author()})
}

// stamped is a payload that says who the client is, whatever it said itself; see
// wire.Stamp. A guest keeps the from it sent.
func (r *Request) stamped(payload json.RawMessage, all bool) (json.RawMessage, error) {
	who := r.client.who
	claimed := ""
	if who.Guest {
		claimed = wire.MemberText(payload, "from")
	}
	stamp := wire.Stamp{User: r.client.User(), From: sender(who, claimed), ClientID: r.client.id, All: all}
	return stamp.Payload(payload)
}

func getOnlineUsers(r *Request) error {
	room, p, err := r.roomRequest()
	if err != nil {
		return err
	}
	if err := r.client.mayAsk(); err != nil {
		return err
	}
	done, err := r.page(false)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := r.context() // what was waited for does not count: what is read is not to be read in vain
	defer cancel()
	online, err := r.client.m.eng.Online(ctx, room, p.After, p.Limit)
	if err != nil {
		return err
	}
	r.replyAsked(wire.TypeOnlineUsers, online.RoomID, online)
	return nil
}

func getHistory(r *Request) error {
	room, p, err := r.roomRequest()
	if err != nil {
		return err
	}
	if err := r.client.mayAsk(); err != nil {
		return err
	}
	done, err := r.page(true)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := r.context()
	defer cancel()
	page, err := r.client.m.eng.History(ctx, room, p.Before, p.Limit)
	if err != nil {
		return err
	}
	r.replyAsked(wire.TypeHistory, page.RoomID, page)
	return nil
}

// getRooms answers the rooms that the client may enter, on all nodes. Where they
// are looked for follows from what it is granted; the last word is MayEnter's.
func getRooms(r *Request) error {
	var p wire.GetRooms
	if err := r.Bind(&p); err != nil {
		return err
	}
	if err := p.Clean(); err != nil {
		return err
	}
	c := r.client
	if err := c.mayAsk(); err != nil {
		return err
	}
	ctx, cancel := r.context()
	defer cancel()
	page, err := c.m.eng.Lobby(ctx, lobby.Query{Prefix: p.Prefix, After: p.After, Rooms: c.who.Rooms, Limit: p.Limit})
	if err != nil {
		return err
	}
	page.List = slices.DeleteFunc(page.List, func(room wire.Room) bool { return !c.who.MayEnter(room.Name) })
	r.replyAsked(wire.TypeRooms, "", page)
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
