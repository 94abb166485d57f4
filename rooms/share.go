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
	V    int                   `json:"v"`
	Diff *presence.Diff        `json:"diff,omitempty"` // what changed, or all
	Beat *presence.NodeVersion `json:"beat,omitempty"` // where the sender's part stands; also beside ask
	Ask  string                `json:"ask,omitempty"`  // the node that wants the receiver's part
	Boot presence.Boot         `json:"boot,omitempty"` // of the node that asks
}

// toNode is the subject on which one node is told of a room, by its token.
func toNode(node, token string) string { return "roomd.to." + node + "." + token }

// onDirect takes what is for this node only.
func (e *Engine) onDirect(msg *nats.Msg) {
	token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	h := e.stores[wire.SpaceRooms].handles.get(token)
	if h == nil {
		e.refuse(msg, wire.Errorf(wire.NotFound, "this node does not have the room open"))
		return
	}
	e.handShared(h, msg)
}

// handShared gives the room what another node tells of it. What does not fit
// makes the room ask all nodes again.
func (e *Engine) handShared(h *handle, msg *nats.Msg) {
	if h.self.Send(livePresence{msg}) != nil {
		e.stats.PresenceFull.Add(1)
		h.stale.Store(true)
		e.refuse(msg, errBusy)
	}
}

func (r *roster) onShared(msg *nats.Msg) {
	var s shared
	if err := json.Unmarshal(msg.Data, &s); err != nil {
		r.eng.roomLog(r.h.name).Warn().Err(err).Str("subject", msg.Subject).Msg("what a node tells of its members cannot be read; who publishes there?")
		r.eng.refuse(msg, wire.Errorf(wire.BadJSON, "what is told of a room must be a JSON object with diff, beat or ask"))
		return
	}
	switch {
	case s.Ask != "":
		r.onAsk(s)
	case s.Diff != nil:
		r.onDiff(*s.Diff)
	case s.Beat != nil:
		r.onBeat(*s.Beat)
	default:
		if s.V <= speaks && msg.Reply == "" {
			r.eng.roomLog(r.h.name).Warn().Str("subject", msg.Subject).Msg("what a node tells of its members says nothing; who publishes there?")
		}
		r.eng.refuse(msg, wire.Errorf(wire.UnknownType, "this node knows diff, beat and ask of a room, and speaks version %d", speaks))
	}
}

// onAsk answers whichever process of a node asks: one that has just started may
// ask before its first heartbeat is here.
func (r *roster) onAsk(s shared) {
	if s.Ask == r.eng.cfg.Node {
		return
	}
	lives := r.eng.heard(presence.Sign{Node: s.Ask, Boot: s.Boot})
	r.tellState(s.Ask)
	if s.Beat != nil && s.Beat.Node == s.Ask && lives && r.presence.Behind(*s.Beat) {
		r.askNode(s.Ask)
	}
}

func (r *roster) onDiff(d presence.Diff) {
	if d.Node == r.eng.cfg.Node || !r.eng.heard(presence.Sign{Node: d.Node, Boot: d.Boot}) {
		return
	}
	if r.presence.Apply(d) {
		r.askNode(d.Node)
	}
	r.changed("")
}

func (r *roster) onBeat(n presence.NodeVersion) {
	if n.Node == r.eng.cfg.Node || !r.eng.heard(presence.Sign{Node: n.Node, Boot: n.Boot}) {
		return
	}
	if r.presence.Behind(n) {
		r.askNode(n.Node)
	}
}

