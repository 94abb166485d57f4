package presence

import (
	"slices"
	"strings"
)

// journal remembers, for every user whose record is not what it was at the last
// drain, what it was then. So changes that cancel out leave nothing behind, and
// a journal that nobody drains holds at most one record for each user who is
// here or was here at the last drain.
//
// Who was shown the list in between knows what it was at that moment, so a
// change made before and taken back after that does not cancel out.
type journal struct {
	was   dict[record]
	shown uint32 // how often the list was shown
}

// record is what a user was.
type record struct {
	was   *User  // at the last drain; nil: was not here
	last  *User  // when it was last seen to change; nil: was not here then
	shown uint32 // journal.shown when it changed first
}

// note records that a user changed from before to after; nil is absence.
func (j *journal) note(uid string, before, after *User) {
	r, touched := j.was.get(uid)
	switch {
	case !touched && sameUser(before, after):
	case !touched:
		kept := keep(before)
		j.was.set(uid, record{was: kept, last: kept, shown: j.shown})
	case sameUser(r.was, after) && r.shown == j.shown:
		j.was.delete(uid)
	case before != nil && !sameUser(r.last, before):
		r.last = keep(before)
		j.was.set(uid, r)
	}
}

func keep(u *User) *User {
	if u == nil {
		return nil
	}
	kept := *u
	return &kept
}

// drain returns the net changes, each sorted by uid, and starts anew. now looks
// up the present record of a user.
func (j *journal) drain(now func(uid string) (User, bool)) (joined, left []User) {
	for uid, r := range j.was.all {
		switch u, here := now(uid); {
		case here:
			joined = append(joined, u)
		case r.was != nil:
			left = append(left, *r.was)
		case r.last != nil:
			left = append(left, *r.last)
		}
	}
	j.was = dict[record]{}
	sortUsers(joined)
	sortUsers(left)
	return joined, left
}

func sameUser(a, b *User) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func sortUsers(us []User) {
	slices.SortFunc(us, func(a, b User) int { return strings.Compare(a.UID, b.UID) })
}
