package rooms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Every node publishes a heartbeat. A node that misses three of them is removed
// with all its members.
const (
	heartbeatInterval = 5 * time.Second
	missedHeartbeats  = 3

	nodeSubject = "roomd.node" // heartbeats
)

// heartbeat is the message by which a node shows that it is alive.
type heartbeat struct {
	V       int           `json:"v"`
	Node    string        `json:"node"`
	Boot    presence.Boot `json:"boot"`
	Started int64         `json:"started"`            // for version 0, which knows no boot: unix nanoseconds by this node's clock
	Hello   bool          `json:"hello"`              // it has just started: reply with a heartbeat, so that it need not wait
	HearAll bool          `json:"hear_all,omitempty"` // it validates all events
	Tables  bool          `json:"tables,omitempty"`   // it decides for tables, when it is its turn
	Hosted  string        `json:"hosted,omitempty"`   // digest of its tables and their rules; "": a node that does not say
	Secret  string        `json:"secret,omitempty"`   // name of the key that its secret gives; "": a node that does not say
}

// peers are the other live nodes.
type peers struct {
	mu     sync.Mutex
	nodes  presence.Peers
	differ [alikes]map[string]bool // those that have it otherwise than this one
}

// What all nodes should have alike.
const (
	alikeTables = iota
	alikeSecret
	alikes
)

// differs notes whether a node has something otherwise than this one, and reports
// whether it has and that is new.
func (p *peers) differs(what int, node string, otherwise bool) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !otherwise {
		delete(p.differ[what], node)
		return false
	}
	if p.differ[what] == nil {
		p.differ[what] = make(map[string]bool)
	}
	news = !p.differ[what][node]
	p.differ[what][node] = true
	return news
}

func (p *peers) differing(what int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.differ[what])
}

// TablesDiffer returns how many other living nodes host other tables than this one, or
// by other rules. While nodes are updated one by one some may.
func (e *Engine) TablesDiffer() int { return e.peers.differing(alikeTables) }

// SecretsDiffer returns how many other living nodes have another secret than this one:
// neither believes what the other publishes for its users.
func (e *Engine) SecretsDiffer() int { return e.peers.differing(alikeSecret) }

func (p *peers) observe(o presence.Observation, now time.Time) (presence.PeerEvent, presence.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes.Observe(o, now)
}

func (p *peers) lives(process presence.Process) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes.Lives(process)
}

// silent removes and returns the nodes that were last heard before since.
func (p *peers) silent(since time.Time) (dead []presence.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dead = p.nodes.Silent(since)
	for _, process := range dead {
		for what := range p.differ {
			delete(p.differ[what], process.Node)
		}
	}
	return dead
}

// names returns the other live nodes.
func (p *peers) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes.Names()
}

func (p *peers) none() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes.Len() == 0
}

// newBoot draws this process's boot at random.
func newBoot() presence.Boot { return presence.Boot(1 + rand.Uint64N(math.MaxUint64)) }

// watchPeers subscribes to messages between nodes, and announces this node.
func (e *Engine) watchPeers() error {
	subs := map[string]nats.MsgHandler{
		nodeSubject:             e.onHeartbeat,
		toNode(e.cfg.Node, "*"): e.onDirect,
		controlSubject:          e.onControl,
	}
	if len(e.cfg.Tables) > 0 {
		subs[tableSubject(e.cfg.Node, "*")] = e.onForwarded
		subs[pingSubject(e.cfg.Node)] = e.onTablePing
	}
	for subject, fn := range subs {
		if _, err := e.nc.Subscribe(subject, fn); err != nil {
			return fmt.Errorf("rooms: subscribe to %s: %w", subject, err)
		}
	}
	if len(e.cfg.Tables) > 0 {
		if _, err := e.nc.QueueSubscribe(wire.AllCommands, commandQueue, e.onCommand); err != nil {
			return fmt.Errorf("rooms: subscribe to %s: %w", wire.AllCommands, err)
		}
		if err := e.forward.start(); err != nil {
			return fmt.Errorf("rooms: subscribe to the answers of tables: %w", err)
		}
	}
	e.sendHeartbeat(true)
	return nil
}

// nameTimeout is how long a node that starts waits for another process to answer to
// its name. Where none is connected to NATS, the answer comes at once.
const nameTimeout = time.Second

// claimName fails when another process runs under this node's name. One that has
// ended, or stands still, does not answer: its name may be taken.
func (e *Engine) claimName(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	var reply commandReply
	msg, err := e.nc.RequestWithContext(ctx, toNode(e.cfg.Node, noRoom), []byte("{}"))
	if err != nil || json.Unmarshal(msg.Data, &reply) != nil || reply.Node != e.cfg.Node {
		return nil
	}
	return fmt.Errorf("rooms: another process that runs under this node's name, %q, answers on NATS: give every node a name of its own (--node-name), or start this one when that one has ended", e.cfg.Node)
}

