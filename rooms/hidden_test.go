package rooms_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

// whispers are rules under which people say something to all, to some, or to
// nobody: the state is how much was said.
type whispers struct{}

type whisper struct {
	Open string   `json:"open"` // to all
	Text string   `json:"text"` // to To
	To   []string `json:"to"`
	Kept string   `json:"kept"` // to nobody
	As   string   `json:"as"`   // the type of Open; "": said
}

type words struct {
	Text string `json:"text"`
}

func (whispers) Version() int                 { return 1 }
func (whispers) New() int                     { return 0 }
func (whispers) Timer(int) int64              { return 0 }
func (whispers) Busy(int) bool                { return false }
func (whispers) Admit(int, table.User) error  { return nil }
func (whispers) Label(int) any                { return nil }
func (whispers) View(n int, _ string) any     { return n }
func (whispers) Encode(n int) ([]byte, error) { return json.Marshal(n) }
func (whispers) Decode(_ int, d []byte) (int, error) {
	var n int
	return n, json.Unmarshal(d, &n)
}

func (whispers) Apply(n int, ev table.Event) (int, error) {
	var s words
	err := json.Unmarshal(ev.Payload, &s)
	return n + len(s.Text), err
}

func (whispers) Decide(_ int, c table.Command) (events []table.Event, err error) {
	if c.User.From == table.FromEngine {
		return nil, nil
	}
	w, err := table.Read[whisper](c)
	if err != nil {
		return nil, err
	}
	if w.Text == "" && w.Open == "" && w.Kept == "" {
		return nil, table.Refuse("nothing is said, %s", c.User.Name)
	}
	if w.Open != "" {
		events = append(events, table.Happened(cmp.Or(w.As, "said"), words{w.Open}))
	}
	if w.Text != "" {
		ev := table.Happened("whispered", words{w.Text})
		ev.To = w.To
		events = append(events, ev)
	}
	if w.Kept != "" {
		ev := table.Happened("kept", words{w.Kept})
		ev.Sealed = true
		events = append(events, ev)
	}
	return events, nil
}

func whispering(c *rooms.Config) {
	c.Tables = []rooms.Hosting{{Rooms: "whispers*", Game: table.Of(whispers{})}}
}

const atWhispers = wire.Room("whispers")

