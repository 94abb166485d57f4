package rooms

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onLive takes one copy from the stream's republish.
func (r *room) onLive(m liveEvent) {
	if r.phase != following {
		r.hold(m)
		return
	}
	seq, errSeq := headerUint(m.msg.Header, hdrSequence)
	prev, errPrev := headerUint(m.msg.Header, hdrLastSequence)
	switch {
	case errSeq != nil || errPrev != nil:
		r.log.Warn().Str("subject", m.msg.Subject).Msg("a message on a room's log subject is not from the stream and was ignored; who publishes there?")
	case seq <= r.last:
		// A repeat: it came by the log before.
	case prev > r.last:
		r.hold(m)
		r.repair(prev)
	default:
		r.deliver(seq, m.msg.Data, lastValue(m.msg.Header, hdrTimeStamp))
	}
}

// hold keeps a live copy until the log was read. What is dropped beyond the
// bound is read from the log too.
func (r *room) hold(m liveEvent) {
	if len(r.held) >= heldEvents {
		r.eng.stats.HeldDropped.Add(1)
		r.h.missed.Store(true)
		return
	}
	r.held = append(r.held, m)
}

// takeHeld goes on with the live copies held meanwhile.
func (r *room) takeHeld() {
	held := r.held
	r.held = nil
	for _, m := range held {
		r.onLive(m)
	}
}

// deliver puts the next event of the log into the ring and on its way to the
// members. An event that is not valid counts as seen and reaches nobody; the
// engine has rejected it when it was stored.
func (r *room) deliver(seq uint64, body []byte, logTime string) {
	r.last = seq
	r.h.last.Store(seq)
	r.h.touched.Store(time.Now().UnixNano())
	ev, err := publicEvent(r.label, seq, body, logTime)
	if err != nil {
		return
	}
	r.eng.stats.Events.Add(1)
	r.ring.push(seq, r.out.add(ev))
	if r.out.full() {
		r.flush()
	}
}

// flush hands the gathered frames to every member.
func (r *room) flush() {
	if b := r.out.take(); b != nil {
		r.deliverBurst(b, "")
	}
}

// deliverBurst gives b to every member but the one whose session is `except`.
func (r *room) deliverBurst(b *Burst, except string) {
	var gone []Member
	delivered := 0
	for _, m := range r.members.list {
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

// repair reads the log from the newest known event up to `upto`; 0 means up to
// whatever the log has now. Live copies are held until it is done.
func (r *room) repair(upto uint64) {
	if r.phase != following {
		return
	}
	r.phase = repairing
	r.eng.stats.Repairs.Add(1)
	after := r.position()
	name := r.h.name
	r.eng.beside(func(ctx context.Context) {
		var page logPage
		var err error
		horizon := uint64(0)
		if upto == 0 {
			upto, horizon, err = r.eng.lastOf(ctx, name)
		}
		if err == nil {
			page, err = r.eng.reader.read(ctx, name, after, upto)
		}
		r.eng.post(r.h.self, repaired{of: r, page: page, horizon: horizon, err: err})
	})
}

func (r *room) onRepaired(m repaired) {
	r.phase = following
	if m.err != nil {
		if r.eng.closed() {
			return
		}
		r.log.Warn().Err(m.err).Uint64("after", r.last).Msg("a hole in a room could not be read from the log; reading it again")
		r.repair(0)
		return
	}
	r.horizon = max(r.horizon, m.horizon)
	if !m.page.reaches {
		r.reset(m.page)
	}
	for _, s := range m.page.events {
		if s.seq > r.last {
			r.deliver(s.seq, s.body, s.time)
		}
	}
	r.takeHeld()
	r.retryWaiting(attempt{repaired: m.horizon > 0})
}

// reset is for a hole that the log no longer fills: the members are told that
// they must refresh, by a room_joined that is not recovered.
func (r *room) reset(page logPage) {
	r.eng.stats.Resets.Add(1)
	r.flush()
	if len(page.events) > 0 {
		r.last = page.events[0].seq - 1
	}
	r.ring = ring{floor: r.position()}
	r.tail = false
	joined := r.joined("", r.position(), false, 0)
	r.deliverBurst(EventBurst(joined), "")
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
	r.deliverBurst(EventBurst(ev), msg.Header.Get(hdrSession))
}
