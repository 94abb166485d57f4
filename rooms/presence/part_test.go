package presence_test

import (
	"math"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

func TestBehindAnotherBoot(t *testing.T) {
	tab := presence.New("a", 1, 1)
	tab.Apply(said(5, 3, boots(7, state("x"))))
	for _, c := range []struct {
		boot                 presence.Boot
		incarnation, version uint64
		want                 bool
	}{{7, 5, 3, false}, {7, 5, 4, true}, {7, 6, 0, true}, {8, 4, 1, true}, {8, 9, 0, false}, {0, 4, 1, true}} {
		n := presence.NodeVersion{Node: "b", Boot: c.boot, Incarnation: c.incarnation, Version: c.version}
		if got := tab.Behind(n); got != c.want {
			t.Errorf("Behind(%v) = %v", n, got)
		}
	}
}

// What a process said ends without the others of its node.
func TestDropProcess(t *testing.T) {
	tab := presence.New("a", 1, 1)
	join(t, tab, "1", user("ann"))
	tab.Apply(said(5, 1, boots(1, joins("x"))))
	tab.Apply(said(4, 1, boots(2, joins("ann", "y"))))
	tab.Apply(said(3, 1, boots(3, joins("z"))))
	all := uint64(math.MaxUint64)
	for _, step := range []struct {
		part presence.Process
		want string
	}{
		{presence.Process{Node: "c", Boot: 1, MaxIncarnation: all}, "ann x y z"},
		{presence.Process{Node: "b", Boot: 9, MaxIncarnation: all}, "ann x y z"},
		{presence.Process{Node: "b", Boot: 1, MaxIncarnation: 4}, "ann x y z"},
		{presence.Process{Node: "b", Boot: 3, MaxIncarnation: all}, "ann x y"}, // before another has spoken
		{presence.Process{Node: "b", Boot: 1, MaxIncarnation: all}, "ann y"},
		{presence.Process{Node: "b", Boot: 2, MaxIncarnation: all}, "ann"},
	} {
		tab.DropProcess(step.part)
		audit(t, tab)
		if users, _ := tab.List("", 9); uids(users) != step.want {
			t.Errorf("without %+v: %q, want %q", step.part, uids(users), step.want)
		}
	}
	tab.Apply(said(5, 1, boots(4, joins("x"))))
	tab.Apply(said(4, 1, boots(5, joins("y"))))
	tab.DropNode("b")
	audit(t, tab)
	if users, _ := tab.List("", 9); uids(users) != "ann" {
		t.Errorf("without the node: %q", uids(users))
	}
}
