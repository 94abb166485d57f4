package presence

import (
	"slices"
	"testing"
)

// TestShown: who was shown the list between two changes that cancel out is told
// of the second, because the first was in the list.
func TestShown(t *testing.T) {
	a, a2, b := User{UID: "a", Username: "A"}, User{UID: "a", Username: "A2"}, User{UID: "b"}
	for _, c := range []struct {
		name         string
		run          func(t *Table)
		joined, left []User
	}{
		{"came, shown, went", func(t *Table) { t.Join("1", a); t.Shown(); t.Leave("1") }, nil, []User{a}},
		{"came, went", func(t *Table) { t.Join("1", a); t.Leave("1") }, nil, nil},
		{"shown, came, went", func(t *Table) { t.Shown(); t.Join("1", a); t.Leave("1") }, nil, nil},
		{"came, went, shown", func(t *Table) { t.Join("1", a); t.Leave("1"); t.Shown() }, nil, nil},
		{"went, shown, came", func(t *Table) { t.Leave("b"); t.Shown(); t.Join("b", b) }, []User{b}, nil},
		{"went, came", func(t *Table) { t.Leave("b"); t.Join("b", b) }, nil, nil},
		{"came, renamed, shown, went", func(t *Table) { t.Join("1", a); t.Join("1", a2); t.Shown(); t.Leave("1") }, nil, []User{a2}},
		{"came, shown to itself, went", func(t *Table) { t.Join("1", a); t.ShownTo("a"); t.Leave("1") }, nil, nil},
		{"came, shown to itself and another, went", func(t *Table) { t.Join("1", a); t.ShownTo("a"); t.ShownTo("b"); t.Leave("1") }, nil, []User{a}},
		{"came, shown to another and itself, went", func(t *Table) { t.Join("1", a); t.ShownTo("b"); t.ShownTo("a"); t.Leave("1") }, nil, []User{a}},
		{"two came, each shown to itself, went", func(t *Table) {
			t.Join("1", a)
			t.ShownTo("a")
			t.Join("2", User{UID: "c"})
			t.ShownTo("c")
			t.Leave("1")
			t.Leave("2")
		}, nil, []User{a}},
		{"came twice, shown to itself, went", func(t *Table) {
			t.Join("1", a)
			t.ShownTo("a")
			t.Join("2", a)
			t.ShownTo("a")
			t.Leave("2")
			t.Leave("1")
		}, nil, nil},
		{"came, shown to itself, stays", func(t *Table) { t.Join("1", a); t.ShownTo("a") }, []User{a}, nil},
		{"went, came, shown to itself, went", func(t *Table) { t.Leave("b"); t.Join("b", b); t.ShownTo("b"); t.Leave("b") }, nil, []User{b}},
		{"shown and drained before", func(t *Table) { t.Join("1", a); t.Shown(); t.Changes(); t.Leave("1"); t.Join("1", a) }, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := New("n", 0, 1)
			if err := table.Join("b", b); err != nil {
				t.Fatal(err)
			}
			table.Changes()
			c.run(table)
			joined, left, _ := table.Changes()
			if !slices.Equal(joined, c.joined) || !slices.Equal(left, c.left) {
				t.Errorf("joined %v, left %v; want %v and %v", joined, left, c.joined, c.left)
			}
			if err := table.Audit(); err != nil {
				t.Error(err)
			}
			if joined, left, changed := table.Changes(); changed {
				t.Errorf("drained twice: %v, %v", joined, left)
			}
		})
	}
}
