package rooms_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/embedded"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// asker sends requests to nodes as somebody does who has access to NATS.
type asker struct {
	t       *testing.T
	eng     *rooms.Engine // has the secret
	nc      *nats.Conn
	answers chan *nats.Msg
	inbox   string
	sent    int
}

func startAsker(t *testing.T, eng *rooms.Engine, srv *embedded.Server) *asker {
	t.Helper()
	a := &asker{t: t, eng: eng, nc: outsider(t, srv), answers: make(chan *nats.Msg, 64)}
	a.inbox = a.nc.NewInbox()
	if _, err := a.nc.ChanSubscribe(a.inbox+".*", a.answers); err != nil {
		t.Fatal(err)
	}
	return a
}

// signed is a request as a node sends it.
func (a *asker) signed(to string, room wire.Room, ask rooms.Asked) *nats.Msg {
	a.sent++
	msg := &nats.Msg{Subject: "roomd.table." + to + "." + string(room), Reply: fmt.Sprintf("%s.%d", a.inbox, a.sent)}
	a.eng.SignForwarded(msg, ask)
	return msg
}

func (a *asker) publish(msg *nats.Msg) {
	a.t.Helper()
	if err := a.nc.PublishMsg(msg); err != nil {
		a.t.Fatal(err)
	}
}

// answered is the next answer, which must be the one to msg: nothing before it was
// answered.
func (a *asker) answered(msg *nats.Msg) (expired, seq uint64) {
	a.t.Helper()
	select {
	case got := <-a.answers:
		if got.Subject != msg.Reply {
			a.t.Fatalf("answered is %s with %q, and not %s", got.Subject, got.Data, msg.Reply)
		}
		expired, seq, err := a.eng.ReadExpired(got)
		if err != nil {
			a.t.Fatalf("the answer %q: %v", got.Data, err)
		}
		return expired, seq
	case <-time.After(patience):
		a.t.Fatal("no answer")
		return 0, 0
	}
}

// clock is what the node's clock shows: it answers what names none.
func (a *asker) clock(to string, room wire.Room) uint64 {
	a.t.Helper()
	msg := a.signed(to, room, rooms.Asked{Type: "add", UID: "u"})
	a.publish(msg)
	clock, _ := a.answered(msg)
	return clock
}

// TestForgedRequests: whoever may publish on the subject on which a node is asked to
// decide, and hears what others publish there, has nothing decided and gets no
// answer; each try is counted, and the first is logged.
func TestForgedRequests(t *testing.T) {
	log := &logbook{}
	eng, srv := start(t, func(c *rooms.Config) { ledgers(c); rarely(c); c.Node = "a"; c.Log = zerolog.New(log) })
	other := startEngine(t, startServer(t), ledgers) // of another cluster: it has another secret
	a := startAsker(t, eng, srv)
	foreign := *a
	foreign.eng = other
	const room = wire.Room("ledger-1")
	clock := a.clock("a", room)
	valid := func() *nats.Msg { return a.signed("a", room, rooms.Asked{Type: "add", UID: "victim", After: clock}) }
	first := valid()
	a.publish(first)
	if expired, seq := a.answered(first); expired != 0 || seq == 0 {
		t.Fatalf("what a node asks is answered %d, %d", expired, seq)
	}
	changed := func(change func(*nats.Msg)) *nats.Msg {
		msg := valid()
		msg.Data = bytes.Clone(msg.Data)
		change(msg)
		return msg
	}
	for i, forged := range []struct {
		name string
		msg  *nats.Msg
	}{
		{"once more", first},
		{"without a signature", changed(func(m *nats.Msg) { m.Data = []byte(`{"type":"add","user":{"UID":"victim","From":2}}`) })},
		{"empty", changed(func(m *nats.Msg) { m.Data = nil })},
		{"all but the body", changed(func(m *nats.Msg) { m.Data = m.Data[:34] })},
		{"with an invented signature", changed(func(m *nats.Msg) { copy(m.Data[12:], strings.Repeat("A", 22)) })},
		{"for another user", changed(func(m *nats.Msg) { m.Data = bytes.Replace(m.Data, []byte("victim"), []byte("somebo"), 1) })},
		{"for another room", changed(func(m *nats.Msg) { m.Subject = "roomd.table.a.ledger-2" })},
		{"with another place for the answer", changed(func(m *nats.Msg) { m.Reply = a.inbox + ".999999" })},
		{"without a place for the answer", changed(func(m *nats.Msg) { m.Reply = "" })},
		{"of another node", changed(func(m *nats.Msg) {
			*m = *a.signed("b", room, rooms.Asked{Type: "add", After: clock})
			m.Subject = "roomd.table.a.ledger-1"
		})},
		{"of another cluster", foreign.signed("a", room, rooms.Asked{Type: "add", After: clock})},
	} {
		a.publish(forged.msg)
		eventually(t, forged.name+" is counted", func() bool { return eng.Stats().Forged.Load() == int64(i+1) })
	}
	clock = a.clock("a", room)
	last := valid()
	a.publish(last)
	a.answered(last)
	if has := audit(t, eng, room).Total; has != 2 {
		t.Errorf("two were asked for by a node, and the ledger has %d", has)
	}
	if lines := log.lines("who publishes there?"); len(lines) != 1 {
		t.Errorf("logged: %q", lines)
	}
}

