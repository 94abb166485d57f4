package presence

import (
	"slices"
	"strings"
)

// journal remembers, for every user whose record is not what it was at the last
// drain, what it was then. So changes that cancel out leave nothing behind, and
// a journal that nobody drains holds at most one record for each user who is
// here or was here at the last drain.
type journal struct {
	was dict[*User] // nil: was not here
}

// note records that a user changed from before to after; nil is absence.
func (j *journal) note(uid string, before, after *User) {
	if was, touched := j.was.get(uid); touched {
		if sameUser(was, after) {
			j.was.delete(uid)
		}
		return
	}
	if sameUser(before, after) {
		return
	}
	if before == nil {
		j.was.set(uid, nil)
		return
	}
	kept := *before
	j.was.set(uid, &kept)
}

// drain returns the net changes, each sorted by uid, and starts anew. now looks
// up the present record of a user.
func (j *journal) drain(now func(uid string) (User, bool)) (joined, left []User) {
	for uid, was := range j.was.all {
		if u, here := now(uid); here {
			joined = append(joined, u)
		} else if was != nil {
			left = append(left, *was)
		}
	}
	j.was = dict[*User]{}
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
