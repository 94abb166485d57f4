package presence_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/presence"
)

var update = flag.Bool("update", false, "write what the stories in testdata print into them")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func user(uid string) presence.User {
	return presence.User{UID: uid, Username: "name of " + uid, AvatarID: "1"}
}

func named(uid, name string) presence.User {
	return presence.User{UID: uid, Username: name, AvatarID: "1"}
}

// at is a moment of the tests' time.
func at(d time.Duration) time.Time { return time.Unix(1_000_000, 0).Add(d) }

func join(t testing.TB, tab *presence.Table, session string, u presence.User) {
	t.Helper()
	if err := tab.Join(session, u); err != nil {
		t.Fatal(err)
	}
}

func audit(t testing.TB, tab *presence.Table) {
	t.Helper()
	if err := tab.Audit(); err != nil {
		t.Fatal(err)
	}
}

// crowd returns a table with n users of one session each, and the sessions.
func crowd(t testing.TB, n int) (*presence.Table, []string) {
	t.Helper()
	tab := presence.New("a", 0, 1)
	sessions := make([]string, n)
	for i := range n {
		// A step that shares no factor with n visits all in a scattered order.
		k := i * 7919 % n
		sessions[k] = fmt.Sprintf("s%06d", k)
		join(t, tab, sessions[k], user(fmt.Sprintf("u%06d", k)))
	}
	return tab, sessions
}

func uids(us []presence.User) string {
	s := ""
	for i, u := range us {
		if i > 0 {
			s += " "
		}
		s += u.UID
	}
	return s
}
