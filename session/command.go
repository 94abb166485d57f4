package session

import (
	"bytes"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// otherType handles an event of a type that has no handler: at a table the rules
// may know it.
func otherType(r *Request) error {
	room, err := r.Room()
	if err != nil || !r.client.m.eng.IsTable(room) {
		return wire.Errorf(wire.UnknownType, "this server has no event of type %q", r.Event.Type)
	}
	return r.command(room)
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
	t, n, err := r.beginPublish()
	if err != nil {
		return err
	}
	r.Event.Payload = bytes.Clone(r.Event.Payload) // it is decided after the handler has returned
	who := table.User{From: table.FromUser, UID: c.who.UID, Name: c.who.Username, Avatar: c.who.AvatarID, Guest: c.who.Guest}
	c.m.eng.Command(room, r.Event, rooms.CommandOptions{ID: r.Event.ID, User: who}, func(d rooms.Decision, err error) {
		<-c.window
		t.published(n, roomLabel(c, room), rooms.PubAck{Seq: d.Seq, Duplicate: d.Again}, err)
	})
	return nil
}
