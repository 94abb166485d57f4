package presence_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

// Whatever other nodes send, one JSON object a line: the table stays whole, who
// is here stays, what it tells leads to what it lists, what it passes on
// arrives, and when the others are dropped nothing of them is left.
func FuzzApply(f *testing.F) {
	f.Add([]byte(`{"node":"b","incarnation":1,"version":1,"joined":[{"uid":"x","username":"X","avatar_id":"1"},{"uid":"ann"}]}
{"node":"b","incarnation":1,"version":2,"left":["x"]}`))
	f.Add([]byte(`{"node":"b","version":9,"full":true,"part":1,"parts":2,"joined":[{"uid":"x"}]}
{"node":"b","version":9,"full":true,"part":2,"parts":2,"joined":[{"uid":"y"}]}
{"node":"c","version":1,"joined":[{"uid":"y"}]}
{"node":"b","incarnation":2,"version":9}`))
	f.Add([]byte(`{"node":"a","version":1,"left":["ann"]}
{"node":"b","version":18446744073709551615,"full":true}
{"node":"b","version":1,"part":1,"parts":1000000000}`))
	f.Add([]byte(`{"node":"b","boot":"1","incarnation":9,"version":1,"joined":[{"uid":"x"},{"uid":"ann"}]}
{"node":"b","boot":"2","incarnation":3,"version":1,"joined":[{"uid":"x"},{"uid":"y"}]}
{"node":"b","boot":"1","incarnation":9,"version":2,"left":["x"]}
{"node":"b","incarnation":1,"version":0,"full":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab := presence.New("a", 0, 1)
		join(t, tab, "1", user("ann"))
		tab.Changes()
		told := map[string]presence.User{"ann": user("ann")}
		for line := range bytes.Lines(data) {
			var d presence.Diff
			if json.Unmarshal(line, &d) != nil {
				continue
			}
			before := tab.Nodes()
			tab.Apply(d)
			if d.Check() != nil && !slices.Equal(before, tab.Nodes()) {
				t.Fatalf("%s does not pass Check but had an effect", line)
			}
			audit(t, tab)
			tell(t, tab, told)
		}
		for _, n := range tab.Nodes() {
			tab.DropNode(n.Node)
			audit(t, tab)
		}
		tell(t, tab, told)
		if users, _ := tab.List("", 9); !slices.Equal(users, []presence.User{user("ann")}) {
			t.Fatalf("without the others: %v", users)
		}
	})
}

// tell applies tab's changes to told, which must then be its list.
func tell(t *testing.T, tab *presence.Table, told map[string]presence.User) {
	joined, left, _ := tab.Changes()
	for _, u := range joined {
		told[u.UID] = u
	}
	for _, u := range left {
		delete(told, u.UID)
	}
	users, next := tab.List("", 1<<20)
	if len(users) != len(told) || len(users) != tab.Count() || next != "" {
		t.Fatalf("%d users listed, %d told, count %d, next %q", len(users), len(told), tab.Count(), next)
	}
	for _, u := range users {
		if told[u.UID] != u {
			t.Fatalf("listed %v, told %v", u, told[u.UID])
		}
	}
}

// Any names, cut anywhere, arrive as JSON carries them.
func FuzzSplit(f *testing.F) {
	f.Add("ann", "百家樂", "\xff\"<&>\u2028", 200)
	f.Add("\x00", "\ufffd", "", -1)
	f.Fuzz(func(t *testing.T, s1, s2, s3 string, limit int) {
		whole := presence.Diff{
			Node: "n" + s3, Boot: 1<<64 - 1, Incarnation: 1<<64 - 1, Version: 1,
			Joined: []presence.User{{UID: "1" + s1, Username: s2, AvatarID: s3}, {UID: "2" + s2, Username: s1}, {UID: "3" + s3}},
			Left:   []string{"4" + s1, "5" + s2, "6" + s3},
		}
		bound := limit
		if limit <= 0 {
			bound = presence.PartBytes
		}
		var joined []presence.User
		var left []string
		parts := whole.Split(limit)
		for i, p := range parts {
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > bound && len(p.Joined)+len(p.Left) > 1 {
				t.Fatalf("a part of %d bytes, limit %d: %s", len(data), limit, data)
			}
			if err := p.Check(); err != nil || len(parts) > 1 && (p.Part != i+1 || p.Parts != len(parts)) {
				t.Fatalf("part %d of %d is numbered %d of %d: %v", i+1, len(parts), p.Part, p.Parts, err)
			}
			joined, left = append(joined, p.Joined...), append(left, p.Left...)
		}
		if !slices.Equal(joined, whole.Joined) || !slices.Equal(left, whole.Left) {
			t.Fatalf("%v and %v arrived of %+v", joined, left, whole)
		}
	})
}
