package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Ack is the server's acknowledgement that an event is stored.
type Ack struct {
	ID        string // of the event
	Room      string
	Seq       uint64 // its sequence in the room's log
	Duplicate bool   // it was stored before under the same ID
}

// JoinOptions say which events to replay: those after Since, or else the Last
// newest. The zero value replays none.
type JoinOptions struct {
	Since *wire.Position
	Last  int
}

// Publish sends an event into a room and waits until it is stored. Events are
// sent in the order of the calls, in each room. An empty room is the current one. After an
// error that is ErrOutcomeUnknown, or a *wire.Error with the code
// wire.Unavailable, the event may be stored or not. For the former, look in the
// room's history; for the latter, use Send with an ID of your own, which may be
// sent again.
func (c *Client) Publish(ctx context.Context, room wire.Room, typ string, payload any) (Ack, error) {
	raw, err := encode(payload)
	if err != nil {
		return Ack{}, fmt.Errorf("publish %s: %w", typ, err)
	}
	if room == "" {
		c.mu.Lock()
		room = wire.Room(c.rooms.current)
		c.mu.Unlock()
	}
	return c.Send(ctx, wire.Event{Type: typ, Room: string(room), Payload: raw})
}

// Send publishes an event and waits until it is stored. The server stores
// events of one uid with the same ID once, for 2 minutes; "" generates an ID.
// Send with the same ID only within ResendFor of the first call. Seq is not
// sent.
func (c *Client) Send(ctx context.Context, ev wire.Event) (Ack, error) {
	r, err := c.do(ctx, ev)
	if err != nil {
		return Ack{}, err
	}
	var ack wire.Ack
	if r.ack.Payload != nil {
		if err := json.Unmarshal(r.ack.Payload, &ack); err != nil {
			return Ack{}, fmt.Errorf("send %s: the server's ack cannot be read: %w", ev.Type, err)
		}
	}
	return Ack{ID: r.event.ID, Room: r.ack.Room, Seq: r.ack.Seq, Duplicate: ack.Duplicate}, nil
}

// Request sends an event that the server answers, such as get_history, and
// returns the answer. A program's own handler may only acknowledge the event:
// the Type of the answer is then "".
func (c *Client) Request(ctx context.Context, ev wire.Event) (wire.Event, error) {
	r, err := c.do(ctx, ev)
	if err != nil || r.answer == nil {
		return wire.Event{}, err
	}
	return *r.answer, nil
}

// Join joins another room. Replayed events come to Config.OnEvent, after the
// room_joined and maybe after Join has returned.
func (c *Client) Join(ctx context.Context, room string, opts JoinOptions) (wire.RoomJoined, error) {
	request := map[string]any{"name": room}
	if opts.Since != nil {
		request["since"] = opts.Since
	}
	if opts.Last > 0 {
		request["last"] = opts.Last
	}
	return c.join(ctx, wire.TypeJoinRoom, room, request)
}

// ChangeRoom leaves the current room and makes room the current one.
func (c *Client) ChangeRoom(ctx context.Context, room string) (wire.RoomJoined, error) {
	return c.join(ctx, wire.TypeChangeRoom, room, map[string]any{"name": room})
}

func (c *Client) join(ctx context.Context, typ, room string, payload any) (wire.RoomJoined, error) {
	raw, err := encode(payload)
	if err != nil {
		return wire.RoomJoined{}, fmt.Errorf("%s %q: %w", typ, room, err)
	}
	answer, err := c.Request(ctx, wire.Event{Type: typ, Payload: raw})
	if err != nil {
		return wire.RoomJoined{}, err
	}
	var joined wire.RoomJoined
	if answer.Type != wire.TypeRoomJoined || json.Unmarshal(answer.Payload, &joined) != nil {
		return joined, fmt.Errorf("client: %s %q was acknowledged without a room_joined", typ, room)
	}
	return joined, nil
}

