package rooms

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// How nodes know of each other: every node publishes a heartbeat, and one that
// is silent for three of them is dropped with all its members.
const (
	heartbeatInterval = 5 * time.Second
	beatsMissed       = 3

	nodeSubject = "roomd.node" // heartbeats
)

// heartbeat says that a node lives.
type heartbeat struct {
	Node    string `json:"node"`
	Started int64  `json:"started"` // unix nanoseconds: tells a process from the one before it
	Hello   bool   `json:"hello"`   // it has just started: answer, so that it need not wait
}

// peers are the other nodes that live.
type peers struct {
	mu    sync.Mutex
	alive map[string]peer
}

type peer struct {
	started int64
	heard   time.Time
}

// peerEvent is what a sign of life, or its absence, means for the rooms.
type peerEvent uint8

const (
	peerKnown     peerEvent = iota
	peerCame                // it was not known, or had been given up
	peerRestarted           // another process has taken its name
)

// hear notes a sign of life; started is 0 when the sign does not say.
func (p *peers) hear(node string, started int64, now time.Time) peerEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive == nil {
		p.alive = make(map[string]peer)
	}
	was, known := p.alive[node]
	if started == 0 {
		started = was.started
	}
	p.alive[node] = peer{started: started, heard: now}
	switch {
	case !known:
		return peerCame
	case was.started != 0 && was.started != started:
		return peerRestarted
	}
	return peerKnown
}

// silent takes out and returns the nodes not heard since.
func (p *peers) silent(since time.Time) (gone []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, peer := range p.alive {
		if peer.heard.Before(since) {
			gone = append(gone, node)
			delete(p.alive, node)
		}
	}
	return gone
}

// names are the nodes that live, this one not among them.
func (p *peers) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := make([]string, 0, len(p.alive))
	for node := range p.alive {
		names = append(names, node)
	}
	slices.Sort(names)
	return names
}

func (p *peers) none() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.alive) == 0
}

// watchPeers subscribes to what nodes tell each other, and says hello.
func (e *Engine) watchPeers() error {
	subs := map[string]nats.MsgHandler{
		nodeSubject:             e.onHeartbeat,
		toNode(e.cfg.Node, "*"): e.onDirect,
		controlSubject:          e.onControl,
	}
	for subject, fn := range subs {
		if _, err := e.nc.Subscribe(subject, fn); err != nil {
			return fmt.Errorf("rooms: subscribe to %s: %w", subject, err)
		}
	}
	e.beat(true)
	return nil
}

// heartbeatLoop tells the other nodes that this one lives, and gives up those
// that do not say so any more.
func (e *Engine) heartbeatLoop() {
	every := e.cfg.tuning.heartbeat
	beat, look := time.NewTicker(every), time.NewTicker(every/looksPerBeat)
	defer beat.Stop()
	defer look.Stop()
	awake := time.Now()
	last := awake
	for {
		select {
		case <-beat.C:
			e.beat(false)
		case now := <-look.C:
			// A process that was stopped for a while has heard nobody; it gives
			// the others their time before it judges them.
			if now.Sub(last) > every {
				awake = now
			}
			last = now
			if now.Sub(awake) > every {
				e.dropSilent(now)
			}
		case <-e.ctx.Done():
			return
		}
	}
}

// looksPerBeat is how often per heartbeat the others' silence is looked at.
const looksPerBeat = 5

func (e *Engine) dropSilent(now time.Time) {
	for _, node := range e.peers.silent(now.Add(-beatsMissed * e.cfg.tuning.heartbeat)) {
		e.stats.PeersLost.Add(1)
		e.cfg.Log.Warn().Str("node", node).Msg("a node is silent and is dropped with all its members")
		e.postAll(peerGone{node: node, before: math.MaxUint64})
	}
}

func (e *Engine) beat(hello bool) {
	body, err := json.Marshal(heartbeat{Node: e.cfg.Node, Started: e.started, Hello: hello})
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
	case b.Node == e.cfg.Node && b.Started != e.started:
		e.cfg.Log.Error().Str("node", b.Node).Msg("another process runs under this node's name: presence will be wrong; give every node its own --node-name")
	case b.Node != e.cfg.Node:
		e.heard(b.Node, b.Started)
		if b.Hello {
			e.beat(false)
		}
	}
}

// heard notes that another node lives.
func (e *Engine) heard(node string, started int64) {
	switch e.peers.hear(node, started, time.Now()) {
	case peerCame:
		e.cfg.Log.Info().Str("node", node).Msg("another node is there")
		e.postAll(peerUp{node: node})
	case peerRestarted:
		// Its clients are on their way back; until the grace is over the seats
		// that the process before it held stand for them.
		time.AfterFunc(max(e.cfg.PresenceGrace, 0), func() { e.postAll(peerGone{node: node, before: uint64(started)}) })
	}
}

// postAll tells every open room that has presence.
func (e *Engine) postAll(m message) {
	for _, h := range e.handles.all() {
		if !h.inbox {
			e.post(h.self, m)
		}
	}
}
