package rooms_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// puppet is a node that the test plays: it is there, and decides nothing by itself.
type puppet struct {
	eng  *rooms.Engine // has the secret
	nc   *nats.Conn
	asks chan *nats.Msg // what is forwarded to it
}

func startPuppet(t *testing.T, eng *rooms.Engine, srv *embedded.Server, name string, queue int) *puppet {
	t.Helper()
	p := &puppet{eng, outsider(t, srv), make(chan *nats.Msg, queue)}
	if _, err := p.nc.ChanSubscribe("roomd.table."+name+".*", p.asks); err != nil {
		t.Fatal(err)
	}
	if _, err := p.nc.Subscribe("roomd.table."+name, func(msg *nats.Msg) {
		if err := msg.Respond(strconv.AppendInt(nil, time.Now().UnixMilli(), 10)); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	inject(t, p.nc, "roomd.node", fmt.Sprintf(`{"v":3,"node":%q,"boot":"7","started":1,"tables":true}`, name))
	return p
}

// next is what it is asked next, but to look after a table.
func (p *puppet) next(t *testing.T) (*nats.Msg, rooms.Asked) {
	t.Helper()
	for end := time.After(patience); ; {
		select {
		case msg := <-p.asks:
			a, err := p.eng.ReadForwarded(msg)
			if err != nil {
				t.Fatal(err)
			}
			if !a.Wake {
				return msg, a
			}
			p.answer(t, msg)
		case <-end:
			t.Fatal("nothing is forwarded")
		}
	}
}

// answer says that it was decided.
func (p *puppet) answer(t *testing.T, msg *nats.Msg) {
	t.Helper()
	body, err := p.eng.SignAnswer(msg.Reply, 1)
	if err == nil {
		err = msg.Respond(body)
	}
	if err != nil {
		t.Error(err)
	}
}

// ledgerFor is a ledger whose turn is one's among these nodes.
func ledgerFor(one string, nodes ...string) wire.Room {
	for i := 0; ; i++ {
		if room := wire.Room(fmt.Sprint("ledger-", i)); rooms.OwnerAmong(room, nodes...) == one {
			return room
		}
	}
}

// add sends a command and does not wait for its answer.
func sendAdd(eng *rooms.Engine, room wire.Room, id string) <-chan error {
	done := make(chan error, 1)
	eng.Command(room, wire.Event{Type: "add"}, rooms.CommandOptions{ID: id, User: service}, func(_ rooms.Decision, err error) { done <- err })
	return done
}

func result(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("a command has no answer")
		return nil
	}
}

// TestOwnersSecondAnswer: an owner whose step was stalled answers its commands, and
// again when another node turns out to have decided. The second answer sends on
// nothing that was answered.
func TestOwnersSecondAnswer(t *testing.T) {
	var gate sync.RWMutex
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) { ledgers(c); rarely(c); c.Node = "a"; c.HoldSteps(gate.RLocker()) })
	room := ledgerFor("b", "a", "b")
	first, err := command(t, eng, room, "first", service, "add", "")
	if err != nil {
		t.Fatal(err)
	}
	gate.Lock()
	if err := result(t, sendAdd(eng, room, "stalled")); err == nil || wire.AsError(err).Code != wire.Unavailable {
		t.Errorf("while the log takes nothing: %v", err)
	}
	b := startPuppet(t, eng, srv, "b", 64)
	eventually(t, "it is the other's turn", func() bool { return eng.OwnerOf(room) == "b" })
	writeStep(t, eng, b.nc, room, table.Step{Rules: 1, Node: "b", Prev: first, Now: time.Now().UnixMilli(), Events: []table.StoredEvent{{Type: "added", Payload: json.RawMessage("1")}}})
	gate.Unlock()
	eventually(t, "the table is handed on", func() bool { return eng.TableStats().HandedOn.Load() > 0 })
	if eng.TableStats().GaveWay.Load() == 0 {
		t.Error("the two did not meet")
	}
	later := sendAdd(eng, room, "later")
	msg, got := b.next(t)
	if !strings.HasSuffix(got.ID, "later") {
		t.Errorf("forwarded: %+v, which was answered", got)
	}
	b.answer(t, msg)
	if err := result(t, later); err != nil {
		t.Error(err)
	}
}

