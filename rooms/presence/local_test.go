package presence_test

import (
	"errors"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

func TestSessions(t *testing.T) {
	ann, anna, bob := named("ann", "Ann"), named("ann", "Anna"), named("bob", "Bob")
	for _, c := range []struct {
		name string
		do   func(tab *presence.Table)
		want string // users at the end
	}{
		{"nobody", func(*presence.Table) {}, ""},
		{"two users", func(tab *presence.Table) { join(t, tab, "2", bob); join(t, tab, "1", ann) }, "ann bob"},
		{"two sessions are one entry", func(tab *presence.Table) { join(t, tab, "1", ann); join(t, tab, "2", ann) }, "ann"},
		{"the last session leaves", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			join(t, tab, "2", ann)
			tab.Leave("1")
			tab.Leave("2")
		}, ""},
		{"one of two sessions leaves twice", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			join(t, tab, "2", ann)
			tab.Leave("1")
			tab.Leave("1")
		}, "ann"},
		{"the same session joins twice", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			join(t, tab, "1", ann)
			tab.Leave("1")
		}, ""},
		{"a session becomes another user", func(tab *presence.Table) { join(t, tab, "1", ann); join(t, tab, "1", bob) }, "bob"},
		{"a kept session becomes another user", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			join(t, tab, "1", bob)
		}, "bob"},
		{"away keeps the seat", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			tab.Expire(at(15*time.Second - 1))
		}, "ann"},
		{"the grace ends", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			tab.Expire(at(15 * time.Second))
		}, ""},
		{"back under the same session", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			join(t, tab, "1", ann)
			tab.Expire(at(time.Minute))
		}, "ann"},
		{"back under another session", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			join(t, tab, "2", ann)
			tab.Expire(at(time.Minute))
		}, "ann"},
		{"back, then leaving cleanly leaves nothing behind", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			join(t, tab, "2", ann)
			tab.Leave("2")
		}, ""},
		{"one join takes over one of two seats", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			join(t, tab, "2", ann)
			tab.Away("1", at(15*time.Second))
			tab.Away("2", at(15*time.Second))
			join(t, tab, "3", ann)
			tab.Leave("3")
		}, "ann"},
		{"leaving ends a kept seat at once", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			tab.Leave("1")
		}, ""},
		{"away again sets the deadline anew", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			tab.Away("1", at(15*time.Second))
			tab.Away("1", at(30*time.Second))
			tab.Expire(at(20 * time.Second))
		}, "ann"},
		{"all kept seats of a user are ended", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			join(t, tab, "2", ann)
			tab.Away("1", at(15*time.Second))
			tab.Away("2", at(15*time.Second))
			if ended := tab.EndKept("ann"); len(ended) != 2 || len(tab.EndKept("ann")) != 0 || len(tab.EndKept("nobody")) != 0 {
				t.Errorf("ended %q", ended)
			}
		}, ""},
		{"and those who are connected stay", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			join(t, tab, "2", ann)
			tab.Away("1", at(15*time.Second))
			if ended := tab.EndKept("ann"); len(ended) != 1 || ended[0] != "1" {
				t.Errorf("ended %q", ended)
			}
		}, "ann"},
		{"away of nobody", func(tab *presence.Table) { tab.Away("1", at(0)); tab.Expire(at(time.Hour)) }, ""},
		{"the other session is still connected", func(tab *presence.Table) {
			join(t, tab, "1", ann)
			join(t, tab, "2", anna)
			tab.Away("1", at(0))
			tab.Expire(at(time.Hour))
		}, "ann"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := presence.New("a", 0, 1)
			c.do(tab)
			audit(t, tab)
			users, _ := tab.List("", 10)
			if got := uids(users); got != c.want || tab.Count() != len(users) {
				t.Errorf("%d users: %q, want %q", tab.Count(), got, c.want)
			}
		})
	}
}

func TestJoinWithoutUID(t *testing.T) {
	tab := presence.New("a", 0, 1)
	join(t, tab, "1", user("ann"))
	if err := tab.Join("1", presence.User{Username: "Ann"}); !errors.Is(err, presence.ErrNoUID) {
		t.Errorf("Join says %v", err)
	}
	if _, here := tab.Get("ann"); !here {
		t.Error("the refused Join ended the session")
	}
}

func TestLastNameWins(t *testing.T) {
	tab := presence.New("a", 0, 1)
	join(t, tab, "1", named("ann", "Ann"))
	join(t, tab, "2", named("ann", "Anna"))
	tab.Leave("2")
	if u, _ := tab.Get("ann"); u.Username != "Anna" {
		t.Errorf("the name is %q, want the one given last", u.Username)
	}
	join(t, tab, "1", named("ann", "Annie"))
	if u, _ := tab.Get("ann"); u.Username != "Annie" {
		t.Errorf("the name is %q after the session joined again", u.Username)
	}
}

func TestOneTimerServesAllSeats(t *testing.T) {
	tab := presence.New("a", 0, 1)
	if _, ok := tab.NextDeadline(); ok {
		t.Fatal("a deadline without a kept seat")
	}
	for i, s := range []time.Duration{30, 10, 20} {
		id := string(rune('a' + i))
		join(t, tab, id, user(id))
		tab.Away(id, at(s*time.Second))
	}
	for _, want := range []struct {
		deadline time.Duration
		left     string
	}{{10, "b"}, {20, "c"}, {30, "a"}} {
		tab.Changes()
		next, ok := tab.NextDeadline()
		if !ok || !next.Equal(at(want.deadline*time.Second)) {
			t.Fatalf("next deadline %v %v, want %d s", next, ok, want.deadline)
		}
		tab.Expire(next)
		audit(t, tab)
		if _, left, _ := tab.Changes(); uids(left) != want.left {
			t.Errorf("%q left at %d s, want %q", uids(left), want.deadline, want.left)
		}
	}
	if next, ok := tab.Expire(at(time.Hour)); ok {
		t.Errorf("deadline %v with no seat kept", next)
	}
}

// A client that reconnects all the time must not pile up kept seats.
func TestReconnectsKeepOneSeat(t *testing.T) {
	tab := presence.New("a", 0, 1)
	for i := range 1000 {
		s := string(rune(i + 1))
		join(t, tab, s, user("ann"))
		tab.Away(s, at(time.Duration(i)*time.Second))
	}
	audit(t, tab)
	if next, ok := tab.NextDeadline(); !ok || !next.Equal(at(999*time.Second)) {
		t.Errorf("first deadline is %v, want the last drop's: it must be the only seat", next)
	}
}
