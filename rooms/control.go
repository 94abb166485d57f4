package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// controlSubject reaches every node; controlTimeout is how long its answers
// are waited for.
const (
	controlSubject = "roomd.control"
	controlTimeout = 2 * time.Second
)

// command is what one node wants of all.
type command struct {
	V    int            `json:"v"`
	Op   controlOp      `json:"op"`
	Room string         `json:"room,omitempty"` // clean name; "": all
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
)

// outcome is one node's answer; with an error it is a refusal.
type outcome struct {
	V     int         `json:"v"`
	Node  string      `json:"node"`
	Count int         `json:"count,omitempty"`
	Rooms []RoomInfo  `json:"rooms,omitempty"`
	Error *reason     `json:"error,omitempty"`
	Lobby *lobbyReply `json:"lobby,omitempty"` // instead of Rooms; there may be more than one

	Connections *toldConnections `json:"connections,omitempty"`
}

// onControl does what a command says and answers. It runs on its
// subscription's goroutine, and the work beside it.
func (e *Engine) onControl(msg *nats.Msg) {
	var c command
	if err := json.Unmarshal(msg.Data, &c); err != nil || msg.Reply == "" {
		e.cfg.Log.Warn().Str("subject", msg.Subject).Msg("a command that is none was ignored; who publishes there?")
		e.refuse(msg, wire.Errorf(wire.BadJSON, "a command must be a JSON object with the field op"))
		return
	}
	e.beside(func(ctx context.Context) {
		if c.Op == opRooms && c.Lobby != nil {
			e.tellLobby(msg, *c.Lobby)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, controlTimeout)
		defer cancel()
		answer, err := e.obey(ctx, c)
		if err != nil {
			e.cfg.Log.Warn().Err(err).Str("op", string(c.Op)).Msg("a command of another node could not be carried out")
			e.refuse(msg, err)
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

// obey carries out a command on this node.
func (e *Engine) obey(ctx context.Context, c command) (outcome, error) {
	answer := outcome{V: speaks, Node: e.cfg.Node}
	var err error
	switch c.Op {
	case opRooms:
		answer.Rooms = e.Rooms()
	case opRoom:
		if info, ok := e.Room(c.Room); ok {
			answer.Rooms = []RoomInfo{info}
		}
	case opRemove:
		e.kicked(c.Room, c.UID)
		answer.Count, err = e.removeHere(ctx, c.Room, c.UID)
	case opClose:
		e.kicked("", c.UID)
		answer.Count, err = e.closeHere(ctx, c.UID, c.Code)
	case opConnections:
		answer.Connections, err = e.ownConnections(ctx, c)
	default:
		err = wire.Errorf(wire.UnknownType, "there is no command %q in version %d; update this node", c.Op, speaks)
	}
	return answer, err
}

func (e *Engine) kicked(room, uid string) {
	if e.cfg.Kicked != nil {
		e.cfg.Kicked(room, uid)
	}
}

// removeHere takes a user's sessions out of the room, if it is open here.
func (e *Engine) removeHere(ctx context.Context, room, uid string) (int, error) {
	sessions, err := e.tellRoom(ctx, room, &removeUser{uid: uid, done: make(chan []string, 1)})
	return distinct(sessions), err
}

// closeHere ends a user's sessions, and the seats that the rooms keep for those
// that were cut off. The inbox comes first: a session that is no longer in it has
// left its rooms before, so that each has the seat when it is told.
func (e *Engine) closeHere(ctx context.Context, uid string, code wire.CloseCode) (int, error) {
	sessions, err := e.tellRoom(ctx, wire.Inbox(uid), &removeUser{uid: uid, code: code, done: make(chan []string, 1)})
	if err != nil {
		return 0, err
	}
	open := e.stores[wire.SpaceRooms].handles.all()
	told := make([]*endSeats, len(open))
	for i, h := range open {
		told[i] = &endSeats{uid: uid, done: make(chan []string, 1)}
		e.post(h.self, told[i])
	}
	for i, h := range open {
		ended, err := await(ctx, h.self, told[i].done, nil)
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

// tellRoom gives a removal to the room, if it is open here.
func (e *Engine) tellRoom(ctx context.Context, room string, m *removeUser) (sessions []string, err error) {
	ref, ok := e.rooms.Lookup(room)
	if !ok {
		return nil, nil
	}
	e.post(ref, m)
	return await(ctx, ref, m.done, nil)
}

// everyNode gives a command to all nodes that live, this one too, and returns
// their answers. A node that does not answer, or refuses, is an error that
// names it: the caller must not take silence for "nobody there". The answers of
// the others are returned with it.
func (e *Engine) everyNode(ctx context.Context, c command) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	var answers []outcome
	err := e.tellNodes(ctx, c, append(e.peers.names(), e.cfg.Node), func(o outcome) bool {
		answers = append(answers, o)
		return true
	})
	return answers, err
}

// tellNodes gives a command to all nodes and waits for the answers of those
// that are missing, until ctx ends. answered is called for each, and reports
// whether it was that node's last.
func (e *Engine) tellNodes(ctx context.Context, c command, missing []string, answered func(outcome) (last bool)) error {
	c.V = speaks
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
		var o outcome
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

// countEveryNode adds up what the nodes did.
func (e *Engine) countEveryNode(ctx context.Context, c command) (int, error) {
	answers, err := e.everyNode(ctx, c)
	n := 0
	for _, a := range answers {
		n += a.Count
	}
	return n, err
}

// Remove takes every session of a user out of the room, on all nodes, and
// returns how many there were. Those that were cut off and have a seat for the
// grace are among them.
func (e *Engine) Remove(ctx context.Context, room, uid string) (int, error) {
	return e.countEveryNode(ctx, command{Op: opRemove, Room: room, UID: uid})
}

// CloseUser ends every session of a user, on all nodes, and returns how many
// there were. Those that were cut off and have a seat for the grace are among
// them.
func (e *Engine) CloseUser(ctx context.Context, uid string, code wire.CloseCode) (int, error) {
	return e.countEveryNode(ctx, command{Op: opClose, UID: uid, Code: code})
}

// FindRoom returns what all nodes know of one room; ok is false when it is open
// nowhere and has no label.
func (e *Engine) FindRoom(ctx context.Context, room string) (info RoomInfo, ok bool, err error) {
	answers, err := e.everyNode(ctx, command{Op: opRoom, Room: room})
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

// with joins what two nodes know of a room. Each knows all its users; sessions
// are each node's own.
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
