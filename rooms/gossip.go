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

// The nodes that have a room open gossip about its members: each sends its
// changes to all others as diffs, and, as anti-entropy, its version, so that a
// node that missed a diff asks for the full state.

// beatsAfterChange is how many times a room sends its version after a change,
// one heartbeat apart: enough that the loss of the last diff is noticed, and a
// quiet room costs nothing.
const beatsAfterChange = 2

// syncTime is how long a room that was just opened waits for the other nodes'
// states before it answers who is in it.
const syncTime = 300 * time.Millisecond

// roomPeers is the state of a room's gossip with other nodes. Owned by the
// room's actor.
type roomPeers struct {
	requested   map[string]bool   // nodes that were asked for their state in this interval
	beats       int               // how many more times the version is sent
	beatPending bool              // a beatTick is due
	diffPending bool              // a peerTick is due
	synced      bool              // syncTime is over, or there are no other nodes
	waiting     []*membersRequest // queued until synced
}

// gossip is a message between nodes about a room's members: on
// room.<room>.presence to all nodes, on toNode to one.
type gossip struct {
	V    int                   `json:"v"`
	Diff *presence.Diff        `json:"diff,omitempty"` // what changed, or the whole state
	Beat *presence.NodeVersion `json:"beat,omitempty"` // the version that the sender is at; also beside ask
	Ask  string                `json:"ask,omitempty"`  // the node that wants the receiver's state
	Boot presence.Boot         `json:"boot,omitempty"` // of the node that asks
}

// toNode is the subject of gossip to one node about the room with that token.
func toNode(node, token string) string { return "roomd.to." + node + "." + token }

// onDirect receives gossip that is addressed to this node.
func (e *Engine) onDirect(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	h := e.handleAt(token)
	if h == nil {
		e.replyWithError(msg, wire.Errorf(wire.NotFound, "this node does not have the room open"))
		return
	}
	e.deliverGossip(h, msg)
}

// deliverGossip puts another node's gossip into the room's mailbox. If that is
// full, the room later asks all nodes for their states.
func (e *Engine) deliverGossip(h *handle, msg *nats.Msg) {
	if h.self.Send(livePresence{msg}) != nil {
		e.stats.PresenceFull.Add(1)
		h.stale.Store(true)
		e.replyWithError(msg, errBusy)
	}
}

func (r *roster) onGossip(msg *nats.Msg) {
	var s gossip
	if err := json.Unmarshal(msg.Data, &s); err != nil {
		r.eng.roomLog(r.h.name).Warn().Err(err).Str("subject", msg.Subject).Msg("what a node tells of its members cannot be read; who publishes there?")
		r.eng.replyWithError(msg, wire.Errorf(wire.BadJSON, "what is told of a room must be a JSON object with diff, beat or ask"))
		return
	}
	switch {
	case s.Ask != "":
		r.onStateRequest(s)
	case s.Diff != nil:
		r.onDiff(*s.Diff)
	case s.Beat != nil:
		r.onBeat(*s.Beat)
	default:
		if s.V <= protocolVersion && msg.Reply == "" {
			r.eng.roomLog(r.h.name).Warn().Str("subject", msg.Subject).Msg("what a node tells of its members says nothing; who publishes there?")
		}
		r.eng.replyWithError(msg, wire.Errorf(wire.UnknownType, "this node knows diff, beat and ask of a room, and speaks version %d", protocolVersion))
	}
}

// onStateRequest answers any process of the node that asks: one that has just
// started may ask before its first heartbeat arrives.
func (r *roster) onStateRequest(s gossip) {
	if s.Ask == r.eng.cfg.Node {
		return
	}
	lives := r.eng.observePeer(presence.Observation{Node: s.Ask, Boot: s.Boot})
	r.sendState(s.Ask)
	if s.Beat != nil && s.Beat.Node == s.Ask && lives && r.presence.Behind(*s.Beat) {
		r.requestState(s.Ask)
	}
}

func (r *roster) onDiff(d presence.Diff) {
	if d.Node == r.eng.cfg.Node || !r.eng.observePeer(presence.Observation{Node: d.Node, Boot: d.Boot}) {
		return
	}
	if r.presence.Apply(d) {
		r.requestState(d.Node)
	}
	r.changed("")
}

func (r *roster) onBeat(n presence.NodeVersion) {
	if n.Node == r.eng.cfg.Node || !r.eng.observePeer(presence.Observation{Node: n.Node, Boot: n.Boot}) {
		return
	}
	if r.presence.Behind(n) {
		r.requestState(n.Node)
	}
}

// sendDiff sends the other nodes what changed on this one. Without other nodes
// nothing is sent, and the changes accumulate until one asks.
func (r *roster) sendDiff() {
	if r.eng.peers.none() {
		return
	}
	d, ok := r.presence.LocalDiff()
	if !ok {
		return
	}
	for _, part := range d.Split(0) {
		r.publish(wire.PresenceSubject(r.h.name), gossip{Diff: &part})
	}
	r.peers.beats = beatsAfterChange
	r.scheduleBeat()
}

