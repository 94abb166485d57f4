package lobby

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"sort"
	"strings"
)

// Room is a room as all nodes together know it. Sessions are those on all
// nodes.
type Room struct {
	Entry
	Label json.RawMessage // nil: none
}

// At is the time of the newest event in ms since 1970; 0: there is none, or the
// room is open nowhere.
func (r Room) At() int64 {
	if r.Seq == 0 {
		return 0
	}
	return r.Active
}

// List is all rooms by name, compared byte by byte. It does not change; any
// goroutine may read it.
type List struct {
	rooms []Room
}

// Query says which rooms are wanted.
type Query struct {
	Prefix string // of the name
	After  string // names behind this one only; "": from the beginning
	// Rooms are the names that count, or prefixes of them with "*" behind; nil:
	// every name, empty: none.
	Rooms []string
	Limit int // 1 at least
}

// Len is how many rooms there are.
func (l *List) Len() int { return len(l.rooms) }

// All are all rooms in order.
func (l *List) All() iter.Seq[Room] { return slices.Values(l.rooms) }

// Page returns the first rooms that a query wants, in order, at most q.Limit.
// next is what After takes for the next page; "" when this was the last. It
// looks at the rooms that it gives and, for each of q.Rooms, at the logarithm
// of all.
func (l *List) Page(q Query) (page []Room, next string) {
	spans := l.spans(q)
	left := 0
	for _, s := range spans {
		left += s.to - s.from
	}
	page = make([]Room, 0, min(left, q.Limit))
	for _, s := range spans {
		for _, r := range l.rooms[s.from:s.to] {
			if len(page) == q.Limit {
				return page, page[len(page)-1].Name
			}
			page = append(page, r)
		}
	}
	return page, ""
}

// span is a part of the list: from, up to before to.
type span struct{ from, to int }

// spans are the parts of the list that a query is about, in order, none of them
// empty and no two overlapping.
func (l *List) spans(q Query) []span {
	within := l.prefixed(q.Prefix)
	if q.After != "" {
		within.from = max(within.from, sort.Search(len(l.rooms), func(i int) bool { return l.rooms[i].Name > q.After }))
	}
	if q.Rooms == nil {
		return []span{within}
	}
	spans := make([]span, 0, len(q.Rooms))
	for _, pattern := range q.Rooms {
		s := l.matching(pattern)
		s.from, s.to = max(s.from, within.from), min(s.to, within.to)
		if s.from < s.to {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	end := 0
	for i := range spans {
		spans[i].from = max(spans[i].from, end)
		spans[i].to = max(spans[i].to, spans[i].from)
		end = spans[i].to
	}
	return spans
}

// matching is where the rooms of a pattern are.
func (l *List) matching(pattern string) span {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return l.prefixed(prefix)
	}
	at := l.search(pattern)
	if at < len(l.rooms) && l.rooms[at].Name == pattern {
		return span{at, at + 1}
	}
	return span{}
}

func (l *List) prefixed(prefix string) span {
	from := l.search(prefix)
	n := sort.Search(len(l.rooms)-from, func(i int) bool { return !strings.HasPrefix(l.rooms[from+i].Name, prefix) })
	return span{from, from + n}
}

// search is the first room whose name is not less.
func (l *List) search(name string) int {
	return sort.Search(len(l.rooms), func(i int) bool { return l.rooms[i].Name >= name })
}
