package rooms_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// TestJoinUnderLoad has members join at random positions while four publishers
// write: each must hear room_joined first and then exactly what follows its
// position.
func TestJoinUnderLoad(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) { c.History = 10_000 })
	const total, joiners = 1200, 100
	before := publish(t, eng, "x", 0, 300)
	var mu sync.Mutex
	all := slices.Clone(before)

	var work sync.WaitGroup
	for p := range 4 {
		work.Go(func() {
			for i := range total / 4 {
				s, err := publishOne(within(t), eng, "x", "", note(1000+1000*p+i))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, s.Seq)
				mu.Unlock()
			}
		})
	}
	members := make([]*member, joiners)
	for i := range members {
		work.Go(func() {
			mu.Lock()
			newest := slices.Max(all)
			mu.Unlock()
			back := min(rand.Uint64N(450), newest)
			members[i] = join(t, eng, "x", fmt.Sprint("j", i), from(eng, newest-back))
		})
	}
	work.Wait()
	end := publish(t, eng, "x", 0, 1)[0]
	all = append(all, end)
	slices.Sort(all)
	for _, m := range members {
		m.awaitSeq(t, end)
		if first := m.events()[0]; first.Type != wire.TypeRoomJoined {
			t.Fatalf("%s heard %v before room_joined", m.id, first)
		}
		i, found := slices.BinarySearch(all, m.joined(t, 0).Seq)
		if found {
			i++
		}
		wantSeqs(t, m, all[i:])
	}
	if n := eng.Stats().Resets.Load(); n != 0 {
		t.Errorf("%d resets", n)
	}
}

// TestSince joins at positions of a room whose other half is elsewhere: in the
// ring, in the log, and nowhere.
func TestSince(t *testing.T) {
	for _, place := range []string{"ring", "log after a restart", "log after unloading"} {
		t.Run(place, func(t *testing.T) {
			srv := startServer(t)
			eng := startEngine(t, srv, func(c *rooms.Config) { c.IdleAfter = 20 * time.Millisecond })
			if place == "ring" {
				join(t, eng, "x", "keeps it open", rooms.Since{})
			}
			seqs := publish(t, eng, "x", 0, 700)
			switch place {
			case "ring":
				join(t, eng, "x", "sees the end", from(eng, seqs[600])).awaitSeq(t, seqs[699])
			case "log after unloading":
				join(t, eng, "x", "opens it", rooms.Since{})
				eng.Leave("x", &member{id: "opens it"}, rooms.LeaveClosed)
				eventually(t, "the room is unloaded", func() bool { actors, handles := eng.Open(); return actors+handles == 0 })
			default:
				closeEngine(t, eng)
				eng = startEngine(t, srv, nil)
			}
			checkSince(t, eng, seqs)
		})
	}
}

func checkSince(t *testing.T, eng *rooms.Engine, seqs []uint64) {
	end := len(seqs)
	for i, tc := range []struct {
		name  string
		since rooms.Since
		want  []uint64 // replayed
		ok    bool
	}{
		{"nothing asked", rooms.Since{}, nil, false},
		{"at the end", from(eng, seqs[end-1]), nil, true},
		{"the last one", from(eng, seqs[end-2]), seqs[end-1:], true},
		{"500 missed", from(eng, seqs[end-501]), seqs[end-500:], true},
		{"501 missed", from(eng, seqs[end-502]), nil, false},
		{"everything missed", from(eng, 0), nil, false},
		{"beyond the log", from(eng, seqs[end-1]+1000), nil, false},
		{"another epoch", rooms.Since{Position: &wire.Position{Epoch: "other", Seq: seqs[end-2]}}, nil, false},
		{"position wins", rooms.Since{Position: from(eng, seqs[end-3]).Position, Last: 50}, seqs[end-2:], true},
		{"last 3", rooms.Since{Last: 3}, seqs[end-3:], false},
		{"last 500", rooms.Since{Last: 500}, seqs[end-500:], false},
		{"last 600", rooms.Since{Last: 600}, seqs[end-500:], false},
		{"last -1", rooms.Since{Last: -1}, nil, false},
	} {
		m := join(t, eng, "x", fmt.Sprint("since", i), tc.since)
		joined := m.joined(t, 0)
		if joined.Recovered != tc.ok || joined.Replayed != len(tc.want) || joined.Epoch != eng.Epoch() {
			t.Errorf("%s: recovered %t, replayed %d, epoch %s", tc.name, joined.Recovered, joined.Replayed, joined.Epoch)
		}
		wantAt := seqs[end-1]
		if len(tc.want) > 0 {
			wantAt = tc.want[0] - 1
		}
		if joined.Seq != wantAt {
			t.Errorf("%s: joined at %d, want %d", tc.name, joined.Seq, wantAt)
		}
		if len(tc.want) > 0 {
			m.awaitSeq(t, tc.want[len(tc.want)-1])
		}
		wantSeqs(t, m, tc.want)
	}
}

