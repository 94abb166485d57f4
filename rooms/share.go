package rooms

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// beatsAfterChange is how often a room says which version of its members it is
// at, one heartbeat apart, after it has changed: so that a lost last change is
// noticed, and a quiet room costs nothing.
const beatsAfterChange = 2

// settleTime is how long a room that was just opened waits for the other
// nodes' parts before it says who is there.
const settleTime = 300 * time.Millisecond

// roomPeers is what a room keeps for its dealings with other nodes. Owned by
// the room's actor.
type roomPeers struct {
	asking  map[string]bool   // nodes asked in this interval
	beats   int               // version beats still to be sent
	beating bool              // a beatTick is on its way
	telling bool              // a peerTick is on its way
	settled bool              // the other nodes had their time to answer
	curious []*membersRequest // wait for that
}

// shared is what nodes tell each other of a room: on room.<room>.presence to
// all, on toNode to one.
type shared struct {
	Diff *presence.Diff        `json:"diff,omitempty"` // what changed, or all
	Beat *presence.NodeVersion `json:"beat,omitempty"` // where the sender's part stands
	Ask  string                `json:"ask,omitempty"`  // the node that wants the receiver's part
}

// toNode is the subject on which one node is told of a room, by its token.
func toNode(node, token string) string { return "roomd.to." + node + "." + token }

// onDirect takes what is for this node only.
func (e *Engine) onDirect(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	if h := e.handles.get(token); h != nil {
		e.handShared(h, msg)
	}
}

// handShared gives the room what another node tells of it. What does not fit
// makes the room ask all nodes again.
func (e *Engine) handShared(h *handle, msg *nats.Msg) {
	if h.self.Send(livePresence{msg}) != nil {
		e.stats.PresenceFull.Add(1)
		h.stale.Store(true)
	}
}

func (r *room) onShared(msg *nats.Msg) {
	if r.presence == nil {
		return
	}
	var s shared
	if err := json.Unmarshal(msg.Data, &s); err != nil {
		r.logger().Warn().Err(err).Str("subject", msg.Subject).Msg("what a node tells of its members cannot be read; who publishes there?")
		return
	}
	switch {
	case s.Ask != "" && s.Ask != r.eng.cfg.Node:
		r.eng.heard(s.Ask, 0)
		r.tellState(s.Ask)
	case s.Diff != nil && s.Diff.Node != r.eng.cfg.Node:
		r.eng.heard(s.Diff.Node, 0)
		if r.presence.Apply(*s.Diff) {
			r.askNode(s.Diff.Node)
		}
		r.presenceChanged("")
	case s.Beat != nil && s.Beat.Node != r.eng.cfg.Node:
		r.eng.heard(s.Beat.Node, 0)
		if r.presence.Behind(*s.Beat) {
			r.askNode(s.Beat.Node)
		}
	}
}

// tellDiff tells the other nodes what changed here. Without others nothing is
// sent, and the changes gather until somebody asks.
func (r *room) tellDiff() {
	if r.eng.peers.none() {
		return
	}
	d, ok := r.presence.LocalDiff()
	if !ok {
		return
	}
	for _, part := range d.Split(0) {
		r.share(wire.PresenceSubject(r.h.name), shared{Diff: &part})
	}
	r.peers.beats = beatsAfterChange
	r.armBeat()
}

// tellState answers another node that wants this node's part of the room.
func (r *room) tellState(node string) {
	r.tellDiff()
	state := r.presence.LocalState()
	if state.Version == 0 {
		return // nobody of ours was ever here
	}
	for _, part := range state.Split(0) {
		r.share(toNode(node, r.h.token()), shared{Diff: &part})
	}
}

// askAll wants every other node's part of the room.
func (r *room) askAll() {
	if r.presence != nil && !r.eng.peers.none() {
		r.share(wire.PresenceSubject(r.h.name), shared{Ask: r.eng.cfg.Node})
	}
}

// askNode wants one node's part, once per presence interval: every further
// diff would ask again until the answer is here.
func (r *room) askNode(node string) {
	if r.peers.asking[node] {
		return
	}
	if r.peers.asking == nil {
		r.peers.asking = make(map[string]bool)
		r.after(r.eng.cfg.PresenceInterval, askTick{r})
	}
	r.peers.asking[node] = true
	r.share(toNode(node, r.h.token()), shared{Ask: r.eng.cfg.Node})
}

// armBeat sends the next version beat in time.
func (r *room) armBeat() {
	if r.peers.beating || r.peers.beats == 0 {
		return
	}
	r.peers.beating = true
	r.after(r.eng.cfg.tuning.heartbeat, beatTick{r})
}

func (r *room) onBeatTick() {
	r.peers.beating = false
	r.peers.beats--
	r.tellBeat()
	r.armBeat()
}

// tellBeat says where this node's part of the room stands.
func (r *room) tellBeat() {
	local := r.presence.Local()
	r.share(wire.PresenceSubject(r.h.name), shared{Beat: &local})
}

// resync is after a time in which anything may have been missed, here and
// there.
func (r *room) resync() {
	if r.presence == nil || !r.opened {
		return
	}
	r.askAll()
	r.tellBeat()
}

// meet is when the room has just opened: the other nodes are asked who is
// there.
func (r *room) meet() {
	if r.presence == nil || r.eng.peers.none() {
		r.settle()
		return
	}
	r.askAll()
	r.after(settleTime, settleTick{r})
}

// settle answers those who wait for the other nodes' parts.
func (r *room) settle() {
	r.peers.settled = true
	for _, m := range r.peers.curious {
		reply(m.done, r.online(m.after, m.limit))
	}
	r.peers.curious = nil
}

func (r *room) onMembers(m *membersRequest) {
	if !r.peers.settled {
		r.peers.curious = append(r.peers.curious, m)
		return
	}
	reply(m.done, r.online(m.after, m.limit))
}

// onPeerUp asks a node that has come for its part, and tells it what gathered
// while there was nobody to tell.
func (r *room) onPeerUp(node string) {
	if r.presence == nil || !r.opened {
		return
	}
	r.askNode(node)
	r.tellSoon()
}

// tellSoon tells the other nodes of changes at a fraction of the interval in
// which the members hear of them, so that both together keep to it.
func (r *room) tellSoon() {
	if r.peers.telling || r.eng.peers.none() {
		return
	}
	r.peers.telling = true
	r.after(r.eng.cfg.PresenceInterval/4, peerTick{r})
}

// onPeerGone drops a node's part, if it is from before the time given.
func (r *room) onPeerGone(m peerGone) {
	if r.presence == nil {
		return
	}
	for _, n := range r.presence.Nodes() {
		if n.Node == m.node && n.Incarnation < m.before {
			r.presence.DropNode(m.node)
			r.presenceChanged("")
		}
	}
}

// share publishes to other nodes. A failure is noticed by them as a gap, or by
// the next beat.
func (r *room) share(subject string, s shared) {
	body, err := json.Marshal(s)
	if err == nil {
		err = r.eng.nc.Publish(subject, body)
	}
	if err != nil && !r.eng.closed() {
		r.logger().Warn().Err(fmt.Errorf("publish on %s: %w", subject, err)).Msg("other nodes could not be told of this room's members; they find out by the next beat")
	}
}
