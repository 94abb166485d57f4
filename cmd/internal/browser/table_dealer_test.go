package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
	"github.com/passoncomtw/baccarat-websocket-cluster/session/client"
)

const dealtTable = "baccarat-live"

// A dealer is a program with a shoe of real cards: it hears the table as any client does, and sends cards over NATS.
type dealer struct {
	t     *testing.T
	nc    *nats.Conn
	ear   *client.Client
	heard chan wire.BatchedEvent

	cards          []baccarat.Card // as they lie in the shoe
	sent           int
	player, banker []baccarat.Card
	said           int // commands but for cards
}

func newDealer(t *testing.T, server *roomd, cards []baccarat.Card) *dealer {
	t.Helper()
	nc, err := nats.Connect("nats://"+server.natsAddr, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	d := &dealer{t: t, nc: nc, cards: cards, heard: make(chan wire.BatchedEvent, 1<<14)} // more than a shoe has events
	if _, err := nc.Subscribe("room."+dealtTable+".rejected", func(msg *nats.Msg) { t.Errorf("the table refused %s: %v", msg.Data, msg.Header) }); err != nil {
		t.Fatal(err)
	}
	d.ear, err = client.Dial(t.Context(), client.Config{
		URL: "ws://" + server.httpAddr + "/ws", Username: "dealer", Room: dealtTable, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
		OnEvent: d.hear, OnGap: func(g client.Gap) { t.Errorf("the dealer missed events: %+v", g) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.ear.Close)
	return d
}

// hear hands on each event of a step.
func (d *dealer) hear(ev wire.Event) {
	for _, each := range single(ev) {
		d.heard <- each
	}
}

func single(ev wire.Event) []wire.BatchedEvent {
	if ev.Type != wire.TypeBatch {
		return []wire.BatchedEvent{{Type: ev.Type, Payload: ev.Payload}}
	}
	var batch struct{ Events []wire.BatchedEvent }
	if err := json.Unmarshal(ev.Payload, &batch); err != nil {
		panic(fmt.Sprintf("a batch that is none: %v: %s", err, ev.Payload))
	}
	return batch.Events
}

// say stores a command for the table, again under the same id until the log has it: the server may be away.
func (d *dealer) say(id, body string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), stepTimeout)
	defer cancel()
	msg := nats.NewMsg("room." + dealtTable + ".event")
	msg.Header.Set(nats.MsgIdHdr, id)
	msg.Data = []byte(body)
	for {
		once, cancel := context.WithTimeout(ctx, time.Second)
		reply, err := d.nc.RequestMsgWithContext(once, msg)
		cancel()
		if err == nil {
			var ack struct{ Error json.RawMessage }
			if err := json.Unmarshal(reply.Data, &ack); err == nil && ack.Error == nil {
				return
			}
		}
		if ctx.Err() != nil {
			d.t.Fatalf("the log does not take %s: %v", body, err)
		}
	}
}

func (d *dealer) order(typ, payload string) {
	d.t.Helper()
	d.said++
	id := fmt.Sprintf("order-%d", d.said)
	d.say(id, fmt.Sprintf(`{"type":%q,"id":%q,"payload":%s}`, typ, id, payload))
}

func (d *dealer) deal() {
	d.t.Helper()
	id := fmt.Sprintf("card-%d", d.sent)
	d.say(id, fmt.Sprintf(`{"type":"deal","id":%q,"payload":{"card":%q}}`, id, d.cards[d.sent]))
	d.sent++
}

// play deals what the rules want until an event of the type comes; middle is called once, when the round of that number has
// two cards.
func (d *dealer) play(until string, round int, middle func()) {
	d.t.Helper()
	for {
		var ev wire.BatchedEvent
		select {
		case ev = <-d.heard:
		case <-time.After(stepTimeout):
			d.t.Fatalf("the table says nothing any more; %d cards were sent", d.sent)
		}
		var p struct {
			Round int
			To    baccarat.Spot
			Card  baccarat.Card
		}
		if strings.Contains(" round_opened betting_closed card_dealt ", " "+ev.Type+" ") {
			if err := json.Unmarshal(ev.Payload, &p); err != nil {
				d.t.Fatal(err)
			}
		}
		switch ev.Type {
		case "round_opened":
			d.player, d.banker = nil, nil
		case "card_dealt":
			if p.To == baccarat.Player {
				d.player = append(d.player, p.Card)
			} else {
				d.banker = append(d.banker, p.Card)
			}
			if p.Round == round && len(d.player)+len(d.banker) == 2 {
				middle()
			}
		}
		if (ev.Type == "betting_closed" || ev.Type == "card_dealt") && baccarat.NextCard(d.player, d.banker) != "" {
			d.deal()
		}
		if ev.Type == until {
			return
		}
	}
}

// bets has the page bet whenever a round opens, on one spot after the other, as somebody does who only clicks.
func (w *window) bets(spots ...string) {
	w.t.Helper()
	w.run("bet in every round", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
		const spots = %q.split(" ");
		const table = document.querySelector("[data-testid=table]");
		const look = () => table.dataset.phase === "betting" && document.querySelector("[data-testid=spot][data-on=" + spots[0] + "]").click();
		new MutationObserver(() => { look(); spots.push(spots.shift()); }).observe(table, { attributeFilter: ["data-phase"] });
		look();
	})()`, strings.Join(spots, " "))))
}

// results are those on the page's bead plate, in their order.
func (w *window) results() string {
	w.t.Helper()
	return w.text(`[...document.querySelectorAll("[data-testid=bead-plate] .bead")].sort((a, b) => a.dataset.col - b.dataset.col || a.dataset.row - b.dataset.row).map((bead) => bead.textContent).join("")`)
}

// introduced is the uid of this window, by what it says among others.
func (w *window) introduced() string {
	w.t.Helper()
	w.say("I am " + w.name)
	w.hears("I am " + w.name)
	w.until("it is its own", `document.querySelector("[data-testid=messages] .msg.mine")?.dataset.uid`)
	return w.text(`document.querySelector("[data-testid=messages] .msg.mine").dataset.uid`)
}

// What is told of a card and of a result to those who do not see them.
var (
	cardSaid   = regexp.MustCompile(`(?m)^(Player|Banker): [a-z]+ of [a-z]+, [0-9]\.$`)
	resultSaid = regexp.MustCompile(`(?m)^((Player|Banker) wins, [0-9] to [0-9]|Tie, [0-9] each)\.`)
)

// TestTableDealtOverAKill: two players and a dealer play a shoe to its end. In the middle of a round the server is killed and
// started again: what lay on the table lies there, and at the end both pages show what the log says.
func TestTableDealtOverAKill(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.args = []string{"--dealer", "live", "--bet-time", "200ms", "--deal-time", "15ms", "--history", "10000"}
	server.start()
	cards := make([]baccarat.Card, baccarat.ShoeCards)
	for i := range cards {
		cards[i] = baccarat.Card(i % 52)
	}
	seed := rand.Uint64()
	t.Logf("the shoe is shuffled by %d", seed)
	rand.New(rand.NewPCG(seed, seed)).Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
	dealer := newDealer(t, server, cards)
	browser := newBrowser(t, path)
	mei := openWindow(t, browser, "Mei", server.url()+"?room="+dealtTable)
	percy := openWindow(t, browser, "Percy", server.url()+"?room="+dealtTable)
	players := []*window{mei, percy}
	for _, w := range players {
		w.until("the table is there", `document.querySelector("[data-testid=table]")?.checkVisibility()`)
	}
	uids := []string{mei.introduced(), percy.introduced()}
	mei.bets("banker")
	percy.bets("player", "tie", "banker_pair")

	dealer.play("rested", 15, func() { killed(t, server, players) })
	dealer.order("pause", `{"reason":"the shoe is over"}`)
	shown := make([][2]string, len(players))
	for i, w := range players {
		w.until("the shoe is over", `document.querySelectorAll("[data-testid=spot][data-underway=true]").length === 0 && document.querySelector("[data-testid=table]").dataset.phase === "resting" && document.querySelector("[data-testid=table-note]").textContent.includes("the shoe is over")`)
		shown[i] = [2]string{w.results(), strings.ReplaceAll(w.text(`document.querySelector("[data-testid=stack]").textContent`), ",", "")}
		w.shoot("end-of-shoe")
		if said := w.text(announced); len(cardSaid.FindAllString(said, -1)) < 4 || !resultSaid.MatchString(said) {
			t.Errorf("of the last round %s is told\n%s\nwant every card and the result", w.name, said)
		}
	}
	dealer.order("new_shoe", `{}`)
	for _, w := range players {
		w.until("the next shoe is there", `document.querySelector("#table-shoe").textContent === "Shoe 2" && document.querySelectorAll("[data-testid=bead-plate] .bead").length === 0`)
		w.content(t)
	}
	compare(t, readLog(t, server), uids, shown)
}

// killed pulls the plug while two cards lie there, and sees that they lie there afterwards: the same ones, not dealt anew.
func killed(t *testing.T, server *roomd, players []*window) {
	t.Helper()
	const lying = `[...document.querySelectorAll("[data-testid=card]")].map((card) => card.dataset.card).join() + " " + [...document.querySelectorAll("[data-testid=mine], [data-testid=total], [data-testid=stack]")].map((each) => each.textContent).join("|")`
	before := make([]string, len(players))
	for i, w := range players {
		w.until("two cards lie there", `document.querySelectorAll("[data-testid=card]").length === 2`)
		w.run("remember the cards", chromedp.Evaluate[chromedp.Void](`for (const card of document.querySelectorAll("[data-testid=card]")) card.wasThere = true`))
		before[i] = w.text(lying)
	}
	server.kill()
	for _, w := range players {
		w.until("it says that there is no connection", `document.querySelector("[data-testid=table-note]").textContent.startsWith("No connection")`)
	}
	server.start()
	for i, w := range players {
		w.connected()
		w.until("the table goes on", `document.querySelector("[data-testid=table-note]").hidden`)
		if after := w.text(lying); after != before[i] {
			t.Errorf("%s: on the table lay %s, and after the restart %s", w.name, before[i], after)
		}
		if !w.is(`[...document.querySelectorAll("[data-testid=card]")].every((card) => card.wasThere)`) {
			t.Errorf("%s: the cards were dealt anew", w.name)
		}
	}
}

// readLog is all that the log of the table says, oldest first.
func readLog(t *testing.T, server *roomd) (log []wire.Event) {
	t.Helper()
	for before := ""; ; {
		res, err := http.Get(server.url() + "api/rooms/" + dealtTable + "/events?limit=100" + before)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		var page struct {
			More   bool
			Events []wire.Event
		}
		if err == nil {
			err = json.Unmarshal(body, &page)
		}
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("the log: %s %s %v", res.Status, body, err)
		}
		log = append(slices.Clone(page.Events), log...)
		if !page.More || len(page.Events) == 0 {
			return log
		}
		before = fmt.Sprintf("&before=%d", log[0].Seq)
	}
}

// compare checks the log by the rules of the game, and what the pages showed by the log.
func compare(t *testing.T, log []wire.Event, uids []string, shown [][2]string) {
	t.Helper()
	checker := baccarat.NewChecker(wire.IsGuest)
	stacks := map[string]int64{}
	bets := map[string]int{}
	for _, ev := range log {
		for _, each := range single(ev) {
			checker.Take(ev.Seq, ev.At, each.Type, each.Payload)
			keepBooks(t, each, stacks, bets)
		}
	}
	reports := checker.Reports()
	if len(reports) != 2 || !reports[0].Whole || !reports[0].Live || len(reports[0].Faults) > 0 {
		t.Fatalf("the log has %+v, want a whole shoe without a fault, and the next one", reports)
	}
	shoe := reports[0]
	t.Logf("%d rounds, %d cards, %d bets settled in %d steps; by player %v", shoe.Rounds, shoe.Cards, shoe.Bets, len(log), bets)
	if shoe.Cards < baccarat.ShoeCards-2*baccarat.CutCards {
		t.Errorf("the shoe ended after %d cards", shoe.Cards)
	}
	var want strings.Builder
	for _, result := range shoe.Results {
		want.WriteString(strings.ToUpper(string(result.Winner[:1])))
	}
	for i, uid := range uids {
		if bets[uid] < 10 {
			t.Errorf("%s had %d bets only", uid, bets[uid])
		}
		if shown[i][0] != want.String() {
			t.Errorf("a page shows the results %s, the log has %s", shown[i][0], want.String())
		}
		if shown[i][1] != fmt.Sprint(stacks[uid]) {
			t.Errorf("a page shows %s chips of %s, the log has %d", shown[i][1], uid, stacks[uid])
		}
	}
}

// keepBooks keeps the books by amounts alone, not by the stacks that events tell.
func keepBooks(t *testing.T, ev wire.BatchedEvent, stacks map[string]int64, bets map[string]int) {
	t.Helper()
	type entry struct {
		UID          string
		Amount, Paid int64
	}
	var p struct {
		entry
		Paid []entry
	}
	move := func(uid string, chips int64) {
		if _, ok := stacks[uid]; !ok {
			stacks[uid] = baccarat.StartStack
		}
		stacks[uid] += chips
	}
	if ev.Type != "bet_placed" && ev.Type != "round_settled" {
		return
	}
	if err := json.Unmarshal(ev.Payload, &p); err != nil {
		t.Fatal(err)
	}
	if ev.Type == "bet_placed" {
		move(p.UID, -p.Amount)
		bets[p.UID]++
	}
	for _, each := range p.Paid {
		move(each.UID, each.Paid)
	}
}
