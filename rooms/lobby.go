package rooms

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/lobby"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// The list of all rooms is put together when somebody asks: however many do,
// the nodes ask each other once per lobbyFresh, for what has changed since.
const (
	// lobbyFresh is how long a list is given out, lobbyLook how old a node's
	// look at its own rooms may be when another one asks: together 2 s.
	lobbyFresh = 1500 * time.Millisecond
	lobbyLook  = 500 * time.Millisecond
	// lobbyTimeout is what other nodes get to answer. Of one that does not,
	// what it said last is shown, until it is dropped.
	lobbyTimeout = 500 * time.Millisecond
	// lobbyIdle is after which time without a question the list is forgotten.
	lobbyIdle = time.Minute
	// lobbyPart is how many rooms are in one message between nodes: up to 400
	// bytes each, where names are as long as they may be, some 60 else.
	lobbyPart = 500
	// MaxLobbyPage is the most rooms in one page of the lobby; a larger limit
	// is cut to it.
	MaxLobbyPage = 100
	// MaxRoomsBytes is the most bytes of rooms that Rooms lists at once,
	// some 25,000 of them.
	MaxRoomsBytes = 4 << 20
)

// lobbyRequest is in a command, opRooms, of a node that wants to know what has
// changed, in parts. A node of version 1 does not see it, and answers with all
// of its rooms in one message.
type lobbyRequest struct {
	Node  string                `json:"node"`            // who asks
	Fresh bool                  `json:"fresh,omitempty"` // an earlier look at the rooms will not do
	Known map[string]lobbyKnown `json:"known,omitempty"` // what it knows, by node
}

type lobbyKnown struct {
	Boot    presence.Boot `json:"boot"`
	Version uint64        `json:"version"`
}

// lobbyReply is one part of the answer to a lobbyRequest.
type lobbyReply struct {
	Boot presence.Boot `json:"boot"`
	Part int           `json:"part"`           // counted from 0
	More bool          `json:"more,omitempty"` // another part follows
	lobby.Delta
}

// lobbySync keeps the list of the rooms on all nodes.
type lobbySync struct {
	eng  *Engine // fixed
	list atomic.Pointer[lobbySnapshot]
	// asked is when somebody last asked, in unix nanoseconds.
	asked atomic.Int64

	refreshing chan struct{}   // buffered by one: held while the other nodes are asked
	others     lobby.Directory // owned by who holds refreshing

	mu       sync.Mutex    // guards what follows
	own      lobby.Journal // of this node's rooms
	ownAt    time.Time     // when own was last brought up to date
	inFlight chan struct{} // closed when the refresh in flight is done; nil: none is
}

// lobbySnapshot is a list, and when the nodes were asked for it.
type lobbySnapshot struct {
	*lobby.List
	at time.Time
}

// fresh reports whether the list, if there is one, may be given out.
func (s *lobbySnapshot) fresh(now time.Time) bool { return s != nil && now.Sub(s.at) < lobbyFresh }

// Lobby returns one page of the rooms on all nodes: those that have a label, and
// behind them those in which somebody is or something was said since they were
// opened somewhere, each of the two by name. Inboxes are never among them. A page
// is up to 2 s old; what it says of a node that does not answer, up to three
// heartbeats older.
// q.Limit is MaxLobbyPage at most, and that when it is 0.
func (e *Engine) Lobby(ctx context.Context, q lobby.Query) (wire.Rooms, error) {
	if q.Limit <= 0 || q.Limit > MaxLobbyPage {
		q.Limit = MaxLobbyPage
	}
	list, err := e.lobby.recent(ctx)
	if err != nil {
		return wire.Rooms{}, err
	}
	page, next := list.Page(q)
	answer := wire.Rooms{List: make([]wire.ListedRoom, len(page)), Next: next}
	for i, r := range page {
		answer.List[i] = wire.ListedRoom{Name: r.Name, Count: r.Users, At: r.At(), Label: r.Label}
	}
	return answer, nil
}

// recent is a list that is not older than lobbyFresh, or that is made now.
func (l *lobbySync) recent(ctx context.Context) (*lobbySnapshot, error) {
	now := time.Now()
	l.asked.Store(now.UnixNano())
	if list := l.list.Load(); list.fresh(now) {
		return list, nil
	}
	select {
	case <-l.renew():
	case <-ctx.Done():
		return nil, wire.Errorf(wire.Unavailable, "the rooms could not be listed in time; try again")
	}
	list := l.list.Load()
	if list == nil {
		return nil, errClosed
	}
	return list, nil
}

