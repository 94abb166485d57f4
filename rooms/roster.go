package rooms

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// roster is who is in a room, on all nodes: the seats of this one's members, what
// the other nodes tell of theirs, and when who is told of it. An inbox has none.
// Owned by the room's actor.
type roster struct {
	// fixed after start
	eng   *Engine
	h     *handle
	label string // of the room, as clients see it

	presence *presence.Table
	open     bool        // the other nodes may be asked
	first    *firstPage  // as room_joined shows it; nil: to be encoded
	grace    *time.Timer // for the next kept seat; nil until there was one
	ticking  bool        // a presenceTick is on its way
	peers    roomPeers
}

func newRoster(e *Engine, h *handle, label string) *roster {
	return &roster{eng: e, h: h, label: label, presence: presence.New(e.cfg.Node, e.boot, e.incarnation.Add(1))}
}

// join gives a member its seat.
func (r *roster) join(m Member) error {
	if err := r.presence.Join(m.ID(), m.User()); err != nil {
		return wire.Errorf(wire.Internal, "the user has no uid")
	}
	r.changed(m.User().UID)
	return nil
}

// leave ends a seat; that of a member that was lost is kept for the grace.
func (r *roster) leave(m Member, why Left) {
	if why == LeftLost && r.eng.cfg.PresenceGrace > 0 {
		r.presence.Away(m.ID(), time.Now().Add(r.eng.cfg.PresenceGrace))
		r.armGrace()
	} else {
		r.presence.Leave(m.ID())
	}
	r.changed(m.User().UID)
}

// idle reports whether nobody has a seat, here, and all others know it.
func (r *roster) idle() bool {
	_, kept := r.presence.NextDeadline()
	untold := r.peers.telling || r.peers.beating // other nodes would keep who was here last
	return !kept && !untold && len(r.peers.curious) == 0
}

func (r *roster) release() {
	if r.grace != nil {
		r.grace.Stop()
	}
}

// refuseWaiting answers every request that waits.
func (r *roster) refuseWaiting(err error) {
	for _, m := range r.peers.curious {
		refuseMessage(m, err)
	}
	r.peers.curious = nil
}

// handle handles the timers of the membership and what the engine learned of
// other nodes. news: the members are to be told.
func (r *roster) handle(m message) (news bool) {
	switch m := m.(type) {
	case presenceTick:
		r.ticking = r.ticking && m.of != r
		return m.of == r
	case graceTick:
		if m.of == r {
			r.expireSeats()
		}
	case peerTick:
		if m.of == r {
			r.peers.telling = false
			r.tellDiff()
		}
	case beatTick:
		if m.of == r {
			r.onBeatTick()
		}
	case askTick:
		if m.of == r {
			r.peers.asking = nil
		}
	case settleTick:
		if m.of == r {
			r.settle()
		}
	case peerUp:
		r.onPeerUp(m.node)
	case peerOver:
		r.onPeerOver(m.part)
	case peerGone:
		r.onPeerGone(m.node)
	case resync:
		r.resync()
	}
	return false
}
