package presence_test

import (
	"slices"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// naive is one node's sessions kept the simplest way there is: a list that is
// searched from end to end.
type naive struct {
	sessions []naiveSession
	names    map[string]presence.User // the last record of each user
}

type naiveSession struct {
	id, uid  string
	away     bool
	since    int // order of being cut off
	deadline time.Time
}

func (n *naive) find(match func(s naiveSession) bool) int {
	return slices.IndexFunc(n.sessions, match)
}

func (n *naive) remove(i int) { n.sessions = slices.Delete(n.sessions, i, i+1) }

func (n *naive) join(id string, u presence.User) {
	if i := n.find(func(s naiveSession) bool { return s.id == id }); i >= 0 {
		if n.sessions[i].uid == u.UID {
			n.sessions[i].away = false
			n.names[u.UID] = u
			return
		}
		n.remove(i)
	}
	last := -1
	for i, s := range n.sessions {
		if s.uid == u.UID && s.away && (last < 0 || s.since > n.sessions[last].since) {
			last = i
		}
	}
	if last >= 0 {
		n.remove(last)
	}
	n.sessions = append(n.sessions, naiveSession{id: id, uid: u.UID})
	n.names[u.UID] = u
}

func (n *naive) leave(id string) {
	n.sessions = slices.DeleteFunc(n.sessions, func(s naiveSession) bool { return s.id == id })
}

func (n *naive) away(id string, deadline time.Time, step int) {
	for i := range n.sessions {
		if s := &n.sessions[i]; s.id == id {
			if !s.away {
				s.since = step
			}
			s.away, s.deadline = true, deadline
		}
	}
}

func (n *naive) expire(now time.Time) {
	n.sessions = slices.DeleteFunc(n.sessions, func(s naiveSession) bool { return s.away && !s.deadline.After(now) })
}

func (n *naive) users() map[string]presence.User {
	us := map[string]presence.User{}
	for _, s := range n.sessions {
		us[s.uid] = n.names[s.uid]
	}
	return us
}
