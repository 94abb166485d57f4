package rooms

import (
	"context"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onHistory answers one page of the room's log.
func (r *room) onHistory(a *historyRequest) {
	if r.phase == opening || !r.tryHistory(a, attempt{}) {
		r.asked = append(r.asked, a)
		r.load()
	}
}

// tryHistory answers from the ring what it holds; deeper pages are read from
// the log beside the room.
func (r *room) tryHistory(a *historyRequest, tried attempt) bool {
	page := r.ring.before(a.before, a.limit+1)
	switch {
	case len(page) > a.limit:
		a.done <- ringPage(page[1:], true)
	case r.ring.bottom:
		a.done <- ringPage(page, false)
	case !r.tail && !tried.tail:
		return false
	default:
		r.readHistory(a)
	}
	return true
}

// readHistory reads a page from the log. It gets one event more than asked,
// to know whether there are older ones.
func (r *room) readHistory(a *historyRequest) {
	before, name, label := a.before, r.h.name, r.label
	if before == 0 {
		before = r.last + 1
	}
	r.eng.beside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		page, err := r.eng.reader.newest(ctx, name, before, a.limit+1)
		if err != nil {
			r.eng.cfg.Log.Warn().Err(err).Str("room", name).Msg("a page of history could not be read")
			a.done <- historyAnswer{err: wire.Errorf(wire.Unavailable, "the room's history is out of reach; try again")}
			return
		}
		answer := historyAnswer{more: len(page.events) > a.limit}
		if answer.more {
			page.events = page.events[1:]
		}
		for _, s := range page.events {
			if ev, err := publicEvent(label, s.seq, s.body, s.time); err == nil {
				answer.events = append(answer.events, wire.AppendEvent(nil, ev))
			}
		}
		a.done <- answer
	})
}

func ringPage(entries []ringEntry, more bool) historyAnswer {
	answer := historyAnswer{more: more}
	for _, e := range entries {
		answer.events = append(answer.events, wire.FramePayload(e.frame))
	}
	return answer
}
