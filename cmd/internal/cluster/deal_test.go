//go:build unix

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

// The tables that are dealt at, by one dealer each, with rounds of a third of a
// second: a shoe has some eighty.
const (
	dealtTables = 6
	dealtBots   = 60
)

// dealAgain is how long a dealer waits before it sends a card again.
const dealAgain = 2 * time.Second

// dealer is the program of a table whose cards are drawn from real shoes. It hears
// the table as any client does, and sends each card over NATS, again under its id
// until it knows that it was taken.
type dealer struct {
	t     *testing.T
	room  string
	hand  *nats.Conn // a service's
	asks  bool       // on room.<room>.command; else it publishes, as nats pub does, and goes by what the table shows
	heard chan wire.Event
	whole atomic.Int64 // shoes that were dealt to their end

	// of run
	shoes          [][]baccarat.Card // as it has brought them
	at             int               // the next card's place in the last one
	player, banker []baccarat.Card
	dealing        bool
	last, over     bool            // the round is the shoe's last; it is over
	said           map[string]bool // ids that were answered
	again          int             // commands that were sent again

	mu    sync.Mutex
	acked map[uint64]string // cards, by the steps that their acks name
}

// newShoe is eight decks, shuffled.
func newShoe() []baccarat.Card {
	cards := make([]baccarat.Card, baccarat.ShoeCards)
	for i := range cards {
		cards[i] = baccarat.Card(i % 52)
	}
	rand.Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
	return cards
}

