package presence_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// said is a Diff of node b.
func said(incarnation, version uint64, change func(d *presence.Diff)) presence.Diff {
	d := presence.Diff{Node: "b", Incarnation: incarnation, Version: version}
	if change != nil {
		change(&d)
	}
	return d
}

func joins(uids ...string) func(d *presence.Diff) {
	return func(d *presence.Diff) {
		for _, uid := range uids {
			d.Joined = append(d.Joined, user(uid))
		}
	}
}

func leaves(uids ...string) func(d *presence.Diff) {
	return func(d *presence.Diff) { d.Left = uids }
}

func state(uids ...string) func(d *presence.Diff) {
	return func(d *presence.Diff) { joins(uids...)(d); d.Full = true }
}

func part(n, of int, change func(d *presence.Diff)) func(d *presence.Diff) {
	return func(d *presence.Diff) { change(d); d.Part, d.Parts = n, of }
}

func boots(b presence.Boot, change func(d *presence.Diff)) func(d *presence.Diff) {
	return func(d *presence.Diff) { change(d); d.Boot = b }
}

// Every case begins with what node b said before: incarnation 5, version 3,
// users x and y; this node has ann.
func TestApply(t *testing.T) {
	type in struct {
		d   presence.Diff
		ask bool
	}
	for _, c := range []struct {
		name string
		in   []in
		want string
	}{
		{"the next version", []in{{said(5, 4, joins("z")), false}}, "ann x y z"},
		{"the next version, leaving", []in{{said(5, 4, leaves("x", "nobody")), false}}, "ann y"},
		{"a user both joins and leaves", []in{{said(5, 4, func(d *presence.Diff) { joins("z")(d); leaves("z", "x")(d) }), false}}, "ann y z"},
		{"the version that is known", []in{{said(5, 3, joins("z")), false}}, "ann x y"},
		{"an older version", []in{{said(5, 1, joins("z")), false}}, "ann x y"},
		{"a hole", []in{{said(5, 5, joins("z")), true}}, "ann x y"},
		{"a hole that is still there", []in{{said(5, 5, joins("z")), true}, {said(5, 6, joins("z")), true}}, "ann x y"},
		{"a hole, filled late", []in{{said(5, 5, joins("z")), true}, {said(5, 4, joins("w")), false}, {said(5, 5, joins("z")), false}}, "ann w x y z"},
		{"a hole, then the state", []in{{said(5, 5, joins("z")), true}, {said(5, 5, state("x", "z")), false}, {said(5, 6, leaves("x")), false}}, "ann z"},
		{"a state that is known", []in{{said(5, 3, state("z")), false}}, "ann x y"},
		{"an old state", []in{{said(5, 2, state("z")), false}}, "ann x y"},
		{"an empty state", []in{{said(5, 9, state()), false}}, "ann"},
		{"a state of the new incarnation", []in{{said(6, 2, state("z")), false}}, "ann z"},
		{"an empty state of the new incarnation", []in{{said(6, 0, state()), false}}, "ann"},
		{"a diff of the new incarnation", []in{{said(6, 1, joins("z")), false}}, "ann z"},
		{"a hole in the new incarnation", []in{{said(6, 2, joins("z")), true}, {said(6, 2, state("w", "z")), false}}, "ann w z"},
		{"the old incarnation", []in{{said(4, 99, state("z")), false}}, "ann x y"},
		{"the old incarnation after the new", []in{{said(6, 1, joins("z")), false}, {said(5, 4, joins("w")), false}}, "ann z"},
		{"another boot, with a lower incarnation", []in{{said(4, 1, boots(2, joins("z"))), false}}, "ann x y z"},
		{"another boot has the user too", []in{{said(4, 1, boots(2, joins("x"))), false}, {said(4, 2, boots(2, leaves("x"))), false}}, "ann y"},
		{"another boot with nobody", []in{{said(4, 0, boots(2, state())), false}}, "ann x y"},
		{"a hole in another boot", []in{{said(4, 2, boots(2, joins("z"))), true}, {said(4, 2, boots(2, state("w", "x"))), false}}, "ann w x y"},
		{"the room of another boot is made again", []in{{said(4, 1, boots(2, joins("z"))), false}, {said(5, 1, boots(2, joins("w"))), false}}, "ann w x y"},
		{"a boot between", []in{{said(4, 1, boots(2, joins("z"))), false}, {said(3, 1, boots(3, joins("w", "x"))), false}}, "ann w x y z"},
		{"a boot that returns", []in{{said(4, 1, boots(2, joins("z", "x"))), false}, {said(5, 4, joins("w")), true}, {said(5, 4, state("w", "x")), false}}, "ann w x z"},
		{"parts of another boot", []in{
			{said(5, 4, part(1, 2, joins("z"))), false},
			{said(5, 4, boots(2, part(2, 2, state("w")))), false},
			{said(5, 4, boots(2, part(1, 2, state("v")))), false},
		}, "ann v w x y"},
		{"a user who is on this node too", []in{{said(5, 4, joins("ann")), false}, {said(5, 5, leaves("ann")), false}}, "ann x y"},
		{"this node", []in{{func() presence.Diff { d := said(9, 1, joins("z")); d.Node = "a"; return d }(), false}}, "ann x y"},
		{"parts", []in{{said(5, 4, part(1, 2, joins("z"))), false}, {said(5, 4, part(2, 2, leaves("x"))), false}}, "ann y z"},
		{"one part of two", []in{{said(5, 4, part(1, 2, joins("z"))), false}}, "ann x y"},
		{"one part of one", []in{{said(5, 4, part(1, 1, joins("z"))), false}}, "ann x y z"},
		{"parts the wrong way round", []in{{said(5, 9, part(2, 2, state("w"))), false}, {said(5, 9, part(1, 2, state("v"))), false}}, "ann v w"},
		{"a part twice", []in{{said(5, 9, part(1, 2, state("w"))), false}, {said(5, 9, part(1, 2, state("w"))), false}}, "ann x y"},
		{"parts with a hole", []in{{said(5, 5, part(1, 2, joins("z"))), true}}, "ann x y"},
		{"a lost part, then the next version", []in{{said(5, 4, part(1, 2, joins("z"))), false}, {said(5, 5, joins("w")), true}}, "ann x y"},
		{"a lost part, then the state", []in{{said(5, 4, part(1, 2, joins("z"))), false}, {said(5, 4, state("x", "z")), false}}, "ann x z"},
		{"a lost part, then the state in parts", []in{
			{said(5, 4, part(1, 2, joins("z"))), false},
			{said(5, 4, part(1, 2, state("x"))), false},
			{said(5, 4, part(2, 2, joins("y"))), false}, // the state needs no other
			{said(5, 4, part(2, 2, state("z"))), false},
		}, "ann x z"},
		{"a newer state in parts", []in{
			{said(5, 8, part(1, 2, state("v"))), false},
			{said(5, 9, part(1, 2, state("w"))), false},
			{said(5, 8, part(2, 2, state("v"))), false},
			{said(5, 9, part(2, 2, state("z"))), false},
		}, "ann w z"},
		{"the state cut differently", []in{
			{said(5, 9, part(1, 2, state("v"))), false},
			{said(5, 9, part(1, 3, state("u"))), false},
			{said(5, 9, part(2, 3, state("v"))), false},
			{said(5, 9, part(3, 3, state("w"))), false},
		}, "ann u v w"},
		{"parts of the old incarnation", []in{
			{said(5, 4, part(1, 2, joins("z"))), false},
			{said(6, 4, part(2, 2, state("w"))), false},
			{said(6, 4, part(1, 2, state("v"))), false},
		}, "ann v w"},
		{"no node", []in{{presence.Diff{Version: 1, Joined: []presence.User{user("z")}}, false}}, "ann x y"},
		{"no uid", []in{{said(5, 4, joins("z", "")), false}}, "ann x y"},
		{"part of nothing", []in{{said(5, 4, part(3, 2, joins("z"))), false}}, "ann x y"},
		{"too many parts", []in{{said(5, 4, part(1, presence.MaxParts+1, joins("z"))), false}}, "ann x y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := presence.New("a", 0, 1)
			join(t, tab, "1", user("ann"))
			if tab.Apply(said(5, 3, state("x", "y"))) {
				t.Fatal("a full state asks for more")
			}
			for i, in := range c.in {
				if ask := tab.Apply(in.d); ask != in.ask {
					t.Errorf("message %d: ask is %v", i, ask)
				}
				audit(t, tab)
			}
			if users, _ := tab.List("", 99); uids(users) != c.want {
				t.Errorf("users are %q, want %q", uids(users), c.want)
			}
		})
	}
}