// noRoom is no room's token: what is sent about it is answered by an error, by nodes
// of every version.
const noRoom = "="

// heartbeatLoop sends heartbeats, and removes nodes that no longer do.
func (e *Engine) heartbeatLoop() {
	every := e.cfg.tuning.heartbeat
	beat, look := time.NewTicker(every), time.NewTicker(every/checksPerHeartbeat)
	defer beat.Stop()
	defer look.Stop()
	awake := time.Now()
	last := awake
	for {
		select {
		case <-beat.C:
			e.sendHeartbeat(false)
			e.placement.beat()
			e.feed.alive()
		case now := <-look.C:
			// A process that was suspended has received no heartbeats; it waits
			// for new ones before it removes anybody.
			if now.Sub(last) > every {
				awake = now
			}
			last = now
			e.lobby.dropIdle(now)
			if now.Sub(awake) > every {
				e.dropSilent(now)
			}
		case <-e.ctx.Done():
			return
		}
	}
}

// checksPerHeartbeat is how often per heartbeat interval it checks for missed
// ones.
const checksPerHeartbeat = 5

func (e *Engine) dropSilent(now time.Time) {
	for _, process := range e.peers.silent(now.Add(-missedHeartbeats * e.cfg.tuning.heartbeat)) {
		node := process.Node
		e.feed.lost(node, process.Boot)
		e.stats.PeersLost.Add(1)
		e.cfg.Log.Warn().Str("node", node).Msg("a node is silent and is dropped with all its members")
		e.onInspector(node, false)
		e.placement.lost(node)
		e.postAll(peerDown{node})
	}
}

func (e *Engine) sendHeartbeat(hello bool) {
	body, err := json.Marshal(heartbeat{V: protocolVersion, Node: e.cfg.Node, Boot: e.boot, Started: e.started, Hello: hello, HearAll: e.cfg.HearAll, Tables: e.placement.takes(), Hosted: e.cfg.hosted(), Secret: e.secret.Load().sealer.name})
	if err == nil {
		err = e.nc.Publish(nodeSubject, body)
	}
	if err != nil && !e.closed() {
		e.cfg.Log.Warn().Err(err).Msg("a heartbeat could not be sent")
	}
}

// onHeartbeat runs on its subscription's goroutine.
func (e *Engine) onHeartbeat(msg *nats.Msg) {
	var b heartbeat
	if err := json.Unmarshal(msg.Data, &b); err != nil || b.Node == "" {
		e.cfg.Log.Warn().Str("subject", msg.Subject).Msg("a heartbeat that is none was ignored; who publishes there?")
		return
	}
	switch {
	case b.Node == e.cfg.Node && b.Boot != e.boot:
		e.cfg.Log.Error().Str("node", b.Node).Msg("another process runs under this node's name: presence will be wrong; give every node its own --node-name")
	case b.Node != e.cfg.Node:
		if e.observePeer(presence.Observation{Node: b.Node, Boot: b.Boot, Started: b.Started, Heartbeat: true}) {
			e.onInspector(b.Node, b.HearAll)
			e.placement.heard(b.Node, b.Tables)
			e.compareSecret(b)
			if e.peers.differs(alikeTables, b.Node, b.Hosted != "" && b.Hosted != e.cfg.hosted()) {
				e.cfg.Log.Warn().Str("node", e.cfg.Node).Str("other", b.Node).
					Msg("another node hosts other tables than this one, or by other rules or settings: what comes of a command depends on the node; unless they are being updated, compare the flags of the two")
			}
		}
		if b.Hello {
			e.sendHeartbeat(false)
		}
	}
}

// observePeer records a sign of life of another node, and reports whether it is
// from the process that currently has the node's name. Messages of any other
// process must be ignored.
func (e *Engine) observePeer(o presence.Observation) bool {
	switch what, previous := e.peers.observe(o, time.Now()); what {
	case presence.Stale:
		return false
	case presence.NewNode:
		e.cfg.Log.Info().Str("node", o.Node).Msg("another node is there")
		e.postAll(peerUp{o.Node})
	case presence.Restarted:
		e.feed.lost(previous.Node, previous.Boot)
		e.cfg.Log.Info().Str("node", o.Node).Msg("another node has restarted")
		e.postAll(peerUp{o.Node}) // its messages before the heartbeat were ignored
		// Its clients are reconnecting; for the grace period they keep the seats
		// that they had on the previous process.
		time.AfterFunc(e.cfg.PresenceGrace, func() {
			if !e.peers.lives(previous) {
				e.postAll(peerReplaced{previous})
			}
		})
	}
	return true
}

// postAll posts to every open room that has presence, that is, not to inboxes.
func (e *Engine) postAll(m message) {
	for _, h := range e.roomHandles() {
		e.post(h.self, m)
	}
}
