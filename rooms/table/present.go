package table

import (
	"maps"
	"slices"
)

// present is whom the rules believe to be at the table: who was joined and not
// left since. It is part of what the log makes, so that each node that decides
// goes on with it, and tells of nobody twice.
type present map[string]struct{}

// take notes who came and went by a step.
func (p present) take(s Step) {
	for _, uid := range s.Came {
		p[uid] = struct{}{}
	}
	for _, uid := range s.Gone {
		delete(p, uid)
	}
}

// tell notes in p and in the step that is being made what a command of the engine
// tells. It reports false for what the rules know: such a command is left out.
func (p present) tell(s *Step, c Command) bool {
	if c.User.From != FromEngine || c.Type != TypeJoined && c.Type != TypeLeft {
		return true
	}
	uid := c.User.UID
	_, known := p[uid]
	if known == (c.Type == TypeJoined) {
		return false
	}
	if known {
		delete(p, uid)
		s.Came, s.Gone = move(s.Came, s.Gone, uid)
	} else {
		p[uid] = struct{}{}
		s.Gone, s.Came = move(s.Gone, s.Came, uid)
	}
	return true
}

// move takes a user off one list or, who is not on it, puts him on the other: of
// somebody who comes and goes within a step nothing is left.
func move(off, on []string, uid string) ([]string, []string) {
	if i := slices.Index(off, uid); i >= 0 {
		return slices.Delete(off, i, i+1), on
	}
	return off, append(on, uid)
}

// Present is how many users the rules believe to be there.
func (l *Log) Present() int { return len(l.there) }

// Difference is what the rules have to be told so that they know who is there:
// whom they take for absent, and whom they take for present; sorted by uid, and
// at most so many of both together.
func (l *Log) Difference(there map[string]User, most int) (joined []User, left []string) {
	for _, uid := range slices.Sorted(maps.Keys(l.there)) {
		if _, here := there[uid]; !here && len(left) < most {
			left = append(left, uid)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(there)) {
		if _, known := l.there[uid]; !known && len(left)+len(joined) < most {
			joined = append(joined, there[uid])
		}
	}
	return joined, left
}
