package rooms_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/eventlog"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// heard are the messages that somebody with access to NATS sees.
type heard struct {
	mu   sync.Mutex
	list []*nats.Msg
}

func (h *heard) add(msg *nats.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, msg)
}

func (h *heard) on(subject string) (list []*nats.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, msg := range h.list {
		if msg.Subject == subject {
			list = append(list, msg)
		}
	}
	return list
}

// messagesOf are all messages of a stream.
func messagesOf(t testing.TB, nc *nats.Conn, name string) (list []*jetstream.RawStreamMsg) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(within(t), name)
	if err != nil {
		t.Fatal(err)
	}
	state := stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq && seq > 0; seq++ {
		msg, err := stream.GetMsg(within(t), seq)
		if err != nil {
			t.Fatalf("%s at %d: %v", name, seq, err)
		}
		list = append(list, msg)
	}
	return list
}

// whoIsThere is what a step tells of who came and went.
var whoIsThere = regexp.MustCompile(`"(came|gone)":\[[^\]]*\]`)

// TestHiddenInTheLog: whoever reads all that goes over NATS, and all that is
// stored there, sees of what is for some, or for nobody, neither the text nor whom
// it is for; nor why somebody was refused.
func TestHiddenInTheLog(t *testing.T) {
	log := &logbook{}
	eng, srv := start(t, func(c *rooms.Config) { whispering(c); c.Log = zerolog.New(log).Level(zerolog.DebugLevel) })
	nc := outsider(t, srv)
	var all heard
	if _, err := nc.Subscribe("room.>", all.add); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	m := as(t, eng, "confidant", "m", rooms.Since{})
	last := uint64(0)
	for i := range 2 * rooms.SnapshotSteps {
		last = whisperAs(t, eng, "speaker", fmt.Sprint(i), whisper{Open: "plain-text", Text: "whispered-text", Kept: "kept-text", To: []string{"confidant"}})
	}
	_, err := command(t, eng, atWhispers, "r", table.User{From: table.FromUser, UID: "s", Name: "refused-name"}, "whisper", "")
	if err == nil || !strings.Contains(err.Error(), "refused-name") {
		t.Fatalf("refused with %v", err)
	}
	m.awaitSeq(t, last)
	var snapshots []*jetstream.RawStreamMsg
	eventually(t, "there is a snapshot", func() bool {
		snapshots = messagesOf(t, nc, eventlog.SnapshotsStream)
		return len(snapshots) > 0
	})
	eventually(t, "all is heard", func() bool { return len(all.on("room.whispers.log")) > 2*rooms.SnapshotSteps })
	secrets := []string{"whispered", "kept", "confidant", "refused-name"}
	search := func(where string, data []byte, found bool) {
		t.Helper()
		data = whoIsThere.ReplaceAll(data, nil) // no secret: rooms.members tells it as well
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) {
				t.Fatalf("%s shows %q: %.300q", where, s, data)
			}
		}
		if found && !bytes.Contains(data, []byte("plain-text")) && bytes.Contains(data, []byte(`"events"`)) {
			t.Fatalf("%s does not show what is for all: %.300q", where, data)
		}
	}
	steps := messagesOf(t, nc, eventlog.StepsStream)
	if len(steps) < 2*rooms.SnapshotSteps {
		t.Fatalf("%d steps", len(steps))
	}
	for _, msg := range steps {
		search("a step", msg.Data, true)
		search("a step's header", []byte(fmt.Sprint(msg.Header)), false)
	}
	for _, subject := range []string{"room.whispers.step", "room.whispers.log"} {
		list := all.on(subject)
		if len(list) < 2*rooms.SnapshotSteps {
			t.Fatalf("%d on %s", len(list), subject)
		}
		for _, msg := range list {
			search(subject, msg.Data, true)
		}
	}
	for _, msg := range snapshots {
		search("a snapshot", msg.Data, false)
		for at := range min(len(msg.Data), 128) {
			if plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(msg.Data[at:]))); err == nil {
				search("an inflated snapshot", plain, false)
			}
		}
	}
	page, err := eng.History(within(t), atWhispers, 0, 100)
	if err != nil || len(page.Events) < 100 {
		t.Fatal(len(page.Events), err)
	}
	for _, ev := range page.Events {
		search("history", ev, true)
	}
	reply, err := nc.RequestWithContext(within(t), "rooms.history", []byte(`{"room":"whispers"}`))
	if err != nil || !bytes.Contains(reply.Data, []byte("plain-text")) {
		t.Fatalf("%v: %.300q", err, reply.Data)
	}
	search("rooms.history", reply.Data, false)
	search("the log of the process", []byte(strings.Join(log.lines(""), "")), false)
}

