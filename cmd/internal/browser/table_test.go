package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tableServer is a server at whose tables one bets for a long time.
func tableServer(t *testing.T) *roomd {
	t.Helper()
	server := newRoomd(t)
	server.args = []string{"--bet-time", "1h"}
	server.start()
	return server
}

// sitDown opens a window at a table, in the phase that comes first.
func sitDown(t *testing.T, browser context.Context, name string, server *roomd) *window {
	t.Helper()
	w := openWindow(t, browser, name, server.url()+"?room=baccarat-1")
	w.phase("betting")
	return w
}

func (w *window) phase(phase string) {
	w.t.Helper()
	w.until("the table is in the phase "+phase, fmt.Sprintf(`document.querySelector("[data-testid=table]")?.dataset.phase === %q`, phase))
}

// onTable waits until a spot shows what is on it in all, and of this window's own; "" for nothing.
func (w *window) onTable(on, total, mine string) {
	w.t.Helper()
	w.until(fmt.Sprintf("on %s lie %q, %q of them mine", on, total, mine), fmt.Sprintf(`(() => {
		const spot = document.querySelector("[data-testid=spot][data-on=%s]");
		const says = (what) => spot.querySelector("[data-testid=" + what + "]").textContent;
		return spot.dataset.underway === "false" && says("total") === %q && says("mine") === %q;
	})()`, on, total, mine))
}

func (w *window) hasChips(stack, staked string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s chips are left and %s bet", stack, staked), fmt.Sprintf(
		`document.querySelector("[data-testid=stack]").textContent === %q && document.querySelector("[data-testid=staked]").textContent === %q`, stack, staked))
}

const announced = `[...document.querySelectorAll("[data-testid=announcer] p")].map((p) => p.textContent).join("\n")`

// TestTableBets: one bets with the mouse and with the keys, sees what the others bet, is told why a bet is not taken, and
// takes the bets back.
func TestTableBets(t *testing.T) {
	path := needChromium(t)
	server := tableServer(t)
	browser := newBrowser(t, path)
	mei := sitDown(t, browser, "Mei", server)
	percy := sitDown(t, browser, "Percy", server)

	mei.click(`[data-testid=spot][data-on=banker]`)
	mei.click(`[data-testid=spot][data-on=banker]`)
	mei.click(`[data-testid=chip][data-chip="500"]`)
	mei.click(`[data-testid=spot][data-on=player]`)
	mei.onTable("banker", "200", "200")
	mei.hasChips("9,300", "700")
	percy.onTable("banker", "200", "")
	percy.onTable("player", "500", "")

	percy.holds("one begins where one writes", `document.activeElement === document.querySelector("[data-testid=composer]")`)
	percy.backTo("table")
	percy.types("choose 500 and bet on the banker", "3b")
	percy.onTable("banker", "700", "500")
	percy.types("bet 20 on the player's pair", "1P")
	percy.onTable("player_pair", "20", "20")
	percy.run("go to the tie", chromedp.Focus(chromedp.CSS(`[data-testid=spot][data-on=tie]`)))
	percy.types("press it twice", kb.Enter+" ")
	percy.onTable("tie", "40", "40")
	percy.holds("the focus stays", `document.activeElement.dataset.on === "tie" && getComputedStyle(document.activeElement).outlineColor === "rgb(255, 255, 255)"`) // gold is what has won
	mei.onTable("tie", "40", "")

	percy.types("bet more on the tie than may lie there", "5t")
	percy.until("it says why not", `document.querySelector("[data-testid=bet-problem]").textContent.includes("at most 1,000 on Tie; you have 40 there")`)
	percy.onTable("tie", "40", "40")
	percy.hasChips("9,440", "560")
	percy.shoot("refused")
	said := percy.text(announced)
	if !strings.Contains(said, "500 on Banker. You have 9,500.") || strings.Contains(said, "500 on Player") {
		t.Errorf("percy is told %q, want his own bets and nobody else's", said)
	}

	percy.types("take all back", "c")
	percy.hasChips("10,000", "0")
	mei.onTable("banker", "200", "200")
	mei.onTable("tie", "", "")
	percy.until("what was wrong is over", `document.querySelector("[data-testid=bet-problem]").hidden`)
	if !percy.is(`document.querySelector("[data-testid=bet-clear]").getAttribute("aria-disabled") === "true"`) {
		t.Error("there is nothing left to take back, and the button does not say so")
	}
	mei.say("good luck")
	percy.hears("good luck")
	if n := percy.text(`String(document.querySelectorAll("[data-testid=message][data-type=bet_placed]").length)`); n != "0" {
		t.Errorf("%s bets stand among what people say", n)
	}
	mei.content(t)
	percy.content(t)
}