func TestFirstWordsOfANode(t *testing.T) {
	for _, c := range []struct {
		d       presence.Diff
		ask     bool
		version uint64
	}{
		{said(5, 1, joins("x")), false, 1},
		{said(5, 2, joins("x")), true, 0},
		{said(5, 7, state("x")), false, 7},
		{said(5, 0, state()), false, 0},
	} {
		tab := presence.New("a", 0, 1)
		ask := tab.Apply(c.d)
		want := []presence.NodeVersion{{Node: "a", Incarnation: 1}, {Node: "b", Incarnation: 5, Version: c.version}}
		if got := tab.Nodes(); ask != c.ask || !slices.Equal(got, want) {
			t.Errorf("%+v: ask %v, nodes %v; want %v, %v", c.d, ask, got, c.ask, want)
		}
	}
}

func TestBehind(t *testing.T) {
	tab := presence.New("a", 0, 1)
	tab.Apply(said(5, 3, state("x")))
	for _, c := range []struct {
		node                 string
		incarnation, version uint64
		want                 bool
	}{
		{"b", 5, 3, false}, {"b", 5, 2, false}, {"b", 5, 4, true},
		{"b", 6, 0, true}, {"b", 4, 9, false},
		{"c", 1, 1, true}, {"c", 1, 0, false},
		{"a", 9, 9, false},
	} {
		n := presence.NodeVersion{Node: c.node, Incarnation: c.incarnation, Version: c.version}
		if got := tab.Behind(n); got != c.want {
			t.Errorf("Behind(%v) = %v", n, got)
		}
	}
}

