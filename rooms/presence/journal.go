package presence

import (
	"slices"
	"strings"
)

// journal holds, for every user whose record differs from that at the last
// drain, what it was then. So changes that cancel out leave nothing behind, and
// a journal that is never drained holds at most one record for each user who is
// here or was here at the last drain.
//
// A client that was shown the list in between knows the state of that moment,
// so a change made before it and reverted after it does not cancel out.
type journal struct {
	changed dict[record]
	shown   uint32 // how many times the list was shown
}

// record is what a journal knows of one user's earlier states.
type record struct {
	drained *User  // the record at the last drain; nil: was not here
	last    *User  // the record before the latest change; nil: was not here then
	shown   uint32 // journal.shown when it changed first, or only the user itself was shown the list since
}

// showTo notes that a client of a user was shown the list. Who came since the
// last drain may go as it came when nobody else knows of it; then none of its
// own clients is left here either.
func (j *journal) showTo(uid string) {
	r, touched := j.changed.get(uid)
	if touched && r.drained == nil && r.shown == j.shown {
		r.shown++
		j.changed.set(uid, r)
	}
	j.shown++
}

// record notes that a user changed from before to after; nil is absence.
func (j *journal) record(uid string, before, after *User) {
	r, touched := j.changed.get(uid)
	switch {
	case !touched && sameUser(before, after):
	case !touched:
		kept := keep(before)
		j.changed.set(uid, record{drained: kept, last: kept, shown: j.shown})
	case sameUser(r.drained, after) && r.shown == j.shown:
		j.changed.delete(uid)
	case before != nil && !sameUser(r.last, before):
		r.last = keep(before)
		j.changed.set(uid, r)
	}
}

func keep(u *User) *User {
	if u == nil {
		return nil
	}
	kept := *u
	return &kept
}

// drain returns the net changes, each sorted by uid, and empties the journal.
// now looks up the present record of a user.
func (j *journal) drain(now func(uid string) (User, bool)) (joined, left []User) {
	for uid, r := range j.changed.all {
		switch u, here := now(uid); {
		case here:
			joined = append(joined, u)
		case r.drained != nil:
			left = append(left, *r.drained)
		case r.last != nil:
			left = append(left, *r.last)
		}
	}
	j.changed = dict[record]{}
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
