package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// ResendFor is how long after its first write an unanswered event may be sent
// again with its ID. The log remembers an ID for 2 minutes after it stored the
// event. The last copy must be stored within that time, and may take
// DefaultWriteTimeout to be written and 15 s to be stored.
const ResendFor = 100 * time.Second

// Why a request is not sent again.
var (
	errTooLate = fmt.Errorf("the server did not answer within the %v in which the event can be sent again under its id", ResendFor)
	errNewUID  = errors.New("the connection was lost before the server's answer, and we came back under another uid, under which it does not know the event's id")
)

// attempt is the first write of a request.
type attempt struct {
	at   time.Time // zero: never
	wall time.Time // the same without the monotonic clock, which may stop while the machine sleeps
	uid  string    // of the connection
}

func (a *attempt) note(now time.Time, uid string) {
	if a.at.IsZero() {
		*a = attempt{at: now, wall: now.Round(0), uid: uid}
	}
}

// maybeStored reports whether the event may be stored although there is no
// answer. c.mu is held, or the request has been removed from the outbox.
func (r *request) maybeStored() bool { return !r.first.at.IsZero() && storesEvent(r.event.Type) }

// repeated reports whether the request was also written on an earlier
// connection.
func (r *request) repeated() bool { return !r.first.at.Equal(r.sentAt) }

// late reports whether the server may have forgotten the request's ID.
func (r *request) late(now time.Time) bool {
	age := max(now.Sub(r.first.at), now.Round(0).Sub(r.first.wall))
	return r.maybeStored() && age >= ResendFor
}

// failed returns the error of a request that ends without an answer: it wraps
// ErrOutcomeUnknown if the event may be stored.
func (r *request) failed(why error) error {
	if r.maybeStored() {
		return fmt.Errorf("%w: %w", why, ErrOutcomeUnknown)
	}
	return why
}

// storesEvent reports whether the server stores, or may store, events of this
// type: what a program's own handler does is not known.
func storesEvent(typ string) bool {
	switch typ {
	case wire.TypeJoinRoom, wire.TypeChangeRoom, wire.TypeLeaveRoom, wire.TypeGetHistory, wire.TypeGetOnlineUsers,
		wire.TypeSignal, wire.TypeHeartbeat:
		return false
	}
	return true
}

// giveUp ends the unwritten requests for which match returns true. c.mu is
// held.
func (c *Client) giveUp(why error, match func(*request) bool) {
	for _, r := range c.outbox.removeUnwritten(match) {
		r.finish(r.failed(why))
	}
}

// connectedAs is called on every connection with its uid, before anything is
// written to it. With another uid, the IDs of written events mean nothing, and
// there is another inbox. What was never written is sent with the new uid:
// there is no other copy. c.mu is held.
func (c *Client) connectedAs(uid string) {
	if uid == "" || uid != c.welcome.UID {
		c.rooms.leave(wire.InboxAlias)
	}
	c.giveUp(errNewUID, func(r *request) bool { return r.maybeStored() && (uid == "" || uid != r.first.uid) })
}

// expire ends the requests that it is too late to send again, and sets the
// timer for the next. c.mu is held.
func (c *Client) expire(now time.Time) {
	c.giveUp(errTooLate, func(r *request) bool { return r.late(now) })
	var oldest time.Time // not always the first: see outbox.head
	for _, r := range c.outbox.queue[c.outbox.written:] {
		if r.maybeStored() && (oldest.IsZero() || r.first.at.Before(oldest)) {
			oldest = r.first.at
		}
	}
	if !oldest.IsZero() {
		c.expiry.Reset(oldest.Add(ResendFor).Sub(now))
	}
}

// onExpiry runs on the timer's goroutine.
func (c *Client) onExpiry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(time.Now())
}
