package rooms

import (
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// giveWayFor is how long an owner leaves a table to the node that has written a
// step where its own belonged: two that both decide would each refuse half of the
// other's steps.
const giveWayFor = 2 * time.Second

// route is how something came to a node that decides.
type route struct {
	gone   []string // nodes that do not decide, as far as the sender knows
	insist bool     // the sender was told that this node has written the last step
}

// isGone reports whether a node does not decide, as a sender has lately said, or as
// this node has found.
func (o *owner) isGone(node string) bool {
	if o.eng.placement.suspected(node) {
		return true
	}
	at, ok := o.gone[node]
	return ok && time.Since(at) < giveWayFor
}

// goneLately are those nodes.
func (o *owner) goneLately() (list []string) {
	for node := range o.gone {
		if o.isGone(node) {
			list = append(list, node)
		} else {
			delete(o.gone, node)
		}
	}
	return list
}

// givesWay notes how something came, and reports whether another node is to do it.
func (o *owner) givesWay(r route) bool {
	if len(r.gone) > 0 && o.gone == nil {
		o.gone = make(map[string]time.Time)
	}
	now := time.Now()
	for _, node := range r.gone {
		o.gone[node] = now
	}
	if r.insist {
		o.insisted = now
	}
	if o.writer == "" {
		return false
	}
	if now.Before(o.until) && !r.insist && (o.alive || !slices.Contains(r.gone, o.writer)) {
		return true
	}
	o.writer, o.refused = "", 0
	o.load()
	return false
}

// giveWay leaves the table to the node that has written its last step.
func (o *owner) giveWay(writer string) {
	o.eng.tableStats.GaveWay.Add(1)
	o.eng.roomLog(o.room).Info().Str("node", writer).Msg("another node decides for a table; leaving it to that one")
	o.writer, o.until = writer, time.Now().Add(giveWayFor)
	o.log, o.injected, o.injectedRead = nil, 0, 0
	o.stopTimer()
	o.sendOn(moved{To: writer, Writer: true})
}

func (o *owner) stopTimer() {
	if o.timer != nil {
		o.timer.Stop()
	}
	for _, t := range []*time.Timer{o.who.wake, o.label.timer} {
		if t != nil {
			t.Stop()
		}
	}
}

// sendOn has the nodes that wait for an answer ask another one. What was not asked
// by anybody is found again by who decides next.
func (o *owner) sendOn(to moved) {
	o.answerAll(decided{Moved: &to})
}

// answerAll gives all that wait the same answer.
func (o *owner) answerAll(d decided) {
	for _, req := range o.inHand {
		answerTo(req.Ref, d)
	}
	for _, req := range o.waiting {
		answerTo(req.Ref, d)
	}
	for _, m := range o.entering {
		m.done(d)
	}
	for _, done := range o.waking {
		done(d)
	}
	for _, m := range o.asked {
		m.done(d)
	}
	o.inHand, o.waiting, o.entering, o.waking, o.asked = nil, nil, nil, nil, nil
}

// review looks whose turn it is, after nodes have come or gone.
func (o *owner) review() {
	o.next = ""
	gone := o.goneLately()
	switch {
	case !o.eng.placement.takes():
		gone = nil // this node leaves, whatever was said of others
	case time.Since(o.insisted) < giveWayFor:
		return
	}
	if to := o.eng.ownerOf(o.room, gone); to != o.eng.cfg.Node {
		o.next = to
	}
}

// handOn gives the table to the node whose turn it is now. No step is on its way.
func (o *owner) handOn() {
	e := o.eng
	e.tableStats.HandedOn.Add(1)
	e.roomLog(o.room).Info().Str("node", o.next).Msg("it is another node's turn to decide for a table; handing it on")
	o.stopTimer()
	e.forward.wake(o.room, o.injected, []string{e.cfg.Node})
	o.sendOn(moved{To: o.next})
	o.self.Stop()
}

// reviewOwners has every owner on this node look whether it is still its turn.
func (e *Engine) reviewOwners() {
	e.owners.Range(func(_ string, o *ownerRef) bool {
		_ = o.Send(placementChanged{}) // a full one looks the next time
		return true
	})
}

// reviewStrays has those look that were started here by who saw it differently. The
// others are sent nothing: they would never be unloaded.
func (e *Engine) reviewStrays() {
	e.owners.Range(func(room string, o *ownerRef) bool {
		if e.ownerOf(wire.Room(room), nil) != e.cfg.Node {
			_ = o.Send(placementChanged{}) // a full one looks the next time
		}
		return true
	})
}
