package rooms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// quick presence: batches as often as the configuration allows.
func quick(c *rooms.Config) { c.PresenceInterval = 10 * time.Millisecond }

// presence returns the batches that came so far.
func presences(t *testing.T, m *member) []wire.PresenceChange {
	t.Helper()
	var list []wire.PresenceChange
	for _, ev := range m.events(wire.TypePresence) {
		list = append(list, decode[wire.PresenceChange](t, ev.Payload))
	}
	return list
}

// awaitCount waits until a batch tells that many users.
func awaitCount(t *testing.T, m *member, n int) []wire.PresenceChange {
	t.Helper()
	m.await(t, fmt.Sprint("a count of ", n), func() bool {
		got := m.eventsLocked([]string{wire.TypePresence})
		return len(got) > 0 && decode[wire.PresenceChange](t, last(got).Payload).Count == n
	})
	return presences(t, m)
}

// TestNobodyLeavesWhoWasNotThere: of a user who comes and goes within an
// interval, and whom nobody was shown, nothing is told.
func TestNobodyLeavesWhoWasNotThere(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.PresenceInterval = 100 * time.Millisecond })
	m := join(t, eng, "x", "m", rooms.Since{})
	for i := range 20 {
		visitor := join(t, eng, "x", fmt.Sprintf("v%02d", i), rooms.Since{})
		eng.Leave("x", visitor, rooms.LeaveAsked)
	}
	join(t, eng, "x", "z", rooms.Since{})
	m.await(t, "the last who came", func() bool {
		return slices.ContainsFunc(m.eventsLocked([]string{wire.TypePresence}), func(ev wire.Event) bool {
			return slices.ContainsFunc(decode[wire.PresenceChange](t, ev.Payload).Joined, func(u wire.User) bool { return u.UID == "u-z" })
		})
	})
	known := map[string]bool{"u-m": true}
	for _, batch := range presences(t, m) {
		for _, u := range batch.Joined {
			known[u.UID] = true
		}
		for _, u := range batch.Left {
			if !known[u.UID] {
				t.Errorf("%s has left, and was not there", u.UID)
			}
			delete(known, u.UID)
		}
	}
	if len(known) != 2 || !known["u-z"] {
		t.Errorf("by what was told %v are there", known)
	}
}

func TestPresenceBatches(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.PresenceInterval = 50 * time.Millisecond })
	m := join(t, eng, "x", "m", rooms.Since{})
	awaitCount(t, m, 1)
	release := standStill(t, eng, "x", m) // or there would be as many intervals as joins take
	errs := make(chan error)
	for i := range 60 {
		go func() { errs <- eng.Join(within(t), "x", newMember(fmt.Sprintf("n%02d", i)), "", rooms.Since{}) }()
	}
	eventually(t, "all joins wait", func() bool { return eng.Queued("x") >= 60 })
	release()
	for range 60 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	joined := map[string]bool{}
	batches := awaitCount(t, m, 61)
	for _, b := range batches {
		for _, u := range b.Joined {
			joined[u.UID] = true
		}
	}
	if len(joined) != 61 || len(batches) > 30 {
		t.Errorf("%d users in %d batches", len(joined), len(batches))
	}
	eng.Leave("x", newMember("n00"), rooms.LeaveClosed)
	batches = awaitCount(t, m, 60)
	if left := batches[len(batches)-1].Left; len(left) != 1 || left[0].UID != "u-n00" {
		t.Errorf("left %v", left)
	}
	page, err := eng.Online(within(t), "x", "", 7)
	if err != nil || page.Count != 60 || len(page.List) != 7 || page.Next == "" || page.RoomID != "x" {
		t.Errorf("%+v, %v", page, err)
	}
	next, err := eng.Online(within(t), "x", page.Next, 1000)
	if err != nil || len(next.List) != 53 || next.Next != "" {
		t.Errorf("%d and next %q, %v", len(next.List), next.Next, err)
	}
	info, ok := eng.RoomHere("x")
	if !ok || info.Users != 60 || info.Sessions != 60 {
		t.Errorf("%+v", info)
	}
	if none, err := eng.Online(within(t), "never opened", "", 5); err != nil || none.Count != 0 || none.List == nil {
		t.Errorf("%+v, %v", none, err)
	}
}