func TestDropNode(t *testing.T) {
	tab := presence.New("a", 0, 1)
	join(t, tab, "1", user("ann"))
	tab.Apply(said(5, 3, state("ann", "bob", "cat")))
	c := said(7, 1, joins("cat", "dan"))
	c.Node = "c"
	tab.Apply(c)
	for _, step := range []struct{ drop, want string }{
		{"nobody", "ann bob cat dan"}, {"a", "ann bob cat dan"}, {"b", "ann cat dan"}, {"b", "ann cat dan"}, {"c", "ann"},
	} {
		tab.DropNode(step.drop)
		audit(t, tab)
		if users, _ := tab.List("", 9); uids(users) != step.want {
			t.Errorf("without %q: %q, want %q", step.drop, uids(users), step.want)
		}
	}
	// It was only cut off: it speaks on, and has to be asked.
	if !tab.Apply(said(5, 4, joins("eve"))) {
		t.Error("a node that was dropped and goes on is not asked for its state")
	}
	tab.Apply(said(5, 4, state("ann", "bob", "cat", "eve")))
	if users, _ := tab.List("", 9); uids(users) != "ann bob cat eve" {
		t.Errorf("after it came back: %q", uids(users))
	}
}

// Every node shows the same record of a user who has another name elsewhere,
// whichever it heard first: that of the highest incarnation.
func TestNameOverNodesIsTheSameEverywhere(t *testing.T) {
	says := func(node string, incarnation uint64) presence.Diff {
		return presence.Diff{Node: node, Incarnation: incarnation, Version: 1, Joined: []presence.User{named("ann", "at "+node)}}
	}
	diffs := []presence.Diff{says("b", 5), says("c", 9), says("d", 9), says("e", 1)}
	for first := range diffs {
		for _, local := range []string{"", "before", "after"} {
			tab := presence.New("a", 0, 7)
			if local == "before" {
				join(t, tab, "1", named("ann", "at a"))
			}
			for i := range diffs {
				tab.Apply(diffs[(first+i)%len(diffs)])
			}
			if local == "after" {
				join(t, tab, "1", named("ann", "at a"))
			}
			audit(t, tab)
			for _, step := range []struct{ drop, want string }{{"", "at d"}, {"d", "at c"}, {"c", "at a"}} {
				tab.DropNode(step.drop)
				want := step.want
				if want == "at a" && local == "" {
					want = "at b"
				}
				if u, _ := tab.Get("ann"); u.Username != want {
					t.Errorf("first %d, local %q, without %q: the name is %q, want %q", first, local, step.drop, u.Username, want)
				}
			}
		}
	}
}

