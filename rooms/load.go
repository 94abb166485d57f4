package rooms

import (
	"context"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// load reads older events into the ring for the requests that wait: from the
// oldest position that a join asks for, or, when somebody asks for the newest
// events, as many as the ring holds.
func (r *room) load() {
	if r.loading || r.phase == opening {
		return
	}
	r.loading = true
	r.eng.looks.loads.Add(1)
	floor, name := r.ring.floor, r.h.name
	after, tail := r.oldestAsked()
	r.eng.beside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		var page logPage
		var err error
		if tail {
			page, err = r.eng.reader.newest(ctx, name, floor+1, MaxReplay+1)
			after = 0
		} else {
			page, err = r.eng.reader.readTail(ctx, name, after, floor, MaxReplay+1)
		}
		r.eng.post(r.h.self, loaded{of: r, floor: floor, after: after, tail: tail, page: page, err: err})
	})
}

// oldestAsked returns what the load must reach back to.
func (r *room) oldestAsked() (since uint64, tail bool) {
	since = r.ring.floor
	for _, j := range r.waiting {
		if j.since.Position == nil {
			tail = true
			continue
		}
		since = min(since, j.since.Position.Seq)
	}
	return since, tail || len(r.asked) > 0
}

func (r *room) onLoaded(m loaded) {
	r.loading = false
	if m.err != nil {
		if !r.eng.closed() {
			r.log().Warn().Err(m.err).Msg("a room's history could not be read; those who wait for it are refused as unavailable")
		}
		r.refuseWaiting(wire.Errorf(wire.Unavailable, "the room's history is out of reach; try again"))
		return
	}
	if m.floor == r.ring.floor { // else newer events have filled the ring meanwhile
		r.extend(m)
	}
	r.retryWaiting(attempt{loaded: true, tail: m.tail, after: m.after})
}

// extend puts the loaded events in front of the ring.
func (r *room) extend(m loaded) {
	older := make([]ringEntry, 0, len(m.page.events))
	for _, s := range m.page.events {
		ev, err := publicEvent(r.label, s.seq, s.body, s.time)
		if err == nil {
			older = append(older, ringEntry{s.seq, wire.EventFrame(ev)})
		}
	}
	floor := m.floor
	switch {
	case m.page.reaches && !m.page.cut:
		floor = m.after
	case len(m.page.events) > 0:
		floor = m.page.events[0].seq
	}
	r.tail = r.tail || m.tail
	r.ring.prepend(older, floor, m.tail && len(m.page.events) <= MaxReplay)
}

// retryWaiting answers what waits, as far as the ring now goes.
func (r *room) retryWaiting(tried attempt) {
	waiting, asked := r.waiting, r.asked
	r.waiting, r.asked = nil, nil
	missing := nothing
	for _, j := range waiting {
		if n := r.tryJoin(j, tried); n != nothing {
			r.waiting = append(r.waiting, j)
			missing |= n
		}
	}
	for _, a := range asked {
		if n := r.tryHistory(a, tried); n != nothing {
			r.asked = append(r.asked, a)
			missing |= n
		}
	}
	r.obtain(missing)
}