// TestGrace: who comes back in time has not left; who does not has.
func TestGrace(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { quick(c); c.PresenceGrace = 300 * time.Millisecond })
	watch := join(t, eng, "x", "watch", rooms.Since{})
	back, lost := join(t, eng, "x", "back", rooms.Since{}), join(t, eng, "x", "lost", rooms.Since{})
	awaitCount(t, watch, 3)
	// In one go, so that the grace is not over before somebody is back.
	release := standStill(t, eng, "x", watch)
	eng.Leave("x", back, rooms.LeaveLost)
	eng.Leave("x", lost, rooms.LeaveLost)
	again := newMember("another session")
	again.user = back.user
	waiting, answer := eng.Queued("x"), make(chan error)
	go func() { answer <- eng.Join(within(t), "x", again, "", rooms.Since{}) }()
	eventually(t, "the join waits behind the leaves", func() bool { return eng.Queued("x") > waiting })
	release()
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	if got := again.joined(t, 0); got.Count != 3 {
		t.Errorf("within the grace: %+v", got)
	}
	left := map[string]bool{}
	for _, b := range awaitCount(t, watch, 2) {
		for _, u := range b.Left {
			left[u.UID] = true
		}
	}
	if len(left) != 1 || !left["u-lost"] {
		t.Errorf("left: %v", left)
	}
}

func TestNoGrace(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { quick(c); c.PresenceGrace = 0 })
	watch, lost := join(t, eng, "x", "watch", rooms.Since{}), join(t, eng, "x", "lost", rooms.Since{})
	awaitCount(t, watch, 2)
	eng.Leave("x", lost, rooms.LeaveLost)
	if page, err := eng.Online(within(t), "x", "", 10); err != nil || page.Count != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestTwoSessionsOfOneUser(t *testing.T) {
	eng, _ := start(t, quick)
	watch := join(t, eng, "x", "watch", rooms.Since{})
	one, two := newMember("one"), newMember("two")
	two.user = one.user
	for _, m := range []*member{one, two} {
		if err := eng.Join(within(t), "x", m, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := two.joined(t, 0); got.Count != 2 || len(got.List) != 2 {
		t.Errorf("%+v", got)
	}
	eng.Leave("x", one, rooms.LeaveClosed)
	if page, err := eng.Online(within(t), "x", "", 10); err != nil || page.Count != 2 {
		t.Errorf("one session left: %+v, %v", page, err)
	}
	awaitCount(t, watch, 2)
	eng.Leave("x", two, rooms.LeaveClosed)
	for _, b := range awaitCount(t, watch, 1)[1:] {
		if b.Count == 2 && len(b.Left) > 0 {
			t.Errorf("told that the user left with its first session: %+v", b)
		}
	}
}

// TestLargeRooms: lists give way to counts.
func TestLargeRooms(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { quick(c); c.LargeRooms(5, 10) })
	m := join(t, eng, "x", "m", rooms.Since{})
	for i := range 9 {
		join(t, eng, "x", fmt.Sprint("n", i), rooms.Since{})
	}
	named := 0
	for _, b := range awaitCount(t, m, 10) {
		named += len(b.Joined)
	}
	if named != 10 {
		t.Errorf("%d of 10 were named", named)
	}
	for i := range 5 {
		join(t, eng, "x", fmt.Sprint("o", i), rooms.Since{})
	}
	for _, b := range awaitCount(t, m, 15) {
		if large := b.Count > 10; b.More != large || large && len(b.Joined)+len(b.Left) > 0 {
			t.Errorf("a room of %d is told %+v", b.Count, b)
		}
	}
}

// TestManyChangesAtOnce: a batch longer than a list has only the count.
func TestManyChangesAtOnce(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.PresenceInterval = 300 * time.Millisecond })
	m := join(t, eng, "x", "m", rooms.Since{})
	awaitCount(t, m, 1)
	var members []*member
	for i := range 150 {
		members = append(members, join(t, eng, "x", fmt.Sprintf("n%03d", i), rooms.Since{}))
	}
	for _, b := range awaitCount(t, m, 151) {
		if len(b.Joined) > rooms.MaxPresenceList {
			t.Errorf("%d names in one batch", len(b.Joined))
		}
	}
	if got := members[149].joined(t, 0); got.Count != 151 || len(got.List) != rooms.MaxPresenceList || got.List[0].UID != "u-m" || got.List[99].UID != "u-n098" {
		t.Errorf("count %d, list of %d from %v to %v", got.Count, len(got.List), got.List[0], got.List[len(got.List)-1])
	}
}

