package rooms

import (
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// giveWay leaves the table to the node that has written its last step.
func (o *owner) giveWay() {
	o.eng.tableStats.GaveWay.Add(1)
	o.eng.roomLog(o.room).Info().Str("node", o.turn.writer).Msg("another node decides for a table; leaving it to that one")
	o.log, o.injected, o.injectedRead = nil, 0, place{}
	o.stopTimer()
	o.sendOn(moved{To: o.turn.writer, Writer: true})
}

// leaves notes how something came, and reports whether another node is to do it.
func (o *owner) leaves(r route) bool {
	leave, again := o.turn.comes(r, time.Now())
	if again {
		o.load()
	}
	return leave
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

// handOn gives the table to the node whose turn it is now. No step is on its way.
func (o *owner) handOn() {
	e := o.eng
	e.tableStats.HandedOn.Add(1)
	e.roomLog(o.room).Info().Str("node", o.turn.next).Msg("it is another node's turn to decide for a table; handing it on")
	o.stopTimer()
	e.forward.wake(o.room, o.injected, []string{e.cfg.Node})
	o.sendOn(moved{To: o.turn.next})
	o.self.Stop()
}

// reviewOwners has every owner on this node look whether it is still its turn.
func (e *Engine) reviewOwners() {
	e.tellOwners(placementChanged{})
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