// TestForwardedByAnotherSecret: by a node with another secret than that of its sender
// nothing is decided, and its log says what to do.
func TestForwardedByAnotherSecret(t *testing.T) {
	srv := startServer(t)
	with := func(name, key string, log *logbook) func(*rooms.Config) {
		return func(c *rooms.Config) {
			ledgers(c)
			c.Node, c.Secret, c.Log = name, []byte(strings.Repeat(key, rooms.SecretBytes)), zerolog.New(log)
		}
	}
	log := &logbook{}
	a := startEngine(t, srv, with("a", "a", log))
	b := startEngine(t, srv, with("b", "b", &logbook{}))
	room := ledgerFor("a", "a", "b")
	eventually(t, "both know whose turn it is", func() bool { return a.OwnerOf(room) == "a" && b.OwnerOf(room) == "a" })
	sendAdd(b, room, "x")
	eventually(t, "it is counted", func() bool { return a.Stats().Forged.Load() > 0 })
	eventually(t, "the log says what to do", func() bool { return len(log.lines("who publishes there?")) == 1 })
	if n := a.TableStats().Decided.Load(); n != 0 {
		t.Errorf("%d were decided", n)
	}
}

// puppetDecides is a node, a puppet that decides for a table as that node sees it, and
// the table.
func puppetDecides(t *testing.T) (eng *rooms.Engine, b *puppet, room wire.Room) {
	t.Helper()
	srv := startServer(t)
	eng = startEngine(t, srv, func(c *rooms.Config) { ledgers(c); rarely(c); c.AwaitNodes(patience); c.Node = "a" })
	b = startPuppet(t, eng, srv, "b", 64)
	room = ledgerFor("b", "a", "b")
	eventually(t, "it is the other's turn", func() bool { return eng.OwnerOf(room) == "b" })
	return eng, b, room
}

// TestForgedAnswers: a node believes no answer but that of the node which it has asked.
func TestForgedAnswers(t *testing.T) {
	eng, b, room := puppetDecides(t)
	earlier := sendAdd(eng, room, "")
	was, _ := b.next(t)
	b.answer(t, was)
	if err := result(t, earlier); err != nil {
		t.Fatal(err)
	}
	done := sendAdd(eng, room, "")
	msg, _ := b.next(t)
	ofEarlier, err := eng.SignAnswer(was.Reply, 7)
	if err != nil {
		t.Fatal(err)
	}
	forged := [][]byte{
		[]byte(`{"seq":7}`), []byte(`{"error":{"Code":"refused","Message":"forged"}}`), ofEarlier, nil,
		slices.Concat(ofEarlier[:34], []byte(`{"seq":8}`)), msg.Data,
	}
	for _, body := range forged {
		inject(t, b.nc, msg.Reply, string(body))
	}
	eventually(t, "they are counted", func() bool { return eng.Stats().Forged.Load() == int64(len(forged)) })
	select {
	case err := <-done:
		t.Fatalf("a forged answer was believed: %v", err)
	default:
	}
	b.answer(t, msg)
	if err := result(t, done); err != nil {
		t.Errorf("the node's answer: %v", err)
	}
}