// size is how long v is as JSON.
func size(t *testing.T, v any) int {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

// TestLongNames: names may be long, and a client in many rooms that all have
// news at once. What one of them tells it has a bound in bytes, and the pages
// of the list are shorter and not fewer people.
func TestLongNames(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.PresenceInterval = 300 * time.Millisecond })
	const bound = 20 << 10 // 16 KiB of users and what is around them
	m := join(t, eng, "x", "m", rooms.Since{})
	awaitCount(t, m, 1)
	long := strings.Repeat("\U0001F600", 64)
	for n := range 90 {
		who := newMember(fmt.Sprintf("n%03d", n))
		who.user.Username, who.user.AvatarID = long, long
		if err := eng.Join(within(t), "x", who, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
		if n == 89 {
			if got := who.joined(t, 0); size(t, got) > bound || got.Count != 91 || len(got.List) == 0 {
				t.Errorf("room_joined of %d bytes shows %d of %d", size(t, got), len(got.List), got.Count)
			}
		}
	}
	for _, b := range awaitCount(t, m, 91) {
		if n := size(t, b); n > bound {
			t.Errorf("a batch of %d bytes", n)
		}
	}
	var all []string
	for after := ""; ; {
		page, err := eng.Online(within(t), "x", after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if n := size(t, page); n > bound {
			t.Errorf("a page of %d bytes", n)
		}
		for _, u := range page.List {
			all = append(all, u.UID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(all) != 91 || !slices.IsSorted(all) || len(slices.Compact(all)) != 91 {
		t.Errorf("the pages hold %d people, want 91: %v", len(all), all)
	}
}

// TestFirstPageIsUpToDate: the list in room_joined is encoded once for many
// joins, and never says what is over.
func TestFirstPageIsUpToDate(t *testing.T) {
	eng, _ := start(t, quick)
	check := func(what string) {
		t.Helper()
		probe := newMember("zzz")
		if err := eng.Join(within(t), "x", probe, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
		got := probe.joined(t, 0)
		want, err := eng.Online(within(t), "x", "", 100)
		if err != nil || got.Count != want.Count || fmt.Sprint(got.List) != fmt.Sprint(want.List) {
			t.Errorf("%s: room_joined has %d users %v, the room has %d %v", what, got.Count, got.List, want.Count, want.List)
		}
		eng.Leave("x", probe, rooms.LeaveClosed)
	}
	keep := join(t, eng, "x", "k", rooms.Since{})
	check("one")
	for i := range 120 {
		join(t, eng, "x", fmt.Sprintf("n%03d", i), rooms.Since{})
	}
	check("more than a page")
	join(t, eng, "x", "a", rooms.Since{})
	check("one more on the page")
	join(t, eng, "x", "z", rooms.Since{})
	check("one more behind the page")
	eng.Leave("x", newMember("n005"), rooms.LeaveClosed)
	check("one less on the page")
	eng.Leave("x", newMember("n115"), rooms.LeaveClosed)
	check("one less behind the page")
	renamed := newMember("k2")
	renamed.user = wire.User{UID: keep.user.UID, Username: "new name"}
	if err := eng.Join(within(t), "x", renamed, "", rooms.Since{}); err != nil {
		t.Fatal(err)
	}
	check("a new name on the page")
}
