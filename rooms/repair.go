package rooms

import (
	"context"
	"errors"
)

// onChecked compares the room with the log's last sequence of it. What comes
// while the room cannot look is looked at when it can.
func (r *room) onChecked(m checked) {
	if r.phase != following {
		r.wanted = max(r.wanted, m.last)
		return
	}
	r.wanted = 0
	switch {
	case m.last > r.position():
		r.repair(m.last)
	case m.ahead && m.last < r.last && r.last != r.verified:
		r.look(false)
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
	after, name := r.position(), r.h.name
	r.eng.beside(func(ctx context.Context) {
		m := repaired{of: r, upto: upto}
		if upto == 0 {
			m.upto, m.horizon, m.err = r.eng.lastOf(ctx, name)
		}
		if m.err == nil {
			m.page, m.forged, m.err = r.eng.fetchHole(ctx, name, after, m.upto)
		}
		r.eng.post(r.h.self, m)
	})
}

// errLagging: the replica that answered has not heard yet what its leader has.
var errLagging = errors.New("the log's replica is behind its leader")

// fetchHole reads a hole. When its end is not there the leader is asked why:
// because the replica that answered is behind, which is tried again, because
// the log has dropped it, or because it never was.
func (e *Engine) fetchHole(ctx context.Context, room string, after, upto uint64) (page logPage, forged bool, err error) {
	err = e.reader.again(ctx, func(context.Context) error { // each request inside has a time of its own
		page, err = e.reader.read(ctx, room, after, upto)
		if err != nil || upto <= after || page.cut || page.endsAt(upto) {
			return err
		}
		found, err := e.leaderHas(ctx, room, upto)
		switch {
		case err != nil:
			return err
		case found.state == isThere:
			return errLagging
		}
		forged = found.state == neverWas
		return nil
	})
	return page, forged, err
}

func (r *room) onRepaired(m repaired) {
	r.phase = following
	if m.err != nil {
		if r.eng.closed() {
			return
		}
		r.log().Warn().Err(m.err).Uint64("after", r.last).Msg("a hole in a room could not be read from the log; reading it again")
		r.repair(m.upto)
		return
	}
	r.horizon = max(r.horizon, m.horizon)
	if !m.page.reaches && !m.forged {
		r.reset(m)
	}
	for _, s := range m.page.events {
		if s.seq > r.last {
			r.deliver(s.seq, s.body, s.time)
		}
	}
	switch {
	case m.page.cut:
		r.repair(m.upto)
		return
	case m.forged:
		r.eng.stats.Forged.Add(1)
		r.log().Warn().Uint64("seq", m.upto).Msg("a copy on a room's log subject follows an event that the log never had, and was dropped; who publishes there?")
		r.dropHeld(m.upto)
	default:
		r.gone = max(r.gone, m.upto)
	}
	r.goOn(attempt{repaired: m.horizon > 0, upto: m.upto})
}

// dropHeld drops the live copies that claim to follow prev.
func (r *room) dropHeld(prev uint64) {
	kept := r.held[:0]
	for _, m := range r.held {
		if p, err := headerUint(m.msg.Header, hdrLastSequence); err != nil || p != prev {
			kept = append(kept, m)
		}
	}
	r.held = kept
}

// reset is for a hole that the log no longer fills: the members are told that
// they must refresh, by a room_joined that is not recovered.
func (r *room) reset(m repaired) {
	r.flush()
	last, gone := r.last, m.upto
	if events := m.page.events; len(events) > 0 {
		last, gone = events[0].seq-1, 0
	}
	r.startAt(last, r.horizon, r.epoch)
	r.gone = gone
	r.ring.floor = r.position()
	r.tellReset()
}

func (r *room) tellReset() {
	r.eng.stats.Resets.Add(1)
	r.deliverBurst(EventBurst(r.joined("", r.position(), false, 0)), "")
}

// look asks the log's leader whether what the room delivered last is in the
// log, and goes to the log's end if it is not: it was forged, or the log was
// rolled back. moved: it goes there anyway, the log is another one.
func (r *room) look(moved bool) {
	if r.phase != following {
		r.renew = r.renew || moved
		return
	}
	r.phase = repairing
	name, seq, at := r.h.name, r.last, r.lastTime
	r.eng.beside(func(ctx context.Context) {
		m := r.eng.whereNow(ctx, name, seq, at, moved)
		m.of = r
		r.eng.post(r.h.self, m)
	})
}

// whereNow finds out whether the log has seq of the room, stored at `at`, and,
// if not or if it moved anyway, where it stands.
func (e *Engine) whereNow(ctx context.Context, room string, seq uint64, at string, moved bool) (m moved) {
	m.err = e.reader.again(ctx, func(context.Context) error {
		if !moved {
			found, err := e.leaderHas(ctx, room, seq)
			if err != nil {
				return err
			}
			if found.state == discarded || found.state == isThere && (at == "" || found.time == at) {
				m.still = true
				return nil
			}
		}
		var err error
		m.last, m.stream, err = e.lastOf(ctx, room)
		return err
	})
	m.epoch = e.Epoch()
	return m
}

func (r *room) onMoved(m moved) {
	if m.err != nil { // only while the engine closes: it is tried until then
		return
	}
	r.verified = r.last
	if !m.still {
		r.log().Warn().Uint64("was_at", r.last).Uint64("log_is_at", m.last).Str("epoch", m.epoch).
			Msg("the log does not have what a room has delivered: it was rolled back, or a copy was forged; the members are told to refresh")
		r.flush()
		r.h.acked.Store(0)
		r.startAt(m.last, m.stream, m.epoch)
		r.tellReset()
	}
	r.goOn(attempt{})
}