func TestLocalDiffSaysOnlyItsOwn(t *testing.T) {
	tab := presence.New("a", 0, 1)
	tab.Apply(said(9, 1, joins("ann", "bob")))
	if d, any := tab.LocalDiff(); any {
		t.Fatalf("it repeats another node: %+v", d)
	}
	join(t, tab, "1", named("ann", "hidden behind b"))
	d, any := tab.LocalDiff()
	if !any || d.Version != 1 || len(d.Joined) != 1 || d.Joined[0].Username != "hidden behind b" {
		t.Errorf("the diff is %+v", d)
	}
	tab.Leave("1")
	if d, any = tab.LocalDiff(); !any || d.Version != 2 || !slices.Equal(d.Left, []string{"ann"}) {
		t.Errorf("the diff is %+v", d)
	}
	if tab.Count() != 2 {
		t.Errorf("%d users, want b's two", tab.Count())
	}
}

// The state must be that of its version: what is still to come in the next diff
// is not in it, otherwise a join that is taken back before it is told would
// stay.
func TestLocalStateIsOfItsVersion(t *testing.T) {
	a, b := presence.New("a", 0, 1), presence.New("b", 0, 1)
	for _, uid := range []string{"stays", "leaves", "renamed"} {
		join(t, a, uid, named(uid, "old"))
	}
	a.LocalDiff()
	a.Leave("leaves")
	join(t, a, "renamed", named("renamed", "new"))
	join(t, a, "fleeting", user("fleeting"))
	if s := a.LocalState(); s.Version != 1 || uids(s.Joined) != "leaves renamed stays" || s.Joined[1].Username != "old" {
		t.Errorf("the state is %+v", s)
	}
	b.Apply(a.LocalState())
	a.Leave("fleeting")
	d, _ := a.LocalDiff()
	if b.Apply(d) {
		t.Error("the diff after the state asks for more")
	}
	as, _ := a.List("", 9)
	bs, _ := b.List("", 9)
	if !slices.Equal(as, bs) {
		t.Errorf("a has %v, b has %v", as, bs)
	}
}