// TestForgedSteps: a step that no node wrote is shown to nobody and changes
// nothing; nor does one that was written and is published again, at this table or
// at another. The table goes on, on this node and on the next.
func TestForgedSteps(t *testing.T) {
	log := &logbook{}
	eng, srv := start(t, func(c *rooms.Config) { whispering(c); c.Log = zerolog.New(log) })
	nc := outsider(t, srv)
	m, first, genuine := firstWhisper(t, eng, nc)
	by := genuine.Header.Get(rooms.HeaderBy)
	if by == "" {
		t.Fatal("a step has no signature")
	}
	changed := strings.Replace(string(genuine.Data), `"one"`, `"two"`, 1)
	want := []string{fmt.Sprint(first, " said one")}
	for i, forged := range []struct {
		name, body string
		header     []string
	}{
		{"no step at all", `forged`, nil},
		{"a step without a signature", fmt.Sprintf(`{"rules":1,"node":"a","prev":%d,"now":1,"events":[{"type":"said","payload":{"text":"forged"}}]}`, first), nil},
		{"with the signature of another", changed, []string{rooms.HeaderBy, by}},
		{"a second time", string(genuine.Data), []string{rooms.HeaderBy, by}},
		{"with a signature of nonsense", string(genuine.Data), []string{rooms.HeaderBy, "node.x"}},
	} {
		inject(t, nc, "room.whispers.step", forged.body, forged.header...)
		eventually(t, forged.name+" is in the log", func() bool { return strings.Contains(lastStep(t, nc), forged.body) })
		text := fmt.Sprint("after ", i)
		seq := whisperAs(t, eng, "ann", text, whisper{Open: text})
		want = append(want, fmt.Sprint(seq, " said ", text))
		m.awaitSeq(t, seq)
	}
	same := func(where string, got []string) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
	}
	same("a member was told", m.lines(t))
	if lines := log.lines("was not written by a node"); len(lines) != 1 || eng.Stats().Forged.Load() < 5 {
		t.Errorf("%d are counted, and said is %q", eng.Stats().Forged.Load(), lines)
	}
	lines, _ := linesOf(t, eng, "", 0, 100)
	same("history", lines)
	next := startEngine(t, srv, func(c *rooms.Config) { whispering(c); c.Node = "next" })
	lines, _ = linesOf(t, next, "", 0, 100)
	same("history of another node", lines)
	seen := 0
	for _, l := range want {
		seen += len(l[strings.Index(l, "said ")+len("said "):])
	}
	later := as(t, next, "bob", "later", rooms.Since{})
	if told := later.joined(t, 0); string(told.State) != fmt.Sprint(seen) {
		t.Errorf("the state is %s, want %d", told.State, seen)
	}
	if n := eng.Stats().Forged.Load(); n < 5 {
		t.Errorf("%d were counted as forged", n)
	}
	closeEngine(t, eng)
	seq := whisperAs(t, next, "ann", "last", whisper{Open: "last"})
	want = append(want, fmt.Sprint(seq, " said last"))
	lines, _ = linesOf(t, next, "", 0, 100)
	same("history after a takeover", lines)
}

