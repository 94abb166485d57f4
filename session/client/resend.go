package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// ResendFor is how long an event that the server does not answer is written
// again under its id, counted from the first time that it was written. The log
// knows an id for 2 minutes from when it stored the event. The last copy must
// be stored within them, and may need DefaultWriteTimeout to be written and the
// 15 s for which a server tries to store it.
const ResendFor = 100 * time.Second

// Why a request is not written again.
var (
	errTooLate = fmt.Errorf("the server did not answer within the %v in which the event can be sent again under its id", ResendFor)
	errNewUID  = errors.New("the connection was lost before the server's answer, and we came back under another uid, under which it does not know the event's id")
)

// attempt is the first time that a request was written.
type attempt struct {
	at   time.Time // zero: never
	wall time.Time // the same without the monotonic clock, which may stand still while the machine sleeps
	uid  string    // whose connection it was
}

func (a *attempt) note(now time.Time, uid string) {
	if a.at.IsZero() {
		*a = attempt{at: now, wall: now.Round(0), uid: uid}
	}
}

// unsure reports whether the event may be stored although no answer has come.
// c.mu is held, or the request is out of the outbox.
func (r *request) unsure() bool { return !r.first.at.IsZero() && mayBeStored(r.event.Type) }

// repeated reports whether what was written on this connection was written
// before.
func (r *request) repeated() bool { return !r.first.at.Equal(r.sentAt) }

// late reports whether the server may not know the request's id any more.
func (r *request) late(now time.Time) bool {
	age := max(now.Sub(r.first.at), now.Round(0).Sub(r.first.wall))
	return r.unsure() && age >= ResendFor
}

// failed adds to the reason why a request ends without an answer that the
// event may be stored, if it may.
func (r *request) failed(why error) error {
	if r.unsure() {
		return fmt.Errorf("%w: %w", why, ErrOutcomeUnknown)
	}
	return why
}

// mayBeStored is false for what can be asked twice without anything being
// there twice. What a program's own handler makes of an event we cannot know.
func mayBeStored(typ string) bool {
	switch typ {
	case wire.TypeJoinRoom, wire.TypeChangeRoom, wire.TypeLeaveRoom, wire.TypeGetHistory, wire.TypeGetOnlineUsers,
		wire.TypeSignal, wire.TypeHeartbeat:
		return false
	}
	return true
}

// giveUp ends those of the requests that wait to be written for which it is
// true. c.mu is held.
func (c *Client) giveUp(why error, when func(*request) bool) {
	for _, r := range c.outbox.pick(when) {
		r.finish(r.failed(why))
	}
}

// cameBack is told on every connection who we are there, before anything is
// written to it. Under another uid ids mean nothing, and there is another inbox.
// What was never written goes out under the new uid: it has no other copy.
// c.mu is held.
func (c *Client) cameBack(uid string) {
	if uid == "" || uid != c.welcome.UID {
		c.rooms.leave(wire.InboxAlias)
	}
	c.giveUp(errNewUID, func(r *request) bool { return r.unsure() && (uid == "" || uid != r.first.uid) })
}

// expire ends the requests that it is too late to write again, and sets the
// timer for the next. c.mu is held.
func (c *Client) expire(now time.Time) {
	c.giveUp(errTooLate, func(r *request) bool { return r.late(now) })
	for _, r := range c.outbox.queue[c.outbox.written:] {
		if r.unsure() { // the first one was written first
			c.expiry.Reset(r.first.at.Add(ResendFor).Sub(now))
			return
		}
	}
}

// onExpiry runs on the timer's goroutine.
func (c *Client) onExpiry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(time.Now())
}
