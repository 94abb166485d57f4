package lobby

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestDirectoryFollowsJournals: whatever happens to the rooms of two nodes, and
// however seldom a third one asks, its list is what a look at both would give.
func TestDirectoryFollowsJournals(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	nodes := map[string]*node{"a": {boot: 1}, "b": {boot: 2}}
	var d Directory
	for round := range 400 {
		for _, n := range nodes {
			n.change(rnd)
			if rnd.IntN(3) > 0 {
				continue
			}
			if rnd.IntN(10) == 0 {
				n.boot, n.journal = n.boot+2, Journal{}
				n.journal.Update(maps.Values(n.open))
			}
		}
		for name, n := range nodes {
			boot, version := d.Known(name)
			if boot != n.boot {
				version = 0
			}
			if err := d.Apply(name, n.boot, slices.Collect(n.journal.Since(version).Split(1+rnd.IntN(9)))); err != nil {
				t.Fatal(err)
			}
		}
		var want Directory
		for name, n := range nodes {
			full := Delta{Full: true}
			for _, e := range n.open {
				full.add(e)
			}
			if err := want.Apply(name, n.boot, []Delta{full}); err != nil {
				t.Fatal(err)
			}
		}
		got, expect := d.List(nothing, unlabelled), want.List(nothing, unlabelled)
		if !slices.EqualFunc(rooms(got), rooms(expect), func(a, b Room) bool { return a.Entry == b.Entry }) {
			t.Fatalf("round %d: the list is %v, want %v", round, rooms(got), rooms(expect))
		}
	}
}

func nothing(func(Entry) bool) {}

func unlabelled(func(string, json.RawMessage) bool) {}

type node struct {
	boot    uint64
	journal Journal
	open    map[string]Entry
}

// change opens, changes and ends rooms.
func (n *node) change(rnd *rand.Rand) {
	if n.open == nil {
		n.open = make(map[string]Entry)
	}
	for range rnd.IntN(8) {
		name := fmt.Sprint("room-", rnd.IntN(20))
		if rnd.IntN(3) == 0 {
			delete(n.open, name)
			continue
		}
		n.open[name] = Entry{Name: name, Users: int64(rnd.IntN(3)), Sessions: int64(rnd.IntN(3)), Seq: rnd.Uint64N(3), Active: rnd.Int64N(100)}
	}
	n.journal.Update(maps.Values(n.open))
}

// TestDeltaIsSmall: who has the last version is told what has changed, and no
// more; who has an older one than the journal remembers is told everything.
func TestDeltaIsSmall(t *testing.T) {
	var j Journal
	open := make(map[string]Entry)
	for i := range maxTombstones + 10 {
		name := fmt.Sprint("room-", i)
		open[name] = Entry{Name: name, Users: 1}
	}
	j.Update(maps.Values(open))
	first := j.Version()
	open["room-7"] = Entry{Name: "room-7", Users: 2}
	delete(open, "room-8")
	j.Update(maps.Values(open))
	if d := j.Since(first); d.Full || !slices.Equal(d.Names, []string{"room-7"}) || !slices.Equal(d.Closed, []string{"room-8"}) {
		t.Errorf("the delta is %+v, want room-7 and room-8 gone", d)
	}
	if d := j.Since(j.Version()); d.Full || len(d.Names)+len(d.Closed) > 0 {
		t.Errorf("the delta of the last version is %+v, want none", d)
	}
	last := j.Version()
	j.Update(maps.Values(open))
	if j.Version() != last {
		t.Error("a look that finds no change has made a version")
	}
	j.Update(nothing)
	if d := j.Since(first); !d.Full || len(d.Names) != 0 {
		t.Errorf("since a version that is forgotten the delta has Full %t and %d rooms, want everything, which is none", d.Full, len(d.Names))
	}
}

