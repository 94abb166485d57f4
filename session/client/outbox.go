package client

import (
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// request is one event to be sent.
type request struct {
	// fixed
	event wire.Event
	text  []byte
	once  bool // a signal: done when written, lost with the connection

	// guarded by Client.mu
	first  attempt     // on any connection
	sentAt time.Time   // on this connection; zero before
	answer *wire.Event // received with the ID, before the ack

	// set before done is closed
	done chan struct{}
	ack  wire.Event
	err  error
}

// finish wakes the waiting caller. It is called once, by whoever removed the
// request from the outbox.
func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

// outbox holds the pending requests, in the order of sending: first those
// written on this connection, then the unwritten ones.
type outbox struct {
	limit   int
	queue   []*request
	written int // of queue
	byID    map[string]*request
}

func newOutbox(limit int) *outbox {
	return &outbox{limit: limit, byID: make(map[string]*request)}
}

func (o *outbox) add(r *request) error {
	if len(o.queue) >= o.limit {
		return ErrOutboxFull
	}
	if id := r.event.ID; id != "" {
		if o.byID[id] != nil {
			return ErrSameID
		}
		o.byID[id] = r
	}
	o.queue = append(o.queue, r)
	return nil
}

// unwrite undoes next after a failed write: the server has got at most a part
// of the event, which it cannot decode. The connection has ended, so nothing
// else changes.
func (o *outbox) unwrite(r *request) {
	if o.byID[r.event.ID] == r && !r.repeated() {
		r.first = attempt{}
	}
}

// head returns the next request to write, or nil. It moves it before those that
// are held.
func (o *outbox) head(held func(*request) bool) *request {
	for i, r := range o.queue[o.written:] {
		if !held(r) {
			if i > 0 {
				copy(o.queue[o.written+1:], o.queue[o.written:o.written+i])
				o.queue[o.written] = r
			}
			return r
		}
	}
	return nil
}

// next returns the first unwritten request, or nil, and marks it as written to
// the connection of uid.
func (o *outbox) next(now time.Time, uid string) *request {
	if o.written == len(o.queue) {
		return nil
	}
	r := o.queue[o.written]
	r.sentAt = now
	r.first.note(now, uid)
	o.written++
	return r
}

// remove removes a request; it returns false if it was removed before.
func (o *outbox) remove(r *request) bool {
	i := slices.Index(o.queue, r)
	if i < 0 {
		return false
	}
	if i < o.written {
		o.written--
	}
	o.queue = slices.Delete(o.queue, i, i+1)
	delete(o.byID, r.event.ID)
	return true
}

// removeUnwritten removes and returns the unwritten requests for which match
// returns true.
func (o *outbox) removeUnwritten(match func(*request) bool) (removed []*request) {
	keep := o.queue[:o.written]
	for _, r := range o.queue[o.written:] {
		if match(r) {
			removed = append(removed, r)
			delete(o.byID, r.event.ID)
		} else {
			keep = append(keep, r)
		}
	}
	clear(o.queue[len(keep):])
	o.queue = keep
	return removed
}

// rewind is called when the connection is lost: all requests are to be written
// again. It removes and returns those that must not be.
func (o *outbox) rewind() (lost []*request) {
	o.written = 0
	lost = o.removeUnwritten(func(r *request) bool { return r.once })
	for _, r := range o.queue {
		r.sentAt, r.answer = time.Time{}, nil
	}
	return lost
}

// drain removes and returns all requests.
func (o *outbox) drain() []*request {
	all := o.queue
	*o = *newOutbox(o.limit)
	return all
}

// oldest returns when the oldest unanswered request was written.
func (o *outbox) oldest() (time.Time, bool) {
	if o.written == 0 {
		return time.Time{}, false
	}
	return o.queue[0].sentAt, true
}
