package rooms

import (
	"encoding/json"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// replay is what joins and history requests get of past events, as the follower
// decides. It is owned by the room's actor.
type replay struct {
	continued []*historyRequest // need an older page than the one just read

	last        *Burst // the last replay of the present batch; nil: none yet
	first, upto uint64 // its first and last sequence
}

// sendReplay sends events from the ring as one answer. Members that resume at
// once from the same position share the burst.
// own says that they are for this member alone.
func (r *room) sendReplay(m Member, entries []follow.Entry, own bool) {
	if len(entries) == 0 {
		return
	}
	r.eng.stats.Replayed.Add(int64(len(entries)))
	if own {
		r.replay.last = nil
		defer func() { r.replay.last = nil }()
	}
	if m.Deliver(r.replay.burst(entries)) != nil {
		r.remove(m, LeaveLost)
	}
}

// burst makes the burst of a replay, or returns the last one if it is the same.
func (p *replay) burst(entries []follow.Entry) *Burst {
	first, last := entries[0].Seq, entries[len(entries)-1].Seq
	if p.last != nil && p.first == first && p.upto == last {
		return p.last
	}
	frames := make([][]byte, len(entries))
	for i, e := range entries {
		frames[i] = e.Frame
	}
	p.first, p.upto = first, last
	bytes := follow.Bytes(entries)
	p.last = &Burst{Frames: frames, Count: 1, Bytes: bytes, Asked: bytes, Whole: true, Remembered: true}
	return p.last
}

// onHistory answers one page of the room's log. The newest page has everything
// for which this node has seen an ack, even if its live copy has not come yet.
func (r *room) onHistory(a *historyRequest) {
	r.follower.History(&follow.History{Before: a.before, Limit: a.limit - len(a.events), Bytes: MaxHistoryBytes - a.bytes, Known: r.h.acked.Load(), Ref: a})
}

// continueHistory reads on for the pages that had invalid events.
func (r *room) continueHistory() {
	requests := r.replay.continued
	r.replay.continued = nil
	for _, a := range requests {
		r.onHistory(a)
	}
}

// prepend puts an older event before those found so far.
func (a *historyRequest) prepend(ev []byte) {
	a.events = append(a.events, ev)
	a.bytes += len(ev)
}

// Page implements follow.Effects. It reads on past invalid events: from a page
// without any event the client could not ask for the one before it.
func (x effects) Page(h *follow.History, frames []follow.Entry, events []follow.Event, more bool) {
	r, a := x.r, h.Ref.(*historyRequest)
	seen, own := r.seenBy(a.uid, frames)
	for _, e := range slices.Backward(seen) {
		a.prepend(wire.FramePayload(e.Frame))
	}
	for _, e := range slices.Backward(events) {
		if stored, ok := r.storedEvent(a.uid, e); ok {
			a.prepend(wire.AppendEvent(nil, stored.Event(r.label, e.Seq, e.Time)))
		}
	}
	before := uint64(0) // where what was looked at begins
	switch {
	case len(events) > 0:
		before = events[0].Seq
	case own:
		before = frames[0].Seq
	}
	if more && len(a.events) < a.limit && a.bytes < MaxHistoryBytes/2 && before > 0 {
		a.before = before
		r.replay.continued = append(r.replay.continued, a)
		return
	}
	page := make([]json.RawMessage, 0, len(a.events))
	for _, ev := range slices.Backward(a.events) {
		page = append(page, ev)
	}
	reply(a.done, historyAnswer{events: page, more: more})
}
