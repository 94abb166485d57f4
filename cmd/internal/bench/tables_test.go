package bench

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// betEvent is what the bench sends of bets.
type betEvent struct {
	Type, ID string
	Payload  struct {
		Round  int
		On     string
		Amount int
	}
}

func TestBets(t *testing.T) {
	b := newBets()
	for number := range uint32(4 * betSteps) {
		var ev betEvent
		text := clientText(t, b.append(nil, stamp{number: number}))
		if err := json.Unmarshal(text, &ev); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		want := betEvent{Type: "place_bet", ID: fmt.Sprintf("%08x", number)}
		want.Payload.Round, want.Payload.On, want.Payload.Amount = 1, "player", betUnit*(1+int(number/2)%betSteps)
		if number%2 == 1 {
			want.Type, want.Payload.On, want.Payload.Amount = "clear_bets", "", 0
		}
		if ev != want {
			t.Errorf("message %d is %+v, want %+v", number, ev, want)
		}
	}
}

// heardBy has a member of a table with two publishers, which have sent sent each,
// hear frames.
func heardBy(d dialect, sent uint32, frames ...string) *reader {
	c := &conn{heard: make([]heard, 2)}
	s := &swarm{dialect: d, conns: []*conn{c}, pubsOf: [][]*publisher{nil}, senders: []map[string]uint32{{"guest-a": 0, "guest-b": 1}}}
	for i := range uint32(2) {
		s.pubsOf[0] = append(s.pubsOf[0], &publisher{conn: &conn{}, sender: i, sent: sent, ahead: 1, members: 1, behind: 1})
	}
	r := &reader{swarm: s}
	for _, f := range frames {
		r.text(c, []byte(f), 0)
	}
	return r
}

func TestStepsAreHeardWhole(t *testing.T) {
	bets := tableDialect
	bets.bets = true
	chat := func(sender, number uint32) string {
		text := make([]byte, stampChars)
		stamp{sender: sender, number: number}.put(text)
		return `{"type":"new_message","payload":{"message":"` + string(text) + `","uid":"guest-a"}}`
	}
	place := func(uid string, amount int) string {
		return fmt.Sprintf(`{"type":"bet_placed","payload":{"round":1,"uid":"guest-%s","on":"player","amount":%d,"stack":9000}}`, uid, amount)
	}
	clear := func(uid string) string {
		return fmt.Sprintf(`{"type":"bets_cleared","payload":{"round":1,"uid":"guest-%s","stack":10000}}`, uid)
	}
	batch := func(events ...string) string {
		return `{"type":"batch","room":"r","seq":7,"at":1,"payload":{"events":[` + strings.Join(events, ",") + `]}}`
	}
	for name, tc := range map[string]struct {
		d                     dialect
		frames                []string
		delivered, misordered uint64
	}{
		"one message":     {tableDialect, []string{chat(0, 0)}, 1, 0},
		"several":         {tableDialect, []string{batch(chat(0, 0), chat(1, 0), chat(0, 1)), chat(0, 2)}, 4, 0},
		"one twice":       {tableDialect, []string{batch(chat(0, 0), chat(0, 0))}, 1, 1},
		"out of order":    {tableDialect, []string{batch(chat(0, 1), chat(0, 0))}, 1, 1},
		"none of ours":    {tableDialect, []string{batch(`{"type":"shoe_started","payload":{"shoe":1}}`)}, 0, 0},
		"one bet":         {bets, []string{place("a", 20)}, 1, 0},
		"several bets":    {bets, []string{batch(place("a", 20), place("b", 20), clear("a")), place("a", 40)}, 4, 0},
		"a bet twice":     {bets, []string{place("a", 20), place("a", 20)}, 1, 1},
		"a bet too early": {bets, []string{place("a", 40)}, 0, 1},
		"of a stranger":   {bets, []string{place("c", 20)}, 0, 0},
		"not a number":    {bets, []string{strings.Replace(place("a", 20), "20", "x", 1)}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := heardBy(tc.d, 3, tc.frames...)
			if r.counts.delivered != tc.delivered || r.counts.misordered != tc.misordered {
				t.Errorf("%d delivered, %d misordered, want %d and %d", r.counts.delivered, r.counts.misordered, tc.delivered, tc.misordered)
			}
		})
	}
}

func TestAcksAreTimed(t *testing.T) {
	p := &publisher{sent: 300}
	p.sentAt[299%256] = time.Second
	r := &reader{swarm: &swarm{}}
	r.swarm.measuring.Store(true)
	ack := func(number uint32) []byte { return fmt.Appendf(nil, `{"type":"ack","id":"%08x","room":"r"}`, number) }
	for _, text := range [][]byte{ack(299), ack(43), ack(300), []byte(`{"type":"ack"}`), []byte(`{"type":"ack","id":"m"}`)} {
		r.acknowledged(&conn{pub: p}, text, 3*time.Second)
	}
	r.acknowledged(&conn{}, ack(299), 3*time.Second)
	if r.acks.total != 1 || r.acks.max != 2*time.Second {
		t.Errorf("%d acks, the longest %v; want the one of the last message, after 2 s", r.acks.total, r.acks.max)
	}
}

func TestTableCases(t *testing.T) {
	c := Command{Mode: Table, Shape: CJK}
	cases, err := c.cases()
	if err != nil || len(cases) < 5 || c.rounds() != 3 {
		t.Fatalf("%d cases in %d rounds: %v", len(cases), c.rounds(), err)
	}
	for _, tc := range cases {
		if tc.load.Shape != CJK || tc.load.Play != Chat || len(tc.figures) == 0 {
			t.Errorf("%+v", tc)
		}
	}
	c.Members = 5
	if cases, err = c.cases(); err != nil || len(cases) != 1 || cases[0].load.Publishers != 5 {
		t.Errorf("with flags of its own: %+v, %v", cases, err)
	}
}
