package rooms_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// known is the code with which a user is not known; "" if he is.
func known(t *testing.T, eng *rooms.Engine, uid string) wire.Code {
	t.Helper()
	err := eng.LookupUser(within(t), uid)
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

// saw notes users and waits until they are written.
func saw(t *testing.T, eng *rooms.Engine, uids ...string) {
	t.Helper()
	was := eng.Stats().UsersWritten.Load()
	for _, uid := range uids {
		eng.MarkUserSeen(uid)
	}
	eventually(t, "they are written", func() bool { return eng.Stats().UsersWritten.Load() == was+int64(len(uids)) })
}

// TestUsersWhoWereHere: on the node itself, on another, and after both have
// ended. Nobody else.
func TestUsersWhoWereHere(t *testing.T) {
	srv := startServer(t)
	often := func(c *rooms.Config) { c.Heartbeats(50 * time.Millisecond) }
	a, b := startEngine(t, srv, often), startEngine(t, srv, often)
	uids := []string{"ann", "b.o.b", "百家樂", "auth0|5f", "guest-aaaa"}
	saw(t, a, uids...)
	a.MarkUserSeen("ann") // is written once a day
	closeEngine(t, a)
	eventually(t, "the other node does not ask it any more", func() bool { return len(b.Peers()) == 0 })
	later := startEngine(t, srv, often)
	for _, eng := range []*rooms.Engine{b, later} {
		for _, uid := range uids {
			if eng.UserKnownHere(uid) {
				t.Errorf("%s is known before anybody asked", uid)
			}
			if code := known(t, eng, uid); code != "" || !eng.UserKnownHere(uid) {
				t.Errorf("%s: %s, then known without asking: %v", uid, code, eng.UserKnownHere(uid))
			}
		}
		for _, uid := range []string{"an", "annn", "ANN", "*", ">", "guest-bbbb"} {
			if code := known(t, eng, uid); code != wire.BadPayload || eng.UserKnownHere(uid) {
				t.Errorf("%s, who was never here: %q", uid, code)
			}
		}
	}
	if written, unknown := a.Stats().UsersWritten.Load(), b.Stats().UsersUnknown.Load(); written != 5 || unknown != 6 {
		t.Errorf("%d were written, %d were unknown", written, unknown)
	}
	err := b.LookupUser(within(t), "nobody")
	if err == nil || !strings.Contains(err.Error(), "30 days") {
		t.Error(err)
	}
}

// TestUserWhoIsHere: who is connected is known on all nodes at once, written or
// not.
func TestUserWhoIsHere(t *testing.T) {
	srv := startServer(t)
	a := startEngine(t, srv, func(c *rooms.Config) { c.Node = "a" })
	b := startEngine(t, srv, func(c *rooms.Config) { c.Node = "b" })
	eventually(t, "they know of each other", func() bool { return len(a.Peers()) == 1 && len(b.Peers()) == 1 })
	m := join(t, b, wire.Inbox("ann"), "m", rooms.Since{})
	if code := known(t, a, "ann"); code != "" {
		t.Errorf("at another node: %s", code)
	}
	if !b.UserKnownHere("ann") {
		t.Error("her own node does not know her")
	}
	b.Leave(wire.Inbox("ann"), m, rooms.LeaveClosed)
	if code := known(t, a, "bob"); code != wire.BadPayload {
		t.Errorf("who is not: %q", code)
	}
	b.Kill()
	if code := known(t, a, "cy"); code != wire.Unavailable {
		t.Errorf("who may be at a node that does not answer: %q", code)
	}
}

// TestLookupsAtOnce: who finds no place in time is told to try again.
func TestLookupsAtOnce(t *testing.T) {
	eng, _ := start(t, nil)
	saw(t, eng, "ann")
	eng.HoldLookups()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := eng.LookupUser(ctx, "nobody"); wire.AsError(err).Code != wire.Busy {
		t.Error(err)
	}
	if err := eng.LookupUser(ctx, "ann"); err != nil {
		t.Errorf("who is known needs no place: %v", err)
	}
}

// TestFullListOfUsers: when the bucket is full who is in it stays, who is not
// may have been here, and guests take no place from users.
func TestFullListOfUsers(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.UserBytes(8 << 10) })
	saw(t, eng, "ann")
	for i := range 200 {
		eng.MarkUserSeen(fmt.Sprintf("guest-%d", i))
	}
	eventually(t, "the guests' is full", func() bool {
		s := eng.Stats()
		return s.UsersUnwritten.Load() > 0 && s.UsersUnwritten.Load()+s.UsersWritten.Load() == 201
	})
	if code := known(t, eng, "guest-unheard"); code != wire.Unavailable {
		t.Errorf("a guest, with a full bucket: %q", code)
	}
	if code := known(t, eng, "guest-0"); code != "" {
		t.Errorf("a guest in it: %s", code)
	}
	join(t, eng, wire.Inbox("guest-here"), "m", rooms.Since{})
	if code := known(t, eng, "guest-here"); code != "" {
		t.Errorf("a guest who is here: %s", code)
	}
	if code := known(t, eng, "nobody"); code != wire.BadPayload {
		t.Errorf("a user, whose bucket is not full: %q", code)
	}
	saw(t, eng, "bob")
}

