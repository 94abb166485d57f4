package session

import (
	"bytes"
	"encoding/json"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// otherType handles an event of a type that has no handler: at a table the rules
// may know it.
func otherType(r *Request) error {
	room, err := r.Room()
	switch {
	case err == nil && r.client.m.eng.IsTable(room):
		return r.command(room)
	case err != nil && r.namesTable():
		return err
	}
	return wire.Errorf(wire.UnknownType, "this server has no event of type %q", r.Event.Type)
}

// namesTable reports whether the event names a table, also one at which the
// client may not be.
func (r *Request) namesTable() bool {
	room, err := wire.ParseRoom(r.Event.Room)
	return err == nil && r.client.m.eng.IsTable(room)
}

// command has the rules of a table decide, and is answered when that is stored.
func (r *Request) command(room wire.Room) error {
	c := r.client
	if err := c.maySpeak(room); err != nil {
		return err
	}
	if err := c.spendRoom(room, len(r.Event.Payload)); err != nil {
		return err
	}
	ev := r.Event
	ev.Payload = bytes.Clone(ev.Payload) // it is decided after the handler has returned
	if c.m.cfg.Hooks.Publish != nil {
		return r.consultCommand(room, ev)
	}
	t, n, err := r.beginPublish()
	if err != nil {
		return err
	}
	c.decide(t, n, room, ev)
	return nil
}

// consultCommand lets Hooks.Publish decide about a command before the rules do.
func (r *Request) consultCommand(room wire.Room, ev wire.Event) error {
	c := r.client
	if wire.Reserved(ev.Type) {
		return wire.Errorf(wire.BadType, "type %q is made by the server only; send another", ev.Type)
	}
	if ev.Type == wire.TypeSendMessage {
		ev.Payload = withoutAlias(ev.Payload)
	}
	shown := wire.AppendEvent(nil, wire.Event{Type: ev.Type, Payload: ev.Payload})
	with := func(ev wire.Event, payload json.RawMessage) (_ wire.Event, err error) {
		ev.Payload, err = wire.CheckPayload(payload)
		return ev, err
	}
	return consult(r, room, shown, ev, with, func(t *pendingAnswer, n int, ev wire.Event) { c.decide(t, n, room, ev) })
}

// withoutAlias is the payload of a send_message with its content as message, where
// it has no other, so that a hook need not know both names.
func withoutAlias(payload json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil || fields["content"] == nil {
		return payload // the rules say what is wrong with it
	}
	switch string(fields["message"]) {
	case "", `""`, "null":
		fields["message"] = fields["content"]
	}
	delete(fields, "content")
	return wire.MarshalPayload(fields)
}

// decide has the rules decide as number n of the request. The caller has acquired
// the window.
func (c *Client) decide(t *pendingAnswer, n int, room wire.Room, ev wire.Event) {
	who := table.User{From: table.FromUser, UID: c.who.UID, Name: c.who.Username, Avatar: c.who.AvatarID, Guest: c.who.Guest}
	c.m.eng.Command(room, ev, rooms.CommandOptions{ID: ev.ID, User: who}, func(d rooms.Decision, err error) {
		<-c.window
		t.published(n, roomLabel(c, room), rooms.PubAck{Seq: d.Seq, Duplicate: d.Again}, err)
	})
}
