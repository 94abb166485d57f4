package rooms

import (
	"errors"
	"slices"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// Clients see a step of a table as one event, or as one batch when it shows them
// several. Of a step that has something for some users only, each of these gets a
// frame with it, and all others one without.

// everybody is the user who sees what all see: no user has an empty uid.
const everybody = ""

// shownStep is a step that not all members see alike.
type shownStep struct {
	seq    uint64
	time   string // the log's
	events []table.StoredEvent
}

// storedFor is what a user sees of events; ok is false if that is nothing.
func storedFor(events []table.StoredEvent, uid string) (stored wire.Stored, ok bool) {
	list := make([]wire.BatchedEvent, 0, len(events))
	for i := range events {
		if ev := &events[i]; ev.For(uid) {
			list = append(list, wire.BatchedEvent{Type: ev.Type, Payload: ev.Payload})
		}
	}
	if len(list) == 0 {
		return wire.Stored{}, false
	}
	return wire.StoredBatch(list), true
}

// frame is what a user gets of the step; nil: nothing.
func (s *shownStep) frame(label, uid string) []byte {
	stored, ok := storedFor(s.events, uid)
	if !ok {
		return nil
	}
	return stored.AppendFrame(make([]byte, 0, stored.FrameSize(label, s.time)), label, s.seq, s.time)
}

// mask tells which of the events a user sees: who has the same one gets the same
// frame.
func (s *shownStep) mask(uid string) string {
	mask := make([]byte, len(s.events))
	for i := range s.events {
		if s.events[i].For(uid) {
			mask[i] = 1
		}
	}
	return string(mask)
}

// readShown is what a step shows. It is *shownStep where that is not the same for
// all, else stored; neither, when it shows nobody anything.
func (r *room) readShown(e follow.Event) (stored wire.Stored, apart *shownStep, ok bool) {
	step, err := r.eng.readStep(r.h.name, e)
	if err != nil {
		r.onUnreadable(e, err)
		return stored, nil, false
	}
	if slices.ContainsFunc(step.Events, func(ev table.StoredEvent) bool { return ev.To != nil && len(*ev.To) > 0 && !ev.Sealed }) {
		return stored, &shownStep{e.Seq, e.Time, step.Events}, true
	}
	stored, ok = storedFor(step.Events, everybody)
	return stored, nil, ok
}

// onUnreadable is for a step of which members see nothing.
func (r *room) onUnreadable(e follow.Event, err error) {
	log := r.eng.roomLog(r.h.name)
	if errors.Is(err, errForged) {
		r.eng.onForgedStep(r.h.name, e.Seq)
		return
	}
	log.Error().Err(err).Uint64("seq", e.Seq).Msg("a step of a table cannot be shown to its members")
}

// deliverStep is deliver for a table.
func (r *room) deliverStep(e follow.Event) (frame []byte, apart *follow.Apart) {
	stored, shown, ok := r.readShown(e)
	switch {
	case !ok:
		return nil, nil
	case shown == nil:
		return r.buffer(e, &stored), nil
	}
	r.fanout.stats.Events.Add(1)
	r.flush() // what was before it
	frame = shown.frame(r.label, everybody)
	for _, m := range r.fanout.apart(shown, r.label, frame) {
		r.remove(m, LeaveLost)
	}
	return frame, shown.remembered()
}

// remembered is the step as a ring keeps it.
func (s *shownStep) remembered() *follow.Apart {
	bytes := 0
	for i := range s.events {
		ev := &s.events[i]
		bytes += len(ev.Type) + len(ev.Payload) + storedEventBytes
		if ev.To != nil {
			for _, uid := range *ev.To {
				bytes += len(uid) + uidBytes
			}
		}
	}
	return &follow.Apart{Of: s, Bytes: bytes}
}

// What a remembered event, and a uid, cost besides their texts.
const (
	storedEventBytes = 96
	uidBytes         = 16
)

// apart gives every member what it sees of a step, and returns those whose queues
// are full. open is the frame for those that it does not name; nil: nothing.
func (f *fanout) apart(s *shownStep, label string, open []byte) (full []Member) {
	named := make(map[string]bool)
	for i := range s.events {
		if to := s.events[i].To; to != nil {
			for _, uid := range *to {
				named[uid] = true
			}
		}
	}
	bursts := map[string]*Burst{} // by mask
	of := func(mask string, frame func() []byte) *Burst {
		b, ok := bursts[mask]
		if !ok {
			if frame := frame(); frame != nil {
				b = frameBurst(frame)
				b.Hold(f.waiting)
			}
			bursts[mask] = b
		}
		return b
	}
	for _, m := range f.members.list {
		uid := m.User().UID
		b := of("", func() []byte { return open })
		if named[uid] {
			b = of(s.mask(uid), func() []byte { return s.frame(label, uid) })
		}
		switch {
		case b == nil:
		case m.Deliver(b) != nil:
			full = append(full, m)
		default:
			f.stats.Bursts.Add(1)
			f.stats.Deliveries.Add(1)
		}
	}
	for _, b := range bursts {
		if b != nil {
			b.Release(f.waiting)
		}
	}
	f.stats.Dropped.Add(int64(len(full)))
	return full
}

// seenBy is what a user sees of events in a ring; own says that it is not what all
// others see.
func (r *room) seenBy(uid string, entries []follow.Entry) (seen []follow.Entry, own bool) {
	if !r.table || !slices.ContainsFunc(entries, func(e follow.Entry) bool { return e.Apart != nil }) {
		return entries, false
	}
	for _, e := range entries {
		if e.Apart != nil {
			e.Frame, e.Apart = e.Apart.Of.(*shownStep).frame(r.label, uid), nil
		}
		if e.Frame != nil {
			seen = append(seen, e)
		}
	}
	return seen, true
}

// storedEvent is what a user sees of an event that was read from the log.
func (r *room) storedEvent(uid string, e follow.Event) (stored wire.Stored, ok bool) {
	if !r.table {
		stored, err := r.parse(e)
		return stored, err == nil
	}
	stored, apart, ok := r.readShown(e)
	if apart != nil {
		return storedFor(apart.events, uid)
	}
	return stored, ok
}