// TestBadDelta: columns of two lengths are refused, and change nothing.
func TestBadDelta(t *testing.T) {
	var d Directory
	good := Delta{Version: 1, Full: true}
	good.add(Entry{Name: "x", Users: 1})
	if err := d.Apply("a", 1, []Delta{good}); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply("a", 1, []Delta{{Version: 2, Full: true}, {Version: 2, Names: []string{"y"}}}); err == nil {
		t.Error("columns of two lengths were taken")
	}
	if got := names(rooms(d.List(nothing, unlabelled))); got != "x" {
		t.Errorf("the list is %q, want x", got)
	}
	d.Keep(nil)
	if got := d.List(nothing, unlabelled).Len(); got != 0 {
		t.Errorf("a node that is gone has left %d rooms", got)
	}
}

func rooms(l *List) []Room { return slices.Collect(l.All()) }

func names(rooms []Room) string {
	list := make([]string, len(rooms))
	for i, r := range rooms {
		list[i] = r.Name
	}
	return strings.Join(list, " ")
}

// TestWhatIsListed: rooms with people, with events or with a label.
func TestWhatIsListed(t *testing.T) {
	var d Directory
	own := slices.Values([]Entry{
		{Name: "people", Users: 2, Active: 5}, {Name: "said", Seq: 9, Active: 7}, {Name: "asked for"}, {Name: "labelled", Active: 3},
	})
	labels := map[string]json.RawMessage{"labelled": json.RawMessage(`1`), "closed": json.RawMessage(`"soon"`)}
	list := d.List(own, maps.All(labels))
	if got, want := names(rooms(list)), "closed labelled people said"; got != want {
		t.Errorf("listed are %q, want %q", got, want)
	}
	at := map[string]int64{"said": 7}
	for r := range list.All() {
		if r.At() != at[r.Name] {
			t.Errorf("the newest event of %s was at %d, want %d", r.Name, r.At(), at[r.Name])
		}
		if string(r.Label) != string(labels[r.Name]) {
			t.Errorf("the label of %s is %s, want %s", r.Name, r.Label, labels[r.Name])
		}
	}
}

// TestLabelledComeFirst: whatever names guests choose for their rooms, those of
// the site, which alone gives labels, are on the first page.
func TestLabelledComeFirst(t *testing.T) {
	var d Directory
	own := make([]Entry, 0, 202)
	for i := range 200 {
		own = append(own, Entry{Name: fmt.Sprintf("!%03d", i), Users: 9})
	}
	own = append(own, Entry{Name: "table-1", Users: 1}, Entry{Name: "general", Users: 1})
	labels := map[string]json.RawMessage{"table-2": json.RawMessage(`2`), "table-1": json.RawMessage(`1`)}
	page, next := d.List(slices.Values(own), maps.All(labels)).Page(Query{Limit: 3})
	if got, want := names(page), "table-1 table-2 !000"; got != want || next != "!000" {
		t.Errorf("the first page is %q and ends at %q, want %q and !000", got, next, want)
	}
}

// TestPagesOfChangingLists: while rooms come and go between the pages, each that
// stays as it is is given once and in order, also when the one at which a page
// ended goes or loses its label.
func TestPagesOfChangingLists(t *testing.T) {
	var d Directory
	list := func(names, labelled string) *List {
		labels := make(map[string]json.RawMessage)
		for _, name := range strings.Fields(labelled) {
			labels[name] = json.RawMessage(`1`)
		}
		return d.List(func(yield func(Entry) bool) {
			for _, name := range strings.Fields(names) {
				if !yield(Entry{Name: name, Users: 1}) {
					return
				}
			}
		}, maps.All(labels))
	}
	for _, tc := range []struct {
		what  string
		then  *List
		after string
		want  string
	}{
		{"nothing changes", list("a b c d e", "b d"), "@b", "d a c e"},
		{"the last one shown goes", list("a c d e", "d"), "@b", "d a c e"},
		{"it loses its label, and is shown as what it is now", list("a b c d e", "d"), "@b", "d a b c e"},
		{"one without a label gets one", list("a b c d e", "b d a"), "a", "c e"},
		{"one comes in front", list("a b c d e 0", "b d"), "a", "c e"},
		{"one with a label comes behind", list("a b c d e f", "b d f"), "@d", "f a c e"},
		{"the end", list("a b", "b"), "a", ""},
	} {
		page, next := tc.then.Page(Query{After: tc.after, Limit: 10})
		if got := names(page); got != tc.want || next != "" {
			t.Errorf("%s: behind %s are %q and %q, want %q", tc.what, tc.after, got, next, tc.want)
		}
	}
}