func TestLastOfAShortLog(t *testing.T) {
	eng, _ := start(t, nil)
	m := join(t, eng, "empty", "a", rooms.Since{Last: 10})
	if joined := m.joined(t, 0); joined.Replayed != 0 || joined.Recovered {
		t.Errorf("empty room: %+v", joined)
	}
	seqs := publish(t, eng, "x", 0, 4)
	m = join(t, eng, "x", "b", rooms.Since{Last: 10})
	m.awaitSeq(t, seqs[3])
	wantSeqs(t, m, seqs)
}

// TestEmptyRoomHasAPosition: a client that was in an empty room resumes there.
func TestEmptyRoomHasAPosition(t *testing.T) {
	srv := startServer(t)
	one, two := startEngine(t, srv, nil), startEngine(t, srv, nil)
	publish(t, one, "busy", 0, 50)
	early := join(t, one, "x", "early", rooms.Since{}).joined(t, 0)
	publish(t, one, "busy", 0, 50)
	late := join(t, two, "x", "late", rooms.Since{}).joined(t, 0)
	if early.Seq == 0 || late.Seq <= early.Seq {
		t.Fatalf("positions %d and %d", early.Seq, late.Seq)
	}
	// Node one has not looked since: it must ask the log.
	if again := join(t, one, "x", "from late", from(one, late.Seq)).joined(t, 0); !again.Recovered || again.Replayed != 0 {
		t.Errorf("from the other node's position: %+v", again)
	}
	seqs := publish(t, one, "x", 0, 3)
	for i, at := range []uint64{early.Seq, late.Seq} {
		for j, eng := range []*rooms.Engine{one, two} {
			m := join(t, eng, "x", fmt.Sprint("again", i, j), from(eng, at))
			if joined := m.joined(t, 0); !joined.Recovered {
				t.Errorf("node %d from %d: %+v", j, at, joined)
			}
			m.awaitSeq(t, seqs[2])
			wantSeqs(t, m, seqs)
		}
	}
}

// TestHistoryLimit: what the log has discarded is not claimed to be recovered,
// whatever is in the ring, and other rooms' events make no difference.
func TestHistoryLimit(t *testing.T) {
	srv := startServer(t)
	small := func(c *rooms.Config) { c.History = 100 }
	eng := startEngine(t, srv, small)
	publish(t, eng, "other", 0, 5) // keeps the stream's first sequence low
	seqs := publish(t, eng, "x", 0, 80)
	join(t, eng, "x", "opens it", rooms.Since{}) // the ring begins here
	seqs = append(seqs, publish(t, eng, "x", 80, 140)...)
	eng2 := startEngine(t, srv, small)
	for i, tc := range []struct {
		at int
		ok bool
	}{{-1, false}, {0, false}, {10, false}, {38, false}, {40, true}, {79, true}, {100, true}, {139, true}} {
		at := uint64(0)
		if tc.at >= 0 {
			at = seqs[tc.at]
		}
		for j, eng := range []*rooms.Engine{eng, eng2} {
			m := join(t, eng, "x", fmt.Sprint("m", i, j), from(eng, at))
			if joined := m.joined(t, 0); joined.Recovered != tc.ok {
				t.Errorf("engine %d from event %d: %+v", j, tc.at, joined)
			}
			if tc.ok && tc.at < 139 {
				m.awaitSeq(t, seqs[139])
				wantSeqs(t, m, seqs[tc.at+1:])
			}
		}
	}
}

// TestInbox: a user's inbox replays, has no presence, and is called @me.
func TestInbox(t *testing.T) {
	eng, _ := start(t, nil)
	room := wire.Inbox("percy")
	seqs := publish(t, eng, room, 0, 5)
	m := join(t, eng, room, "a", fromOf(eng, room, seqs[1]))
	m.awaitSeq(t, seqs[4])
	wantSeqs(t, m, seqs[2:])
	joined := m.joined(t, 0)
	if !joined.Recovered || joined.RoomID != "@me" || joined.Count != 0 || len(joined.List) != 0 {
		t.Errorf("%+v", joined)
	}
	if online, err := eng.Online(within(t), room, "", 10); err != nil || online.Count != 0 {
		t.Errorf("%+v, %v", online, err)
	}
	if list := eng.RoomsHere(); len(list) != 0 {
		t.Errorf("inboxes are listed: %+v", list)
	}
}

