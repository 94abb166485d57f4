package presence

import (
	"errors"
	"time"
)

// ErrNoUID is returned by Join for a user without a uid.
var ErrNoUID = errors.New("presence: join: the user has no uid: give every session one, guests too")

// sessionRef is one session of this node: connected, or with a kept seat.
type sessionRef struct {
	who  *claim
	kept *seat // nil while connected
}

// Join adds a session of this node. The user is one entry however many sessions
// it has, under the name and avatar of the latest Join.
//
// A session that comes back under its own id gets its seat back. A new session
// takes over one kept seat of its user, if there is any (the latest one): it is
// most likely the same client, and when it leaves, the user has left. A session
// that joins as another user leaves as the previous one.
//
// The error is ErrNoUID; then nothing has changed.
func (t *Table) Join(session string, u User) error {
	if u.UID == "" {
		return ErrNoUID
	}
	ref, known := t.sessions.get(session)
	if known && ref.who.user.UID != u.UID {
		t.Leave(session)
		known = false
	}
	if known && ref.kept == nil && ref.who.user == u {
		return nil
	}
	c := t.put(&t.self, u)
	switch {
	case known && ref.kept == nil: // only the record changed
		return nil
	case known:
		t.seats.end(ref.kept)
	case c.kept != nil:
		t.sessions.delete(c.kept.session)
		t.seats.end(c.kept)
	}
	c.live++
	t.sessions.set(session, sessionRef{who: c})
	return nil
}

// Leave ends a session now, connected or kept. The user leaves with its last
// session. An unknown session is ignored: it left before, or another session
// took over its seat.
func (t *Table) Leave(session string) {
	ref, known := t.sessions.get(session)
	if !known {
		return
	}
	t.sessions.delete(session)
	if ref.kept != nil {
		t.seats.end(ref.kept)
	} else {
		ref.who.live--
	}
	t.release(ref.who)
}

// EndKept ends every seat that is kept on this node for a user, and returns
// their session ids. Sessions that are connected stay.
func (t *Table) EndKept(uid string) (sessions []string) {
	for c := t.ownClaim(uid); c != nil && c.kept != nil; {
		sessions = append(sessions, c.kept.session)
		t.Leave(c.kept.session)
	}
	return sessions
}

// Away keeps the seat of a session that was cut off until the deadline; until
// then its user counts as present. If the session is away already, the deadline
// is replaced; an unknown session is ignored.
func (t *Table) Away(session string, deadline time.Time) {
	ref, known := t.sessions.get(session)
	switch {
	case !known:
	case ref.kept != nil:
		t.seats.move(ref.kept, deadline)
	default:
		ref.who.live--
		ref.kept = t.seats.keep(session, ref.who, deadline)
		t.sessions.set(session, ref)
	}
}

// Expire ends every kept seat whose deadline is now or earlier, and returns
// what NextDeadline does.
func (t *Table) Expire(now time.Time) (next time.Time, ok bool) {
	for len(t.seats) > 0 && !t.seats[0].deadline.After(now) {
		s := t.seats[0]
		t.sessions.delete(s.session)
		t.seats.end(s)
		t.release(s.who)
	}
	return t.NextDeadline()
}

// NextDeadline returns when the next kept seat ends; ok is false when no seat
// is kept. Only Away can make it earlier.
func (t *Table) NextDeadline() (next time.Time, ok bool) {
	if len(t.seats) == 0 {
		return time.Time{}, false
	}
	return t.seats[0].deadline, true
}

// release removes a user of this node who has neither a session nor a kept seat
// left.
func (t *Table) release(c *claim) {
	if c.live == 0 && c.kept == nil {
		t.remove(&t.self, c.user.UID)
	}
}
