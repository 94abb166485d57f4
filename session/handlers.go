package session

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/auth"
)

// builtin returns the handlers of the events in rooms/wire/README.md.
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
	r.Reply(wire.Event{Type: wire.TypeHeartbeat}, nil)
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
	if r.client.m.eng.IsTable(room) {
		return r.command(room)
	}
	msg, in, err := r.parseMessage()
	if err != nil {
		return err
	}
	msg.RoomID = string(room)
	return r.publish(room, wire.MessageBody(&msg, in.Text))
}

// privateMessage is stored in the inbox of the receiver and then in the
// sender's own; the ack is for the latter.
func privateMessage(r *Request) error {
	msg, in, err := r.parseMessage()
	if err != nil {
		return err
	}
	inbox, err := wire.ParseRoom(string(wire.Inbox(in.ToUID)))
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
	if err := r.checkUserKnown(msg.ToUID); err != nil {
		return err
	}
	return r.publishPrivate(msg.ToUID, body)
}

// checkUserKnown returns an error unless the user exists. A lookup is charged
// like any other answer.
func (r *Request) checkUserKnown(uid string) error {
	c := r.client
	if c.m.eng.UserKnownHere(uid) {
		return nil
	}
	if err := c.checkAnswers(); err != nil {
		return err
	}
	c.chargeAnswer(answerLeast)
	ctx, cancel := r.context()
	defer cancel()
	return c.m.eng.LookupUser(ctx, uid)
}

// parseMessage parses the payload of a message and stamps it with the sender
// and the time.
func (r *Request) parseMessage() (msg wire.Message, in wire.SentMessage, err error) {
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
	if in.ImageURL != "" && !wire.IsWebURL(in.ImageURL) {
		return msg, in, wire.Errorf(wire.BadPayload, "image_url must be an http or https URL")
	}
	who, now := r.client.who, time.Now()
	return wire.Message{
		From: senderName(who, in.From), Sent: now.Format(time.RFC3339Nano), Time: now.UnixMilli(),
		UID: who.UID, Username: who.Username, AvatarID: who.AvatarID, ImageURL: in.ImageURL,
	}, in, nil
}

// senderName returns the name that an event is from: a guest may choose another
// one with each message, if it is a valid name.
func senderName(who auth.Identity, claimed string) string {
	if who.Guest && claimed != "" {
		if name := auth.CleanName(claimed); name != "" {
			return name
		}
	}
	return who.Username
}

// signal is delivered to the other members now, stamped with its sender.
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
	if err := r.client.spendRoom(room, len(payload)); err != nil {
		return err
	}
	ev := wire.Event{Type: wire.TypeSignal, Payload: payload}
	return r.client.m.eng.Signal(room, ev, rooms.SignalOptions{Except: r.client.id, Author: r.client.author()})
}

// stamped returns a payload that has the client as its sender, whatever the
// client wrote there; see wire.Stamp. A guest keeps the from that it sent.
func (r *Request) stamped(payload json.RawMessage, all bool) (json.RawMessage, error) {
	who := r.client.who
	claimed := ""
	if who.Guest {
		claimed = wire.MemberText(payload, "from")
	}
	stamp := wire.Stamp{User: r.client.User(), From: senderName(who, claimed), ClientID: r.client.id, All: all}
	return stamp.Payload(payload)
}

func getOnlineUsers(r *Request) error {
	room, p, err := r.roomRequest()
	if err != nil {
		return err
	}
	if err := r.client.checkAnswers(); err != nil {
		return err
	}
	done, err := r.acquirePage(false)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := r.context() // a new timeout: the time in the queue does not count
	defer cancel()
	online, err := r.client.m.eng.Online(ctx, room, p.After, p.Limit)
	if err != nil {
		return err
	}
	r.replyAsked(wire.Event{Type: wire.TypeOnlineUsers, Room: online.RoomID}, online)
	return nil
}

func getHistory(r *Request) error {
	room, p, err := r.roomRequest()
	if err != nil {
		return err
	}
	if err := r.client.checkAnswers(); err != nil {
		return err
	}
	done, err := r.acquirePage(true)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := r.context()
	defer cancel()
	page, err := r.client.m.eng.HistoryFor(ctx, room, r.client.User().UID, p.Before, p.Limit)
	if err != nil {
		return err
	}
	r.replyAsked(wire.Event{Type: wire.TypeHistory, Room: page.RoomID}, page)
	return nil
}

// getRooms answers with the rooms that the client may enter, on all nodes.
// Which part of the list is searched follows from what it is granted; MayEnter
// decides.
func getRooms(r *Request) error {
	var p wire.GetRooms
	if err := r.Bind(&p); err != nil {
		return err
	}
	if err := p.Clean(); err != nil {
		return err
	}
	c := r.client
	if err := c.checkAnswers(); err != nil {
		return err
	}
	ctx, cancel := r.context()
	defer cancel()
	page, err := c.m.eng.Lobby(ctx, lobby.Query{Prefix: p.Prefix, After: p.After, Rooms: c.who.Rooms, Limit: p.Limit})
	if err != nil {
		return err
	}
	page.List = slices.DeleteFunc(page.List, func(room wire.ListedRoom) bool { return !c.who.MayEnter(wire.Room(room.Name)) })
	if p.After == "" {
		page.Tables = c.firstTables(p.Prefix)
	}
	r.replyAsked(wire.Event{Type: wire.TypeRooms}, page)
	return nil
}

// firstTables are the tables at which the client may begin: of those that nobody
// has opened the lobby knows nothing.
func (c *Client) firstTables(prefix string) (names []string) {
	for _, room := range c.m.eng.FirstTables() {
		if name := string(room); strings.HasPrefix(name, prefix) && c.who.MayEnter(room) {
			names = append(names, name)
		}
	}
	return names
}

// roomRequest parses a payload that names a room in which the client must be;
// without a name it is the event's room, or the current one.
func (r *Request) roomRequest() (room wire.Room, p wire.RoomRequest, err error) {
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

// roomLabel returns a room's name as this client sees it.
func roomLabel(c *Client, room wire.Room) string {
	if room == c.inbox() {
		return wire.InboxAlias
	}
	return string(room)
}