// sit has a dealer deal at a table of some nodes until ctx ends.
func (d *dealer) sit(ctx context.Context, nodes []*node) error {
	var others []string
	for _, x := range nodes[1:] {
		others = append(others, x.ws())
	}
	ear, err := client.Dial(ctx, client.Config{
		URL: nodes[0].ws(), Others: others, Room: d.room, Token: token("dealer"), MinBackoff: 50 * time.Millisecond, MaxBackoff: 500 * time.Millisecond,
		OnEvent: func(ev wire.Event) { d.heard <- ev }, OnGap: func(g client.Gap) { d.t.Errorf("the dealer at %s missed events: %+v", d.room, g) },
	})
	if err != nil {
		return err
	}
	defer ear.Close()
	retry := time.NewTicker(dealAgain)
	defer retry.Stop()
	sent := ""
	for {
		if id, command := d.wants(); id != "" && id != sent {
			sent = id
			d.say(ctx, id, command)
			retry.Reset(dealAgain)
		}
		select {
		case ev := <-d.heard:
			d.hear(ev)
		case <-retry.C:
			if id, command := d.wants(); id != "" && !d.said[id] {
				d.again++
				d.say(ctx, id, command)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// wants is what the table waits for; "": for nothing.
func (d *dealer) wants() (id, command string) {
	switch shoe := len(d.shoes); {
	case d.dealing && baccarat.NextCard(d.player, d.banker) != "":
		card := d.shoes[shoe-1][d.at]
		id = fmt.Sprintf("card-%d-%d", shoe, d.at)
		return id, fmt.Sprintf(`{"type":"deal","id":%q,"payload":{"card":%q}}`, id, card)
	case d.over:
		id = fmt.Sprintf("shoe-%d", shoe)
		return id, fmt.Sprintf(`{"type":"new_shoe","id":%q}`, id)
	}
	return "", ""
}

// say sends a command: once where nobody answers, else until it has an answer.
func (d *dealer) say(ctx context.Context, id, command string) {
	if !d.asks {
		// Where the connection is lost it waits, or is lost too: it is sent again.
		_ = d.hand.Publish(wire.EventSubject(wire.Room(d.room)), []byte(command))
		return
	}
	for first := true; ctx.Err() == nil && !d.said[id]; first = false {
		if !first {
			d.again++
		}
		once, cancel := context.WithTimeout(ctx, dealAgain)
		reply, err := d.hand.RequestWithContext(once, wire.CommandSubject(wire.Room(d.room)), []byte(command))
		cancel()
		if err == nil {
			d.answered(id, reply.Data)
			continue
		}
		select {
		case <-time.After(50 * time.Millisecond): // nobody is there to answer
		case <-ctx.Done():
		}
	}
}

// answered takes what a command was answered.
func (d *dealer) answered(id string, text []byte) {
	var answer struct {
		Type    string
		Seq     uint64
		Payload wire.ErrorInfo
	}
	switch err := json.Unmarshal(text, &answer); {
	case err == nil && answer.Type == wire.TypeAck:
		d.said[id] = true
		d.mu.Lock()
		defer d.mu.Unlock()
		d.acked[answer.Seq] = id
	case err == nil && answer.Payload.Retryable:
	default:
		d.said[id] = true
		d.t.Errorf("%s of the dealer at %s was answered %s", id, d.room, text)
	}
}

// hear takes what the table tells.
func (d *dealer) hear(ev wire.Event) {
	if ev.Room != d.room {
		return
	}
	for _, each := range eventsIn(d.t, ev) {
		var p struct {
			Shoe  int
			To    baccarat.Spot
			Card  baccarat.Card
			Last  bool
			Phase string
			State struct{ Phase string } // of room_joined
		}
		switch each.Type {
		case wire.TypeRoomJoined, "round_opened", "card_dealt":
			if err := json.Unmarshal(each.Payload, &p); err != nil {
				d.t.Errorf("%s: %s: %v", d.room, each.Payload, err)
				return
			}
		}
		switch each.Type {
		case wire.TypeRoomJoined:
			if len(d.shoes) == 0 { // it sits down, and no card lies there: nobody else deals
				d.shoes, d.dealing = [][]baccarat.Card{newShoe()}, p.State.Phase == "dealing"
			}
		case "shoe_started":
			if d.over {
				d.shoes = append(d.shoes, newShoe())
				d.whole.Add(1)
				d.at, d.over = 0, false
			}
		case "round_opened":
			d.player, d.banker, d.last = nil, nil, p.Last
		case "betting_closed":
			d.dealing = true
		case "card_dealt":
			if p.To == baccarat.Player {
				d.player = append(d.player, p.Card)
			} else {
				d.banker = append(d.banker, p.Card)
			}
			d.at++
		case "round_settled":
			d.dealing, d.over = false, d.last
		}
	}
}

func eventsIn(t *testing.T, ev wire.Event) []wire.BatchedEvent {
	if ev.Type != wire.TypeBatch {
		return []wire.BatchedEvent{{Type: ev.Type, Payload: ev.Payload}}
	}
	var batch struct{ Events []wire.BatchedEvent }
	if err := json.Unmarshal(ev.Payload, &batch); err != nil {
		t.Errorf("a batch that is none: %v: %s", err, ev.Payload)
	}
	return batch.Events
}

// check compares the log with the shoes: each card is there once, in its order and
// at the step of its ack, and the game was honest.
func (d *dealer) check(x *node) (cards int) {
	d.t.Helper()
	checker := baccarat.NewChecker(wire.IsGuest)
	shoe, at := -1, 0
	for _, ev := range wholeLog(d.t, x, d.room) {
		for _, each := range eventsIn(d.t, ev) {
			checker.Take(ev.Seq, ev.At, each.Type, each.Payload)
			switch each.Type {
			case "shoe_started":
				shoe, at = shoe+1, 0
			case "card_dealt":
				if shoe >= len(d.shoes) || !bytes.Contains(each.Payload, fmt.Appendf(nil, `"card":%q`, d.shoes[shoe][at])) {
					d.t.Errorf("%s: step %d has %s as card %d of shoe %d, which is another", d.room, ev.Seq, each.Payload, at, shoe+1)
					return cards
				}
				d.takes(fmt.Sprintf("card-%d-%d", shoe+1, at), ev.Seq)
				at, cards = at+1, cards+1
			}
			if each.Type == "shoe_started" && shoe > 0 {
				d.takes(fmt.Sprintf("shoe-%d", shoe), ev.Seq)
			}
		}
	}
	for seq, id := range d.acked {
		d.t.Errorf("%s: the log does not have %s at %d, where it was acknowledged", d.room, id, seq)
	}
	if shoe+1 != len(d.shoes) || at < d.at {
		d.t.Errorf("%s: the log has %d shoes, %d cards in the last; the dealer was shown %d and %d", d.room, shoe+1, at, len(d.shoes), d.at)
	}
	for _, report := range checker.Reports() {
		if !report.Live || len(report.Faults) > 0 {
			d.t.Errorf("%s: %+v", d.room, report)
		}
	}
	return cards
}

// takes notes where the log has what was sent under an id.
func (d *dealer) takes(id string, seq uint64) {
	if d.acked[seq] == id {
		delete(d.acked, seq)
	}
}

// wholeLog is a room's log at a node, oldest first.
func wholeLog(t *testing.T, x *node, room string) (log []wire.Event) {
	t.Helper()
	for before := ""; ; {
		var page wire.History
		eventually(t, "the log of "+room, time.Minute, func(ctx context.Context) error {
			return x.ask(ctx, http.MethodGet, roomPath(room)+"/events?limit=100"+before, nil, &page)
		})
		var older []wire.Event
		for _, text := range page.Events {
			ev, err := wire.DecodeServer(text)
			if err != nil {
				t.Fatalf("%s: %s: %v", room, text, err)
			}
			older = append(older, ev)
		}
		log = append(older, log...)
		if !page.More || len(older) == 0 {
			return log
		}
		before = fmt.Sprintf("&before=%d", log[0].Seq)
	}
}

// dealers deal at every table that says something.
type dealers struct {
	stop context.CancelFunc
	work sync.WaitGroup

	mu   sync.Mutex
	list []*dealer
}

func startDealers(s *tables) *dealers {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	all := &dealers{stop: cancel}
	s.t.Cleanup(func() { cancel(); all.work.Wait() })
	hand := s.nats.connect(s.nats.url("service"), make(chan error, 1))
	watcher := s.nats.connect(s.nats.url("watcher"), nil)
	if _, err := watcher.Subscribe("room.*.rejected", func(msg *nats.Msg) {
		s.t.Errorf("refused on %s: %s, %v", msg.Subject, msg.Data, msg.Header)
	}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := watcher.Subscribe("room.*.log", func(msg *nats.Msg) {
		_, token, _ := wire.SubjectToken(msg.Subject)
		room, err := wire.SpaceRooms.Room(token)
		if err != nil || ctx.Err() != nil {
			return
		}
		all.mu.Lock()
		defer all.mu.Unlock()
		if slices.ContainsFunc(all.list, func(d *dealer) bool { return d.room == string(room) }) {
			return
		}
		d := &dealer{
			t: s.t, room: string(room), hand: hand, asks: len(all.list)%2 == 0, heard: make(chan wire.Event, 1<<14),
			said: make(map[string]bool), acked: make(map[uint64]string),
		}
		all.list = append(all.list, d)
		all.work.Go(func() {
			if err := d.sit(ctx, s.nodes); err != nil {
				s.t.Errorf("the dealer at %s: %v", d.room, err)
			}
		})
	}); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// wholeShoes waits until every dealer has dealt one to its end.
func (all *dealers) wholeShoes(t *testing.T) {
	t.Helper()
	eventually(t, "every dealer has dealt a shoe", 2*time.Minute, func(context.Context) error {
		all.mu.Lock()
		defer all.mu.Unlock()
		for _, d := range all.list {
			if d.whole.Load() == 0 {
				return fmt.Errorf("the one at %s has not", d.room)
			}
		}
		return nil
	})
}

// TestDealersUnderFaults: dealers' programs deal whole shoes while the node that
// decides and the servers fail. One asks for each card, the next publishes it as
// nats pub does.
func TestDealersUnderFaults(t *testing.T) {
	beside(t)
	full := faults(t, 0, 1) > 0 // a choice, not a time
	s := newTables(t, dealtTables, "--dealer", "live", "--bet-time", "200ms", "--deal-time", "10ms")
	all := startDealers(s)
	s.bet(dealtBots)
	s.flowing()
	moments := []string{"card_dealt", "betting_closed", "card_dealt", "bet_placed"}
	i := 0
	for _, f := range tableFaults {
		if f.short || full {
			s.befalls(f, moments[i%len(moments)])
			i++
		}
	}
	all.wholeShoes(t)
	s.clean()
	all.stop()
	all.work.Wait()
	cards, shoes, again := 0, int64(0), 0
	for _, d := range all.list {
		cards += d.check(s.nodes[0])
		shoes, again = shoes+d.whole.Load(), again+d.again
	}
	if len(all.list) != dealtTables {
		t.Errorf("%d dealers at %d tables", len(all.list), dealtTables)
	}
	t.Logf("%d cards of %d whole shoes and those behind; %d commands were sent again", cards, shoes, again)
}