// renew has the list made anew, once for all who want it. The channel is closed
// when it is there.
func (l *lobbySync) renew() <-chan struct{} {
	l.mu.Lock()
	if l.inFlight != nil {
		defer l.mu.Unlock()
		return l.inFlight
	}
	done := make(chan struct{})
	if l.list.Load().fresh(time.Now()) { // another one was faster
		l.mu.Unlock()
		close(done)
		return done
	}
	l.inFlight = done
	l.mu.Unlock()
	l.eng.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, lobbyTimeout)
		defer cancel()
		list, err := l.refresh(ctx, false)
		if err != nil && !l.eng.closed() {
			l.eng.stats.LobbyLate.Add(1)
			l.eng.cfg.Log.Debug().Err(err).Msg("a node did not tell its rooms in time; those that it told last are shown")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if list != nil {
			l.list.Store(list)
		}
		l.inFlight = nil
		close(done)
	})
	return done
}

// refresh asks the other nodes for their rooms and makes a new list. With an
// error, some have not answered, and the list has what they told last; it is
// nil when nobody could be asked at all.
func (l *lobbySync) refresh(ctx context.Context, fresh bool) (*lobbySnapshot, error) {
	select {
	case l.refreshing <- struct{}{}:
		defer func() { <-l.refreshing }()
	case <-ctx.Done():
		return nil, wire.Errorf(wire.Unavailable, "the rooms could not be listed in time; try again")
	}
	l.eng.stats.LobbyGathered.Add(1)
	at := time.Now()
	nodes := l.eng.peers.names()
	l.others.Keep(nodes)
	err := l.askOthers(ctx, nodes, fresh)
	l.look(fresh)
	l.mu.Lock()
	defer l.mu.Unlock()
	return &lobbySnapshot{l.others.List(l.own.Entries(), l.eng.labels.all()), at}, err
}

// askOthers brings what is known of other nodes up to date. The caller holds
// refreshing.
func (l *lobbySync) askOthers(ctx context.Context, nodes []string, fresh bool) error {
	if len(nodes) == 0 {
		return nil
	}
	ask := &lobbyRequest{Node: l.eng.cfg.Node, Fresh: fresh, Known: make(map[string]lobbyKnown)}
	for _, node := range nodes {
		if boot, version := l.others.Known(node); boot != 0 {
			ask.Known[node] = lobbyKnown{presence.Boot(boot), version}
		}
	}
	told := make(map[string][]lobbyReply)
	err := l.eng.requestNodes(ctx, command{Op: opRooms, Lobby: ask}, nodes, func(o commandReply) (last bool) {
		if o.Lobby == nil { // version 1, or 0
			o.Lobby = &lobbyReply{Delta: deltaOf(o.Rooms)}
		}
		told[o.Node] = append(told[o.Node], *o.Lobby)
		return !o.Lobby.More
	})
	for node, parts := range told {
		if !l.take(node, parts) {
			l.eng.cfg.Log.Warn().Str("node", node).Msg("what a node tells of its rooms cannot be used; it is asked again")
		}
	}
	return err
}

// take takes over what a node has told, if that is all of it.
func (l *lobbySync) take(node string, parts []lobbyReply) bool {
	deltas := make([]lobby.Delta, len(parts))
	for i, p := range parts {
		if p.Part != i || p.Boot != parts[0].Boot {
			return false
		}
		deltas[i] = p.Delta
	}
	if parts[len(parts)-1].More {
		return true // the rest did not come in time; it is told again
	}
	return l.others.Apply(node, uint64(parts[0].Boot), deltas) == nil
}

// deltaOf is what a node of version 1 tells of its rooms. It has version 0, so
// that it is told anew each time.
func deltaOf(rooms []RoomInfo) lobby.Delta {
	return lobby.NewDelta(func(yield func(lobby.Entry) bool) {
		for _, r := range rooms {
			if !yield(lobby.Entry{Name: string(r.Name), Users: r.Users, Sessions: r.Sessions, Seq: r.Seq, Active: r.Active.UnixMilli()}) {
				return
			}
		}
	})
}

