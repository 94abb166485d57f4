package rooms_test

import (
	"slices"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// nodesOf starts engines on one server that know of each other.
func nodesOf(t *testing.T, change func(*rooms.Config), names ...string) map[string]*rooms.Engine {
	t.Helper()
	srv := startServer(t)
	engines := map[string]*rooms.Engine{}
	for _, name := range names {
		engines[name] = startEngine(t, srv, func(c *rooms.Config) {
			c.Node, c.PresenceInterval = name, 20*time.Millisecond
			change(c)
		})
	}
	eventually(t, "they know of each other", func() bool {
		for _, eng := range engines {
			if len(eng.Peers()) != len(names)-1 {
				return false
			}
		}
		return true
	})
	return engines
}

// split is the node that decides for a room, as all of them know, and the others.
func split(t testing.TB, engines map[string]*rooms.Engine, room wire.Room) (owner *rooms.Engine, others []*rooms.Engine) {
	t.Helper()
	eventually(t, "they agree on who decides", func() bool {
		owner, others = nil, nil
		at := ""
		for name, eng := range engines {
			is := eng.OwnerOf(room)
			if at != "" && is != at {
				return false
			}
			if at = is; is == name {
				owner = eng
			} else {
				others = append(others, eng)
			}
		}
		return owner != nil
	})
	return owner, others
}

// TestJoinedAndLeft: the rules of a table are told of each user once, with the
// first session at any node, and once when the last one is gone.
func TestJoinedAndLeft(t *testing.T) {
	const room = "ledger-1"
	engines := nodesOf(t, func(c *rooms.Config) {
		ledgers(c)
		rarely(c) // no node is missed on a busy machine: with it, its users would be gone at once
		c.AwaitNodes(patience)
		c.PresenceGrace = 0
	}, "a", "b", "c")
	owner, others := split(t, engines, room)
	ann := joinAs(t, others[0], room, "s1", "ann")
	awaitMoves(t, owner, room, "+ann")
	again := joinAs(t, others[1], room, "s2", "ann")
	here := joinAs(t, owner, room, "s3", "ann")
	joinAs(t, others[1], room, "s4", "bob") // who hears of him has heard that ann is there too
	awaitMoves(t, others[0], room, "+ann", "+bob")
	others[0].Leave(room, ann, rooms.LeaveAsked)
	owner.Leave(room, here, rooms.LeaveClosed)
	joinAs(t, others[0], room, "s5", "cid") // and here that ann has left
	awaitMoves(t, owner, room, "+ann", "+bob", "+cid")
	others[1].Leave(room, again, rooms.LeaveLost)
	awaitMoves(t, owner, room, "+ann", "+bob", "+cid", "-ann")
	joinAs(t, others[1], room, "s6", "ann")
	awaitMoves(t, others[1], room, "+ann", "+bob", "+cid", "-ann", "+ann")
}

// TestJoinedAndLeftOverATakeover: the node that decides is lost with those who were
// on it. The next one tells the rules of who came and went meanwhile, once, and of
// nobody who has only changed his node.
func TestJoinedAndLeftOverATakeover(t *testing.T) {
	withGrace(t, testJoinedAndLeftOverATakeover)
}

// withGrace runs a test in which users come back within a grace. Where the machine
// was too slow for that it is run again, with more.
func withGrace(t *testing.T, run func(t *testing.T, grace time.Duration) (inTime bool)) {
	for grace, inTime := time.Second, false; !inTime && !t.Failed(); grace *= 2 {
		t.Run(grace.String(), func(t *testing.T) { inTime = run(t, grace) })
	}
}

func testJoinedAndLeftOverATakeover(t *testing.T, grace time.Duration) (inTime bool) {
	const room = "ledger-1"
	engines := nodesOf(t, func(c *rooms.Config) {
		ledgers(c)
		c.PresenceGrace = grace
		c.Heartbeats(300 * time.Millisecond)
	}, "a", "b", "c")
	owner, others := split(t, engines, room)
	joinAs(t, owner, room, "s1", "ann")
	joinAs(t, owner, room, "s2", "bob")
	stays := joinAs(t, others[0], room, "s3", "cid")
	stays.awaitTold(t, 3, "moved")
	began := time.Now()
	owner.Kill()
	joinAs(t, others[1], room, "s4", "bob") // by another node, before anybody knows that his is gone
	joinAs(t, others[1], room, "s5", "dan")
	stays.awaitTold(t, 4, "moved") // who hears of dan has heard of bob
	inTime = time.Since(began) < grace
	stays.awaitTold(t, 5, "moved") // nobody else does anything: dan came, ann does not come back
	moves := audit(t, others[0], room).Moves
	slices.Sort(moves)
	if want := []string{"+ann", "+bob", "+cid", "+dan", "-ann"}; inTime && !slices.Equal(moves, want) {
		t.Errorf("the ledger has noted %v, want %v", moves, want)
	}
	return inTime
}

// TestLeftWhileNobodyDecides: all nodes end with users at a table. The first one
// that starts again tells the rules who did not come back.
func TestLeftWhileNobodyDecides(t *testing.T) {
	withGrace(t, testLeftWhileNobodyDecides)
}

func testLeftWhileNobodyDecides(t *testing.T, grace time.Duration) (inTime bool) {
	const room = "ledger-1"
	srv := startServer(t)
	change := func(c *rooms.Config) {
		ledgers(c)
		c.PresenceInterval, c.PresenceGrace = 20*time.Millisecond, grace
	}
	first := startEngine(t, srv, change)
	ann := joinAs(t, first, room, "s1", "ann")
	joinAs(t, first, room, "s2", "bob")
	ann.awaitTold(t, 2, "moved")
	first.Kill()
	again := startEngine(t, srv, change)
	began := time.Now()
	back := joinAs(t, again, room, "s3", "ann")
	joinAs(t, again, room, "s4", "dan")
	back.awaitTold(t, 1, "moved") // who hears of dan has heard of ann
	inTime = time.Since(began) < grace
	back.awaitTold(t, 2, "moved") // bob left; ann has never been away
	if moves := audit(t, again, room).Moves; inTime && !slices.Equal(moves, []string{"+ann", "+bob", "+dan", "-bob"}) {
		t.Errorf("the ledger has noted %v", moves)
	}
	return inTime
}

// TestLeftWithARoomThatFailed: the room of a table panics, and nobody who was there
// comes back. The rules are told that they left.
func TestLeftWithARoomThatFailed(t *testing.T) {
	const room = "ledger-1"
	eng, srv := start(t, func(c *rooms.Config) { ledgers(c); c.PresenceGrace = 50 * time.Millisecond })
	bad := joinAs(t, eng, room, "s1", "bad")
	ann := joinAs(t, eng, room, "s2", "ann")
	ann.awaitTold(t, 2, "moved")
	nc := outsider(t, srv)
	steps, err := nc.SubscribeSync("room." + room + ".step")
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	bad.mu.Lock()
	bad.panics = 1
	bad.mu.Unlock()
	if _, err := command(t, eng, room, "", service, "add", ""); err != nil {
		t.Fatal(err)
	}
	left := 0
	for left < 2 {
		msg, err := steps.NextMsgWithContext(within(t))
		if err != nil {
			t.Fatalf("%d of two have left: %v", left, err)
		}
		step, err := table.DecodeStep(msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range step.Events {
			if ev.Type == "moved" {
				left++
			}
		}
	}
	if moves := audit(t, eng, room).Moves; len(moves) != 4 {
		t.Errorf("the ledger has noted %v", moves)
	}
}

// TestAdmit: whom the rules do not let in gets their reason, on every node, when he
// comes first and when he comes back, and leaves nothing behind. Who is in stays in.
func TestAdmit(t *testing.T) {
	const room = "ledger-1"
	engines := nodesOf(t, func(c *rooms.Config) { ledgers(c); c.PresenceGrace = 0 }, "a", "b")
	owner, others := split(t, engines, room)
	in := joinAs(t, owner, room, "s1", "ann")
	in.awaitTold(t, 1, "moved")
	refused := func(eng *rooms.Engine, m *member, since rooms.Since) {
		t.Helper()
		err := eng.Join(within(t), room, m, "j", since)
		if err == nil || wire.AsError(err).Code != wire.Refused || wire.AsError(err).Message != "not you, "+m.user.UID || wire.Refused.Retryable() {
			t.Errorf("%s joins: %v", m.user.UID, err)
		}
	}
	barred := newMember("b")
	barred.user.UID = "barred"
	for _, eng := range []*rooms.Engine{owner, others[0]} {
		refused(eng, barred, rooms.Since{})
		refused(eng, barred, rooms.Since{Last: 3})
		refused(eng, barred, fromOf(eng, room, 1))
	}
	if got := barred.events(); len(got) != 0 {
		t.Errorf("who was refused got %v", got)
	}
	acknowledged(t, others[0], room, service, "shut", "")
	refused(owner, in, rooms.Since{}) // asks for the state, in which he may see no more
	acknowledged(t, owner, room, service, "add", "")
	in.awaitTold(t, 1, "added")
	for name, eng := range engines {
		eventually(t, name+" knows that ann is there, and nobody else", func() bool {
			online, err := eng.Online(within(t), room, "", 0)
			if err != nil || online.Count > 1 {
				t.Fatalf("there are %+v, %v", online, err)
			}
			return online.Count == 1 && online.List[0].UID == "ann"
		})
	}
}