// firstWhisper has ann say the first thing at the table, and returns her, its
// sequence, and the copy of that step.
func firstWhisper(t *testing.T, eng *rooms.Engine, nc *nats.Conn) (m *member, first uint64, genuine *nats.Msg) {
	t.Helper()
	var all heard
	if _, err := nc.Subscribe("room.whispers.log", all.add); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	m = as(t, eng, "ann", "m", rooms.Since{})
	first = whisperAs(t, eng, "ann", "1", whisper{Open: "one"})
	m.awaitSeq(t, first)
	eventually(t, "the first step is heard", func() bool {
		for _, msg := range all.on("room.whispers.log") {
			if strings.Contains(string(msg.Data), `"one"`) {
				genuine = msg
			}
		}
		return genuine != nil
	})
	return m, first, genuine
}

// lastStep is the body of the newest step of all tables.
func lastStep(t *testing.T, nc *nats.Conn) string {
	t.Helper()
	list := messagesOf(t, nc, eventlog.StepsStream)
	return string(list[len(list)-1].Data)
}

// TestForgedCopiesOfSteps: a copy of a step that the stream has not sent is shown
// to nobody, nor is a genuine one that is sent again as if it were the next.
func TestForgedCopiesOfSteps(t *testing.T) {
	eng, srv := start(t, func(c *rooms.Config) { whispering(c); undisturbed(c) })
	nc := outsider(t, srv)
	m, _, genuine := firstWhisper(t, eng, nc)
	forged := eng.Stats().Forged.Load()
	eventually(t, "it is seen through", func() bool { // unless another step comes before it
		steps := messagesOf(t, nc, eventlog.StepsStream)
		last := steps[len(steps)-1].Sequence
		inject(t, nc, "room.whispers.log", string(genuine.Data), rooms.HeaderBy, genuine.Header.Get(rooms.HeaderBy),
			"Nats-Stream", eventlog.StepsStream, "Nats-Subject", "room.whispers.step",
			"Nats-Sequence", fmt.Sprint(last+1), "Nats-Last-Sequence", fmt.Sprint(last), "Nats-Time-Stamp", "2099-01-01T00:00:00Z")
		return eng.Stats().Forged.Load() > forged
	})
	seq := whisperAs(t, eng, "ann", "2", whisper{Open: "two"})
	eventually(t, "the members find back to the log", func() bool {
		lines, _ := linesOf(t, eng, "ann", 0, 100)
		return len(lines) == 2 && lines[1] == fmt.Sprint(seq, " said two")
	})
	if got := m.told("said"); got > 2 {
		t.Errorf("it was shown again: %q", m.lines(t))
	}
}

// TestOtherSecret: nodes with another secret than those that wrote a table's log
// leave it as it is, and say what to do.
func TestOtherSecret(t *testing.T) {
	srv := startServer(t)
	with := func(key string, log io.Writer) func(*rooms.Config) {
		return func(c *rooms.Config) {
			whispering(c)
			c.Secret = []byte(strings.Repeat(key, rooms.SecretBytes))
			if log != nil {
				c.Log = zerolog.New(log)
			}
		}
	}
	was := startEngine(t, srv, with("a", nil))
	seq := whisperAs(t, was, "ann", "1", whisper{Open: "one", Kept: "seed"})
	closeEngine(t, was)

	log := &logbook{}
	other := startEngine(t, srv, with("b", log))
	_, err := command(t, other, atWhispers, "2", table.User{From: table.FromUser, UID: "ann"}, "whisper", `{"open":"two"}`)
	if code(err) != wire.Internal {
		t.Errorf("answered %v", err)
	}
	eventually(t, "the log says what to do", func() bool {
		return len(log.lines("another secret")) > 0 && len(log.lines("the key "+eventlog.SecretKey)) > 0
	})
	if lines, _ := linesOf(t, other, "ann", 0, 10); len(lines) != 0 {
		t.Errorf("shown: %q", lines)
	}
	closeEngine(t, other)

	again := startEngine(t, srv, with("a", nil))
	if got := whisperAs(t, again, "ann", "1", whisper{Open: "one", Kept: "seed"}); got != seq {
		t.Errorf("the secret is back, and what was decided at %d is decided at %d", seq, got)
	}
}
