package rooms

import (
	"runtime"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onLive takes one copy from the stream's republish. Anybody who may publish
// on room.<room>.log can forge one; permissions are the answer to that. Here a
// forged one may be shown, but the room finds its way back to the log: a copy
// that differs from the one it delivered under the same sequence, an end of a
// hole that the log never had, and a room ahead of the log are looked into.
func (r *room) onLive(m liveEvent) {
	if r.phase != following {
		r.hold(m)
		return
	}
	seq, prev, ok := r.place(m.msg)
	if !ok {
		return
	}
	at := lastValue(m.msg.Header, hdrTimeStamp)
	switch {
	case seq == r.last && r.lastTime != "" && at != r.lastTime:
		r.look(false)
	case seq <= r.last:
		// A repeat: it came by the log before.
	case prev > r.position():
		r.hold(m)
		r.repair(prev)
	default:
		r.deliver(seq, m.msg.Data, at)
	}
}

// place reads where a live copy stands in the log.
func (r *room) place(msg *nats.Msg) (seq, prev uint64, ok bool) {
	seq, errSeq := headerUint(msg.Header, hdrSequence)
	prev, errPrev := headerUint(msg.Header, hdrLastSequence)
	if errSeq != nil || errPrev != nil || prev >= seq {
		r.eng.stats.Forged.Add(1)
		r.log().Debug().Str("subject", msg.Subject).Msg("a message on a room's log subject is not from the stream and was ignored; who publishes there?")
		return 0, 0, false
	}
	return seq, prev, true
}

// hold keeps a live copy until the log was read. What is dropped beyond the
// bound is read from the log too.
func (r *room) hold(m liveEvent) {
	if len(r.held) >= r.eng.cfg.tuning.held || r.heldBytes > heldBytes {
		r.eng.stats.HeldDropped.Add(1)
		r.h.missed.Store(true)
		return
	}
	r.held = append(r.held, m)
	r.heldBytes += len(m.msg.Data)
}

// takeHeld goes on with the live copies held meanwhile.
func (r *room) takeHeld() {
	held := r.held
	r.held, r.heldBytes = nil, 0
	for _, m := range held {
		r.onLive(m)
	}
}

// deliver puts the next event of the log into the ring and on its way to the
// members. An event that is not valid counts as seen and reaches nobody; the
// engine has rejected it when it was stored.
func (r *room) deliver(seq uint64, body []byte, logTime string) {
	r.last, r.lastTime = seq, logTime
	r.h.last.Store(seq)
	r.h.touch()
	ev, err := publicEvent(r.label, seq, body, logTime)
	if err != nil {
		return
	}
	r.eng.stats.Events.Add(1)
	r.ring.push(seq, r.out.add(ev))
	if r.out.full() {
		r.flush()
		// A room that catches up delivers bursts faster than its members'
		// actors are scheduled, and would find the queues of healthy ones full.
		runtime.Gosched()
	}
}

// flush hands the gathered frames to every member.
func (r *room) flush() {
	if b := r.out.take(); b != nil {
		if r.gather != nil {
			r.gather.left = time.Now()
		}
		r.deliverBurst(b, "")
	}
}

// yieldEvery is after how many members the fan-out lets their actors run: a
// crowd that was woken all at once would need a goroutine each.
const yieldEvery = 512

// deliverBurst gives b to every member but the one whose session is `except`.
func (r *room) deliverBurst(b *Burst, except string) {
	var gone []Member
	delivered := 0
	for i, m := range r.members.list {
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
		if except != "" && m.ID() == except {
			continue
		}
		if m.Deliver(b) != nil {
			gone = append(gone, m)
			continue
		}
		delivered++
	}
	r.eng.stats.Bursts.Add(int64(delivered))
	r.eng.stats.Deliveries.Add(int64(delivered * b.Count))
	for _, m := range gone {
		r.eng.stats.Dropped.Add(1)
		r.remove(m, LeftLost)
	}
}

// onSignal delivers what is not logged to the members other than its sender.
func (r *room) onSignal(msg *nats.Msg) {
	ev, err := wire.Decode(msg.Data)
	if err != nil || (ev.Type != wire.TypeSignal && wire.Reserved(ev.Type)) {
		r.eng.stats.Rejected.Add(1)
		return
	}
	r.flush()
	r.eng.stats.Signals.Add(1)
	ev = wire.Event{Type: ev.Type, Room: r.label, Payload: ev.Payload}
	r.deliverBurst(EventBurst(ev), lastValue(msg.Header, hdrSession))
}
