package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// controlSubject is subscribed to by every node; controlTimeout bounds the wait
// for their replies.
const (
	controlSubject = "roomd.control"
	controlTimeout = 2 * time.Second
)

// command is a request to all nodes.
type command struct {
	V    int            `json:"v"`
	Op   controlOp      `json:"op"`
	Room wire.Room      `json:"room,omitempty"` // "": all
	UID  string         `json:"uid,omitempty"`
	Code wire.CloseCode `json:"code,omitempty"`

	Lobby *lobbyRequest `json:"lobby,omitempty"` // of opRooms, since version 2

	After string `json:"after,omitempty"` // of opConnections: the last one of the page before
	Limit int    `json:"limit,omitempty"` // of opConnections
}

type controlOp string

const (
	opRooms  controlOp = "rooms"  // list what is open
	opRoom   controlOp = "room"   // the same of one room
	opRemove controlOp = "remove" // take a user out of a room
	opClose  controlOp = "close"  // end a user's sessions

	opConnections controlOp = "connections" // list a room's, or all; since version 3
	opResume      controlOp = "resume"      // go on with a table that has stopped
)

// commandReply is one node's reply to a command; with Error it refuses.
type commandReply struct {
	V     int         `json:"v"`
	Node  string      `json:"node"`
	Count int         `json:"count,omitempty"`
	Rooms []RoomInfo  `json:"rooms,omitempty"`
	Error *replyError `json:"error,omitempty"`
	Lobby *lobbyReply `json:"lobby,omitempty"` // instead of Rooms; there may be more than one

	Connections *connectionsReply `json:"connections,omitempty"`
}

// onControl executes a command and replies. It is called on its subscription's
// goroutine, and works on another.
func (e *Engine) onControl(msg *nats.Msg) {
	var c command
	if err := json.Unmarshal(msg.Data, &c); err != nil || msg.Reply == "" {
		e.cfg.Log.Warn().Str("subject", msg.Subject).Msg("a command that is none was ignored; who publishes there?")
		e.replyWithError(msg, wire.Errorf(wire.BadJSON, "a command must be a JSON object with the field op"))
		return
	}
	e.background(func(ctx context.Context) {
		if c.Op == opRooms && c.Lobby != nil {
			e.replyLobby(msg, *c.Lobby)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, controlTimeout)
		defer cancel()
		answer, err := e.execute(ctx, c)
		if err != nil {
			e.cfg.Log.Warn().Err(err).Str("op", string(c.Op)).Msg("a command of another node could not be carried out")
			e.replyWithError(msg, err)
			return
		}
		body, err := json.Marshal(answer)
		if err == nil {
			err = msg.Respond(body)
		}
		if err != nil && !e.closed() {
			e.cfg.Log.Warn().Err(err).Str("op", string(c.Op)).Msg("a command could not be answered")
		}
	})
}

// execute executes a command on this node.
func (e *Engine) execute(ctx context.Context, c command) (commandReply, error) {
	answer := commandReply{V: protocolVersion, Node: e.cfg.Node}
	var err error
	switch c.Op {
	case opRooms:
		answer.Rooms = e.RoomsHere()
	case opRoom:
		if info, ok := e.RoomHere(c.Room); ok {
			answer.Rooms = []RoomInfo{info}
		}
	case opRemove:
		e.notifyKicked(c.Room, c.UID)
		answer.Count, err = e.removeLocal(ctx, c.Room, c.UID)
	case opClose:
		e.notifyKicked("", c.UID)
		answer.Count, err = e.closeLocal(ctx, c.UID, c.Code)
	case opConnections:
		answer.Connections, err = e.localConnections(ctx, c)
	case opResume:
		e.resumeHere(c.Room)
	default:
		err = wire.Errorf(wire.UnknownType, "there is no command %q in version %d; update this node", c.Op, protocolVersion)
	}
	return answer, err
}

func (e *Engine) notifyKicked(room wire.Room, uid string) {
	if e.cfg.Kicked != nil {
		defer e.recoverCallback("Kicked", nil)
		e.cfg.Kicked(room, uid)
	}
}

// recoverCallback is deferred around a function of Config where nothing else
// recovers its panics. err, if not nil, is set then.
func (e *Engine) recoverCallback(name string, err *error) {
	v := recover()
	if v == nil {
		return
	}
	e.stats.Panics.Add(1)
	e.cfg.Log.Error().Interface("panic", v).Str("function", name).Bytes("stack", debug.Stack()).Msg("a function of rooms.Config panicked")
	if err != nil {
		*err = wire.Errorf(wire.Internal, "the server failed to do this; try again")
	}
}

// removeLocal removes a user's sessions from a room, if it is open on this
// node.
func (e *Engine) removeLocal(ctx context.Context, room wire.Room, uid string) (int, error) {
	sessions, err := e.sendRemoval(ctx, room, &removeUser{uid: uid, done: make(chan []string, 1)})
	return distinct(sessions), err
}

