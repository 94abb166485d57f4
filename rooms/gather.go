package rooms

import "time"

// A burst to a large room costs a system call per member, so a busy one gathers
// events for about as long as writing the last burst takes: then each member
// gets them with one system call. An event that comes after a pause leaves at
// once, so a room that is not busy adds no latency.
const (
	gatherAbove     = 32 // members; a smaller room does not gather
	gatherPerMember = 10 * time.Microsecond
	gatherMax       = 20 * time.Millisecond
)

// gathering is what a large room keeps of it. Owned by the room's actor.
type gathering struct {
	left    time.Time   // when the last burst left
	timer   *time.Timer // nil until it was needed
	ticking bool        // a gatherTick is on its way
}

// gatherTime is how far apart bursts to that many members are.
func gatherTime(members int) time.Duration {
	if members <= gatherAbove {
		return 0
	}
	return min(time.Duration(members)*gatherPerMember, gatherMax)
}

// leave sends what the batch has gathered on its way, now or when it is time.
func (r *room) leave() {
	pause := gatherTime(len(r.fanout.members.list))
	if pause == 0 || r.fanout.out.count == 0 {
		r.flush()
		return
	}
	if r.fanout.gather == nil {
		r.fanout.gather = new(gathering)
	}
	since := time.Since(r.fanout.gather.left)
	switch {
	case since >= pause:
		r.flush()
	case r.fanout.gather.ticking:
	case r.fanout.gather.timer == nil:
		r.fanout.gather.ticking = true
		r.fanout.gather.timer = r.eng.after(r.h, pause-since, gatherTick{r})
	default:
		r.fanout.gather.ticking = true
		r.fanout.gather.timer.Reset(pause - since)
	}
}