// sendState sends another node the state of this node's members, even if there
// never were any: the other node may still have some from before the room
// failed here.
func (r *roster) sendState(node string) {
	r.sendDiff()
	for _, part := range r.presence.LocalState().Split(0) {
		r.publish(toNode(node, r.h.token()), gossip{Diff: &part})
	}
}

// sendEmptyState tells the other nodes that a failed room has lost its members.
// It does not use the room's table, which may be the reason for the failure. If
// the message is lost, the version in the next room's first request shows it.
func (r *roster) sendEmptyState() {
	if r.eng.peers.none() {
		return
	}
	d := presence.Diff{Node: r.eng.cfg.Node, Boot: r.eng.boot, Incarnation: r.eng.incarnation.Add(1), Full: true}
	r.publish(wire.PresenceSubject(r.h.name), gossip{Diff: &d})
}

// requestStates asks every other node for its state, and sends this node's
// version along.
func (r *roster) requestStates() {
	if !r.eng.peers.none() {
		local := r.presence.Local()
		r.publish(wire.PresenceSubject(r.h.name), gossip{Ask: r.eng.cfg.Node, Boot: r.eng.boot, Beat: &local})
	}
}

// requestState asks one node for its state, at most once per presence interval:
// else every further diff would ask again until the answer is there.
func (r *roster) requestState(node string) {
	if r.peers.requested[node] {
		return
	}
	if r.peers.requested == nil {
		r.peers.requested = make(map[string]bool)
		r.eng.after(r.h, r.eng.cfg.PresenceInterval, requestTick{r})
	}
	r.peers.requested[node] = true
	r.publish(toNode(node, r.h.token()), gossip{Ask: r.eng.cfg.Node, Boot: r.eng.boot})
}

// scheduleBeat has the version sent again after a heartbeat interval.
func (r *roster) scheduleBeat() {
	if r.peers.beatPending || r.peers.beats == 0 {
		return
	}
	r.peers.beatPending = true
	r.eng.after(r.h, r.eng.cfg.tuning.heartbeat, beatTick{r})
}

func (r *roster) onBeatTick() {
	r.peers.beatPending = false
	r.peers.beats--
	r.sendBeat()
	r.scheduleBeat()
}

// sendBeat sends the version that this node is at.
func (r *roster) sendBeat() {
	local := r.presence.Local()
	r.publish(wire.PresenceSubject(r.h.name), gossip{Beat: &local})
}

// resync exchanges versions with all nodes, after a time in which either side
// may have missed messages.
func (r *roster) resync() {
	if !r.open {
		return
	}
	r.requestStates()
	r.sendBeat()
}

// startSync asks the other nodes for their states after the room was opened.
func (r *roster) startSync() {
	r.open = true
	if r.eng.peers.none() {
		r.finishSync()
		return
	}
	r.requestStates()
	r.eng.after(r.h, syncTime, syncTick{r})
}

// finishSync answers the requests for members that waited for the other nodes.
func (r *roster) finishSync() {
	r.peers.synced = true
	for _, m := range r.peers.waiting {
		r.answer(m)
	}
	r.peers.waiting = nil
	r.tellOwner(rosterChanged{anew: true})
}

func (r *roster) onMembers(m *membersRequest) {
	if !r.peers.synced {
		r.peers.waiting = append(r.peers.waiting, m)
		return
	}
	r.answer(m)
}

// onPeerUp asks a node that has come up for its state, and sends it the changes
// that accumulated while there was no other node. It asks even if it did so a
// moment ago: that request may have reached the previous process.
func (r *roster) onPeerUp(node string) {
	if !r.open {
		return
	}
	delete(r.peers.requested, node)
	r.requestState(node)
	r.scheduleDiff()
}

// scheduleDiff schedules sending the changes to the other nodes after a
// fraction of the presence interval, so that together with their members'
// batches the interval is still met.
func (r *roster) scheduleDiff() {
	if r.peers.diffPending || r.eng.peers.none() {
		return
	}
	r.peers.diffPending = true
	r.eng.after(r.h, r.eng.cfg.PresenceInterval/4, peerTick{r})
}

// onPeerDown removes the members of a node that is down.
func (r *roster) onPeerDown(node string) {
	r.presence.DropNode(node)
	r.changed("")
	if r.eng.IsTable(r.h.name) && r.h.sessions.Load() > 0 {
		r.eng.wakeOwner(r.h.name)
	}
}

// onPeerReplaced removes the members of a process that another process of the
// same node has replaced.
func (r *roster) onPeerReplaced(p presence.Process) {
	r.presence.DropProcess(p)
	r.changed("")
}

// publish sends gossip. If that fails, the other nodes notice a gap in the
// versions, by the next diff or beat.
func (r *roster) publish(subject string, s gossip) {
	s.V = protocolVersion
	body, err := json.Marshal(s)
	if err == nil {
		err = r.eng.nc.Publish(subject, body)
	}
	if err != nil && !r.eng.closed() {
		r.eng.roomLog(r.h.name).Warn().Err(fmt.Errorf("publish on %s: %w", subject, err)).Msg("other nodes could not be told of this room's members; they find out by the next beat")
	}
}
