package client

import (
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// request is one event on its way to the server.
type request struct {
	// fixed
	event wire.Event
	text  []byte
	once  bool // a signal: done when written, lost with the connection

	// guarded by Client.mu
	first  attempt     // on any connection
	sentAt time.Time   // on this connection; zero before
	answer *wire.Event // came with the id, before the ack

	// set before done is closed
	done chan struct{}
	ack  wire.Event
	err  error
}

// finish lets the waiting caller go. It is called once, by whoever took the
// request out of the outbox.
func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

// outbox is the requests without an answer, in the order they are sent: first
// those written on this connection, then those that wait.
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

// idle reports whether nothing waits to be written.
func (o *outbox) idle() bool { return o.written == len(o.queue) }

// unwrite is for a write that failed: the server got a part at most, which it
// cannot read. The connection is over, so nothing else changes.
func (o *outbox) unwrite(r *request) {
	if o.byID[r.event.ID] == r && !r.repeated() {
		r.first = attempt{}
	}
}

// head is the request to write next, or nil.
func (o *outbox) head() *request {
	if o.idle() {
		return nil
	}
	return o.queue[o.written]
}

// next is the request to write now to the connection of uid, or nil. It counts
// as written.
func (o *outbox) next(now time.Time, uid string) *request {
	r := o.head()
	if r == nil {
		return nil
	}
	r.sentAt = now
	r.first.note(now, uid)
	o.written++
	return r
}

// remove takes a request out; false if it was out already.
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

// pick takes out and returns those of the requests that wait to be written
// for which it is true.
func (o *outbox) pick(when func(*request) bool) (picked []*request) {
	keep := o.queue[:o.written]
	for _, r := range o.queue[o.written:] {
		if when(r) {
			picked = append(picked, r)
			delete(o.byID, r.event.ID)
		} else {
			keep = append(keep, r)
		}
	}
	clear(o.queue[len(keep):])
	o.queue = keep
	return picked
}

// rewind is for a lost connection: everything is to be written again. It
// takes out and returns what makes no sense later.
func (o *outbox) rewind() (lost []*request) {
	o.written = 0
	lost = o.pick(func(r *request) bool { return r.once })
	for _, r := range o.queue {
		r.sentAt, r.answer = time.Time{}, nil
	}
	return lost
}

// drain takes everything out.
func (o *outbox) drain() []*request {
	all := o.queue
	*o = *newOutbox(o.limit)
	return all
}

// oldest is when the request that waits longest for its answer was written.
func (o *outbox) oldest() (time.Time, bool) {
	if o.written == 0 {
		return time.Time{}, false
	}
	return o.queue[0].sentAt, true
}
