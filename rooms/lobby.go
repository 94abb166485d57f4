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

// The list of all rooms is refreshed on demand: however many clients ask, the
// nodes ask each other once per lobbyMaxAge, for what has changed.
const (
	// lobbyMaxAge is how long a list is cached, lobbyScanAge how old a node's
	// scan of its own rooms may be when another one asks: 2 s in total.
	lobbyMaxAge  = 1500 * time.Millisecond
	lobbyScanAge = 500 * time.Millisecond
	// lobbyTimeout is how long other nodes may take to answer. Of one that does
	// not, its last answer is used, until the node is considered dead.
	lobbyTimeout = 500 * time.Millisecond
	// lobbyIdle is how long the list is kept in memory without requests.
	lobbyIdle = time.Minute
	// lobbyPart is how many rooms are in one message between nodes: up to 400
	// bytes each with the longest names, typically 60.
	lobbyPart = 500
	// MaxLobbyPage is the most rooms in one page of the lobby; a larger limit
	// is cut to it.
	MaxLobbyPage = 100
	// MaxRoomsBytes is the most bytes of JSON that Rooms returns at once, some
	// 25,000 rooms.
	MaxRoomsBytes = 4 << 20
)

// lobbyRequest is the part of a command, opRooms, that asks for deltas. A node
// of version 1 ignores it, and answers with all of its rooms in one message.
type lobbyRequest struct {
	Node  string                `json:"node"`            // the requesting node
	Fresh bool                  `json:"fresh,omitempty"` // scan the rooms, whatever the age of the last scan
	Known map[string]lobbyKnown `json:"known,omitempty"` // the versions that it has, by node
}

type lobbyKnown struct {
	Boot    presence.Boot `json:"boot"`
	Version uint64        `json:"version"`
}

// lobbyReply is one part of the reply to a lobbyRequest.
type lobbyReply struct {
	Boot presence.Boot `json:"boot"`
	Part int           `json:"part"`           // counted from 0
	More bool          `json:"more,omitempty"` // another part follows
	lobby.Delta
}

// lobbySync maintains the list of the rooms on all nodes.
type lobbySync struct {
	eng  *Engine // fixed
	list atomic.Pointer[lobbySnapshot]
	// asked is when the list was last requested, in Unix nanoseconds.
	asked atomic.Int64

	refreshing chan struct{}   // a lock, buffered by one: held while the other nodes are asked
	others     lobby.Directory // guarded by refreshing

	mu       sync.Mutex    // guards the fields below
	own      lobby.Journal // of this node's rooms
	ownAt    time.Time     // when own was last updated
	inFlight chan struct{} // closed when the refresh in flight is done; nil: there is none
}

// lobbySnapshot is a list and when it was requested from the nodes.
type lobbySnapshot struct {
	*lobby.List
	at time.Time
}

// fresh reports whether there is a list that is not too old.
func (s *lobbySnapshot) fresh(now time.Time) bool { return s != nil && now.Sub(s.at) < lobbyMaxAge }

// Lobby returns one page of the rooms on all nodes: those with a label first,
// then those that have members, or events since they were opened, each sorted
// by name. Inboxes are left out. A page is up to 2 s old; the rooms of a node
// that does not answer are up to three heartbeats older. q.Limit is at most
// MaxLobbyPage, which is also the default for 0. ctx bounds the call. Its
// errors are *wire.Error of unavailable. It may be called from any goroutine.
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

// recent returns a list that is not older than lobbyMaxAge, and refreshes it if
// needed.
func (l *lobbySync) recent(ctx context.Context) (*lobbySnapshot, error) {
	now := time.Now()
	l.asked.Store(now.UnixNano())
	if list := l.list.Load(); list.fresh(now) {
		return list, nil
	}
	select {
	case <-l.startRefresh():
	case <-ctx.Done():
		return nil, wire.Errorf(wire.Unavailable, "the rooms could not be listed in time; try again")
	}
	list := l.list.Load()
	if list == nil {
		return nil, errClosed
	}
	return list, nil
}

