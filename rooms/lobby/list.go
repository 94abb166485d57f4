package lobby

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"sort"
	"strings"
)

// Room is a room of the whole cluster. Sessions are those on all nodes.
type Room struct {
	Entry
	Label json.RawMessage // nil: none
}

// At returns the time of the newest event in ms since 1970; 0: there is none,
// or the room is open nowhere.
func (r Room) At() int64 {
	if r.Seq == 0 {
		return 0
	}
	return r.Active
}

// labelledMark precedes the name in the cursor of a room with a label. No
// listed room's name begins with it: that would be an inbox.
const labelledMark = "@"

// Cursor returns the value of Query.After for the rooms after this one. It
// contains whether the room has a label now, so that it is the same position in
// the order after the room, or its label, is removed.
func (r Room) Cursor() string {
	if r.Label != nil {
		return labelledMark + r.Name
	}
	return r.Name
}

// List is an immutable list of rooms, those with a label first, then sorted by
// name. Labels go first because only programs and services can set one, while
// anybody who may enter any room can choose a name that sorts before all
// others. Its methods may be called from any goroutine.
type List struct {
	labelled, others byName
}

// Query selects rooms.
type Query struct {
	Prefix string // of the name
	After  string // the Cursor of a room: only those after it; "": from the beginning
	// Rooms are names, or prefixes of names and "*"; nil: every name, empty:
	// none.
	Rooms []string
	Limit int // at least 1
}

func newList(rooms map[string]Room) *List {
	l := &List{others: make(byName, 0, len(rooms))}
	for _, r := range rooms {
		if r.Label != nil {
			l.labelled = append(l.labelled, r)
		} else {
			l.others = append(l.others, r)
		}
	}
	l.labelled.sort()
	l.others.sort()
	return l
}

// Len returns the number of rooms.
func (l *List) Len() int { return len(l.labelled) + len(l.others) }

// All returns all rooms in order.
func (l *List) All() iter.Seq[Room] {
	return func(yield func(Room) bool) {
		for _, part := range []byName{l.labelled, l.others} {
			for _, r := range part {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Page returns the first rooms that match a query, in order, at most q.Limit.
// next is the After of the next page; "" if this is the last. It takes time
// linear in the length of the page, and logarithmic in that of the list for
// each of q.Rooms.
func (l *List) Page(q Query) (page []Room, next string) {
	spans := l.spans(q)
	left := 0
	for _, s := range spans {
		left += len(s)
	}
	page = make([]Room, 0, min(left, q.Limit))
	for _, s := range spans {
		for _, r := range s {
			if len(page) == q.Limit {
				return page, page[len(page)-1].Cursor()
			}
			page = append(page, r)
		}
	}
	return page, ""
}

// spans returns the parts of the list that match a query, in order and without
// overlaps.
func (l *List) spans(q Query) []byName {
	after, labelled := strings.CutPrefix(q.After, labelledMark)
	switch {
	case after == "":
		return append(l.labelled.spans(q, ""), l.others.spans(q, "")...)
	case labelled:
		return append(l.labelled.spans(q, after), l.others.spans(q, "")...)
	}
	return l.others.spans(q, after)
}

// byName is rooms sorted by name, compared byte by byte.
type byName []Room

func (b byName) sort() {
	slices.SortFunc(b, func(x, y Room) int { return cmp.Compare(x.Name, y.Name) })
}

// span is a part of a byName: [from, to).
type span struct{ from, to int }

// spans returns the rooms that match a query and whose names are after after.
func (b byName) spans(q Query, after string) []byName {
	within := b.prefixed(q.Prefix)
	if after != "" {
		within.from = max(within.from, sort.Search(len(b), func(i int) bool { return b[i].Name > after }))
		within.to = max(within.from, within.to)
	}
	if q.Rooms == nil {
		return []byName{b[within.from:within.to]}
	}
	spans := make([]span, 0, len(q.Rooms))
	for _, pattern := range q.Rooms {
		s := b.matching(pattern)
		s.from, s.to = max(s.from, within.from), min(s.to, within.to)
		if s.from < s.to {
			spans = append(spans, s)
		}
	}
	slices.SortFunc(spans, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	parts, end := make([]byName, 0, len(spans)), 0
	for _, s := range spans {
		s.from = max(s.from, end)
		if s.from < s.to {
			parts, end = append(parts, b[s.from:s.to]), s.to
		}
	}
	return parts
}

// matching returns the span of a pattern's rooms.
func (b byName) matching(pattern string) span {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return b.prefixed(prefix)
	}
	at := b.search(pattern)
	if at < len(b) && b[at].Name == pattern {
		return span{at, at + 1}
	}
	return span{}
}

func (b byName) prefixed(prefix string) span {
	from := b.search(prefix)
	n := sort.Search(len(b)-from, func(i int) bool { return !strings.HasPrefix(b[from+i].Name, prefix) })
	return span{from, from + n}
}

// search returns the index of the first room whose name is not less.
func (b byName) search(name string) int {
	return sort.Search(len(b), func(i int) bool { return b[i].Name >= name })
}
