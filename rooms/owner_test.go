package rooms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// adders add to ledgers on some nodes until they are stopped, each sending again
// what was not decided, and count what was acknowledged.
type adders struct {
	t     *testing.T
	stop  context.CancelFunc
	work  sync.WaitGroup
	acked atomic.Int64
}

func startAdders(t *testing.T, room wire.Room, engines ...*rooms.Engine) *adders {
	t.Helper()
	a := &adders{t: t}
	var ctx context.Context
	ctx, a.stop = context.WithCancel(t.Context())
	t.Cleanup(func() { a.stop(); a.work.Wait() })
	for i, eng := range engines {
		a.work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				a.until(eng, room, fmt.Sprint(i, "-", n))
			}
		})
	}
	a.more(20)
	return a
}

// add reports whether it was acknowledged.
func (a *adders) add(eng *rooms.Engine, room wire.Room, id string) bool {
	got := make(chan error, 1)
	ev, who := wire.Event{Type: "add"}, table.User{From: table.FromUser, UID: "adder"}
	eng.Command(room, ev, rooms.CommandOptions{ID: id, User: who}, func(_ rooms.Decision, err error) { got <- err })
	select {
	case err := <-got:
		if err != nil && !wire.AsError(err).Code.Retryable() {
			a.t.Errorf("%s: %v", id, err)
		}
		if err == nil {
			a.acked.Add(1)
		}
		return err == nil
	case <-time.After(patience):
		a.t.Errorf("%s has no answer", id)
		return false
	}
}

// until sends a command until it is acknowledged.
func (a *adders) until(eng *rooms.Engine, room wire.Room, id string) {
	for !a.add(eng, room, id) && !a.t.Failed() {
	}
}

// more waits for so many more.
func (a *adders) more(n int64) {
	a.t.Helper()
	from := a.acked.Load()
	eventually(a.t, fmt.Sprint(n, " more are acknowledged"), func() bool { return a.acked.Load() >= from+n })
}

// total stops the adders; the ledger, seen from a node, has what was acknowledged. A
// node that still believes that it decides may show it as it was before the other's
// last step: its own next one tells it of that.
func (a *adders) total(eng *rooms.Engine, room wire.Room) {
	a.t.Helper()
	a.stop()
	a.work.Wait()
	a.until(eng, room, "last")
	awaitTotal(a.t, eng, room, int(a.acked.Load()))
}

// TestTableGoesToANewNode: a node that starts takes the tables whose turn is its
// own, while commands come from all of them; a node that leaves hands them back.
func TestTableGoesToANewNode(t *testing.T) {
	srv := startServer(t)
	start := func(name string) *rooms.Engine {
		return startEngine(t, srv, func(c *rooms.Config) { ledgers(c); c.Node = name })
	}
	a := start("a")
	room := wire.Room("")
	for i := 0; room == ""; i++ { // one that is b's when there are two
		if r := wire.Room(fmt.Sprint("ledger-", i)); rooms.OwnerAmong(r, "a", "b") == "b" {
			room = r
		}
	}
	adding := startAdders(t, room, a)
	b := start("b")
	eventually(t, "the new node decides", func() bool { return b.TableStats().Decided.Load() > 0 })
	eventually(t, "the old node has handed the table on", func() bool { return a.TableStats().HandedOn.Load() > 0 })
	adding.more(20)
	b.LeaveTables(within(t)) // does not wait for longer than table.MaxWait
	eventually(t, "the node that leaves has handed the table on", func() bool { return b.TableStats().HandedOn.Load() > 0 && b.TablesOwned() == 0 })
	adding.more(20)
	if n := b.TablesOwned(); n > 0 {
		t.Errorf("the node that has left has %d tables again", n)
	}
	if n := a.TableStats().Unanswered.Load(); n > 0 {
		t.Errorf("%d commands were not answered", n)
	}
	adding.total(a, room)
}

// overtaken is a gate for a node's steps. While it has a write, that writes a step
// on another node before each of them, so that the log refuses it.
type overtaken struct {
	gate  sync.RWMutex
	write func()
}

func (o *overtaken) Lock() {
	o.gate.RLock()
	if o.write != nil {
		o.write()
	}
}

func (o *overtaken) Unlock() { o.gate.RUnlock() }

// change is called while no step is on its way.
func (o *overtaken) change(f func()) {
	o.gate.Lock()
	defer o.gate.Unlock()
	f()
}

// TestNodesThatBothDecide: each of two nodes takes the other for gone, and decides.
// They do not starve each other: the one whose steps come too late leaves the table to
// the other, be it its turn or not.
func TestNodesThatBothDecide(t *testing.T) {
	for _, late := range []string{"a", "b"} {
		t.Run(late+" is late", func(t *testing.T) { testLateNode(t, late) })
	}
	t.Run("none is", func(t *testing.T) {
		engines := nodesOf(t, ledgers, "a", "b")
		a, b := engines["a"], engines["b"]
		room := ledgerFor("a", "a", "b")
		adding := startAdders(t, room, a, b)
		for range 5 {
			a.Suspect("b")
			b.Suspect("a")
			adding.more(40)
		}
		adding.total(a, room)
	})
}