// Rooms returns one page of the rooms on all nodes that this client may enter,
// those with a label first, then sorted by name: rooms whose names begin with
// ask.Prefix, after ask.After, at most ask.Limit (0, or more than 100: 100).
// Next is the After of the next page; it is empty on the last.
func (c *Client) Rooms(ctx context.Context, ask wire.GetRooms) (wire.Rooms, error) {
	raw, err := encode(ask)
	if err != nil {
		return wire.Rooms{}, fmt.Errorf("get_rooms: %w", err)
	}
	answer, err := c.Request(ctx, wire.Event{Type: wire.TypeGetRooms, Payload: raw})
	if err != nil {
		return wire.Rooms{}, err
	}
	var page wire.Rooms
	if answer.Type != wire.TypeRooms || json.Unmarshal(answer.Payload, &page) != nil {
		return page, errors.New("client: get_rooms was acknowledged without rooms")
	}
	return page, nil
}

// Leave leaves a room. It is no error if the client is not a member.
func (c *Client) Leave(ctx context.Context, room string) error {
	raw, err := encode(map[string]any{"name": room})
	if err != nil {
		return fmt.Errorf("leave room %q: %w", room, err)
	}
	_, err = c.do(ctx, wire.Event{Type: wire.TypeLeaveRoom, Room: room, Payload: raw})
	var refused *wire.Error
	if errors.As(err, &refused) && refused.Code == wire.NotMember {
		c.mu.Lock()
		c.rooms.leave(trackName(room))
		c.mu.Unlock()
		return nil
	}
	return err
}

// Signal sends an ephemeral event to the other members of a room, which is not
// stored. It returns when the event is written. It is not sent again: if there
// is no connection, or it is lost before, the error is ErrNotConnected.
func (c *Client) Signal(ctx context.Context, room string, payload any) error {
	raw, err := encode(payload)
	if err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	r, err := c.prepare(wire.Event{Type: wire.TypeSignal, Room: room, Payload: raw})
	if err != nil {
		return err
	}
	r.once = true
	return c.wait(ctx, r)
}

// do sends an event, with an ID, and waits for the ack.
func (c *Client) do(ctx context.Context, ev wire.Event) (*request, error) {
	if ev.ID == "" {
		c.mu.Lock()
		ev.ID = c.nextID()
		c.mu.Unlock()
	}
	r, err := c.prepare(ev)
	if err != nil {
		return nil, err
	}
	return r, c.wait(ctx, r)
}

// prepare encodes the event. One that the server could not decode is refused
// here, as the server's error would not have its ID.
func (c *Client) prepare(ev wire.Event) (*request, error) {
	ev.Seq = 0
	text := wire.AppendEvent(nil, ev)
	if len(text) > c.cfg.MaxSend {
		return nil, fmt.Errorf("send %s of %d bytes, the limit is %d: %w", ev.Type, len(text), c.cfg.MaxSend, ErrTooBig)
	}
	if _, err := wire.Decode(text); err != nil {
		return nil, fmt.Errorf("send %s: %w", ev.Type, err)
	}
	return &request{event: ev, text: text, done: make(chan struct{})}, nil
}

// wait puts a request into the outbox and waits until it is done. If ctx ends
// first it is not sent again, and the error says whether the event may be
// stored.
func (c *Client) wait(ctx context.Context, r *request) error {
	if err := c.enqueue(r); err != nil {
		return fmt.Errorf("send %s: %w", r.event.Type, err)
	}
	c.poke()
	select {
	case <-r.done:
	case <-ctx.Done():
		if c.take(r) {
			return fmt.Errorf("send %s: %w", r.event.Type, r.failed(context.Cause(ctx)))
		}
		<-r.done // it was finished at the same moment
	}
	if r.err != nil {
		return fmt.Errorf("send %s: %w", r.event.Type, r.err)
	}
	return nil
}

func (c *Client) enqueue(r *request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return c.err
	}
	if r.once && c.link == nil {
		return ErrNotConnected
	}
	return c.outbox.add(r)
}

// take removes a request from the outbox; the caller that gets true finishes
// it.
func (c *Client) take(r *request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outbox.remove(r)
}

func encode(payload any) (json.RawMessage, error) {
	if payload == nil {
		return nil, nil
	}
	raw, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("the payload cannot be encoded: %w", err)
	}
	return raw, nil
}
