package rooms

import (
	"context"
	"slices"
	"strings"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// connectionsRequest asks a room for its members on this node.
type connectionsRequest struct {
	done chan connectionsAnswer // buffered by one
}

type connectionsAnswer struct {
	members []Member
	upto    uint64 // the number of the last feed event that it includes
}

func (*connectionsRequest) roomMessage() {}

// connectionsReply is one node's part of a page.
type connectionsReply struct {
	At   wire.FeedNode     `json:"at"`
	List []wire.Connection `json:"list"`
}

// errNoFeed is the answer of a node that has no feed.
var errNoFeed = wire.Errorf(wire.Unavailable, "this node tells no feed, so nobody could follow; start it with --feed")

// Connections returns one page of the connections in a room, or for room "" of
// all connections, on all nodes, sorted by id. For each node the page has the
// number of the last feed event that it includes: later ones are to be applied
// to it. limit is at most wire.MaxConnectionsPage.
func (e *Engine) Connections(ctx context.Context, room wire.Room, after string, limit int) (wire.Connections, error) {
	if limit <= 0 || limit > wire.MaxConnectionsPage {
		limit = wire.MaxConnectionsPage
	}
	page := wire.Connections{RoomID: string(room), List: []wire.Connection{}}
	answers, err := e.requestAllNodes(ctx, command{Op: opConnections, Room: room, After: after, Limit: limit})
	if err != nil {
		return page, err
	}
	for _, a := range answers {
		if a.Connections == nil {
			return page, wire.Errorf(wire.Internal, "node %s did not tell its connections", a.Node)
		}
		page.Nodes = append(page.Nodes, a.Connections.At)
		page.List = append(page.List, a.Connections.List...)
	}
	slices.SortFunc(page.Nodes, func(a, b wire.FeedNode) int { return strings.Compare(a.Node, b.Node) })
	page.List = firstAfter(page.List, after, limit)
	if len(page.List) == limit {
		page.Next = page.List[limit-1].Connection // there may be more, here or on a node whose part was cut
	}
	return page, nil
}

// firstAfter returns the connections with ids greater than after, sorted, at
// most limit.
func firstAfter(list []wire.Connection, after string, limit int) []wire.Connection {
	list = slices.DeleteFunc(list, func(c wire.Connection) bool { return c.Connection <= after })
	slices.SortFunc(list, func(a, b wire.Connection) int { return strings.Compare(a.Connection, b.Connection) })
	return list[:min(len(list), limit)]
}

// localConnections returns this node's part of a page.
func (e *Engine) localConnections(ctx context.Context, c command) (*connectionsReply, error) {
	f := e.feed
	if f == nil {
		return nil, errNoFeed
	}
	answer := &connectionsReply{At: wire.FeedNode{Node: f.node, Boot: f.boot}}
	if c.Room == "" {
		answer.List, answer.At.N = f.snapshot()
	} else {
		var err error
		if answer.List, answer.At.N, err = e.connectionsIn(ctx, c.Room); err != nil {
			return nil, err
		}
	}
	answer.List = firstAfter(answer.List, c.After, max(1, min(c.Limit, wire.MaxConnectionsPage)))
	return answer, nil
}

func (e *Engine) connectionsIn(ctx context.Context, room wire.Room) ([]wire.Connection, uint64, error) {
	upto := e.feed.last()
	ref, ok := e.rooms.Lookup(string(room))
	if !ok {
		return nil, upto, nil
	}
	req := &connectionsRequest{done: make(chan connectionsAnswer, 1)}
	e.post(ref, req)
	answer, err := await(ctx, ref, req.done, connectionsAnswer{upto: upto})
	if err != nil {
		return nil, 0, err
	}
	list := make([]wire.Connection, 0, len(answer.members))
	for _, m := range answer.members {
		list = append(list, wire.Connection{Connection: m.ID(), UID: m.User().UID, Guest: isGuest(m), Node: e.cfg.Node})
	}
	return list, max(upto, answer.upto), nil
}

// onConnections runs on the room's actor.
func (r *room) onConnections(req *connectionsRequest) {
	reply(req.done, connectionsAnswer{slices.Clone(r.fanout.members.list), r.eng.feed.last()})
}