// TestNobodyThereIsForged: who says in NATS' name that a node is not there gets
// nothing decided twice: what has no id is not sent to another node.
func TestNobodyThereIsForged(t *testing.T) {
	eng, b, room := puppetDecides(t)
	done := sendAdd(eng, room, "")
	msg, _ := b.next(t)
	inject(t, b.nc, msg.Reply, "", "Status", "503")
	if err := result(t, done); err == nil || wire.AsError(err).Code != wire.Unavailable {
		t.Errorf("answered %v", err)
	}
	if has := audit(t, eng, room).Total; has != 0 {
		t.Errorf("b may have decided it, and the ledger has %d", has)
	}
}

// TestRequestThatMayBeOld: a request that does not name what its node has told lately
// of its clock goes back, once.
func TestRequestThatMayBeOld(t *testing.T) {
	eng, srv := start(t, func(c *rooms.Config) { ledgers(c); c.Node = "a" })
	a := startAsker(t, eng, srv)
	ask := func(after uint64) (expired, seq uint64) {
		msg := a.signed("a", "ledger-1", rooms.Asked{Type: "add", ID: "x", UID: "u", After: after})
		a.publish(msg)
		return a.answered(msg)
	}
	clock := a.clock("a", "ledger-1")
	const hour = uint64(time.Hour / time.Millisecond)
	for name, after := range map[string]uint64{"old": clock - hour, "of a time to come": clock + hour} {
		if expired, seq := ask(after); expired == 0 || seq != 0 {
			t.Errorf("%s: answered %d, %d", name, expired, seq)
		}
	}
	expired, _ := ask(0)
	if _, seq := ask(expired); seq == 0 {
		t.Error("asked for again it is not decided")
	}
	if n := eng.TableStats().Expired.Load(); n != 4 {
		t.Errorf("%d were sent back", n)
	}
}

// TestReplayToTheNextProcess: what a node was asked is nothing that the process which
// comes after it decides.
func TestReplayToTheNextProcess(t *testing.T) {
	srv := startServer(t)
	as := func(c *rooms.Config) { ledgers(c); c.Node = "a" }
	was := startEngine(t, srv, as)
	a := startAsker(t, was, srv)
	const room = wire.Room("ledger-1")
	msg := a.signed("a", room, rooms.Asked{Type: "add", UID: "u", After: a.clock("a", room)})
	a.publish(msg)
	if _, seq := a.answered(msg); seq == 0 {
		t.Fatal("it was not decided")
	}
	closeEngine(t, was)
	eng := startEngine(t, srv, as)
	a.publish(msg)
	if expired, seq := a.answered(msg); expired == 0 || seq != 0 {
		t.Errorf("answered %d, %d", expired, seq)
	}
	if has := audit(t, eng, room).Total; has != 1 {
		t.Errorf("the ledger has %d", has)
	}
}

// TestLinksAreForgotten: of a node that decides no more nothing is kept.
func TestLinksAreForgotten(t *testing.T) {
	eng, b, room := puppetDecides(t)
	done := sendAdd(eng, room, "")
	msg, _ := b.next(t)
	if n := eng.Links(); n != 1 {
		t.Errorf("%d links", n)
	}
	inject(t, b.nc, "roomd.node", `{"v":3,"node":"b","boot":"7","started":1}`)
	eventually(t, "it is this node's turn", func() bool { return eng.OwnerOf(room) == "a" })
	b.answer(t, msg)
	if err := result(t, done); err != nil {
		t.Errorf("what waited: %v", err)
	}
	eventually(t, "it is forgotten", func() bool { return eng.Links() == 0 })
}