// TestListOfUsersAway: what cannot be looked up is no "no", and a bucket that
// was lost is made again.
func TestListOfUsersAway(t *testing.T) {
	eng, srv := start(t, nil)
	js, err := jetstream.New(outsider(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteKeyValue(within(t), "roomd_users"); err != nil {
		t.Fatal(err)
	}
	if code := known(t, eng, "nobody"); code != wire.Unavailable {
		t.Errorf("without a bucket: %q", code)
	}
	eventually(t, "there is one again", func() bool { return known(t, eng, "nobody") == wire.BadPayload })
	eventually(t, "nobody makes it anew", eng.UsersRestored) // a look that began before it was there may have found none and begun again
	saw(t, eng, "ann")

	if err := js.DeleteKeyValue(within(t), "roomd_users"); err != nil {
		t.Fatal(err)
	}
	eng.MarkUserSeen("bob") // finds none
	eventually(t, "there is one again", func() bool { _, err := js.KeyValue(within(t), "roomd_users"); return err == nil })
	eventually(t, "the memory of what was written into the old one is gone", func() bool { return !eng.UserKnownHere("ann") && !eng.UserKnownHere("bob") })
	saw(t, eng, "ann", "bob")

	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := eng.LookupUser(ctx, "nobody"); wire.AsError(err).Code != wire.Unavailable {
		t.Errorf("without NATS: %v", err)
	}
}

// TestManyUsersAtOnce: a storm is written bit by bit, what does not fit is
// noted at the next sign of life.
func TestManyUsersAtOnce(t *testing.T) {
	eng, _ := start(t, nil)
	const extra = 2000
	for i := range rooms.UserQueue + extra {
		eng.MarkUserSeen(fmt.Sprint("u-", i))
	}
	unwritten := eng.Stats().UsersUnwritten.Load()
	if written := eng.Stats().UsersWritten.Load(); unwritten == 0 || unwritten > extra || unwritten+written < extra-1 { // one may be in hand
		t.Errorf("%d could not be queued, %d were written meanwhile", unwritten, written)
	}
	if eng.UserKnownHere(fmt.Sprint("u-", rooms.UserQueue+extra-1)) {
		t.Error("who found no place is not forgotten: no next sign of life would be noted")
	}
}

// TestManyUsersAreWrittenOnce: however many there are, nobody who was written
// today is written again at the next sign of life, and a crowd of guests makes
// the node forget no user.
func TestManyUsersAreWrittenOnce(t *testing.T) {
	eng, _ := start(t, nil)
	const users, guests = 100_000, rooms.GuestsKept + 1
	for i := range users {
		eng.Wrote(fmt.Sprint("u-", i))
	}
	for i := range guests {
		eng.Wrote(fmt.Sprint("guest-", i))
	}
	for i := range users {
		eng.MarkUserSeen(fmt.Sprint("u-", i))
	}
	stats := eng.Stats()
	if again := eng.UsersQueued() + int(stats.UsersWritten.Load()+stats.UsersUnwritten.Load()); again != 0 {
		t.Errorf("%d of %d users were to be written again", again, users)
	}
}

// TestMemo: who is seen again and again is noted once in one to two periods, if
// the memo has room for all; else more often, and it does not grow.
func TestMemo(t *testing.T) {
	const most, step = 500, rooms.UserRenew / 5
	m := rooms.NewMemo(most)
	at := time.Now()
	noted := make(map[string]time.Time)
	for range 40 {
		at = at.Add(step)
		for i := range 2 * most {
			uid := fmt.Sprint("u-", i)
			last, before := noted[uid]
			switch new := m.Add(uid, at); {
			case new && before && at.Sub(last) < rooms.UserRenew:
				t.Fatalf("%s is noted again after %s", uid, at.Sub(last))
			case !new && at.Sub(last) > 2*rooms.UserRenew+step:
				t.Fatalf("%s is not noted again in %s", uid, at.Sub(last))
			case new:
				noted[uid] = at
			}
		}
	}
	for i := range 10 * most {
		m.Add(fmt.Sprint("another-", i), at)
		if n := m.Len(); n > 2*most {
			t.Fatalf("%d are remembered, at most %d may be", n, 2*most)
		}
	}
	if at = at.Add(100 * rooms.UserRenew); !m.Add(fmt.Sprint("another-", 10*most-1), at) {
		t.Error("after months it is not noted again")
	}
}

// TestMemoBytes: a full memory of users takes some 30 MB, as usersKept says.
func TestMemoBytes(t *testing.T) {
	before := heap()
	users, guests := rooms.NewMemo(rooms.UsersKept/2), rooms.NewMemo(rooms.GuestsKept/2)
	at := time.Now()
	for i := range rooms.UsersKept {
		users.Add(strconv.Itoa(i), at)
	}
	for i := range rooms.GuestsKept {
		guests.Add(strconv.Itoa(i), at)
	}
	took := heap() - before
	t.Logf("%d users and %d guests take %.1f MB", users.Len(), guests.Len(), float64(took)/1e6)
	if took > 36e6 {
		t.Errorf("%d users and %d guests take %d bytes", users.Len(), guests.Len(), took)
	}
	runtime.KeepAlive(users)
	runtime.KeepAlive(guests)
}

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