// TestTableComesBack: what lies on the table is there while the server is away, after it has come back, and in a page that
// was loaded anew; meanwhile nobody can bet.
func TestTableComesBack(t *testing.T) {
	path := needChromium(t)
	server := tableServer(t)
	browser := newBrowser(t, path)
	mei := sitDown(t, browser, "Mei", server)
	percy := sitDown(t, browser, "Percy", server)
	mei.click(`[data-testid=spot][data-on=tie]`)
	percy.click(`[data-testid=spot][data-on=player]`)
	same := func(when string) {
		t.Helper()
		mei.onTable("tie", "100", "100")
		mei.onTable("player", "100", "")
		mei.hasChips("9,900", "100")
		percy.onTable("player", "100", "100")
		if got := mei.text(`document.querySelector("[data-testid=round]").textContent`); got != "Round 1" {
			t.Errorf("%s it is %s", when, got)
		}
	}
	same("before")
	server.kill()
	mei.until("it says that there is no connection", `document.querySelector("[data-testid=table-note]").textContent.startsWith("No connection")`)
	mei.until("it asks for no bets", `document.querySelector("[data-testid=table-status]").textContent === "Connection lost"`)
	same("without a server")
	if !mei.is(`[...document.querySelectorAll("[data-testid=spot]")].every((spot) => spot.getAttribute("aria-disabled") === "true")`) {
		t.Error("one can bet without a connection")
	}
	mei.click(`[data-testid=spot][data-on=banker]`)
	mei.shoot("offline")
	server.start()
	mei.connected()
	percy.connected()
	mei.until("the table says nothing of it any more", `document.querySelector("[data-testid=table-note]").hidden`)
	same("after the restart")
	mei.onTable("banker", "", "")
	mei.reload()
	mei.phase("betting")
	same("after a reload")
	mei.click(`[data-testid=spot][data-on=tie]`)
	mei.onTable("tie", "200", "200")
	percy.onTable("tie", "200", "")
	mei.run("the network goes", chromedp.Evaluate[chromedp.Void](`void window.dispatchEvent(new Event("offline"))`))
	mei.until("it says so at once", `document.querySelector("[data-testid=connection]").dataset.state === "reconnecting" && document.querySelector("[data-testid=spot][data-on=tie]").getAttribute("aria-disabled") === "true"`)
	percy.click(`[data-testid=spot][data-on=tie]`)
	mei.connected() // as what comes over it says
	mei.onTable("tie", "300", "200")
	mei.content(t)
}