func TestJoinAgainAndLeave(t *testing.T) {
	eng, _ := start(t, nil)
	m := join(t, eng, "x", "a", rooms.Since{})
	seqs := publish(t, eng, "x", 0, 2)
	m.awaitSeq(t, seqs[1])
	if err := eng.Join(within(t), "x", m, "again", from(eng, seqs[0])); err != nil {
		t.Fatal(err)
	}
	if again := m.joined(t, 1); again.Seq != seqs[1] || again.Replayed != 0 {
		t.Errorf("again: %+v", again)
	}
	if err := eng.LeaveAsked(within(t), "x", m, "l"); err != nil {
		t.Fatal(err)
	}
	left := last(m.events())
	if p := decode[wire.RoomLeft](t, left.Payload); left.Type != wire.TypeRoomLeft || left.ID != "l" || p.Reason != "left" || p.RoomID != "x" {
		t.Errorf("left: %v", left)
	}
	witness := join(t, eng, "x", "w", rooms.Since{})
	witness.awaitSeq(t, publish(t, eng, "x", 2, 3)[0])
	wantSeqs(t, m, seqs)
	if err := eng.LeaveAsked(within(t), "never opened", m, "l"); err != nil {
		t.Error(err)
	}
}

// TestRejoinIsToldTheRightPosition: what was buffered before a second join is
// heard before its room_joined, which tells a position at which it was.
func TestRejoinIsToldTheRightPosition(t *testing.T) {
	eng, _ := start(t, undisturbed)
	m, slow := join(t, eng, "x", "m", rooms.Since{}), join(t, eng, "x", "slow", rooms.Since{})
	release := slow.hold()
	first := publish(t, eng, "x", 0, 1) // the room stands still in its delivery
	m.awaitSeq(t, first[0])
	seqs := publish(t, eng, "x", 1, 5)
	eventually(t, "four events wait", func() bool { return eng.Queued("x") >= 4 })
	waiting := eng.Queued("x")
	answer := make(chan error)
	go func() { answer <- eng.Join(within(t), "x", m, "again", rooms.Since{}) }()
	eventually(t, "and the join behind them", func() bool { return eng.Queued("x") > waiting })
	release()
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	m.awaitSeq(t, seqs[3])
	if again := m.joined(t, 1); again.Seq != seqs[3] {
		t.Errorf("%+v", again)
	}
	if end := last(m.events("note", wire.TypeRoomJoined)); end.Type != wire.TypeRoomJoined {
		t.Errorf("an event came after the position of it: %+v", end)
	}
}

// TestJoinsFurtherBackWhileLoading: a load that began for one join does not
// answer another that asks for more.
func TestJoinsFurtherBackWhileLoading(t *testing.T) {
	srv := startServer(t)
	seqs := publish(t, startEngine(t, srv, nil), "x", 0, 100)
	eng := startEngine(t, srv, nil)
	join(t, eng, "x", "opens it", rooms.Since{})
	release := eng.HoldReads()
	members := []*member{newMember("near"), newMember("far")}
	answers := make(chan error, 2)
	for i, at := range []int{95, 20} {
		go func() { answers <- eng.Join(within(t), "x", members[i], "", from(eng, seqs[at])) }()
		if i == 0 {
			eventually(t, "a load", func() bool { return eng.Reads() == 1 })
		}
	}
	for range 20 { // the room answers these meanwhile
		if _, err := eng.Online(within(t), "x", "", 1); err != nil {
			t.Error(err)
		}
	}
	release()
	for range 2 {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	for i, at := range []int{95, 20} {
		if got := members[i].joined(t, 0); !got.Recovered {
			t.Errorf("%s: %+v", members[i].id, got)
		}
		members[i].awaitSeq(t, seqs[99])
		wantSeqs(t, members[i], seqs[at+1:])
	}
}

func TestRemoveUser(t *testing.T) {
	eng, _ := start(t, nil)
	one, two := newMember("one"), newMember("two")
	two.user = one.user
	for _, m := range []*member{one, two} {
		if err := eng.Join(within(t), "x", m, "", rooms.Since{}); err != nil {
			t.Fatal(err)
		}
	}
	stays := join(t, eng, "x", "stays", rooms.Since{})
	if n, err := eng.Remove(within(t), "x", one.user.UID); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for _, m := range []*member{one, two} {
		left := m.awaitEvents(t, 1, wire.TypeRoomLeft)
		if p := decode[wire.RoomLeft](t, left[0].Payload); p.Reason != "removed" {
			t.Errorf("reason %q", p.Reason)
		}
		m.await(t, "Left", func() bool { return slices.Equal(m.left, []string{"x"}) })
	}
	if n, err := eng.Remove(within(t), "x", one.user.UID); n != 0 || err != nil {
		t.Error("again:", n, err)
	}
	if n, err := eng.Remove(within(t), "never opened", "u"); n != 0 || err != nil {
		t.Error("no room:", n, err)
	}
	stays.awaitSeq(t, publish(t, eng, "x", 0, 1)[0])
}