// closeLocal ends a user's sessions on this node, and the seats that rooms keep
// for those that were cut off. The inbox is first: a session leaves it after
// all its rooms, so by then each room that keeps a seat already has it.
func (e *Engine) closeLocal(ctx context.Context, uid string, code wire.CloseCode) (int, error) {
	sessions, err := e.sendRemoval(ctx, wire.Inbox(uid), &removeUser{uid: uid, code: code, done: make(chan []string, 1)})
	if err != nil {
		return 0, err
	}
	open := e.roomHandles()
	requests := make([]*endSeats, len(open))
	for i, h := range open {
		requests[i] = &endSeats{uid: uid, done: make(chan []string, 1)}
		e.post(h.self, requests[i])
	}
	for i, h := range open {
		ended, err := await(ctx, h.self, requests[i].done, nil)
		if err != nil {
			return distinct(sessions), err
		}
		sessions = append(sessions, ended...)
	}
	return distinct(sessions), nil
}

// distinct is how many sessions there are in a list.
func distinct(sessions []string) int {
	slices.Sort(sessions)
	return len(slices.Compact(sessions))
}

// sendRemoval sends m to the room, if it is open on this node, and waits for
// the ids of the sessions.
func (e *Engine) sendRemoval(ctx context.Context, room wire.Room, m *removeUser) (sessions []string, err error) {
	ref, ok := e.rooms.Lookup(string(room))
	if !ok {
		return nil, nil
	}
	e.post(ref, m)
	return await(ctx, ref, m.done, nil)
}

// requestAllNodes sends a command to all live nodes, this one included, and
// returns their replies. A node that does not reply, or refuses, is an error
// that names it: no reply does not mean that there was nothing to do. The
// replies of the others are returned with it.
func (e *Engine) requestAllNodes(ctx context.Context, c command) ([]commandReply, error) {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	var answers []commandReply
	err := e.requestNodes(ctx, c, append(e.peers.names(), e.cfg.Node), func(o commandReply) bool {
		answers = append(answers, o)
		return true
	})
	return answers, err
}

// requestNodes sends a command to all nodes and waits until those in missing
// have replied, or ctx ends. answered is called for each reply and reports
// whether it was that node's last.
func (e *Engine) requestNodes(ctx context.Context, c command, missing []string, answered func(commandReply) (last bool)) error {
	c.V = protocolVersion
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("rooms: encode a command: %w", err)
	}
	inbox := e.nc.NewInbox()
	sub, err := e.nc.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("rooms: subscribe for answers: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	if err := e.nc.PublishRequest(controlSubject, inbox, body); err != nil {
		return fmt.Errorf("rooms: publish a command: %w", err)
	}
	var refused error
	for len(missing) > 0 {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			silent := wire.Errorf(wire.Unavailable, "these nodes did not answer: %s; try again", strings.Join(missing, ", "))
			return errors.Join(silent, refused)
		}
		var o commandReply
		if err := json.Unmarshal(msg.Data, &o); err != nil {
			return fmt.Errorf("rooms: a node's answer cannot be read: %w", err)
		}
		last := true
		if o.Error != nil {
			refused = errors.Join(refused, wire.Errorf(o.Error.Code, "node %s: %s", o.Node, o.Error.Message))
		} else {
			last = answered(o)
		}
		if last {
			missing = slices.DeleteFunc(missing, func(node string) bool { return node == o.Node })
		}
	}
	return refused
}

// sumAllNodes adds up the counts in the nodes' replies.
func (e *Engine) sumAllNodes(ctx context.Context, c command) (int, error) {
	answers, err := e.requestAllNodes(ctx, c)
	n := 0
	for _, a := range answers {
		n += a.Count
	}
	return n, err
}

// Remove removes every session of a user from a room, on all nodes, and returns
// how many there were, kept seats of sessions that were cut off included.
func (e *Engine) Remove(ctx context.Context, room wire.Room, uid string) (int, error) {
	return e.sumAllNodes(ctx, command{Op: opRemove, Room: room, UID: uid})
}

// CloseUser ends every session of a user, on all nodes, and returns how many
// there were, kept seats of sessions that were cut off included.
func (e *Engine) CloseUser(ctx context.Context, uid string, code wire.CloseCode) (int, error) {
	return e.sumAllNodes(ctx, command{Op: opClose, UID: uid, Code: code})
}

// Room returns what all nodes together know of a room; ok is false when it
// is not open on any node and has no label.
func (e *Engine) Room(ctx context.Context, room wire.Room) (info RoomInfo, ok bool, err error) {
	answers, err := e.requestAllNodes(ctx, command{Op: opRoom, Room: room})
	if err != nil {
		return RoomInfo{}, false, err
	}
	info = RoomInfo{Name: room, Epoch: e.storeOf(room).Epoch(), Label: e.Label(room)}
	for _, a := range answers {
		for _, known := range a.Rooms {
			info, ok = known.with(info), true
		}
	}
	return info, ok || info.Label != nil, nil
}

// with merges what two nodes know of a room. Each counts the users of all
// nodes, but only its own sessions.
func (i RoomInfo) with(other RoomInfo) RoomInfo {
	i.Users = max(i.Users, other.Users)
	i.Sessions += other.Sessions
	i.Seq = max(i.Seq, other.Seq)
	if other.Active.After(i.Active) {
		i.Active = other.Active
	}
	i.At, i.Label = max(i.At, other.At), other.Label
	return i
}
