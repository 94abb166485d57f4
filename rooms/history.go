package rooms

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onHistory answers one page of the room's log.
func (r *room) onHistory(a *historyRequest) {
	n := nothing
	if r.phase != opening {
		if n = r.tryHistory(a, attempt{}); n == nothing {
			return
		}
	}
	r.asked = append(r.asked, a)
	r.obtain(n)
}

// tryHistory answers from the ring what it holds; deeper pages are read from
// the log beside the room. The newest page has what this node was told is
// stored, also when its live copy is still on the way.
func (r *room) tryHistory(a *historyRequest, tried attempt) need {
	acked := r.h.acked.Load()
	if known := max(r.position(), tried.upto); acked > known && (a.before == 0 || a.before > known) {
		r.repair(acked)
		return newer
	}
	page := r.ring.before(a.before, a.limit+1)
	switch {
	case len(page) > a.limit:
		reply(a.done, ringPage(page[1:], true))
	case r.ring.bottom:
		reply(a.done, ringPage(page, false))
	case !r.tail && !tried.tail:
		return older
	default:
		r.readHistory(a)
	}
	return nothing
}

// readHistory reads a page from the log.
func (r *room) readHistory(a *historyRequest) {
	before, name, label := a.before, r.h.name, r.label
	if before == 0 {
		before = r.last + 1
	}
	r.eng.beside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		answer, err := r.eng.historyPage(ctx, name, label, before, a.limit)
		if err != nil {
			if !r.eng.closed() {
				r.eng.cfg.Log.Warn().Err(err).Str("room", name).Msg("a page of history could not be read")
			}
			answer = historyAnswer{err: wire.Errorf(wire.Unavailable, "the room's history is out of reach; try again")}
		}
		reply(a.done, answer)
	})
}

// historyPage gets one event more than asked, to know whether there are older
// ones, and reads on past events that are not valid: a page without an event
// would leave the client nothing to ask on from.
func (e *Engine) historyPage(ctx context.Context, room, label string, before uint64, limit int) (historyAnswer, error) {
	var events []json.RawMessage // newest first
	for len(events) <= limit {
		page, err := e.reader.newest(ctx, room, before, limit+1)
		if err != nil {
			return historyAnswer{}, err
		}
		for _, s := range slices.Backward(page.events) {
			if ev, err := publicEvent(label, s.seq, s.body, s.time); err == nil {
				events = append(events, wire.AppendEvent(nil, ev))
			}
		}
		if len(page.events) <= limit {
			break
		}
		before = page.events[0].seq
	}
	more := len(events) > limit
	events = events[:min(len(events), limit)]
	slices.Reverse(events)
	return historyAnswer{events: events, more: more}, nil
}

func ringPage(entries []ringEntry, more bool) historyAnswer {
	answer := historyAnswer{more: more}
	for _, e := range entries {
		answer.events = append(answer.events, wire.FramePayload(e.frame))
	}
	return answer
}