// startRefresh refreshes the list in the background; concurrent calls share one
// refresh. The channel is closed when it is done.
func (l *lobbySync) startRefresh() <-chan struct{} {
	l.mu.Lock()
	if l.inFlight != nil {
		defer l.mu.Unlock()
		return l.inFlight
	}
	done := make(chan struct{})
	if l.list.Load().fresh(time.Now()) { // it has just been refreshed
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

// refresh asks the other nodes for their rooms and returns a new list. If the
// error says that some have not answered, the list has their last answers; it
// is nil if ctx ended before any was asked.
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
	l.scan(fresh)
	l.mu.Lock()
	defer l.mu.Unlock()
	return &lobbySnapshot{l.others.List(l.own.Entries(), l.eng.labels.all()), at}, err
}

// askOthers updates the rooms of other nodes. The caller holds refreshing.
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
	replies := make(map[string][]lobbyReply)
	err := l.eng.requestNodes(ctx, command{Op: opRooms, Lobby: ask}, nodes, func(o commandReply) (last bool) {
		if o.Lobby == nil { // version 1, or 0
			o.Lobby = &lobbyReply{Delta: deltaOf(o.Rooms)}
		}
		replies[o.Node] = append(replies[o.Node], *o.Lobby)
		return !o.Lobby.More
	})
	for node, parts := range replies {
		if !l.applyParts(node, parts) {
			l.eng.cfg.Log.Warn().Str("node", node).Msg("what a node tells of its rooms cannot be used; it is asked again")
		}
	}
	return err
}

// applyParts applies the reply of a node, if it is complete.
func (l *lobbySync) applyParts(node string, parts []lobbyReply) bool {
	deltas := make([]lobby.Delta, len(parts))
	for i, p := range parts {
		if p.Part != i || p.Boot != parts[0].Boot {
			return false
		}
		deltas[i] = p.Delta
	}
	if parts[len(parts)-1].More {
		return true // the rest timed out; it is requested again
	}
	return l.others.Apply(node, uint64(parts[0].Boot), deltas) == nil
}

// deltaOf returns the reply of a node of version 1 as a delta. Its version is
// 0, so that all is requested again each time.
func deltaOf(rooms []RoomInfo) lobby.Delta {
	return lobby.NewDelta(func(yield func(lobby.Entry) bool) {
		for _, r := range rooms {
			if !yield(lobby.Entry{Name: string(r.Name), Users: r.Users, Sessions: r.Sessions, Seq: r.Seq, Active: r.Active.UnixMilli()}) {
				return
			}
		}
	})
}

// scan updates the journal of this node's rooms.
func (l *lobbySync) scan(fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !fresh && now.Sub(l.ownAt) < lobbyScanAge {
		return
	}
	l.ownAt = now
	l.own.Update(l.eng.openRooms())
}

// openRooms returns the rooms that are open on this node, without inboxes.
func (e *Engine) openRooms() iter.Seq[lobby.Entry] {
	return func(yield func(lobby.Entry) bool) {
		for _, h := range e.roomHandles() {
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

// replyLobby answers another node's lobbyRequest.
func (e *Engine) replyLobby(msg *nats.Msg, ask lobbyRequest) {
	if ask.Node == e.cfg.Node {
		return // our own request
	}
	l := &e.lobby
	l.scan(ask.Fresh)
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

// dropIdle drops the list if it was not requested for lobbyIdle. It never
// blocks.
func (l *lobbySync) dropIdle(now time.Time) {
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

// RoomList is a page of Rooms. Next is the After of the next page; it is empty
// on the last.
type RoomList struct {
	Rooms []RoomInfo `json:"rooms"`
	Next  string     `json:"next"`
}

// Rooms returns the current rooms of all nodes, selected and sorted as by
// Lobby: at most q.Limit and MaxLobbyPage, or, if q.Limit is 0, as many as fit
// into that many bytes of JSON. If a node does not answer the error names it.
// It may be called from any goroutine.
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
	info := RoomInfo{
		Name: wire.Room(r.Name), Users: r.Users, Sessions: r.Sessions, Seq: r.Seq, Epoch: e.Epoch(),
		At: r.At(), Label: r.Label,
	}
	if r.Active != 0 {
		info.Active = time.UnixMilli(r.Active).UTC()
	}
	return info
}
