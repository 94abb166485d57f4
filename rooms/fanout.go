package rooms

import (
	"runtime"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// deliver puts the next event of the log on its way to the members and returns
// its frame. An event that is not valid counts as seen and reaches nobody; the
// engine has rejected it when it was stored.
func (r *room) deliver(e follow.Event) (frame []byte) {
	r.h.last.Store(e.Seq)
	r.h.touch()
	frame, err := r.out.addStored(r.label, e.Seq, e.Body, e.Time)
	if err != nil {
		return nil
	}
	r.eng.stats.Events.Add(1)
	if r.out.full() {
		r.flush()
		// A room that catches up delivers bursts faster than its members'
		// actors are scheduled, and would find the queues of healthy ones full.
		runtime.Gosched()
	}
	return frame
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
	r.deliverBurst(EventBurst(ev), msg.Header.Get(hdrSession))
}
