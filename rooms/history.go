package rooms

import (
	"encoding/json"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// onHistory answers one page of the room's log. The newest page has what this
// node was told is stored, also when its live copy is still on the way.
func (r *room) onHistory(a *historyRequest) {
	r.follower.History(&follow.History{Before: a.before, Limit: a.limit - len(a.events), Known: r.h.acked.Load(), Ref: a})
}

// askAgain goes on with the pages that had events which are not valid.
func (r *room) askAgain() {
	again := r.again
	r.again = nil
	for _, a := range again {
		r.onHistory(a)
	}
}

// Page implements follow.Effects. It reads on past events that are not valid: a
// page without an event would leave the client nothing to ask on from.
func (x effects) Page(h *follow.History, frames []follow.Entry, events []follow.Event, more bool) {
	r, a := x.r, h.Ref.(*historyRequest)
	for _, e := range slices.Backward(frames) {
		a.events = append(a.events, wire.FramePayload(e.Frame))
	}
	for _, e := range slices.Backward(events) {
		if ev, err := publicEvent(r.label, e.Seq, e.Body, e.Time); err == nil {
			a.events = append(a.events, wire.AppendEvent(nil, ev))
		}
	}
	if more && len(a.events) < a.limit && len(events) > 0 {
		a.before = events[0].Seq
		r.again = append(r.again, a)
		return
	}
	page := make([]json.RawMessage, 0, len(a.events))
	for _, ev := range slices.Backward(a.events) {
		page = append(page, ev)
	}
	reply(a.done, historyAnswer{events: page, more: more})
}