// tellDiff tells the other nodes what changed here. Without others nothing is
// sent, and the changes gather until somebody asks.
func (r *roster) tellDiff() {
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

// tellState answers another node that wants this node's part of the room, also
// when nobody of ours was ever here: the other may know somebody of the same
// room as it was before it failed.
func (r *roster) tellState(node string) {
	r.tellDiff()
	for _, part := range r.presence.LocalState().Split(0) {
		r.share(toNode(node, r.h.token()), shared{Diff: &part})
	}
}

// tellEmpty tells the other nodes that a room that failed has lost its members.
// Its table is not asked, it may be what failed. Should this be lost, the beat
// in the first ask of the room that comes next tells.
func (r *roster) tellEmpty() {
	if r.eng.peers.none() {
		return
	}
	d := presence.Diff{Node: r.eng.cfg.Node, Boot: r.eng.boot, Incarnation: r.eng.incarnation.Add(1), Full: true}
	r.share(wire.PresenceSubject(r.h.name), shared{Diff: &d})
}

// askAll wants every other node's part of the room, and says where this node's
// stands.
func (r *roster) askAll() {
	if !r.eng.peers.none() {
		local := r.presence.Local()
		r.share(wire.PresenceSubject(r.h.name), shared{Ask: r.eng.cfg.Node, Boot: r.eng.boot, Beat: &local})
	}
}

// askNode wants one node's part, once per presence interval: every further
// diff would ask again until the answer is here.
func (r *roster) askNode(node string) {
	if r.peers.asking[node] {
		return
	}
	if r.peers.asking == nil {
		r.peers.asking = make(map[string]bool)
		r.eng.after(r.h, r.eng.cfg.PresenceInterval, askTick{r})
	}
	r.peers.asking[node] = true
	r.share(toNode(node, r.h.token()), shared{Ask: r.eng.cfg.Node, Boot: r.eng.boot})
}

// armBeat sends the next version beat in time.
func (r *roster) armBeat() {
	if r.peers.beating || r.peers.beats == 0 {
		return
	}
	r.peers.beating = true
	r.eng.after(r.h, r.eng.cfg.tuning.heartbeat, beatTick{r})
}

func (r *roster) onBeatTick() {
	r.peers.beating = false
	r.peers.beats--
	r.tellBeat()
	r.armBeat()
}

// tellBeat says where this node's part of the room stands.
func (r *roster) tellBeat() {
	local := r.presence.Local()
	r.share(wire.PresenceSubject(r.h.name), shared{Beat: &local})
}

// resync is after a time in which anything may have been missed, here and
// there.
func (r *roster) resync() {
	if !r.open {
		return
	}
	r.askAll()
	r.tellBeat()
}

// meet is when the room has just opened: the other nodes are asked who is
// there.
func (r *roster) meet() {
	r.open = true
	if r.eng.peers.none() {
		r.settle()
		return
	}
	r.askAll()
	r.eng.after(r.h, settleTime, settleTick{r})
}

// settle answers those who wait for the other nodes' parts.
func (r *roster) settle() {
	r.peers.settled = true
	for _, m := range r.peers.curious {
		reply(m.done, r.online(m.after, m.limit))
	}
	r.peers.curious = nil
}

func (r *roster) onMembers(m *membersRequest) {
	if !r.peers.settled {
		r.peers.curious = append(r.peers.curious, m)
		return
	}
	reply(m.done, r.online(m.after, m.limit))
}

// onPeerUp asks a node that has come for its part, and tells it what gathered
// while there was nobody to tell. It is asked even if it was just now: that may
// have been the process before.
func (r *roster) onPeerUp(node string) {
	if !r.open {
		return
	}
	delete(r.peers.asking, node)
	r.askNode(node)
	r.tellSoon()
}

// tellSoon tells the other nodes of changes at a fraction of the interval in
// which the members hear of them, so that both together keep to it.
func (r *roster) tellSoon() {
	if r.peers.telling || r.eng.peers.none() {
		return
	}
	r.peers.telling = true
	r.eng.after(r.h, r.eng.cfg.PresenceInterval/4, peerTick{r})
}

// onPeerGone drops all that a node said.
func (r *roster) onPeerGone(node string) {
	r.presence.DropNode(node)
	r.changed("")
}

// onPeerOver drops what a process said that no longer has its node's name.
func (r *roster) onPeerOver(p presence.Part) {
	r.presence.DropPart(p)
	r.changed("")
}

// share publishes to other nodes. A failure is noticed by them as a gap, or by
// the next beat.
func (r *roster) share(subject string, s shared) {
	s.V = speaks
	body, err := json.Marshal(s)
	if err == nil {
		err = r.eng.nc.Publish(subject, body)
	}
	if err != nil && !r.eng.closed() {
		r.eng.roomLog(r.h.name).Warn().Err(fmt.Errorf("publish on %s: %w", subject, err)).Msg("other nodes could not be told of this room's members; they find out by the next beat")
	}
}