func testLateNode(t *testing.T, name string) {
	const rounds = 5
	var gate overtaken
	engines := nodesOf(t, func(c *rooms.Config) {
		ledgers(c)
		c.Heartbeats(time.Hour) // who is suspected stays so
		if c.Node == name {
			c.HoldSteps(&gate)
		}
	}, "a", "b")
	room := ledgerFor("a", "a", "b")
	first := map[string]string{"a": "b", "b": "a"}[name]
	late, ahead := engines[name], engines[first]
	adding := startAdders(t, room, ahead, late)
	began := time.Now()
	writes := 0
	gate.change(func() {
		ahead.Suspect(name) // it decides from now on, and is never overtaken itself
		gate.write = func() { adding.until(ahead, room, fmt.Sprint("ahead-", writes)); writes++ }
	})
	for round := range int64(rounds) {
		late.Suspect(first)
		adding.more(40)
		adding.until(late, room, fmt.Sprint("late-", round))
		if round == 0 {
			eventually(t, "it leaves the table to the other", func() bool { return late.TableStats().GaveWay.Load() > 0 })
		}
	}
	refused, gaveWay := late.TableStats().Conflicts.Load(), late.TableStats().GaveWay.Load()
	if most := rooms.StepsRefused * (gaveWay + 1); refused > most {
		t.Errorf("%d steps were refused, and it gave way %d times", refused, gaveWay)
	}
	if most := rounds + int64(time.Since(began)/rooms.GiveWayFor); gaveWay > most {
		t.Errorf("it gave way %d times, and was told to decide %d times", gaveWay, most)
	}
	if n := ahead.TableStats().Conflicts.Load(); n > 0 {
		t.Errorf("%d steps of the other were refused", n)
	}
	gate.change(func() { gate.write = nil })
	adding.total(ahead, room)
}

// TestNodesThatDoNotHearEachOther: each of two nodes believes that the other is lost,
// and both decide until they meet in the log. By that they agree on whose turn it is;
// when one of them really goes, the other finds out.
func TestNodesThatDoNotHearEachOther(t *testing.T) {
	engines := nodesOf(t, func(c *rooms.Config) { ledgers(c); c.Heartbeats(time.Hour) }, "a", "b")
	a, b := engines["a"], engines["b"]
	tables := []wire.Room{ledgerFor("a", "a", "b"), ledgerFor("b", "a", "b")}
	adding := make([]*adders, len(tables))
	for i, room := range tables {
		adding[i] = startAdders(t, room, a, b)
	}
	a.Unhear("b")
	b.Unhear("a")
	for i, room := range tables {
		eventually(t, "they agree on who decides for "+string(room), func() bool { return a.OwnerOf(room) == b.OwnerOf(room) })
		adding[i].more(20)
	}
	for i, room := range tables {
		adding[i].total(a, room)
	}
	closeEngine(t, b)
	for _, room := range tables {
		eventually(t, "the other one decides for "+string(room), func() bool { return a.OwnerOf(room) == "a" })
	}
}

// TestInjectedWhileNobodyDecides: what a service publishes while no node runs is
// taken by the first one that starts, once, though nobody joins and nothing follows.
func TestInjectedWhileNobodyDecides(t *testing.T) {
	srv := startServer(t)
	first := startEngine(t, srv, ledgers) // makes the streams
	closeEngine(t, first)
	nc := outsider(t, srv)
	steps, err := nc.SubscribeSync("room.ledger-9.step")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two", "one"} {
		if _, err := nc.RequestWithContext(within(t), "room.ledger-9.event", fmt.Appendf(nil, `{"type":"add","id":%q}`, id)); err != nil {
			t.Fatal(err)
		}
	}
	eng := startEngine(t, srv, ledgers)
	for total := 0; total < 2; {
		msg, err := steps.NextMsgWithContext(within(t))
		if err != nil {
			t.Fatal(err)
		}
		step, err := table.DecodeStep(msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range step.Events {
			if ev.Type == "added" {
				total++
			}
		}
	}
	if has := audit(t, eng, "ledger-9").Total; has != 2 {
		t.Errorf("two were injected, one of them twice, and the ledger has %d", has)
	}
	if n := eng.TableStats().Injected.Load(); n != 3 {
		t.Errorf("%d were read", n)
	}
}

