package rooms

import (
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

const (
	// giveWayFor is how long an owner leaves a table to the node that has written a
	// step where its own belonged: two that both decide would each refuse half of
	// the other's steps.
	giveWayFor = 2 * time.Second
	// stepsRefused is how many steps in a row another node may have written before
	// this one, whose turn it is as far as it knows, leaves the table to it. The
	// other one may be about to hand it on, or gone with its last step on its way.
	stepsRefused = 3
)

// route is how something came to a node that decides.
type route struct {
	gone   []string // nodes that do not decide, as far as the sender knows
	insist bool     // the sender was told that this node has written the last step
	by     string   // with insist: the node that it comes from, if that one may decide too
}

// turn is whether an owner decides for its table, or leaves it to another node, by
// what senders say and by whose steps it meets in the log. It does no I/O and has no
// clock.
type turn struct {
	room  wire.Room // fixed
	self  string    // fixed
	nodes *placement

	writer   string               // the node before which this one gives way; "": none, and it decides
	until    time.Time            // until when
	alive    bool                 // it has written although it was taken for gone
	refusals int                  // steps that the log did not take, since the last that it did
	gone     map[string]time.Time // nodes that do not decide, as senders have said, and when
	next     string               // the node whose turn it is; "": this one
}

func newTurn(room wire.Room, self string, nodes *placement) turn {
	return turn{room: room, self: self, nodes: nodes, gone: make(map[string]time.Time)}
}

// comes notes how something came: whether it is left to the writer, and if not,
// whether it was until now, so that the table is to be read again.
func (t *turn) comes(r route, now time.Time) (leave, again bool) {
	for _, node := range r.gone {
		t.gone[node] = now
	}
	if r.by != "" && r.by != t.self {
		t.nodes.shows(r.by)
	}
	if t.writer == "" {
		return false, false
	}
	if now.Before(t.until) && !r.insist && (t.alive || !slices.Contains(r.gone, t.writer)) {
		return true, false
	}
	t.writer, t.refusals = "", 0
	return false, true
}

// refused is that the log has another node's step where this one's belonged. It
// reports whether the table is left to that node; else this one decides again behind
// its step.
func (t *turn) refused(writer string, now time.Time) (leave bool) {
	if writer == "" || writer == t.self {
		return false
	}
	t.refusals++
	t.nodes.shows(writer)
	gone := t.isGone(writer, now)
	mine := gone || t.nodes.ownerOf(t.room, t.goneLately(now)) == t.self
	if mine && t.refusals < stepsRefused {
		return false
	}
	if gone { // it writes, so it is not
		t.nodes.trust(writer)
		delete(t.gone, writer)
	}
	t.writer, t.until, t.alive = writer, now.Add(giveWayFor), gone
	return true
}

// stored is that the log has taken a step.
func (t *turn) stored() { t.refusals = 0 }

// review looks whose turn it is, after nodes have come or gone.
func (t *turn) review(now time.Time) {
	t.next = ""
	gone := t.goneLately(now)
	if !t.nodes.takes() {
		gone = nil // this node leaves, whatever was said of others
	}
	if to := t.nodes.ownerOf(t.room, gone); to != t.self {
		t.next = to
	}
}

// isGone reports whether a node does not decide, as a sender has lately said, or as
// this node has found.
func (t *turn) isGone(node string, now time.Time) bool {
	if t.nodes.suspected(node) {
		return true
	}
	at, ok := t.gone[node]
	return ok && now.Sub(at) < giveWayFor
}

// goneLately are those nodes.
func (t *turn) goneLately(now time.Time) (list []string) {
	for node := range t.gone {
		if t.isGone(node, now) {
			list = append(list, node)
		} else {
			delete(t.gone, node)
		}
	}
	return list
}
