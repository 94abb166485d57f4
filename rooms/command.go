package rooms

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/actor"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// CommandOptions says who sends a command to a table.
type CommandOptions struct {
	ID   string     // the sender's; sent again under it, a command gets its first answer. "": it is not told apart
	User table.User // who sends it
}

// Command has a table decide, on whichever node that is, and calls done once: with
// the sequence of the step that holds the decision, or with the reason why there
// is none, a *wire.Error: Refused is the rules' own. done must not block, and runs
// on any goroutine.
func (e *Engine) Command(room wire.Room, ev wire.Event, opts CommandOptions, done func(seq uint64, err error)) {
	c := forwarded{Type: ev.Type, Payload: ev.Payload, ID: opts.ID, User: opts.User}
	answer := done
	done = func(seq uint64, err error) {
		if h := e.handleOf(room); h != nil && seq > 0 {
			h.ack(seq) // whoever has the answer finds the step in history
		}
		answer(seq, err)
	}
	if e.ownerOf(room, "") != e.cfg.Node {
		e.background(func(ctx context.Context) {
			d := e.forward(ctx, room, c)
			done(d.result())
		})
		return
	}
	e.decideHere(room, c, func(d decided) { done(d.result()) })
}

// enterTable asks whether a member may join a table, and for the state as it sees
// it; the rules are told of it.
func (e *Engine) enterTable(ctx context.Context, room wire.Room, m Member) (*tableState, error) {
	u := m.User()
	d := e.forward(ctx, room, forwarded{Enter: true, User: table.User{UID: u.UID, Name: u.Username, Avatar: u.AvatarID, Guest: wire.IsGuest(u.UID)}})
	_, err := d.result()
	return d.State, err
}

// forwarded is a command on its way to the node that decides, or, with Enter,
// somebody who wants to join and to see the state.
type forwarded struct {
	Type    string          `json:"type,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	ID      string          `json:"id,omitempty"`
	User    table.User      `json:"user"`
	Enter   bool            `json:"enter,omitempty"`
	Wake    bool            `json:"wake,omitempty"` // nothing is wanted but that the table is looked after
}

// decided is the answer.
type decided struct {
	Seq   uint64      `json:"seq,omitempty"`
	State *tableState `json:"state,omitempty"` // of Enter
	Error *wire.Error `json:"error,omitempty"`
}

// tableState is what a user sees of a table after the step Seq, at the time Now in
// ms since 1970.
type tableState struct {
	State json.RawMessage `json:"state"`
	Seq   uint64          `json:"seq"`
	Now   int64           `json:"now"`
}

// decideHere gives a command to the owner on this node.
func (e *Engine) decideHere(room wire.Room, c forwarded, done func(decided)) {
	var m ownerMessage
	switch {
	case c.Enter:
		m = enterRequest{c.User, done}
	case c.Wake:
		m = wakeUp{}
	default:
		req := table.Request{
			Command: table.Command{Type: c.Type, Payload: c.Payload, User: c.User}, At: time.Now().UnixMilli(), Ref: done,
		}
		if c.ID != "" {
			req.Key = table.KeyOf(c.User.From, c.User.UID, c.ID)
		}
		m = decideRequest{req}
	}
	switch err := e.owners.Send(string(room), m); err {
	case nil:
		if c.Wake {
			done(decided{})
		}
	case actor.ErrFull:
		done(decided{Error: errBusy})
	default:
		done(decided{Error: errClosed})
	}
}

// ownerOf is the node that decides for a room: the one of the living nodes whose
// hash with the room is the highest. Not `without`, which is given up on.
func (e *Engine) ownerOf(room wire.Room, without string) (owner string) {
	var best uint64
	for _, node := range append(e.peers.names(), e.cfg.Node) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(node + "\x00" + string(room))) // never fails
		if sum := mix(h.Sum64()); node != without && (owner == "" || sum > best) {
			owner, best = node, sum
		}
	}
	return owner
}

// mix spreads the bits of a hash whose highest change little.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// commandTimeout is how long another node may take to decide before the next one
// is asked.
const commandTimeout = time.Second

func tableSubject(node, token string) string { return "roomd.table." + node + "." + token }

// forward asks the node that decides, and if it does not answer the next one.
func (e *Engine) forward(ctx context.Context, room wire.Room, c forwarded) (d decided) {
	body, err := json.Marshal(c)
	if err != nil {
		return decided{Error: wire.AsError(err)}
	}
	without := ""
	for range 2 {
		owner := e.ownerOf(room, without)
		if owner == e.cfg.Node {
			return e.waitHere(ctx, room, c)
		}
		within, cancel := context.WithTimeout(ctx, commandTimeout)
		msg, err := e.nc.RequestWithContext(within, tableSubject(owner, wire.RoomToken(room)), body)
		cancel()
		if err == nil {
			err = json.Unmarshal(msg.Data, &d)
		}
		if err == nil {
			return d
		}
		e.roomLog(room).Debug().Err(err).Str("node", owner).Msg("the node that decides for a table does not answer; asking the next one")
		without = owner
	}
	return decided{Error: wire.Errorf(wire.Unavailable, "no node decides for this table now; try again")}
}

func (e *Engine) waitHere(ctx context.Context, room wire.Room, c forwarded) decided {
	answer := make(chan decided, 1)
	e.decideHere(room, c, func(d decided) { answer <- d })
	select {
	case d := <-answer:
		return d
	case <-ctx.Done():
		return decided{Error: wire.Errorf(wire.Unavailable, "the table did not answer in time; try again")}
	}
}

func (d decided) result() (uint64, error) {
	if d.Error != nil {
		return d.Seq, d.Error
	}
	return d.Seq, nil
}

// onForwarded takes a command that another node has sent on.
func (e *Engine) onForwarded(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	room, err := wire.SpaceRooms.Room(token)
	var c forwarded
	if err == nil {
		err = json.Unmarshal(msg.Data, &c)
	}
	answer := func(d decided) {
		body, err := json.Marshal(d)
		if err == nil {
			err = msg.Respond(body)
		}
		if err != nil && !e.closed() {
			e.cfg.Log.Warn().Err(err).Str("subject", msg.Subject).Msg("a decision could not be answered")
		}
	}
	if err != nil {
		answer(decided{Error: wire.AsError(err)})
		return
	}
	e.decideHere(room, c, answer)
}