// TestPages: page by page comes what matches, in order, whatever is asked.
func TestPages(t *testing.T) {
	var d Directory
	rnd := rand.New(rand.NewPCG(3, 4))
	var entries []Entry
	seen := make(map[string]bool)
	labels := make(map[string]json.RawMessage)
	for len(entries) < 300 {
		name := word(rnd, 4)
		if name != "" && !seen[name] {
			seen[name] = true
			entries = append(entries, Entry{Name: name, Users: 1})
			if rnd.IntN(4) == 0 {
				labels[name] = json.RawMessage(`1`)
			}
		}
	}
	list := d.List(slices.Values(entries), maps.All(labels))
	for range 2000 {
		q := Query{Prefix: word(rnd, 2), Limit: 1 + rnd.IntN(20)}
		if rnd.IntN(2) == 0 {
			q.Rooms = make([]string, rnd.IntN(5))
			for i := range q.Rooms {
				q.Rooms[i] = word(rnd, 3) + []string{"", "*"}[rnd.IntN(2)]
			}
		}
		var want []Room
		for r := range list.All() {
			if strings.HasPrefix(r.Name, q.Prefix) && wanted(q.Rooms, r.Name) {
				want = append(want, r)
			}
		}
		got, full := []Room(nil), true
		for ask := q; ; {
			page, next := list.Page(ask)
			if len(page) > q.Limit || next != "" && len(page) < q.Limit {
				full = false
			}
			got = append(got, page...)
			if next == "" {
				break
			}
			ask.After = next
		}
		if !full || names(got) != names(want) {
			t.Fatalf("%+v gives %q, want %q (pages full: %t)", q, names(got), names(want), full)
		}
	}
}

func wanted(patterns []string, name string) bool {
	return patterns == nil || slices.ContainsFunc(patterns, func(p string) bool {
		prefix, wild := strings.CutSuffix(p, "*")
		return p == name || wild && strings.HasPrefix(name, prefix)
	})
}

// word is a short one, of few letters; "" among them.
func word(rnd *rand.Rand, most int) string {
	letters := []string{"a", "b", "-", "百", "*"}
	var b strings.Builder
	for range rnd.IntN(most + 1) {
		b.WriteString(letters[rnd.IntN(len(letters))])
	}
	return b.String()
}

// BenchmarkRefresh is what one node pays each time the list is made anew, with
// 10,000 rooms on each of two nodes, half of them the same and a tenth changed.
func BenchmarkRefresh(b *testing.B) {
	const rooms = 10_000
	var own, other Journal
	var d Directory
	at := int64(0)
	entries := func(first int) func(func(Entry) bool) {
		return func(yield func(Entry) bool) {
			for i := range rooms {
				e := Entry{Name: fmt.Sprintf("table-%05d", first+i), Users: 8, Sessions: 8, Seq: 1}
				if i%10 == 0 {
					e.Active = at
				}
				if !yield(e) {
					return
				}
			}
		}
	}
	for b.Loop() {
		at++
		own.Update(entries(0))
		_, version := d.Known("b")
		other.Update(entries(rooms / 2))
		if err := d.Apply("b", 1, slices.Collect(other.Since(version).Split(500))); err != nil {
			b.Fatal(err)
		}
		if got := d.List(own.Entries(), unlabelled).Len(); got != rooms*3/2 {
			b.Fatalf("there are %d rooms", got)
		}
	}
}

// BenchmarkPage is one page of 100 out of 10,000 rooms.
func BenchmarkPage(b *testing.B) {
	var d Directory
	list := d.List(func(yield func(Entry) bool) {
		for i := range 10_000 {
			if !yield(Entry{Name: fmt.Sprintf("table-%05d", i), Users: 8}) {
				return
			}
		}
	}, unlabelled)
	for b.Loop() {
		if page, _ := list.Page(Query{After: "table-05000", Rooms: []string{"lobby", "table-0*", "vip"}, Limit: 100}); len(page) != 100 {
			b.Fatal(len(page))
		}
	}
}
