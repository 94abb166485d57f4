package rooms

import (
	"runtime"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/follow"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// fanout is what hands frames to the members of a room, the same bytes to all.
// Owned by the room's actor.
type fanout struct {
	stats   *Stats   // fixed after start
	waiting *Waiting // the same
	members members
	out     outbox
	gather  *gathering // nil until it was needed

	measured *sample // the last one that is in out; nil: none
}

// yieldEvery is after how many members the fan-out lets their actors run: a
// crowd that was woken all at once would need a goroutine each.
const yieldEvery = 512

// burst gives b to every member but the one whose session is `except`, and
// returns those that can take no more. Deliver is the hop to the goroutine of
// the member's client.
func (f *fanout) burst(b *Burst, except string) (gone []Member) {
	b.Hold(f.waiting)
	defer b.Release(f.waiting)
	delivered := 0
	for i, m := range f.members.list {
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
	f.stats.Bursts.Add(int64(delivered))
	f.stats.Deliveries.Add(int64(delivered * b.Count))
	f.stats.Dropped.Add(int64(len(gone)))
	return gone
}

// take returns what was gathered as one burst; nil when there is nothing.
func (f *fanout) take() *Burst {
	b := f.out.take()
	if b != nil && f.gather != nil {
		f.gather.left = time.Now()
	}
	return b
}

func (f *fanout) release() {
	if f.gather != nil && f.gather.timer != nil {
		f.gather.timer.Stop()
	}
}

// deliver puts the next event of the log on its way to the members and returns
// its frame. An event that is not valid counts as seen and reaches nobody; the
// engine has rejected it when it was stored.
func (r *room) deliver(e follow.Event) (frame []byte) {
	r.h.last.Store(e.Seq)
	r.h.store.reached(e.Seq)
	stored, err := r.read(e)
	if err != nil {
		return nil
	}
	frame = r.fanout.out.addStored(r.label, e.Seq, &stored, e.Time)
	r.fanout.stats.Events.Add(1)
	if s := r.h.sample.Load(); s != nil && r.eng.latency.recognize(s, e.Body) {
		r.fanout.measured = s
	}
	if r.fanout.out.full() {
		r.flush()
		// A room that catches up delivers bursts faster than its members'
		// actors are scheduled, and would find the queues of healthy ones full.
		runtime.Gosched()
	}
	return frame
}

// flush hands the gathered frames to every member.
func (r *room) flush() {
	if b := r.fanout.take(); b != nil {
		r.deliverBurst(b, "")
	}
	if s := r.fanout.measured; s != nil {
		r.eng.latency.delivered.Observe(time.Since(s.born))
		r.fanout.measured = nil
	}
}

// deliverBurst gives b to every member but the one whose session is `except`.
func (r *room) deliverBurst(b *Burst, except string) {
	for _, m := range r.fanout.burst(b, except) {
		r.remove(m, LeftLost)
	}
}

// onSignal delivers what is not logged to the members other than its sender.
func (r *room) onSignal(msg *nats.Msg) {
	author := r.eng.secret.Load().author(forSignal, msg.Header.Get(HeaderBy), r.h.name, msg.Data)
	ev, err := wire.ReadSignal(msg.Data, r.eng.believed(author, msg.Header.Get(HeaderBy)))
	if err != nil {
		r.eng.stats.Rejected.Add(1)
		return
	}
	r.flush()
	r.eng.stats.Signals.Add(1)
	ev.Room = r.label
	r.deliverBurst(EventBurst(ev), msg.Header.Get(hdrSession))
}
