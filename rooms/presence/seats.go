package presence

import (
	"container/heap"
	"time"
)

// seat is kept for a session that was cut off.
type seat struct {
	session  string
	who      *claim
	deadline time.Time
	pos      int // in the heap

	older, newer *seat // other kept seats of the same user; who.kept is the newest
}

// seats is a heap by deadline. Push, Pop and Swap are for container/heap;
// callers use keep, move and end.
type seats []*seat

func (h *seats) keep(session string, c *claim, deadline time.Time) *seat {
	s := &seat{session: session, who: c, deadline: deadline, older: c.kept}
	if c.kept != nil {
		c.kept.newer = s
	}
	c.kept = s
	heap.Push(h, s)
	return s
}

func (h *seats) move(s *seat, deadline time.Time) {
	s.deadline = deadline
	heap.Fix(h, s.pos)
}

func (h *seats) end(s *seat) {
	heap.Remove(h, s.pos)
	if len(*h) == 0 {
		*h = nil
	}
	if s.newer != nil {
		s.newer.older = s.older
	} else {
		s.who.kept = s.older
	}
	if s.older != nil {
		s.older.newer = s.newer
	}
}

func (h seats) Len() int           { return len(h) }
func (h seats) Less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }
func (h seats) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *seats) Push(v any) {
	s := v.(*seat)
	s.pos = len(*h)
	*h = append(*h, s)
}

func (h *seats) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
