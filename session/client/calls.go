package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Ack is the server's word that an event is stored.
type Ack struct {
	ID        string // under which it was sent
	Room      string
	Seq       uint64 // its place in the room's log
	Duplicate bool   // it was stored before, under the same id
}

// JoinOptions say what of the past to replay: what came after Since, or the
// Last events; the zero value replays nothing.
type JoinOptions struct {
	Since *wire.Position
	Last  int
}

// Publish sends an event into a room and waits until it is stored. Events are
// sent in the order of the calls. An empty room is the current one. After an
// error that is ErrOutcomeUnknown, or a *wire.Error with the code
// wire.Unavailable, the event may be stored or not; what to do about the former
// it says, and for the latter use Send with an id of your own, which may be
// sent again.
func (c *Client) Publish(ctx context.Context, room, typ string, payload any) (Ack, error) {
	raw, err := encode(payload)
	if err != nil {
		return Ack{}, fmt.Errorf("publish %s: %w", typ, err)
	}
	if room == "" {
		c.mu.Lock()
		room = c.rooms.current
		c.mu.Unlock()
	}
	return c.Send(ctx, wire.Event{Type: typ, Room: room, Payload: raw})
}

// Send publishes an event as it is. Its ID is the key under which the server
// stores it once, for this uid and for 2 minutes; "" takes a new one. Whoever
// calls Send again with the same ID keeps within ResendFor of the first call.
// Seq is not sent.
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
// returns the answer. The answer of a program's own handler may be absent: its
// Type is then "".
func (c *Client) Request(ctx context.Context, ev wire.Event) (wire.Event, error) {
	r, err := c.do(ctx, ev)
	if err != nil || r.answer == nil {
		return wire.Event{}, err
	}
	return *r.answer, nil
}

// Join joins one more room. What it replays comes through Config.OnEvent, after
// the room_joined and maybe after Join has returned.
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

// Rooms returns one page of the rooms that this client may enter, on all nodes,
// those with a label first, each of the two by name: those whose names begin
// with ask.Prefix, behind ask.After, ask.Limit of them at most (0, and more than
// 100: 100). The page's Next is After for the next one; empty on the last.
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

// Leave leaves a room. Having left it already is no error.
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

// Signal tells the other members of a room something that only matters now. It
// returns when it is written. It is not kept for the next connection: without
// one, and when it is lost before, the error is ErrNotConnected.
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

// do sends an event under an id and waits for the ack.
func (c *Client) do(ctx context.Context, ev wire.Event) (*request, error) {
	if ev.ID == "" {
		c.mu.Lock()
		c.ids++
		ev.ID = c.idPrefix + strconv.FormatUint(c.ids, 36)
		c.mu.Unlock()
	}
	r, err := c.prepare(ev)
	if err != nil {
		return nil, err
	}
	return r, c.wait(ctx, r)
}

// prepare writes the event as the server will read it. What the server could
// not even read is refused here: it has no id to answer under.
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

// wait puts a request into the outbox and waits until it is closed. When ctx
// ends first it is not sent again, and the error says if it may be stored.
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
		<-r.done // it was closed at the same moment
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

// take gets a request out of the outbox; whoever got it finishes it.
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