// TestTableInChinese: a table in the other language, and in windows of all widths, the narrow ones as 200 % of zoom has them.
func TestTableInChinese(t *testing.T) {
	path := needChromium(t)
	server := tableServer(t)
	browser := newBrowser(t, path, chromedp.Flag("accept-lang", "zh-TW"), chromedp.Flag("lang", "zh-TW"))
	mei := sitDown(t, browser, "美", server)
	mei.until("it asks for bets", `document.querySelector("[data-testid=table-status]").textContent === "請下注"`)
	mei.click(`[data-testid=spot][data-on=banker_pair]`)
	mei.onTable("banker_pair", "100", "100")
	mei.until("it is told", `(`+announced+`).includes("押莊對 100，剩餘 9,900。")`)
	mei.backTo("table")
	mei.types("bet more on the tie than may lie there", "5t")
	mei.until("it says so in this language", `document.querySelector("[data-testid=bet-problem]").textContent === "未接受：和最多 1,000。"`)
	mei.run("ask for what the page does not offer", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=refill]").click()`))
	mei.until("what the table says of it in English follows a sentence in this language", `document.querySelector("[data-testid=bet-problem]").textContent === "未接受。牌桌的說明（英文）：you have 10000; a refill is for who has less than 100"`)
	mei.holds("it is marked as English", `document.querySelector("[data-testid=bet-problem] [lang=en]").textContent.startsWith("you have")`)
	for _, size := range [][2]int64{{1280, 800}, {1000, 700}, {820, 800}, {640, 400}, {360, 740}, {320, 256}} {
		mei.run("another window", chromedp.EmulateViewport(size[0], size[1]))
		mei.holds(fmt.Sprintf("the table fits into %v", size), `(() => {
			const table = document.querySelector("[data-testid=table]");
			return table.checkVisibility() && document.documentElement.scrollWidth <= innerWidth && table.scrollWidth <= table.clientWidth &&
				[...table.querySelectorAll("button, label, dd, .spot span")].every((each) => { const box = each.getBoundingClientRect(); return box.width === 0 || (box.left >= 0 && box.right <= innerWidth); });
		})()`)
		mei.shoot(fmt.Sprintf("table-%d", size[0]))
	}
	mei.run("a phone", chromedp.EmulateViewport(360, 740))
	mei.click(`[data-testid=switch]`)
	mei.holds("one can write instead", `document.activeElement === document.querySelector("[data-testid=composer]") && !document.querySelector("[data-testid=table]").checkVisibility()`)
	mei.say("晚安")
	mei.hears("晚安")
	mei.click(`[data-testid=switch]`)
	mei.holds("and bet again", `document.querySelector("[data-testid=table]").checkVisibility()`)
	mei.content(t)
}

// TestTableMarkupStaysText: what a dealer gives as a reason, and what players are called, is text.
func TestTableMarkupStaysText(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.args = []string{"--bet-time", "1h", "--dealer", "live"}
	server.start()
	browser := newBrowser(t, path)
	const evil = `<img src=x onerror=document.title='owned'>`
	mei := sitDown(t, browser, evil[:38], server)
	publish(t, server, "baccarat-1", fmt.Sprintf(`{"type":"pause","payload":{"reason":%q}}`, evil))
	mei.until("the reason is there", fmt.Sprintf(`document.querySelector("[data-testid=table-note]").textContent.includes(%q)`, evil))
	publish(t, server, "baccarat-1", fmt.Sprintf(`{"type":"void","payload":{"round":1,"reason":%q}}`, evil))
	mei.until("it is void", fmt.Sprintf(`document.querySelector("[data-testid=table-status]").textContent.includes(%q)`, evil))
	mei.until("it is told", fmt.Sprintf(`(%s).includes(%q)`, announced, evil))
	for _, typ := range []string{"paused", "round_voided"} {
		mei.until("it is told beside the table, where there is room for it", fmt.Sprintf(`document.querySelector("[data-testid=message][data-type=%s]")?.textContent.includes(%q)`, typ, evil))
	}
	if mei.is(`document.querySelector("[data-testid=table] img, [data-testid=announcer] img") || document.title === "owned"`) {
		t.Error("a reason became markup")
	}
	mei.content(t)
}

