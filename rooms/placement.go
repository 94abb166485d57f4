package rooms

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// placement is which node decides for which table, as this node sees it: of the
// nodes that may, the one whose hash with the room is the highest. Another node
// may see it differently for a while. Then both may decide, and the log takes
// the steps of one: see owner.
type placement struct {
	self    string // fixed; "": this node hosts no tables
	changed chan struct{}

	mu       sync.Mutex
	others   map[string]sign // the other living nodes, by what they were last known by
	suspects map[string]int  // of those that take tables, who did not answer, and for how many heartbeats
	leaving  bool

	list atomic.Pointer[[]string] // who may decide; replaced as a whole
	away atomic.Pointer[[]string] // who is suspected; replaced as a whole
}

// sign is by what another node is known.
type sign int

const (
	unheard   sign = iota + 1 // its heartbeats do not come here, but it has shown that it decides for tables
	takesNone                 // its heartbeats say that it decides for none
	takesSome                 // they say that it does
)

func newPlacement(self string) *placement {
	p := &placement{self: self, changed: make(chan struct{}, 1), others: make(map[string]sign), suspects: make(map[string]int)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.update()
	return p
}

// update makes the list anew, and tells watchOwners when it has changed. A node
// that leaves decides only when there is no other.
func (p *placement) update() {
	var list, away []string
	for node, sign := range p.others {
		if sign == takesNone {
			continue
		}
		if _, suspect := p.suspects[node]; suspect {
			away = append(away, node)
		} else {
			list = append(list, node)
		}
	}
	p.away.Store(&away)
	if p.self != "" && (!p.leaving || len(list) == 0) {
		list = append(list, p.self)
	}
	slices.Sort(list)
	if was := p.list.Load(); was != nil && slices.Equal(*was, list) {
		return
	}
	p.list.Store(&list)
	select {
	case p.changed <- struct{}{}:
	default: // told already
	}
}

// heard is that a node's heartbeat has come, and whether it takes tables. Who was
// suspected is not any more.
func (p *placement) heard(node string, takes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.suspects, node)
	p.others[node] = takesNone
	if takes {
		p.others[node] = takesSome
	}
	p.update()
}

// lost is that a node is not alive any more.
func (p *placement) lost(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.suspects, node)
	delete(p.others, node)
	p.update()
}

// shows is that a node has shown that it decides for tables: it has written a step just
// now, or leaves a table to this one. One whose heartbeats do not come here is alive by
// that, and it is its turn as if they did: so two that do not hear each other agree.
func (p *placement) shows(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.others[node] == 0 {
		p.others[node] = unheard
		p.update()
	}
}

// unheardNodes are those of which nobody would notice that they have gone, unless they
// are asked.
func (p *placement) unheardNodes() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, sign := range p.others {
		if _, suspect := p.suspects[node]; sign == unheard && !suspect {
			list = append(list, node)
		}
	}
	return list
}

// beat is that the time of a heartbeat has passed. A node that is not heard and does not
// answer is forgotten after three, and may then show itself again.
func (p *placement) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node := range p.suspects {
		if p.suspects[node]++; p.others[node] == unheard && p.suspects[node] >= missedHeartbeats {
			delete(p.others, node)
			delete(p.suspects, node)
		}
	}
	p.update()
}

// suspect is that a node does not answer. It decides for no table until its next
// heartbeat; without one it is lost after three of their intervals. It reports
// whether that is new.
func (p *placement) suspect(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, already := p.suspects[node]; already || p.others[node] == 0 || p.others[node] == takesNone {
		return false
	}
	p.suspects[node] = 0
	p.update()
	return true
}

// hosts reports whether a node takes tables, suspected or not.
func (p *placement) hosts(node string) bool {
	return slices.Contains(*p.list.Load(), node) || p.suspected(node)
}

// suspected reports whether a node is.
func (p *placement) suspected(node string) bool { return slices.Contains(*p.away.Load(), node) }

// trust is that a node is there that was suspected. One that is not heard,
// and does not answer, stays suspected: it would be asked again after each of its
// steps.
func (p *placement) trust(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.others[node] != unheard {
		delete(p.suspects, node)
		p.update()
	}
}

// without adds those who are suspected to the nodes that are gone: another node may
// not know.
func (p *placement) without(gone []string) []string {
	away := *p.away.Load()
	if len(away) == 0 {
		return gone
	}
	gone = slices.Clone(gone)
	for _, node := range away {
		if !slices.Contains(gone, node) {
			gone = append(gone, node)
		}
	}
	return gone
}

// leave is that this node takes tables no more, unless nobody else can.
func (p *placement) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	p.update()
}

// takes reports whether this node takes tables.
func (p *placement) takes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.self != "" && !p.leaving
}

// ownerOf is the node that decides for a table when those that are gone do not;
// "": nobody is left.
func (p *placement) ownerOf(room wire.Room, gone []string) (owner string) {
	var best uint64
	for _, node := range *p.list.Load() {
		if len(gone) > 0 && slices.Contains(gone, node) {
			continue
		}
		if sum := weight(node, room); owner == "" || sum > best {
			owner, best = node, sum
		}
	}
	return owner
}

// TableOwner is which of some nodes decides for a table when all of them do: for
// who places load, or looks from outside. "" of none.
func TableOwner(room wire.Room, nodes []string) string {
	p := placement{}
	p.list.Store(&nodes)
	return p.ownerOf(room, nil)
}

// weight is the hash of a node and a room: FNV-1a, whose bits are mixed, as its
// highest change little.
func weight(node string, room wire.Room) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	x := uint64(offset)
	for i := range len(node) {
		x = (x ^ uint64(node[i])) * prime
	}
	x *= prime // a zero byte between the two
	for i := range len(room) {
		x = (x ^ uint64(room[i])) * prime
	}
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// ownerOf is the node that decides for a table when those that are gone do not;
// "": nobody is left.
func (e *Engine) ownerOf(room wire.Room, gone []string) string {
	return e.placement.ownerOf(room, gone)
}