// writeStep has a node write a step.
func writeStep(t *testing.T, eng *rooms.Engine, nc *nats.Conn, room wire.Room, step table.Step) {
	t.Helper()
	body, by, err := eng.EncodeStep(room, &step)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := nc.RequestMsgWithContext(within(t), &nats.Msg{Subject: wire.SpaceTables.Capture(room), Data: body, Header: nats.Header{eventlog.HeaderBy: {by}}})
	if err != nil || strings.Contains(string(reply.Data), "error") {
		t.Fatalf("%v %v", reply, err)
	}
}

// TestForwardedBound: so many commands wait for other nodes and no more; one more is
// refused as busy, and the others get their answers.
func TestForwardedBound(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) { ledgers(c); rarely(c); c.Node = "a"; c.AwaitNodes(patience) })
	b := startPuppet(t, eng, srv, "b", 2*rooms.MaxForwarded)
	room := ledgerFor("b", "a", "b")
	eventually(t, "it is the other's turn", func() bool { return eng.OwnerOf(room) == "b" })
	var answered, busy atomic.Int64
	sent := 0
	for ; busy.Load() == 0 && sent < 4*rooms.MaxForwarded; sent++ {
		eng.Command(room, wire.Event{Type: "add"}, rooms.CommandOptions{User: service}, func(_ rooms.Decision, err error) {
			switch {
			case err == nil:
				answered.Add(1)
			case wire.AsError(err).Code == wire.Busy:
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	if busy.Load() != 1 || sent <= rooms.MaxForwarded || eng.TableStats().Busy.Load() != 1 {
		t.Errorf("of %d one is refused, and %d were, counted %d", sent, busy.Load(), eng.TableStats().Busy.Load())
	}
	for range sent - 1 {
		msg, _ := b.next(t)
		b.answer(t, msg)
	}
	eventually(t, "all are answered", func() bool { return answered.Load() == int64(sent)-1 })
}

// TestNodeIsLostWithACommand: of what waits for a node that is gone, a command with
// an id is decided by the next node; one without may have been decided, and is
// answered unavailable.
func TestNodeIsLostWithACommand(t *testing.T) {
	srv := startServer(t)
	eng := startEngine(t, srv, func(c *rooms.Config) { ledgers(c); rarely(c); c.Node = "a" })
	b := startPuppet(t, eng, srv, "b", 64)
	room := ledgerFor("b", "a", "b")
	eventually(t, "it is the other's turn", func() bool { return eng.OwnerOf(room) == "b" })
	without, with := sendAdd(eng, room, ""), sendAdd(eng, room, "with")
	var ids []string
	for range 2 {
		_, got := b.next(t)
		ids = append(ids, got.ID)
	}
	if !slices.Contains(ids, "") || !slices.ContainsFunc(ids, func(id string) bool { return strings.HasSuffix(id, "with") }) {
		t.Fatalf("forwarded: %q", ids)
	}
	b.nc.Close()
	if err := result(t, without); err == nil || wire.AsError(err).Code != wire.Unavailable || !strings.Contains(err.Error(), "without an id") {
		t.Errorf("without an id: %v", err)
	}
	if err := result(t, with); err != nil {
		t.Errorf("with an id: %v", err)
	}
	stats := eng.TableStats()
	if stats.GivenUp.Load() != 1 || stats.Unanswered.Load() != 1 {
		t.Errorf("%d nodes were given up, %d commands not answered", stats.GivenUp.Load(), stats.Unanswered.Load())
	}
	if has := audit(t, eng, room).Total; has != 1 {
		t.Errorf("the ledger has %d", has)
	}
}