// whisperAs has a user say something, and returns the step.
func whisperAs(t *testing.T, eng *rooms.Engine, uid, id string, w whisper) uint64 {
	t.Helper()
	payload, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := command(t, eng, atWhispers, id, table.User{From: table.FromUser, UID: uid, Name: uid}, "whisper", string(payload))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// lines are what a member was told, one of "seq type text" for each event, those
// of a batch joined by a plus.
func (m *member) lines(t *testing.T) (lines []string) {
	t.Helper()
	for _, ev := range m.events("said", "whispered", "kept", wire.TypeBatch) {
		lines = append(lines, line(t, ev))
	}
	return lines
}

func line(t *testing.T, ev wire.Event) string {
	t.Helper()
	events := []wire.BatchedEvent{{Type: ev.Type, Payload: ev.Payload}}
	if ev.Type == wire.TypeBatch {
		var batch struct{ Events []wire.BatchedEvent }
		if err := json.Unmarshal(ev.Payload, &batch); err != nil {
			t.Fatalf("%s: %v", ev.Payload, err)
		}
		events = batch.Events
	}
	var parts []string
	for _, one := range events {
		var s words
		if err := json.Unmarshal(one.Payload, &s); err != nil {
			t.Fatalf("%s: %v", one.Payload, err)
		}
		parts = append(parts, one.Type+" "+s.Text)
	}
	return fmt.Sprint(ev.Seq, " ", strings.Join(parts, "+"))
}

func linesOf(t *testing.T, eng *rooms.Engine, uid string, before uint64, limit int) (lines []string, more bool) {
	t.Helper()
	page, err := eng.HistoryFor(within(t), atWhispers, uid, before, limit)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range page.Events {
		ev, err := wire.DecodeServer(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		lines = append(lines, line(t, ev))
	}
	return lines, page.More
}

// as is a member of a user's name.
func as(t *testing.T, eng *rooms.Engine, uid, session string, since rooms.Since) *member {
	t.Helper()
	m := newMember(session)
	m.user = wire.User{UID: uid, Username: uid}
	if err := eng.Join(within(t), atWhispers, m, "j", since); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestWhispers: what is for some users reaches all their sessions on every node,
// live, in a replay and in history, from memory and from the log, in one piece with
// the rest of its step; others get the step without it, and nothing where nothing
// is left.
func TestWhispers(t *testing.T) {
	srv := startServer(t)
	engines := []*rooms.Engine{
		startEngine(t, srv, func(c *rooms.Config) { whispering(c); c.Node = "a" }),
		startEngine(t, srv, func(c *rooms.Config) { whispering(c); c.Node = "b" }),
	}
	eventually(t, "they know of each other", func() bool { return len(engines[0].Peers()) == 1 && len(engines[1].Peers()) == 1 })
	want := map[string][]string{}
	users := []string{"ann", "bob", "cid"}
	members := map[string][]*member{}
	for i, eng := range engines {
		for _, uid := range users {
			members[uid] = append(members[uid], as(t, eng, uid, fmt.Sprint(uid, i), rooms.Since{}))
		}
	}
	see := func(seq uint64, text string, uids ...string) {
		for _, uid := range uids {
			want[uid] = append(want[uid], fmt.Sprint(seq, " ", text))
		}
	}
	first := whisperAs(t, engines[0], "ann", "1", whisper{Open: "hello"})
	see(first, "said hello", "ann", "bob", "cid", "")
	seq := whisperAs(t, engines[1], "ann", "2", whisper{Open: "to all", Text: "to bob", To: []string{"bob"}})
	see(seq, "said to all", "ann", "cid", "")
	see(seq, "said to all+whispered to bob", "bob")
	seq = whisperAs(t, engines[0], "ann", "3", whisper{Text: "to two", To: []string{"ann", "bob", "nobody here"}})
	see(seq, "whispered to two", "ann", "bob")
	whisperAs(t, engines[0], "ann", "4", whisper{Kept: "a seed"})
	whisperAs(t, engines[0], "ann", "5", whisper{Text: "to nobody", To: []string{}})
	seq = whisperAs(t, engines[1], "ann", "6", whisper{Open: "a", Text: "b", Kept: "c", To: []string{"cid"}})
	see(seq, "said a", "ann", "bob", "")
	see(seq, "said a+whispered b", "cid")
	last := whisperAs(t, engines[1], "ann", "7", whisper{Open: "bye"})
	see(last, "said bye", "ann", "bob", "cid", "")

	for _, uid := range users {
		for _, m := range members[uid] {
			m.awaitSeq(t, last)
			if got := m.lines(t); !slices.Equal(got, want[uid]) {
				t.Errorf("%s was told %q, want %q", m.id, got, want[uid])
			}
		}
	}
	check := func(when string, eng *rooms.Engine) {
		t.Helper()
		for _, uid := range append(users, "") {
			got, more := linesOf(t, eng, uid, 0, 100)
			if !slices.Equal(got, want[uid]) || more {
				t.Errorf("%s: history of %q is %q, want %q", when, uid, got, want[uid])
			}
			var paged []string
			for before, more := uint64(0), true; more; {
				got, more = linesOf(t, eng, uid, before, 1)
				if len(got) != 1 {
					t.Fatalf("%s: a page of history of %q is %q", when, uid, got)
				}
				paged = append(got, paged...)
				if _, err := fmt.Sscan(got[0], &before); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(paged, want[uid]) {
				t.Errorf("%s: history of %q page by page is %q, want %q", when, uid, paged, want[uid])
			}
		}
		for _, uid := range users {
			since := fromOf(eng, atWhispers, first)
			m := as(t, eng, uid, "again "+uid, since)
			told := m.joined(t, 0)
			m.awaitSeq(t, last)
			if got := m.lines(t); !slices.Equal(got, want[uid][1:]) || !told.Recovered || told.Replayed != len(got) {
				t.Errorf("%s: %s resumes with %q, %+v; want %q", when, uid, got, told, want[uid][1:])
			}
			eng.Leave(atWhispers, m, rooms.LeaveClosed)
		}
	}
	for _, eng := range engines {
		check("with the events in memory", eng)
	}
	check("from the log", startEngine(t, srv, func(c *rooms.Config) { whispering(c); c.Node = "c" }))
}

// TestStepTooLarge: rules that tell more at once than a step may hold stop their
// table, by name, and no other; just below that it reaches members and history.
func TestStepTooLarge(t *testing.T) {
	log := &logbook{}
	eng, _ := start(t, func(c *rooms.Config) { whispering(c); c.Log = zerolog.New(log) })
	m := as(t, eng, "ann", "m", rooms.Since{})
	large := strings.Repeat("x", rooms.MaxStepBytes-1000)
	before := whisperAs(t, eng, "ann", "0", whisper{Open: "before"})
	seq := whisperAs(t, eng, "ann", "1", whisper{Open: large})
	m.awaitSeq(t, seq)
	want := []string{fmt.Sprint(before, " said before"), fmt.Sprint(seq, " said "+large)}
	if got := m.lines(t); !slices.Equal(got, want) {
		t.Errorf("told %d events", len(got))
	}
	if got, more := linesOf(t, eng, "", 0, 100); !slices.Equal(got, want) || more {
		t.Errorf("history has %d events", len(got))
	}
	payload := fmt.Sprintf(`{"open":%q}`, large+strings.Repeat("x", 1000))
	_, err := command(t, eng, atWhispers, "2", table.User{From: table.FromUser, UID: "ann"}, "whisper", payload)
	if code(err) != wire.Internal || len(log.lines("have the rules tell less at once")) == 0 {
		t.Errorf("answered %v", err)
	}
	eventually(t, "it can be resumed", func() bool { return eng.ResumeTable(within(t), atWhispers) == nil })
	if last := whisperAs(t, eng, "ann", "3", whisper{Open: "after"}); last <= seq {
		t.Errorf("stored at %d", last)
	}
}

// TestReservedTypes: nobody can have a client take something for what only the
// server says: no command, and no rules.
func TestReservedTypes(t *testing.T) {
	log := &logbook{}
	eng, srv := start(t, func(c *rooms.Config) { whispering(c); c.Log = zerolog.New(log) })
	ann := table.User{From: table.FromUser, UID: "ann"}
	for _, typ := range []string{wire.TypeBatch, wire.TypeAck, wire.TypeRoomJoined} {
		if _, err := command(t, eng, atWhispers, "", ann, typ, `{"open":"x"}`); code(err) != wire.BadType {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if _, err := command(t, eng, atWhispers, "", ann, table.TypeTookOver, `{"open":"x"}`); code(err) != wire.Refused {
		t.Errorf("%s of a user: %v", table.TypeTookOver, err)
	}
	reply, err := outsider(t, srv).RequestWithContext(within(t), "room.whispers.command", []byte(`{"type":"batch","id":"b"}`))
	if err != nil || !strings.Contains(string(reply.Data), `"bad_type"`) {
		t.Errorf("on NATS: %v, %s", err, reply.Data)
	}
	_, err = command(t, eng, atWhispers, "", ann, "whisper", `{"open":"x","as":"batch"}`)
	if code(err) != wire.Internal || len(log.lines("only the server makes")) == 0 {
		t.Errorf("rules that make a batch: %v", err)
	}
}