// TestTableShoe: a round that is void gives the bets back; at the end of a shoe the page sees whether its seed is the one
// that was promised.
func TestTableShoe(t *testing.T) {
	path := needChromium(t)
	server := tableServer(t)
	mei := sitDown(t, newBrowser(t, path), "Mei", server)
	mei.click(`[data-testid=spot][data-on=tie]`)
	mei.hasChips("9,900", "100")
	mei.click(`[data-testid=fair] summary`)
	mei.until("the seed is promised", `/^[0-9a-f]{64}$/.test(document.querySelector("[data-testid=shoe] .hash").textContent) && document.querySelector("[data-testid=shoe]").textContent.includes("secret until the shoe ends")`)
	mei.run("go to the table", chromedp.Focus(id("table")))
	mei.types("bet more on the tie than may lie there", "5t")
	mei.until("it says why not", `!document.querySelector("[data-testid=bet-problem]").hidden`)
	for _, command := range []string{`{"type":"pause","payload":{"reason":"a new dealer"}}`, `{"type":"void","payload":{"round":1,"reason":"a card fell down"}}`, `{"type":"new_shoe"}`} {
		publish(t, server, "baccarat-1", command)
	}
	mei.until("the round is void", `document.querySelector("[data-testid=table-status]").textContent === "Round 1 is void, and all bets are back: a card fell down"`)
	mei.holds("what was refused before does not hide it", `document.querySelector("[data-testid=bet-problem]").hidden`)
	mei.hasChips("10,000", "0")
	mei.click(`[data-testid=spot][data-on=tie]`)
	mei.until("who comes late is told", `document.querySelector("[data-testid=bet-problem]").textContent === "Not taken: the time for bets is over."`)
	mei.until("for a while", `document.querySelector("[data-testid=bet-problem]").hidden`)
	mei.until("it is paused", `document.querySelector("[data-testid=table-note]").textContent === "Paused: a new dealer"`)
	mei.until("the seed is the promised one", `document.querySelector("[data-testid=shoe] [data-testid=verdict][data-right=true]")`)
	mei.until("it says how to check more", `document.querySelector("[data-testid=fair]").textContent.includes("roomctl baccarat verify baccarat-1 --shoe 1")`)
	mei.until("the log has it too", `document.querySelector("[data-testid=message][data-type=shoe_ended]")?.textContent.includes("Shoe 1 has ended")`)
	mei.shoot("fair")
	publish(t, server, "baccarat-1", `{"type":"resume"}`)
	mei.phase("betting")
	mei.until("nothing is paused", `document.querySelector("[data-testid=table-note]").hidden && document.querySelector("[data-testid=round]").textContent === "Round 2"`)
	mei.content(t)
}

// TestTableRoads: the roads are those of testdata/roads.json, which is for other languages too.
func TestTableRoads(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	mei := openWindow(t, newBrowser(t, path), "Mei", server.url())
	data, err := os.ReadFile("../../../rooms/baccarat/testdata/roads.json")
	if err != nil {
		t.Fatal(err)
	}
	type rows = []string
	var want []struct {
		Name, Results string
		Big, Bead     rows
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want) < 10 {
		t.Fatalf("%d roads, %v", len(want), err)
	}
	ctx, cancel := context.WithTimeout(mei.ctx, stepTimeout)
	defer cancel()
	drawn, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => {
		const { beadPlate, bigRoad } = await import("/assets/table-roads.js");
		const winners = { P: "player", B: "banker", T: "tie" };
		const letter = (winner) => Object.keys(winners).find((each) => winners[each] === winner) ?? "T";
		const rows = (cells) => {
			const picture = Array.from({ length: 6 }, () => []);
			for (const { col, row, winner, ties, player_pair, banker_pair } of cells) {
				picture[row][col] = letter(winner) + (player_pair ? "p" : "") + (banker_pair ? "b" : "") + (ties || "");
			}
			const width = Math.max(...picture.map((row) => row.length));
			return picture.map((row) => Array.from({ length: width }, (_, i) => row[i] ?? "-").join(" "));
		};
		return JSON.stringify(`+string(data)+`.map(({ results }) => {
			const list = (results.match(/[PBT][pb]*/g) ?? []).map((text, i) => ({ round: i + 1, winner: winners[text[0]], player_pair: text.includes("p"), banker_pair: text.includes("b") }));
			return { big: rows(bigRoad(list)), bead: rows(beadPlate(list)) };
		}));
	})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var got []struct{ Big, Bead rows }
	if err := json.Unmarshal([]byte(drawn), &got); err != nil {
		t.Fatal(err)
	}
	for i, road := range want {
		if strings.Join(got[i].Big, "\n") != strings.Join(road.Big, "\n") {
			t.Errorf("%s: the big road is\n%s\nwant\n%s", road.Name, strings.Join(got[i].Big, "\n"), strings.Join(road.Big, "\n"))
		}
		if strings.Join(got[i].Bead, "\n") != strings.Join(road.Bead, "\n") {
			t.Errorf("%s: the bead plate is\n%s\nwant\n%s", road.Name, strings.Join(got[i].Bead, "\n"), strings.Join(road.Bead, "\n"))
		}
	}
}