// TestPublishAtATable: what a service publishes at a table is a command, by every
// way, under one id.
func TestPublishAtATable(t *testing.T) {
	eng, srv := start(t, ledgers)
	const room = "ledger-1"
	first, err := publishOne(within(t), eng, room, rooms.ServiceMessageID(room, "x"), wire.Event{Type: "add"})
	if err != nil || first.Seq == 0 || first.Duplicate {
		t.Fatalf("published: %+v %v", first, err)
	}
	nc := outsider(t, srv)
	reply, err := nc.RequestWithContext(within(t), "rooms.publish", []byte(`{"room":"ledger-1","id":"x","event":{"type":"add"}}`))
	if err != nil {
		t.Fatal(err)
	}
	var again rooms.PubAck
	if err := json.Unmarshal(reply.Data, &again); err != nil || again.Seq != first.Seq || !again.Duplicate {
		t.Errorf("rooms.publish under the same id: %s", reply.Data)
	}
	if reply, err = nc.RequestWithContext(within(t), "room.ledger-1.command", []byte(`{"type":"add","id":"x"}`)); err != nil {
		t.Fatal(err)
	}
	var ack wire.Ack
	if ev, err := wire.DecodeServer(reply.Data); err != nil || ev.Type != wire.TypeAck || ev.Seq != first.Seq || json.Unmarshal(ev.Payload, &ack) != nil || !ack.Duplicate {
		t.Errorf("room.<room>.command under the same id: %s", reply.Data)
	}
	body, err := wire.NewBody(wire.Event{Type: "add"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Publish(within(t), room, body, rooms.PublishOptions{Author: wire.FromUser}); err == nil || wire.AsError(err).Code != wire.Forbidden {
		t.Errorf("a user's event is published past the rules: %v", err)
	}
	if has := audit(t, eng, room).Total; has != 1 {
		t.Errorf("the ledger has %d", has)
	}
}

// TestTableWithoutALog: while the log takes nothing, so many commands wait and no
// more; they are answered unavailable, and when it is back they are decided once.
func TestTableWithoutALog(t *testing.T) {
	var gate sync.RWMutex
	log := &logbook{}
	eng, _ := start(t, func(c *rooms.Config) { ledgers(c); c.HoldSteps(gate.RLocker()); c.Log = zerolog.New(log) })
	const room, many = "ledger-1", 4 * rooms.OwnerMailbox // the mailbox, what waits, and the step that is held
	if _, err := command(t, eng, room, "0", service, "add", ""); err != nil {
		t.Fatal(err)
	}
	gate.Lock()
	codes := map[wire.Code]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	all.Add(many)
	for i := range many {
		eng.Command(room, wire.Event{Type: "add"}, rooms.CommandOptions{ID: fmt.Sprint("id-", i), User: service}, func(_ rooms.Decision, err error) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			var shown *wire.Error
			if errors.As(err, &shown) {
				codes[shown.Code]++
			} else {
				codes["none"]++
			}
		})
	}
	all.Wait()
	if _, err := command(t, eng, "ledger-2", "0", service, "add", ""); err == nil || wire.AsError(err).Code != wire.Unavailable {
		t.Errorf("at another table: %v", err)
	}
	eventually(t, "both tables are counted", func() bool { return eng.TableStats().Stalled.Load() == 2 })
	gate.Unlock()
	if lines := log.lines("taken no step"); len(lines) != 1 {
		t.Errorf("said is %q", lines)
	}
	if codes[wire.Busy] == 0 || codes[wire.Unavailable] == 0 || codes["none"] > 0 || eng.TableStats().Busy.Load() != int64(codes[wire.Busy]) {
		t.Errorf("answered %v, counted busy %d", codes, eng.TableStats().Busy.Load())
	}
	eventually(t, "it decides again", func() bool {
		_, err := command(t, eng, room, "id-0", service, "add", "")
		return err == nil
	})
	if again := audit(t, eng, room).Total; again > many {
		t.Errorf("the ledger has %d", again)
	}
}

// TestInjectedTableIsUnloaded: a table that has injected commands in its log is
// unloaded like any other, and takes the next one.
func TestInjectedTableIsUnloaded(t *testing.T) {
	eng, srv := start(t, func(c *rooms.Config) {
		ledgers(c)
		c.IdleAfter, c.PresenceGrace = 400*time.Millisecond, 50*time.Millisecond
		c.Heartbeats(20 * time.Millisecond)
	})
	nc := outsider(t, srv)
	for n := range int64(2) {
		inject(t, nc, "room.ledger-1.event", `{"type":"add"}`)
		eventually(t, "it is decided", func() bool { return eng.TableStats().Injected.Load() > n })
		eventually(t, "the table is unloaded", func() bool { return eng.TablesOwned() == 0 })
	}
	if has := audit(t, eng, "ledger-1").Total; has != 2 {
		t.Errorf("two were injected, and the ledger has %d", has)
	}
}