// look brings the journal of this node's rooms up to date.
func (l *lobbySync) look(fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !fresh && now.Sub(l.ownAt) < lobbyLook {
		return
	}
	l.ownAt = now
	l.own.Update(l.eng.openRooms())
}

// openRooms are the rooms that are open on this node, inboxes left out.
func (e *Engine) openRooms() iter.Seq[lobby.Entry] {
	return func(yield func(lobby.Entry) bool) {
		for _, h := range e.stores[wire.SpaceRooms].handles.all() {
			entry := lobby.Entry{
				Name: string(h.name), Users: h.users.Load(), Sessions: h.sessions.Load(),
				Seq: h.last.Load(), Active: h.active.Load(),
			}
			if !yield(entry) {
				return
			}
		}
	}
}

// tellLobby answers another node that wants to know of the rooms here.
func (e *Engine) tellLobby(msg *nats.Msg, ask lobbyRequest) {
	if ask.Node == e.cfg.Node {
		return // it knows
	}
	l := &e.lobby
	l.look(ask.Fresh)
	known := ask.Known[e.cfg.Node]
	if known.Boot != e.boot {
		known.Version = 0
	}
	l.mu.Lock()
	parts := slices.Collect(l.own.Since(known.Version).Split(lobbyPart))
	l.mu.Unlock()
	for i, part := range parts {
		answer := commandReply{V: protocolVersion, Node: e.cfg.Node, Lobby: &lobbyReply{Boot: e.boot, Part: i, More: i < len(parts)-1, Delta: part}}
		body, err := json.Marshal(answer)
		if err == nil {
			err = msg.Respond(body)
		}
		if err != nil {
			if !e.closed() {
				e.cfg.Log.Warn().Err(err).Str("node", ask.Node).Msg("another node could not be told of the rooms here; it asks again")
			}
			return
		}
	}
}

// forgetIdle gives up the list when nobody has asked for a while. It never
// blocks.
func (l *lobbySync) forgetIdle(now time.Time) {
	if list := l.list.Load(); list != nil && now.Sub(time.Unix(0, l.asked.Load())) > lobbyIdle {
		select {
		case l.refreshing <- struct{}{}:
			l.list.CompareAndSwap(list, nil)
			l.others = lobby.Directory{}
			<-l.refreshing
		default:
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ownAt.IsZero() && now.Sub(l.ownAt) > lobbyIdle {
		l.own.Clear()
		l.ownAt = time.Time{}
	}
}

// RoomList is a page of Rooms. Next is what the query's After takes for the
// next one; empty on the last.
type RoomList struct {
	Rooms []RoomInfo `json:"rooms"`
	Next  string     `json:"next"`
}

// Rooms lists the rooms of all nodes as they are now, in the order and by the
// rules of Lobby: q.Limit of them, MaxLobbyPage at most, or, when that is 0, as
// many as fit into that many bytes of JSON. A node that does not answer is an
// error that names it.
func (e *Engine) Rooms(ctx context.Context, q lobby.Query, bytes int) (RoomList, error) {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	list, err := e.lobby.refresh(ctx, true)
	if err != nil {
		return RoomList{}, err
	}
	if q.Limit <= 0 {
		q.Limit = max(1, list.Len())
	} else {
		q.Limit = min(q.Limit, MaxLobbyPage)
	}
	page, next := list.Page(q)
	answer := RoomList{Rooms: make([]RoomInfo, 0, len(page)), Next: next}
	for i, r := range page {
		info := e.infoOf(r)
		text, err := json.Marshal(info)
		if err != nil {
			return RoomList{}, fmt.Errorf("rooms: encode what is known of the room %q: %w", r.Name, err)
		}
		if bytes -= len(text) + len(","); bytes < 0 && i > 0 {
			answer.Next = page[i-1].Cursor()
			break
		}
		answer.Rooms = append(answer.Rooms, info)
	}
	return answer, nil
}

func (e *Engine) infoOf(r lobby.Room) RoomInfo {
	return RoomInfo{
		Name: wire.Room(r.Name), Users: r.Users, Sessions: r.Sessions, Seq: r.Seq, Epoch: e.Epoch(),
		Active: time.UnixMilli(r.Active).UTC(), At: r.At(), Label: r.Label,
	}
}