func TestDecodeDiff(t *testing.T) {
	for in, want := range map[string]string{
		`{"node":"b","incarnation":18446744073709551615,"version":1,"joined":[{"uid":"x","username":"","avatar_id":""}]}`: "",
		`{"node":"b","version":0,"full":true}`:                        "",
		`{"node":"b","boot":"00ff","version":0,"full":true,"new":{}}`: "",
		`{"node":"b","boot":"xyz","version":0,"full":true}`:           "hexadecimal",
		`{"node":"b","version":0}`:                                    "version 0",
		`{"node":"b","version":0,"full":true,"joined":[{"uid":"x"}]}`: "version 0",
		`{"version":1}`:                                        "names no node",
		`{"node":"b","version":1,"part":1}`:                    "part 1 of 0",
		`{"node":"b","version":1,"parts":2}`:                   "part 0 of 2",
		`{"node":"b","version":1,"part":-1,"parts":2}`:         "part -1 of 2",
		`{"node":"b","version":1,"part":1,"parts":1025}`:       "limit is 1024",
		`{"node":"b","version":1,"joined":[{"username":"x"}]}`: "joined has no uid",
		`{"node":"b","version":1,"left":[""]}`:                 "left has no uid",
		`{"node":"b","version":1,"full":true,"left":["x"]}`:    "a full state says who left",
		`{"node":"b","incarnation":-1,"version":1}`:            "decode a diff of 41 bytes",
		`{"node":"b"`: "unexpected end",
		strings.Repeat("[", 20) + `"node"` + strings.Repeat("]", 20) + ` garble`: "decode",
	} {
		d, err := presence.DecodeDiff([]byte(in))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", in, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want %q", in, err, want)
		case err != nil && d.Node != "":
			t.Errorf("%s: a diff besides the error: %+v", in, d)
		}
	}
}

func TestSplit(t *testing.T) {
	tab := presence.New("a", 0, 1)
	for i := range 5000 {
		uid := fmt.Sprintf("user-%06d", i)
		join(t, tab, uid, presence.User{UID: uid, Username: "百家樂 <&>\u2028\xff \" \n" + uid, AvatarID: "1"})
	}
	d, _ := tab.LocalDiff()
	for i := range 4000 {
		tab.Leave(fmt.Sprintf("user-%06d", i))
	}
	left, _ := tab.LocalDiff()
	both := left
	both.Joined = d.Joined
	for _, whole := range []presence.Diff{d, left, both, tab.LocalState()} {
		for _, limit := range []int{0, 2000, 20_000, 1 << 30} {
			bound := limit
			if limit == 0 {
				bound = presence.PartBytes
			}
			b, total := presence.New("b", 0, 1), 0
			b.Apply(presence.Diff{Node: "a", Incarnation: 1, Version: whole.Version - 1, Full: true})
			parts := whole.Split(limit)
			for i, p := range parts {
				data, err := json.Marshal(p)
				if err != nil {
					t.Fatal(err)
				}
				total += len(data)
				if len(data) > bound {
					t.Fatalf("part %d of %d has %d bytes, limit %d", i+1, len(parts), len(data), bound)
				}
				if b.Count() > 0 {
					t.Fatalf("part %d of %d came into effect before the last", i, len(parts))
				}
				p, err = presence.DecodeDiff(data)
				if err != nil {
					t.Fatal(err)
				}
				b.Apply(p)
			}
			if b.Count() != len(whole.Joined) {
				t.Errorf("%d users arrived of %d", b.Count(), len(whole.Joined))
			}
			if few := 2 + total*3/2/bound; len(parts) > few {
				t.Errorf("%d bytes became %d parts of up to %d", total, len(parts), bound)
			}
		}
	}
}

func TestSplitGivesWayToMaxParts(t *testing.T) {
	tab := presence.New("a", 0, 1)
	for i := range 3 * presence.MaxParts {
		join(t, tab, fmt.Sprint(i), user(fmt.Sprint(i)))
	}
	d, _ := tab.LocalDiff()
	parts := d.Split(1)
	if len(parts) > presence.MaxParts || len(parts) < presence.MaxParts/4 {
		t.Fatalf("%d parts", len(parts))
	}
	b := presence.New("b", 0, 1)
	for _, p := range parts {
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		b.Apply(p)
	}
	if b.Count() != tab.Count() {
		t.Errorf("%d users arrived of %d", b.Count(), tab.Count())
	}
}
