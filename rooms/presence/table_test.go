package presence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

func TestListPages(t *testing.T) {
	const n = 3*presence.BlockMax + 17
	tab, _ := crowd(t, n)
	audit(t, tab)
	for _, limit := range []int{1, 7, presence.BlockMax, n - 1, n, n + 1} {
		var all []presence.User
		pages, after := 0, ""
		for {
			users, next := tab.List(after, limit)
			all, pages = append(all, users...), pages+1
			if next == "" {
				break
			}
			if len(users) != limit || next != users[limit-1].UID {
				t.Fatalf("limit %d: a page of %d ends with next %q", limit, len(users), next)
			}
			after = next
		}
		if want := (n + limit - 1) / limit; pages != want || len(all) != n {
			t.Errorf("limit %d: %d users on %d pages, want %d on %d", limit, len(all), pages, n, want)
		}
		for i, u := range all {
			if want := user(fmt.Sprintf("u%06d", i)); u != want {
				t.Fatalf("limit %d: entry %d is %v, want %v", limit, i, u, want)
			}
		}
	}
}

func TestListEdges(t *testing.T) {
	tab := presence.New("a", 0, 1)
	for _, uid := range []string{"b", "d"} {
		join(t, tab, uid, user(uid))
	}
	for _, c := range []struct {
		after      string
		limit      int
		want, next string
	}{
		{"", 0, "", ""},
		{"", -1, "", ""},
		{"", 1, "b", "b"},
		{"", 2, "b d", ""},
		{"a", 9, "b d", ""},
		{"b", 9, "d", ""},
		{"c", 9, "d", ""}, // the user a page ended with may have left
		{"d", 9, "", ""},
		{"e", 9, "", ""},
	} {
		users, next := tab.List(c.after, c.limit)
		if uids(users) != c.want || next != c.next {
			t.Errorf("List(%q, %d) = %q, %q; want %q, %q", c.after, c.limit, uids(users), next, c.want, c.next)
		}
	}
	if users, next := presence.New("a", 0, 1).List("", 10); len(users) != 0 || next != "" {
		t.Errorf("an empty room lists %v, %q", users, next)
	}
}

func TestListIsACopy(t *testing.T) {
	tab, _ := crowd(t, 3)
	users, _ := tab.List("", 3)
	users[0].Username = "mallory"
	if u, _ := tab.Get(users[0].UID); u.Username == "mallory" {
		t.Error("a caller can rename users through the list")
	}
}

// A room that was full and is nearly empty must have given its memory back, and
// every order of leaving must keep the index whole.
func TestShrink(t *testing.T) {
	const n = 10 * presence.BlockMax
	orders := map[string]func(s []string){
		"first joined first": func([]string) {},
		"last joined first":  slices.Reverse[[]string],
		"scattered": func(s []string) {
			slices.SortFunc(s, func(a, b string) int { return int(a[len(a)-1]) - int(b[len(b)-1]) })
		},
		"by chance": func(s []string) {
			rand.New(rand.NewPCG(1, 1)).Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		},
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			tab, sessions := crowd(t, n)
			order(sessions)
			for i, s := range sessions {
				tab.Leave(s)
				if tab.Count() != n-1-i {
					t.Fatalf("%d users after %d of %d left", tab.Count(), i+1, n)
				}
				if i%50 == 0 || i > n-20 {
					audit(t, tab)
				}
			}
			if _, _, changed := tab.Changes(); changed {
				t.Error("who came and left between two calls was reported")
			}
		})
	}
}

func TestChanges(t *testing.T) {
	ann, anna := named("ann", "Ann"), named("ann", "Anna")
	for _, c := range []struct {
		name         string
		before, then func(tab *presence.Table)
		joined, left string
	}{
		{"nothing", func(*presence.Table) {}, func(*presence.Table) {}, "", ""},
		{"joins", func(*presence.Table) {}, func(tab *presence.Table) { join(t, tab, "1", ann) }, "ann Ann ", ""},
		{"joins and leaves", func(*presence.Table) {}, func(tab *presence.Table) { join(t, tab, "1", ann); tab.Leave("1") }, "", ""},
		{"leaves", func(tab *presence.Table) { join(t, tab, "1", ann) }, func(tab *presence.Table) { tab.Leave("1") }, "", "ann Ann "},
		{"leaves and joins", func(tab *presence.Table) { join(t, tab, "1", ann) },
			func(tab *presence.Table) { tab.Leave("1"); join(t, tab, "2", ann) }, "", ""},
		{"renamed", func(tab *presence.Table) { join(t, tab, "1", ann) }, func(tab *presence.Table) { join(t, tab, "1", anna) }, "ann Anna ", ""},
		{"renamed and back", func(tab *presence.Table) { join(t, tab, "1", ann) },
			func(tab *presence.Table) { join(t, tab, "1", anna); join(t, tab, "1", ann) }, "", ""},
		{"renamed, then leaves: under the name that was shown", func(tab *presence.Table) { join(t, tab, "1", ann) },
			func(tab *presence.Table) { join(t, tab, "1", anna); tab.Leave("1") }, "", "ann Ann "},
		{"leaves and joins with another name", func(tab *presence.Table) { join(t, tab, "1", ann) },
			func(tab *presence.Table) { tab.Leave("1"); join(t, tab, "1", anna) }, "ann Anna ", ""},
		{"a second session", func(tab *presence.Table) { join(t, tab, "1", ann) }, func(tab *presence.Table) { join(t, tab, "2", ann) }, "", ""},
		{"cut off and back", func(tab *presence.Table) { join(t, tab, "1", ann) },
			func(tab *presence.Table) { tab.Away("1", at(1)); join(t, tab, "2", ann) }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := presence.New("a", 0, 1)
			c.before(tab)
			tab.Changes()
			c.then(tab)
			audit(t, tab)
			joined, left, changed := tab.Changes()
			if got := full(joined); got != c.joined {
				t.Errorf("joined %q, want %q", got, c.joined)
			}
			if got := full(left); got != c.left {
				t.Errorf("left %q, want %q", got, c.left)
			}
			if changed != (c.joined+c.left != "") {
				t.Errorf("changed is %v", changed)
			}
			if _, _, again := tab.Changes(); again {
				t.Error("the same changes were reported twice")
			}
		})
	}
}

func TestChangesAreSorted(t *testing.T) {
	tab, sessions := crowd(t, 300)
	joined, _, _ := tab.Changes()
	for _, s := range sessions {
		tab.Leave(s)
	}
	_, left, _ := tab.Changes()
	for what, us := range map[string][]presence.User{"joined": joined, "left": left} {
		if len(us) != 300 || !slices.IsSortedFunc(us, func(a, b presence.User) int { return slices.Compare([]byte(a.UID), []byte(b.UID)) }) {
			t.Errorf("%d users %s, or not sorted", len(us), what)
		}
	}
}

func full(us []presence.User) string {
	s := ""
	for _, u := range us {
		s += u.UID + " " + u.Username + " "
	}
	return s
}
