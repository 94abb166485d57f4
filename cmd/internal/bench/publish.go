package bench

import "time"

// maxBehind is how many messages of the publishers that are ahead the slowest
// member of a room may be behind. A publisher's own messages come back to it no
// matter how long the others wait, and a server closes a client, or drops
// messages, when 256 wait for it.
const maxBehind = 192

// The same in bytes, for long messages: roomd closes a client for whom 1 MiB
// waits.
const (
	maxBehindBytes = 768 << 10
	frameExtra     = 512 // of a message besides its text, at most
)

// lateBy is how late a message at a rate may be sent; then it is left out, so
// that a standstill is not followed by a burst.
const lateBy = 100 * time.Millisecond

// publisher sends through one member's connection. It is owned by the reader
// that owns the connections of all members of its room.
type publisher struct {
	// fixed after newSwarm
	conn     *conn
	sender   uint32        // its number in its room
	members  uint32        // of its room, who get what it says
	echo     bool          // it is one of them
	ahead    uint32        // messages that may be on their way back; 0: it speaks at a rate
	behind   uint32        // its share of maxBehind
	phase    time.Duration // of a sender at a rate, within its interval
	template messages

	sentAt   [256]time.Duration // by the message's number modulo 256
	sent     uint32
	returned uint32      // what came back to conn, up to the last of them; without echo: what is complete
	complete uint32      // what every member got
	alone    bool        // a member is gone: nobody waits for the slowest any more
	heldUp   bool        // by the slowest member
	reached  [256]uint32 // members that got a message, by its number modulo 256
}

// heard counts that one more member got the moved messages before next.
func (p *publisher) heard(next, moved uint32) {
	for number := next - moved; number != next; number++ {
		p.reached[number%256]++
	}
	for p.complete != p.sent && p.reached[p.complete%256] == p.members {
		p.reached[p.complete%256] = 0
		p.complete++
	}
	if !p.echo {
		p.returned = p.complete
	}
}

// mayGoOn reports whether the publisher may send one more.
func (p *publisher) mayGoOn() bool {
	p.heldUp = !p.alone && p.sent-p.complete >= p.behind
	return !p.heldUp && p.sent-p.returned < p.ahead
}

// startPublishing lets the publishers of this reader speak.
func (r *reader) startPublishing() {
	r.publishing, r.began = true, r.swarm.now()
	if r.swarm.interval > 0 {
		r.sendDue()
		return
	}
	for _, p := range r.pubs {
		r.refill(p)
	}
}

// refill sends all that the publisher's window allows, in one write.
func (r *reader) refill(p *publisher) {
	if p.conn.state != open || len(p.conn.out) > 0 {
		return
	}
	r.batch = r.batch[:0]
	now := r.swarm.now()
	for p.mayGoOn() {
		r.batch = p.next(r.batch, now)
		r.counts.sent++
	}
	if len(r.batch) > 0 {
		r.send(p.conn, r.batch)
	}
}

// goOn refills the publishers whose windows what c received may have moved.
func (r *reader) goOn(c *conn) {
	if !r.publishing || r.swarm.interval > 0 {
		return
	}
	for _, p := range r.swarm.pubsOf[c.room] {
		if p.conn == c || p.heldUp || !p.echo {
			r.refill(p)
		}
	}
}

// next appends the publisher's next message.
func (p *publisher) next(dst []byte, now time.Duration) []byte {
	p.sentAt[p.sent%256] = now
	dst = p.template.append(dst, stamp{sender: p.sender, number: p.sent, sent: now})
	p.sent++
	return dst
}

// sendDue sends, at a rate, what is due, and sets the timer for what is next.
func (r *reader) sendDue() {
	for len(r.pubs) > 0 && r.publishing {
		p := r.pubs[r.turn%len(r.pubs)]
		due := r.began + time.Duration(r.turn/len(r.pubs))*r.swarm.interval + p.phase
		now := r.swarm.now()
		if due > now {
			if err := r.poll.arm(due - now); err != nil {
				r.swarm.fail(err)
			}
			return
		}
		r.turn++
		if p.conn.state != open || len(p.conn.out) > 0 || now-due > lateBy {
			r.counts.late++
			continue
		}
		r.batch = p.next(r.batch[:0], r.swarm.now())
		r.counts.sent++
		r.send(p.conn, r.batch)
	}
}
